"Files and words as people have them, at the command line: each ends in a right answer or in one line with exit code 2, and leaves nothing half-done."
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jobs import TINY, here, ok, refused
from PIL import Image

@pytest.fixture
def photo(tiny): return tiny.parent/"images"/"v000_0000.jpg"

@pytest.fixture
def odd_name(photo, tmp_path):
    "A folder with an image whose name is not UTF-8, as an old archive leaves it."
    (tmp_path/"odd").mkdir()
    shutil.copy(photo, os.fsencode(tmp_path/"odd") + b"/a\xf1o.jpg")
    shutil.copy(photo, tmp_path/"odd"/"b.jpg")
    return tmp_path/"odd"

def test_nothing_that_can_be_read(tiny_bundle, tmp_path):
    "A manifest whose folder has moved."
    (tmp_path/"wrong.csv").write_text("path\nmoved/1.jpg\nmoved/2.jpg\n")
    for argv in (["predict", tiny_bundle, tmp_path/"wrong.csv", "--out", tmp_path/"p.csv"], ["localize", tiny_bundle, tmp_path/"wrong.csv", "--out", tmp_path/"found"]):
        said = refused(*argv)
        assert "none of the 2 images" in said and "moved/1.jpg" in said and f"read against {tmp_path}" in said
    assert [p.name for p in tmp_path.iterdir()] == ["wrong.csv"]

def test_some_that_can_be_read(tiny_bundle, photo, tmp_path):
    (tmp_path/"some.csv").write_text(f"path\n{photo}\nmoved/2.jpg\n")
    out,err = ok("predict", tiny_bundle, tmp_path/"some.csv", "--out", tmp_path/"p.csv")
    assert "1 of 2 images predicted" in out and "1 of 2 images could not be read" in err
    out,err = ok("localize", tiny_bundle, tmp_path/"some.csv", "--out", tmp_path/"found", "--classes", "reef", "--scales", "1")
    assert "1 of 2 images could not be looked at" in err

def test_evaluate_without_an_image_that_can_be_read(tiny, tiny_bundle, tmp_path):
    df = pd.read_csv(tiny)[["floor"]].assign(path=[f"{i}.jpg" for i in range(24)])
    for name in df.path: (tmp_path/name).write_bytes(b"torn")
    df.to_csv(tmp_path/"torn.csv", index=False)
    assert "none of the 24 images could be read" in refused("evaluate", tiny_bundle, tmp_path/"torn.csv", "--out", tmp_path/"e")
    assert not (tmp_path/"e").exists()

TWO = ["--target", "floor", "--arch", "test_resnet", "--arch", "mobilenetv2_035", "--seeds", "1", *TINY[4:]]
COMMANDS = {"train": ["TABLE", *TINY], "compare": ["TABLE", *TWO], "split": ["TABLE", "--target", "floor"], "predict": ["BUNDLE", "TABLE"], "localize": ["BUNDLE", "TABLE"],
            "evaluate": ["BUNDLE", "TABLE"], "calibrate": ["BUNDLE", "TABLE"], "pseudo-label": ["BUNDLE", "TABLE"], "robustness": ["BUNDLE", "TABLE"], "score": ["TABLE", "TABLE"], "convert": ["TABLE", "--format", "yolo"]}
FILES = {"split": "out.csv", "predict": "out.csv", "pseudo-label": "out.csv"}

def leaves_nothing(command, table, bundle, tmp_path):
    "What a command says that is refused, and leaves no file."
    words = [{"TABLE": table, "BUNDLE": bundle}.get(word, word) for word in COMMANDS[command]]
    before = set(tmp_path.rglob("*"))
    said = refused(command, *words, "--out", tmp_path/FILES.get(command, "out"))
    assert set(tmp_path.rglob("*")) == before
    return said

@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_without_a_row(tiny_bundle, tmp_path, command):
    (tmp_path/"empty.csv").write_text("path,floor,label,x0,y0,x1,y1,score\n")
    assert "empty.csv" in leaves_nothing(command, tmp_path/"empty.csv", tiny_bundle, tmp_path)

