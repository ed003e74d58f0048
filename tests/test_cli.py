"The command line end to end: what each command leaves, what it says and how it ends; train also in a process of its own."
import json
import re
import shlex
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from jobs import TINY, apart, begin, draw, here, ok, refused
from PIL import Image

from ocean_fastai.formats.coco import write_coco

TINY_COCO = ("--target", "elements", "--by", "video", "--classes", "fauna,rocks", *TINY[2:], "--size", "96x64")

@pytest.fixture(scope="module")
def home(tmp_path_factory): return tmp_path_factory.mktemp("home")

@pytest.fixture(scope="module")
def drawn(home):
    "A data set drawn by the command."
    out,_ = ok("synth", home/"drawn", "--n", "24", "--videos", "12", "--size", "48x32", "--seed", "3")
    assert str(home/"drawn"/"manifest.csv") in out
    return home/"drawn"/"manifest.csv"

@pytest.fixture(scope="module")
def run(home, drawn):
    "A finished run, made by the command."
    code,out,err = apart("train", drawn, *TINY, "--out", home/"run")
    assert code == 0, err
    assert "balanced accuracy on" in out and str(home/"run"/"report.html") in out
    return home/"run"

def load(path): return json.loads(path.read_text(encoding="utf-8"))

def test_synth_draws_what_was_asked(drawn):
    df = pd.read_csv(drawn)
    assert len(df) == 24 and df.video.nunique() == 12
    assert Image.open(drawn.parent/df.path[0]).size == (48, 32)
    assert "exists already" in refused("synth", drawn.parent)
    assert "another drawn data set" in refused("synth", drawn.parent, "--n", "25", "--resume")
    ok("synth", drawn.parent, "--n", "24", "--videos", "12", "--size", "48x32", "--seed", "3", "--resume")

def test_train_leaves_a_whole_run(run):
    assert {p.name for p in run.iterdir()} == {"bundle", "history.csv", "split.csv", "metrics.json", "confusion.png", "predictions.csv", "report.html", "run.json"}
    note,metrics,preds,split = load(run/"run.json"),load(run/"metrics.json"),pd.read_csv(run/"predictions.csv"),pd.read_csv(run/"split.csv")
    assert note["command"].startswith("ocean-fastai train ") and note["status"] == "finished" and note["seed"] == 42
    assert note["options"]["arch"] == "mobilenetv2_035" and {"torch", "timm", "ocean-fastai"} <= set(note["versions"])
    assert note["split_hash"] == split.split_hash[0] == load(run/"bundle"/"config.json")["split_hash"]
    assert note["manifest_hash"] == load(run/"bundle"/"config.json")["training"]["manifest"]
    assert set(preds.path) == set(split.path[split.split == "valid"]) and metrics["valid"]["n"] == len(preds)
    assert "test" not in metrics
    assert (run/"report.html").read_text(encoding="utf-8").count("<img") >= 2
    assert len(pd.read_csv(run/"history.csv")) == 1

def test_train_twice_is_refused_or_finished(run, drawn):
    assert "a run that is finished" in refused("train", drawn, *TINY, "--out", run)
    assert "is finished already" in ok("train", drawn, *TINY, "--out", run, "--resume")[0]
    said = refused("train", drawn, *TINY, "--seed", "7", "--arch", "resnet18", "--out", run, "--resume")
    assert "seed was 42, not 7" in said and "arch was mobilenetv2_035, not resnet18" in said

def test_predict_counts_what_it_cannot_read(run, drawn, home):
    images = home/"some images"
    shutil.copytree(drawn.parent/"images", images)
    (images/"torn.jpg").write_bytes((images/"v000_0000.jpg").read_bytes()[:300])
    out,err = ok("predict", run/"bundle", images, "--out", home/"p.csv")
    assert "1 of 25 images could not be read" in err and "24 of 25" in out
    preds = pd.read_csv(home/"p.csv")
    assert len(preds) == 25 and preds.path.is_unique
    bad = preds[preds.error.notna()]
    assert len(bad) == 1 and bad.path.iloc[0].endswith("torn.jpg") and bad.label.isna().all()
    assert "exists already" in refused("predict", run/"bundle", images, "--out", home/"p.csv")
    before = (home/"p.csv").read_bytes()
    ok("predict", run/"bundle", images, "--out", home/"p.csv", "--resume")
    assert (home/"p.csv").read_bytes() == before

