"Many processes predict or embed one table: it is that of one process, also when one of them is killed on the way."
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from jobs import apart

pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(os.environ.get("OCEAN_SLOW") != "1", reason="takes minutes; OCEAN_SLOW=1 runs it")

CODE = """
import sys
from ocean_fastai.infer.ray import ray_embed, ray_predict
do,bundle,items,out = sys.argv[1:5]
run = {"predict": ray_predict, "embed": ray_embed}[do]
run(bundle, items, out, part_rows=4, bs=3, num_workers=2, device="cpu", progress=False)
"""

@pytest.fixture(scope="module")
def many(tiny):
    "A table of 400 rows, a hundred parts."
    df = pd.read_csv(tiny, keep_default_na=False)[["path"]]
    pd.concat([df]*17).head(400).to_csv(tiny.parent/"many.csv", index=False)
    return tiny.parent/"many.csv"

def began(do, bundle, items, out):
    "A process that predicts or embeds with two workers."
    env = {k: v for k,v in os.environ.items() if k != "PYTHONPATH"} | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", CODE, *map(str, (do, bundle, items, out))], env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

def wait_for(there, process, seconds=240):
    "What `there()` gives as soon as it is something; the process must go on until then."
    deadline = time.monotonic() + seconds
    while not (found := there()):
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(.005)
    return found

def workers(process):
    "The processes below this one that do parts."
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try: title = " ".join(child.cmdline())
        except psutil.Error: continue
        if title.startswith("ray::") and "_Part" in title: found.append(child)
    return found

def killed_on_the_way(process, out, n_parts):
    "Wait for three parts, kill a worker, and wait for the end."
    parts = lambda: len(list(out.parent.glob(f"{out.name}.part-*")))
    try:
        wait_for(lambda: parts() >= 3, process)
        os.kill(wait_for(lambda: workers(process), process)[0].pid, signal.SIGKILL)
        assert parts() < n_parts and not out.exists(), "the run had ended before a worker could be killed"
        _,err = process.communicate(timeout=400)
    finally:
        if process.poll() is None: process.kill()
    assert process.returncode == 0, err[-3000:]

def test_a_killed_worker_costs_nothing(many, tiny_bundle, tmp_path):
    import ocean_fastai.infer.predict  # noqa: F401
    from ocean_fastai.infer.bundle import load_bundle
    out = tmp_path/"preds.csv"
    killed_on_the_way(began("predict", tiny_bundle, many, out), out, 100)
    straight = load_bundle(tiny_bundle, "cpu").predict(many, out=tmp_path/"straight.csv", part_rows=4, bs=3, progress=False)
    preds = pd.read_csv(out)
    assert preds["path"].tolist() == straight["path"].tolist() and preds["label"].tolist() == straight["label"].tolist()
    assert (preds["score"] - straight["score"]).abs().max() < 1e-4
    assert sorted(p.name for p in tmp_path.iterdir() if "preds" in p.name) == ["preds.csv", "preds.csv.run.json"]

def test_a_killed_worker_costs_no_embedding(many, tiny_bundle, tmp_path):
    from ocean_fastai.data.embeddings import embedding_matrix, load_embeddings
    from ocean_fastai.infer.embed import embed
    out = tmp_path/"E.parquet"
    killed_on_the_way(began("embed", tiny_bundle, many, out), out, 100)
    straight,table = embed(tiny_bundle, many, device="cpu", progress=False),load_embeddings(out)
    assert table["path"].tolist() == straight["path"].tolist() and [p.name for p in tmp_path.iterdir()] == ["E.parquet"]
    assert np.abs(embedding_matrix(table) - embedding_matrix(straight)).max() < 1e-2

def test_what_workers_cannot_see_is_said(many, tiny_bundle, tmp_path, monkeypatch):
    "As on a cluster whose machines share no disk: the first process finds the bundle, the workers don't."
    import ocean_fastai.infer.ray as ours
    from ocean_fastai.core import OceanError
    loaded = ours.load_bundle(tiny_bundle, "cpu")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(ours, "load_bundle", lambda *_: loaded)
    with pytest.raises(OceanError, match="this Ray worker sees no such folder; keep the bundle on a disk"):
        ours.ray_predict(tmp_path/"elsewhere", many, tmp_path/"preds.csv", part_rows=200, num_workers=1, progress=False)

def test_the_command(tiny, tiny_bundle, tmp_path):
    code,out,err = apart("predict", tiny_bundle, tiny, "--out", tmp_path/"preds.parquet", "--engine", "ray", "--device", "cpu")
    assert code == 0 and "24 of 24 images predicted" in out, err
    assert len(pd.read_parquet(tmp_path/"preds.parquet")) == 24
    code,out,err = apart("embed", tiny_bundle, tiny, "--out", tmp_path/"E.parquet", "--engine", "ray", "--device", "cpu")
    assert code == 0 and "24 rows of" in out, err