@pytest.mark.parametrize("command", ["train", "compare", "predict", "localize", "evaluate", "calibrate", "pseudo-label"])
def test_a_table_without_an_image_that_can_be_read(tiny_bundle, tmp_path, command):
    rows = [f"{i}.jpg,{floor},{'valid' if i % 3 else 'train'}" for i,floor in enumerate(["sandy", "muddy", "reef", ""]*6)]
    (tmp_path/"torn.csv").write_text("path,floor,split\n" + "\n".join(rows) + "\n")
    for i in range(24): (tmp_path/f"{i}.jpg").write_bytes(b"torn")
    said = leaves_nothing(command, tmp_path/"torn.csv", tiny_bundle, tmp_path)
    assert ".jpg" in said and "not an image" in said

def test_images_of_another_range(tiny, tmp_path):
    "Decibels, which are numbers below 0: refused with the option that reads them, and then the model knows."
    df = pd.read_csv(tiny)[["path", "floor", "video"]]
    for i,path in enumerate(df.path):
        grey = np.asarray(Image.open(tiny.parent/path).convert("L"), np.float32)
        Image.fromarray(grey/255*40 - 50).save(tmp_path/f"{i}.tif")
    df.assign(path=[f"{i}.tif" for i in range(len(df))]).to_csv(tmp_path/"decibels.csv", index=False)
    said = refused("train", tmp_path/"decibels.csv", *TINY, "--out", tmp_path/"run")
    assert "--value-range=LOW,HIGH" in said
    assert "value_range" in refused("train", tmp_path/"decibels.csv", *TINY, "--value-range=5", "--out", tmp_path/"run")
    ok("train", tmp_path/"decibels.csv", *TINY, "--value-range=-50,-10", "--out", tmp_path/"run")
    note = json.loads((tmp_path/"run"/"run.json").read_text())
    assert "--value-range=-50,-10" in note["command"]
    assert json.loads((tmp_path/"run"/"bundle"/"config.json").read_text())["geometry"]["value_range"] == [-50, -10]
    assert "24 of 24 images predicted" in ok("predict", tmp_path/"run"/"bundle", tmp_path/"decibels.csv", "--out", tmp_path/"p.csv")[0]

def test_predict_mirrored_and_by_another_rule(tiny, tiny_bundle, tmp_path):
    tables = {}
    for name,more in {"plain": [], "tta": ["--tta"], "likely": ["--decide", "likely"]}.items():
        ok("predict", tiny_bundle, tiny, *more, "--out", tmp_path/f"{name}.csv")
        tables[name] = pd.read_csv(tmp_path/f"{name}.csv")
    names = [c for c in tables["plain"] if c.startswith("p_")]
    assert np.allclose(tables["likely"][names], tables["plain"][names]) and not np.allclose(tables["tta"][names], tables["plain"][names], atol=1e-5)
    assert tables["likely"].label.tolist() == tables["likely"][names].idxmax(axis=1).str[2:].tolist()
    assert "was begun with other tta" in refused("predict", tiny_bundle, tiny, "--tta", "--resume", "--out", tmp_path/"plain.csv")
    assert "was begun with other model or settings of it" in refused("predict", tiny_bundle, tiny, "--decide", "likely", "--resume", "--out", tmp_path/"plain.csv")
    assert "choose balanced or likely" in refused("predict", tiny_bundle, tiny, "--decide", "rarest", "--out", tmp_path/"q.csv")

def test_compare_takes_workers_and_a_device(tiny, tmp_path):
    ok("compare", tiny, *TWO, "--num-workers", "0", "--device", "cpu", "--out", tmp_path/"two")
    assert "is finished" in ok("compare", tiny, *TWO, "--num-workers", "1", "--out", tmp_path/"two", "--resume")[0]