def test_predict_takes_images_in_any_form(run, drawn, home):
    "A folder, a glob, a manifest and one image; CSV and Parquet: the same answers."
    for i,(images,out) in enumerate([(drawn.parent/"images", "folder.csv"), (drawn.parent/"images"/"*.jpg", "glob.parquet"), (drawn, "manifest.parquet"), (drawn.parent/"images"/"v000_0000.jpg", "one.csv")]):
        ok("predict", run/"bundle", images, "--out", home/out, "--bs", 5 + i)
    read = [pd.read_csv(home/"folder.csv"), pd.read_parquet(home/"glob.parquet"), pd.read_parquet(home/"manifest.parquet")]
    for df in read: assert df.label.tolist() == read[0].label.tolist()
    for df in read: assert (df.score - read[0].score).abs().max() < 1e-4
    assert read[2].path[0] == "images/v000_0000.jpg" and len(pd.read_csv(home/"one.csv")) == 1

def test_export_predicts_alone(run, drawn, home):
    "The exported script writes the table that `predict` writes; a folder that is taken is refused."
    out,_ = ok("export", run/"bundle", "--out", home/"onnx")
    assert f"python {home/'onnx'/'predict.py'} IMAGES" in out
    subprocess.run([sys.executable, home/"onnx"/"predict.py", drawn.parent/"images", "--out", home/"alone.csv"], check=True)
    ok("predict", run/"bundle", drawn.parent/"images", "--out", home/"with-torch.csv")
    alone,ours = pd.read_csv(home/"alone.csv"),pd.read_csv(home/"with-torch.csv").drop(columns="domain") # which needs features
    assert list(alone) == list(ours) and alone.path.tolist() == ours.path.tolist() and alone.label.tolist() == ours.label.tolist()
    assert (alone.score - ours.score).abs().max() < 1e-4
    assert "exists already" in refused("export", run/"bundle", "--out", home/"onnx")

def test_evaluate(run, drawn, home):
    out,_ = ok("evaluate", run/"bundle", drawn, "--out", home/"evaluated")
    assert "balanced accuracy on 24 images" in out
    assert {p.name for p in (home/"evaluated").iterdir()} == {"predictions.csv", "metrics.json", "confusion.png", "report.html", "run.json"}
    metrics = load(home/"evaluated"/"metrics.json")
    assert metrics["n"] == 24 and metrics["n_groups"] == 12 and set(metrics["classes"]) == {"muddy", "muddy-sand", "reef", "sandy"}
    assert "exists already" in refused("evaluate", run/"bundle", drawn, "--out", home/"evaluated")
    assert "columns are" in refused("evaluate", run/"bundle", home/"folder.csv", "--out", home/"other")

def test_class_folders_aliases_and_classes(drawn, home):
    "Folders with Spanish names; the target is called label, or as asked."
    df = pd.read_csv(drawn)
    for floor,name in {"sandy": "Arenoso", "reef": "arrecife"}.items():
        for path in df.path[df.floor == floor]: (home/"folders"/name).mkdir(parents=True, exist_ok=True); shutil.copy(drawn.parent/path, home/"folders"/name)
    ok("train", home/"folders", *TINY[2:], "--out", home/"by-folder", "--classes", "arenoso,reef")
    assert load(home/"by-folder"/"bundle"/"config.json")["targets"] == {"label": ["sandy", "reef"]}
    assert "'reef' in 6 rows" in refused("train", home/"folders", *TINY, "--out", home/"bad", "--classes", "sandy,muddy")
    ok("evaluate", home/"by-folder"/"bundle", home/"folders", "--out", home/"folders-evaluated")

def test_several_classes_an_image(drawn, home):
    ok("train", drawn, "--target", "elements", *TINY[2:], "--out", home/"elements", "--by", "video")
    config = load(home/"elements"/"bundle"/"config.json")
    assert config["multilabel"] == ["elements"]
    assert "mean_average_precision" in load(home/"elements"/"metrics.json")["valid"]["metrics"]
    ok("evaluate", home/"elements"/"bundle", drawn, "--out", home/"elements-evaluated")

def test_the_target_must_be_clear(drawn, home):
    said = refused("train", drawn, *TINY[2:], "--out", home/"bad")
    assert all(c in said for c in ("floor", "elements", "rov_frame", "--target"))
    assert "video" not in said
    assert "floor" not in refused("train", drawn, *TINY[2:], "--out", home/"bad", "--by", "floor").split("(")[1]
    assert "floor is named twice" in refused("train", drawn, *TINY, "--target", "floor", "--out", home/"bad")
    assert not (home/"bad").exists()

