"A process that is killed, at the worst of moments, and a second run: nothing is lost, nothing is done twice, and the end is that of a run without a break."
import signal
import time

import pandas as pd
import pytest
import torch
from jobs import TINY, Forked, draw, ok, refused
from safetensors.torch import load_file

LONGER = [*TINY[:-1], "6"]

@pytest.fixture(scope="module")
def home(tmp_path_factory): return tmp_path_factory.mktemp("kills")

@pytest.fixture(scope="module")
def drawn(home): return draw(home/"drawn", n=48, size=(64, 36))

@pytest.fixture(scope="module")
def whole(home, drawn):
    "The run without a break."
    ok("train", drawn, *LONGER, "--out", home/"whole")
    return home/"whole"

def stop_when(there, *argv, by=signal.SIGKILL):
    "Start the command, and stop it as soon as `there()` is true; its exit code and what it said on stderr."
    process = Forked(*argv)
    deadline = time.monotonic() + 200
    while not there() and process.poll() is None and time.monotonic() < deadline: time.sleep(.002)
    assert process.poll() is None, f"ended by itself: {process.finish(1)}"
    process.send_signal(by)
    return process.finish(60)

def files(folder, pattern): return [p for p in folder.glob(pattern) if not p.name.startswith(".")] if folder.is_dir() else []

def test_train_killed_in_the_cache_in_an_epoch_and_interrupted(home, drawn, whole):
    run = home/"run"
    argv = ["train", drawn, *LONGER, "--out", run]
    stop_when(lambda: files(run/"cache", "*/*.bmp"), *argv)
    assert not (run/"checkpoint").exists() and 0 < len(files(run/"cache", "*/*.bmp"))
    kept = {p: p.stat().st_mtime_ns for p in files(run/"cache", "*/*.bmp")}
    assert "--resume" in refused(*argv)

    stop_when(lambda: files(run/"checkpoint", "epoch-*"), *argv, "--resume")
    assert files(run/"checkpoint", "epoch-*") and not (run/"bundle").exists()
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "images that were cached were cached again"

    seen = max(p.name for p in files(run/"checkpoint", "epoch-*"))
    code,err = stop_when(lambda: max((p.name for p in files(run/"checkpoint", "epoch-*")), default="") > seen, *argv, "--resume", by=signal.SIGINT)
    assert code == 130 and "--resume" in err and "Traceback" not in err

    ok(*argv, "--resume")
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in whole.iterdir())
    assert (run/"split.csv").read_bytes() == (whole/"split.csv").read_bytes()
    for name in ("history.csv", "predictions.csv"):
        ours,theirs = (pd.read_csv(folder/name).drop(columns="seconds", errors="ignore") for folder in (run, whole))
        pd.testing.assert_frame_equal(ours, theirs, atol=1e-3)

def test_a_detector_killed_after_an_epoch(home, drawn):
    "It ends with the weights, boxes and files of a run without a break."
    small = ["--arch", "test_efficientnet", "--weights", "none", "--size", "64", "--bs", "8", "--epochs", "6"]
    argv = ["train", drawn, "--task", "detect", "--boxes", drawn.parent/"boxes.csv", *small, "--out"]
    run,straight = home/"detector",home/"straight-detector"
    stop_when(lambda: files(run/"checkpoint", "epoch-*"), *argv, run)
    assert files(run/"checkpoint", "epoch-*") and not (run/"bundle").exists()
    assert "--resume" in refused(*argv, run)
    assert "lr was 0.002, not 0.01" in refused(*argv, run, "--resume", "--lr", "0.01")
    ok(*argv, run, "--resume")
    ok(*argv, straight)
    assert sorted(p.name for p in run.iterdir()) == sorted(p.name for p in straight.iterdir())
    assert (run/"split.csv").read_bytes() == (straight/"split.csv").read_bytes()
    ours,theirs = (load_file(folder/"bundle"/"model.safetensors") for folder in (run, straight))
    assert ours.keys() == theirs.keys() and all(torch.allclose(ours[k], theirs[k], atol=1e-5) for k in ours)
    for name in ("history.csv", "boxes.csv"):
        pd.testing.assert_frame_equal(*(pd.read_csv(folder/name) for folder in (run, straight)), atol=1e-3)
    said,_ = ok(*argv, run, "--resume")
    assert "is finished already" in said

def test_a_manifest_that_changed_after_the_kill(home, drawn):
    "Half a run on one table and half on another would be neither."
    table = drawn.parent/"changed.csv"
    df = pd.read_csv(drawn, keep_default_na=False)
    df.to_csv(table, index=False)
    argv = ["train", table, *TINY, "--out", home/"changed"]
    stop_when(lambda: (home/"changed"/"split.csv").exists(), *argv)
    df.assign(floor=df.floor.where(df.index != 5, "reef")).to_csv(table, index=False)
    said = refused(*argv, "--resume")
    assert "changed" in said and df.path[5] in said
    df.to_csv(table, index=False)
    ok(*argv, "--resume")

def test_predict_killed_between_parts(home, drawn, whole):
    "More rows than a part holds; the process is killed when the first part is there."
    df = pd.read_csv(drawn, keep_default_na=False)[["path"]]
    pd.concat([df]*100).to_csv(drawn.parent/"many.csv", index=False)
    argv = ["predict", whole/"bundle", drawn.parent/"many.csv", "--out", home/"many.csv"]
    stop_when(lambda: files(home, "many.csv.part-*"), *argv)
    assert files(home, "many.csv.part-*") and not (home/"many.csv").exists()
    assert "resume" in refused(*argv)
    part = files(home, "many.csv.part-000000*")[0].read_bytes()
    ok(*argv, "--resume")
    assert (home/"many.csv").read_bytes().startswith(part) and not files(home, "many.csv.part-*")
    preds = pd.read_csv(home/"many.csv")
    assert preds.path.tolist() == df.path.tolist()*100 and preds.error.isna().all()
    assert preds.groupby("path").score.agg(lambda s: s.max() - s.min()).max() < 1e-4

def test_synth_killed(home):
    argv = ["synth", home/"scenes", "--n", "24", "--videos", "6", "--size", "320x180"]
    stop_when(lambda: len(files(home/"scenes"/"images", "*.jpg")) > 5, *argv)
    assert not (home/"scenes"/"manifest.csv").exists()
    assert "--resume" in refused(*argv)
    ok(*argv, "--resume")
    ok(*argv[:1], home/"straight", *argv[2:])
    for path in (home/"straight").rglob("*.*"): assert (home/"scenes"/path.relative_to(home/"straight")).read_bytes() == path.read_bytes()