def test_one_image_a_batch(tiny, tmp_path):
    assert "--bs 1: batch norm needs two images a batch at this size (32x32)" in refused("train", tiny, *TINY, "--bs", "1", "--out", tmp_path/"run")
    assert not (tmp_path/"run").exists()

@pytest.mark.parametrize("name", ["l"*251 + ".jpg", "海"*83 + ".jpg", "a." + "b"*249 + ".jpg"])
def test_a_file_name_as_long_as_can_be(tiny_bundle, photo, tmp_path, name):
    (tmp_path/"long").mkdir()
    try: shutil.copy(photo, tmp_path/"long"/name)
    except OSError: pytest.skip("this file system takes no such name")
    ok("localize", tiny_bundle, tmp_path/"long", "--out", tmp_path/"found", "--classes", "reef", "--scales", "1")
    assert len(list((tmp_path/"found"/"overlays").iterdir())) == 1
    ok("predict", tiny_bundle, tmp_path/"long", "--out", tmp_path/"p.csv")

def test_a_name_that_is_not_utf8_is_predicted_and_localized(tiny_bundle, odd_name, tmp_path):
    out,_ = ok("predict", tiny_bundle, odd_name, "--out", tmp_path/"p.csv")
    preds = pd.read_csv(tmp_path/"p.csv")
    assert "2 of 2 images predicted" in out and preds.path[0].endswith(r"a\udcf1o.jpg") and preds.score.notna().all()
    ok("localize", tiny_bundle, odd_name, "--out", tmp_path/"found", "--classes", "reef", "--scales", "1")
    assert len(list((tmp_path/"found"/"overlays").iterdir())) == 2
    (odd_name/"b.jpg").write_bytes(b"torn")
    (Path(os.fsdecode(os.fsencode(odd_name) + b"/a\xf1o.jpg"))).write_bytes(b"torn")
    assert r"a\udcf1o.jpg" in refused("predict", tiny_bundle, odd_name, "--out", tmp_path/"torn.csv")

def test_a_name_that_is_not_utf8_among_labelled_images(tiny_bundle, odd_name, tmp_path):
    "It stands in the tables with its byte escaped, and the file is found by that."
    (tmp_path/"in").mkdir()
    odd_name.rename(tmp_path/"in"/"reef")
    ok("evaluate", tiny_bundle, tmp_path/"in", "--target", "floor", "--out", tmp_path/"judged")
    judged = pd.read_csv(tmp_path/"judged"/"predictions.csv")
    assert judged.path.str.contains(r"a\udcf1o.jpg", regex=False).any() and judged.error.isna().all()