def test_test_images_are_kept_to_the_end(drawn, home):
    "Rows that say test neither train nor validate; the final model is judged on them, apart."
    df = pd.read_csv(drawn, keep_default_na=False)
    df["split"] = df.video.map(lambda v: "test" if v < "v004" else "train")
    df.to_csv(drawn.parent/"parts.csv", index=False)
    out,_ = ok("train", drawn.parent/"parts.csv", *TINY, "--out", home/"parts", "--refit")
    metrics = load(home/"parts"/"metrics.json")
    assert "test images" in out and metrics["test"]["n"] == 8
    assert "trained once more" in metrics["valid"]["what"] and "bundle/" in metrics["test"]["what"]
    assert set(pd.read_csv(home/"parts"/"test_predictions.csv").path) == set(df.path[df.split == "test"])
    assert {"test_report.html", "test_confusion.png", "refit_history.csv"} <= {p.name for p in (home/"parts").iterdir()}

def test_training_rows_among_the_judged_are_told(run, drawn, home):
    df = pd.read_csv(drawn, keep_default_na=False).assign(split=["train", "valid"]*12)
    df.to_csv(drawn.parent/"known.csv", index=False)
    _,err = ok("evaluate", run/"bundle", drawn.parent/"known.csv", "--out", home/"known")
    assert "12 of the 24 images say `train`" in err
    assert "12 of 24 images belong to the training part" in (home/"known"/"report.html").read_text(encoding="utf-8")
    df[df.split == "valid"].to_csv(drawn.parent/"held.csv", index=False)
    assert "train" not in ok("evaluate", run/"bundle", drawn.parent/"held.csv", "--out", home/"held")[1]

@pytest.mark.parametrize("by", ["none", "video"])
def test_a_test_part_that_is_given_up_is_told(drawn, home, by):
    df = pd.read_csv(drawn, keep_default_na=False)
    df.assign(split=df.video.map(lambda v: "test" if v < "v004" else "train")).to_csv(drawn.parent/"given-up.csv", index=False)
    _,err = ok("train", drawn.parent/"given-up.csv", *TINY, "--by", by, "--out", home/f"given-up-{by}")
    assert err.count("8 rows of the old split's test part may train now") == 1

def test_a_reader_that_leaves_does_not_end_the_training(drawn, home):
    "As with `ocean-fastai train ... | head -1`; both streams."
    process = begin("train", drawn, *TINY, "--out", home/"unread")
    process.stdout.close(), process.stderr.close()
    assert process.wait(timeout=300) == 0
    assert load(home/"unread"/"run.json")["status"] == "finished"

def test_the_noted_command_can_be_repeated(run, home):
    words = shlex.split(load(run/"run.json")["command"])
    words[words.index("--out") + 1] = str(home/"again")
    ok(*words[1:])
    assert (home/"again"/"split.csv").read_bytes() == (run/"split.csv").read_bytes()

def test_an_error_is_one_line_and_debug_shows_the_rest(home):
    code,out,err = apart("train", home/"nowhere", "--out", home/"bad")
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and "nowhere: no such file or folder" in err
    code,_,err = here("train", home/"nowhere", "--out", home/"bad", "--debug")
    assert code == 2 and "Traceback" in err

@pytest.mark.parametrize("argv,says", [(["sing"], "sing"), ([], "COMMAND"), (["train", "d"], "--out"), (["train", "d", "--out", "r", "--bs", "many"], "many"), (["predict", "b", "i", "--out", "p.csv", "--seed", "1"], "--seed")])
def test_words_that_are_not_understood(argv, says): assert says in refused(*argv)

@pytest.mark.parametrize("options,says", [(["--size", "0"], "at least one pixel"), (["--crop", "0"], "(0, 1]"), (["--crop", "1.5"], "(0, 1]"), (["--valid", "0.9"], "0.5"), (["--valid", "0"], "--valid"), (["--by", "dive"], "dive"),
    (["--arch", "resnet1x1"], "resnet1x1"), (["--weights", "gone.safetensors"], "gone.safetensors"), (["--body-epochs", "0"], "nothing would be trained"), (["--bs", "0"], "at least one image"), (["--target", "depth"], "depth")])
def test_options_that_cannot_be(drawn, home, options, says):
    target = [] if "--target" in options else ["--target", "floor"]
    assert says in refused("train", drawn, *target, *TINY[2:], *options, "--out", home/"bad")
    assert not (home/"bad").exists()

