"A detector from the command line: trained from boxes, asked by localize, predict and score; and the two kinds of model told apart."
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jobs import ok, refused

SMALL = ["--arch", "test_efficientnet", "--weights", "none", "--size", "64", "--epochs", "1", "--bs", "4"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "Twelve small images of four videos with a bright square each, one of them looked at and empty; and a detector of one epoch."
    home, rng, boxes = tmp_path_factory.mktemp("detector"), np.random.default_rng(0), []
    for i in range(13):
        im = rng.integers(60, 110, (48, 64, 3), dtype=np.uint8)
        if i:
            x, y = int(rng.integers(0, 40)), int(rng.integers(0, 24))
            im[y:y + 24, x:x + 24] = 230
            boxes.append((f"{i:02}.png", "net" if i % 2 else "can", x, y, x + 24, y + 24))
        Image.fromarray(im).save(home/f"{i:02}.png")
    parts = ["train"]*8 + ["valid"]*3 + ["test"]*2
    waste = ["none", *(b[1] for b in boxes)]
    pd.DataFrame({"path": [f"{i:02}.png" for i in range(13)], "waste": waste, "video": [f"v{i//3}" for i in range(13)], "split": parts}).to_csv(home/"images.csv", index=False)
    pd.DataFrame(boxes, columns=["path", "label", "x0", "y0", "x1", "y1"]).to_csv(home/"boxes.csv", index=False)
    home_said, _ = ok("train", home/"images.csv", "--task", "detect", "--boxes", home/"boxes.csv", "--target", "waste", *SMALL, "--out", home/"run")
    (home/"said.txt").write_text(home_said)
    return home


def test_train_leaves_a_whole_run(home):
    run, said = home/"run", (home/"said.txt").read_text()
    assert "1 of 13 images are known to hold none of the classes" in said and "mean of the classes on 3 validation images: AP30" in said
    assert {"bundle", "report.html", "test_report.html", "boxes.csv", "ap.csv", "metrics.json", "history.csv", "split.csv", "run.json"} <= {f.name for f in run.iterdir()}
    assert json.loads((run/"run.json").read_text())["status"] == "finished" and not (run/"cache").exists()
    ap = pd.read_csv(run/"ap.csv")
    assert set(ap["class"]) >= {"can", "net"} and ap["ap"].between(0, 1).all()
    page = (run/"report.html").read_text(encoding="utf-8")
    assert "Average precision" in page and "can: examples" in page
    assert "exists already" in refused("train", home/"images.csv", "--task", "detect", "--boxes", home/"boxes.csv", *SMALL, "--out", run)


def test_localize_predict_and_score_take_it(home):
    said, _ = ok("localize", home/"run/bundle", home/"images.csv", "--min-score", "0", "--out", home/"found")
    boxes = pd.read_csv(home/"found/boxes.csv")
    assert len(boxes) and boxes[["x0", "y0"]].min().min() >= -.01 and (boxes["x1"] <= 64.01).all() and (boxes["y1"] <= 48.01).all() and "boxes in" in said
    ok("predict", home/"run/bundle", home/"images.csv", "--out", home/"preds.csv")
    best = boxes.pivot_table(index="path", columns="label", values="score", aggfunc="max")
    preds = pd.read_csv(home/"preds.csv").set_index("path").loc[best.index]
    assert np.allclose(preds[["p_can", "p_net"]], best, atol=2e-3)
    ok("score", home/"found/boxes.csv", home/"boxes.csv", "--out", home/"judged")
    assert (home/"judged/report.html").is_file()


def test_the_two_kinds_of_model_are_told_apart(home):
    assert "is a detector, which has no heat maps" in refused("localize", home/"run/bundle", home/"images.csv", "--tiles", "2x2", "--out", home/"bad")
    assert "is a detector" in refused("embed", home/"run/bundle", home/"images.csv", "--out", home/"bad.parquet")
    assert "--boxes: no option of --task classify" in refused("train", home/"images.csv", "--boxes", home/"boxes.csv", "--out", home/"bad")
    assert "--recipe: no option of --task detect" in refused("train", home/"images.csv", "--task", "detect", "--recipe", "both", "--out", home/"bad")
    assert "choose classify or detect" in refused("train", home/"images.csv", "--task", "segment", "--out", home/"bad")
    said = refused("train", home/"images.csv", "--target", "waste", "--init", home/"run/bundle", "--size", "32", "--out", home/"bad")
    assert "detector" in said and "classifier" in said


def test_boxes_that_can_not_teach(home):
    def bad(text, boxes, *more):
        boxes.to_csv(home/"wrong.csv", index=False)
        assert text in refused("train", home/"images.csv", "--task", "detect", "--boxes", home/"wrong.csv", *SMALL, *more, "--out", home/"bad")
        assert not (home/"bad").exists()
    true = pd.read_csv(home/"boxes.csv")
    Image.new("RGB", (64, 48)).save(home/"elsewhere.png")
    bad("isn't there", true.assign(path="elsewhere.png"))
    bad("are a model's", true.assign(score=.5, annotator="model"))
    bad("no box of crate", true, "--classes", "can,crate")
    bad("fewer than a batch", true, "--bs", "64")
    bad("more than the 64x64 pixels", true, "--tiles", "100x1")