def test_coco_whose_answers_are_withheld(tiny_bundle, photo, tmp_path):
    "Boxes are there, their category is null; predicting needs only the images, wherever they lie."
    for name in ("1.jpg", "2.jpg"):
        (tmp_path/"images").mkdir(exist_ok=True)
        shutil.copy(photo, tmp_path/"images"/name)
    data = {"images": [{"id": i, "file_name": f"{i}.jpg", "width": 64, "height": 36} for i in (1, 2)], "categories": [{"id": 1, "name": "fish"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": None, "bbox": [1, 1, 0, 9]}, {"id": 1, "image_id": 7, "category_id": None}]}
    (tmp_path/"annotations").mkdir()
    (tmp_path/"annotations"/"test.json").write_text(json.dumps(data))
    for k,more in enumerate(([], ["--images", tmp_path/"images"])):
        assert "2 of 2 images predicted" in ok("predict", tiny_bundle, tmp_path/"annotations"/"test.json", *more, "--out", tmp_path/f"{k}.csv")[0]
    assert "no such folder" in refused("predict", tiny_bundle, tmp_path/"annotations"/"test.json", "--images", tmp_path/"gone", "--out", tmp_path/"p.csv")

@pytest.mark.parametrize("name", ["group", "depth", "time"])
def test_a_reserved_column_as_target(tiny, tmp_path, name):
    pd.read_csv(tiny).rename(columns={"floor": name, name: f"{name}_"}).to_csv(tiny.parent/f"{name}.csv", index=False)
    for command in ("train", "compare", "split"):
        more = [*TINY[2:]] if command == "train" else ["--arch", "a", "--arch", "b"] if command == "compare" else []
        assert f"{name} is the name of a column with another meaning; rename the column" in refused(command, tiny.parent/f"{name}.csv", "--target", name, *more, "--out", tmp_path/"out.csv")
    assert list(tmp_path.iterdir()) == []

def test_a_glob_that_the_shell_has_made_names_of(tiny, tiny_bundle, tmp_path):
    names = sorted((tiny.parent/"images").glob("v00[01]*.jpg"))
    out,_ = ok("predict", tiny_bundle, *names, "--out", tmp_path/"p.csv")
    assert f"{len(names)} of {len(names)} images predicted" in out and len(names) > 1
    out,_ = ok("localize", tiny_bundle, *names, "--out", tmp_path/"found", "--classes", "reef", "--scales", "1")
    assert f"of {len(names)} images" in out
    assert "is finished already" in ok("localize", tiny_bundle, *names, "--out", tmp_path/"found", "--classes", "reef", "--scales", "1", "--resume")[0]
    assert "a table stands alone" in refused("predict", tiny_bundle, tiny, names[0], "--out", tmp_path/"q.csv")
    assert "gone.jpg: no such file" in refused("predict", tiny_bundle, names[0], "gone.jpg", "--out", tmp_path/"q.csv")

def test_classes_called_na_and_none(tmp_path):
    "What pandas would take for missing, in a table of boxes."
    from ocean_fastai.data.loaders import OceanDataLoaders
    from ocean_fastai.infer.bundle import save_bundle
    from ocean_fastai.train.learner import ocean_learner
    rng = np.random.default_rng(0)
    for i in range(8):
        Image.fromarray(rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(tmp_path/f"{i}.png")
    df = pd.DataFrame({"path": [f"{i}.png" for i in range(8)], "kind": ["NA", "None", "null", "fish"]*2})
    df.attrs["folder"] = str(tmp_path)
    dls = OceanDataLoaders.from_manifest(df, "kind", size=96, valid=.5, num_workers=0, progress=False)
    bundle = save_bundle(ocean_learner(dls, "mobilenetv2_035", weights=None), tmp_path/"bundle")
    argv = ["localize", bundle, tmp_path/"0.png", "--classes", "NA,None,null", "--scales", "1", "--min-score", "0", "--out", tmp_path/"found"]
    out,_ = ok(*argv)
    boxes = pd.read_csv(tmp_path/"found"/"boxes.csv", keep_default_na=False)
    assert len(boxes) and set(boxes.label) <= {"NA", "None", "null"} and "threshold None" not in out
    from ocean_fastai.jobs import localize
    again = localize(bundle, tmp_path/"0.png", tmp_path/"found", ["NA", "None", "null"], scales=["1"], min_score=0, resume=True)
    assert again.label.tolist() == boxes.label.tolist()

def test_a_crop_is_said(tiny, tmp_path):
    assert "crop: of each image the central 0.667 of the width" in ok("train", tiny, *TINY, "--crop", "0.667", "--out", tmp_path/"run")[0]
    assert json.loads((tmp_path/"run"/"bundle"/"config.json").read_text())["geometry"]["crop"]

def test_no_crop_unless_asked_for(tiny_bundle): assert json.loads((tiny_bundle/"config.json").read_text())["geometry"]["crop"] is None

def test_words_of_earlier_versions(tiny, tmp_path):
    ok("split", tiny, "--target", "floor", "--by", "video", "--test", "0.2", "--out", tmp_path/"s.csv")
    df = pd.read_csv(tmp_path/"s.csv")
    assert set(df.split) == {"train", "valid", "test"} and df.groupby("video").split.nunique().max() == 1
    code,out,_ = here("split", "--help")
    assert code == 0 and "--groups" in out and "--by" not in out

def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "ocean_fastai", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("ocean-fastai ")