def test_help_tells_of_every_option(home):
    for command in ("demo", "synth", "train", "predict", "evaluate"):
        code,out,_ = here(command, "--help")
        assert code == 0 and "examples:" in out and f"ocean-fastai {command}" in out

def test_demo_leaves_a_page(home, monkeypatch):
    "The demo in little: fewer and smaller images, one epoch."
    from ocean_fastai.jobs import draw as demo
    monkeypatch.setattr(demo, "_DEMO", {"n": 48, "size": (96, 54), "videos": 24, "arch": "mobilenetv2_035", "weights": "none", "input": "32", "epochs": (0, 1)})
    out,_ = ok("demo", "--out", home/"demo")
    assert str(home/"demo"/"demo.html") in out and "on unseen videos" in out
    page = (home/"demo"/"demo.html").read_text(encoding="utf-8")
    for heading in ("The images", "What the network sees in training", "How good is it?", "Confusion", "examples", "The table of predictions"): assert heading in page
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.split("<body")[1]) # a picture's four letters may happen to spell it
    assert page.count("<img") >= 5 and "http" not in words.replace("http://www.w3.org", "")
    assert len(pd.read_csv(home/"demo"/"predictions.csv")) == 48
    assert "--out" in refused("demo", "--out", home/"demo")

def test_boxes_from_coco_to_scores(drawn, home):
    "COCO in, thresholds fitted, boxes out, judged."
    df,boxes = pd.read_csv(drawn, keep_default_na=False),pd.read_csv(drawn.parent/"boxes.csv")
    df.attrs["folder"] = boxes.attrs["folder"] = str(drawn.parent)
    coco = write_coco(df[["path", "video"]], boxes, home/"boxes.json")
    ok("train", coco, *TINY_COCO, "--out", home/"coco-run")
    assert load(home/"coco-run"/"metrics.json")["localization"]["classes"]
    asked = "localize", home/"coco-run"/"bundle", drawn.parent/"images", "--classes", "fauna", "--scales", "1", "--min-score", "0", "--out", home/"found"
    out,_ = ok(*asked)
    assert "boxes in" in out and "fauna (threshold" in out
    assert {p.name for p in (home/"found").iterdir()} == {"boxes.csv", "boxes.coco.json", "overlays", "contact_sheet.jpg", "run.json"}
    assert load(home/"found"/"run.json")["command"].endswith("--classes fauna --scales 1.0 --min-score 0.0")
    assert "finished already" in ok(*asked, "--resume")[0]
    out,_ = ok("score", home/"found"/"boxes.csv", coco, "--classes", "fauna", "--out", home/"judged")
    assert "a box in the middle" in out and {p.name for p in (home/"judged").iterdir()} == {"wsol.csv", "report.html", "run.json"}
    assert "no class whale" in refused("localize", home/"coco-run"/"bundle", drawn.parent/"images", "--classes", "whale", "--out", home/"no")
    assert "exists already" in refused("score", home/"found"/"boxes.csv", coco, "--out", home/"judged")
    assert not (home/"no").exists()

def test_group_writes_what_split_keeps_together(drawn, home):
    "By names: the drawn videos; what `split` reads of it, and what is refused."
    out,_ = ok("group", drawn, "--out", home/"grouped.csv", "--evidence", "name,time")
    df = pd.read_csv(home/"grouped.csv")
    assert "24 images in 12 groups" in out and (df.groupby("group").video.nunique() == 1).all() and df.group.nunique() == 12
    out,_ = ok("split", home/"grouped.csv", "--target", "floor", "--out", home/"grouped-split.csv")
    assert "split by group" in out
    assert (pd.read_csv(home/"grouped-split.csv").groupby("group").split.nunique() == 1).all()
    assert "exists already" in refused("group", drawn, "--out", home/"grouped.csv")
    assert "choose from name, time, hash, embedding" in refused("group", drawn, "--out", home/"g2.csv", "--evidence", "smell")
    for typed,says in (("smell=1", "smell has none"), ("time=soon", "give a number for each, such as time=5"), ("hash=65", "bits, 0 to 64")):
        assert says in refused("group", drawn, "--out", home/"g2.csv", "--thresholds", typed)
    out,_ = ok("group", drawn, "--out", home/"g3.csv", "--evidence", "name,time", "--thresholds", "time=0.01")
    assert "24 images in 12 groups" in out
    assert "has a column `group` already" in refused("group", mine(home, df), "--out", home/"g2.csv", "--evidence", "name")
    assert not (home/"g2.csv").exists()

def mine(home, df):
    "A manifest whose groups are the user's own."
    df.drop(columns=[c for c in df if c.startswith("group_")]).to_csv(home/"mine.csv", index=False)
    return home/"mine.csv"

def test_leaks_tells_the_price(drawn, home):
    net = ["--arch", "mobilenetv2_035", "--weights", "none", "--size", "32"]
    df = pd.read_csv(drawn).assign(split=["train", "valid"]*12)
    df["path"] = [str(drawn.parent/p) for p in df.path]
    df.to_csv(home/"torn.csv", index=False)
    out,_ = ok("leaks", home/"torn.csv", "--target", "floor", *net, "--out", home/"leaks")
    assert "optimism" in out and {p.name for p in (home/"leaks").iterdir()} >= {"report.html", "price.csv", "pairs.csv", "run.json"}
    assert set(pd.read_csv(home/"leaks"/"pairs.csv").path) == set(df.path[df.split == "valid"])
    assert load(home/"leaks"/"run.json")["status"] == "finished"
    assert "exists already" in refused("leaks", home/"torn.csv", "--target", "floor", "--out", home/"leaks")
    assert "no such column" in refused("leaks", home/"torn.csv", "--target", "floor", "--groups", "cruise", *net, "--out", home/"leaks2")
    assert not (home/"leaks2").exists()

def test_a_voyage_to_a_map(home):
    pytest.importorskip("folium", reason="the extra geo isn't installed")
    pytest.importorskip("geopandas", reason="the extra geo isn't installed")
    drawn = home/"voyage"
    ok("synth", drawn, "--surface", "--n", "6", "--videos", "2", "--size", "160x90", "--seed", "1")
    assert "another drawn voyage" in refused("synth", drawn, "--surface", "--n", "7", "--videos", "2", "--size", "160x90", "--resume")
    out,err = ok("map", drawn/"boxes.csv", drawn/"images", "--camera", drawn/"camera.json", "--width-m", "60", "--out", home/"map")
    assert "on a square kilometre" in out and "Nothing was corrected" in err
    made = {p.name for p in (home/"map").iterdir()}
    assert {"boxes.csv", "objects.csv", "legs.csv", "density.csv", "map.html", "map.png", "report.html", "map.geojson", "map.gpkg", "distance"} <= made
    assert "--camera" in refused("map", drawn/"boxes.csv", drawn/"images", "--out", home/"map2")
    assert "can't be read as JSON" in refused("map", drawn/"boxes.csv", drawn/"images", "--camera", drawn/"boxes.csv", "--out", home/"map2")

def test_labels_are_chosen_accounted_for_and_compared(home):
    import numpy as np
    import pandas as pd
    folder = home/"labels"
    folder.mkdir()
    p = np.linspace(.05, .95, 12)
    pool = pd.DataFrame({"path": [f"{i:02d}.jpg" for i in range(12)], "floor": ["reef"]*4 + [None]*8, "video": [i//3 for i in range(12)]})
    for name,table in {"pool": pool, "later": pool.assign(floor="reef", floor_annotator="ana"), "other": pool[["path", "video"]].assign(weather="fine"),
                       "preds": pd.DataFrame({"path": pool["path"], "target": "floor", "label": "reef", "score": p, "p_reef": p, "p_sandy": 1 - p}),
                       "events": pd.DataFrame({"annotator": "ana", "path": pool["path"], "start": range(0, 360, 30), "end": range(20, 380, 30), "preannotation": ""}),
                       }.items(): table.to_csv(folder/f"{name}.csv", index=False)
    out,_ = ok("query", folder/"preds.csv", folder/"pool.csv", "--k", 3, "--per-group", 1, "--out", folder/"next")
    assert "3 images to label, by margin, of 3 groups (column video); 4 of 12 are labelled already" in out
    assert "8 images of the pool can be chosen" in refused("query", folder/"preds.csv", folder/"pool.csv", "--k", 9, "--out", folder/"more")
    out,_ = ok("ledger", folder/"events.csv", "--out", folder/"ledger")
    assert "12 labels of one person" in out and "No event has a pre-annotation" in (folder/"ledger/report.html").read_text()
    assert "8 of 12 images differ in floor" in ok("diff", folder/"pool.csv", folder/"later.csv", "--out", folder/"diff")[0]
    assert "no target in common" in refused("diff", folder/"pool.csv", folder/"other.csv", "--out", folder/"bad")
