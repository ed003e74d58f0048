"Two processes train one network: one set of files, the same weights in both."
import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate")
pytestmark = pytest.mark.skipif(os.environ.get("OCEAN_SLOW") != "1", reason="takes minutes; OCEAN_SLOW=1 runs it")

SCRIPT = """
import json, sys, torch
from fastai.distributed import *
from ocean_fastai.all import *

# fastai shares the order of the images by way of a GPU; here there is none
def shared(self, t, rank):
    t = torch.tensor(t)
    torch.distributed.broadcast(t, rank)
    return t.tolist()
DistributedDL._broadcast = shared

manifest,arch,out = sys.argv[1:4]
df = load_manifest(manifest)
dls = OceanDataLoaders.from_manifest(df, "floor", size=32, bs=4, num_workers=0, device="cpu", progress=False)
learn = ocean_learner(dls, arch, weights=None)
with learn.distrib_ctx(): learn.fit_transfer(2, 2, folder=out + "/checkpoint")
save_bundle(learn, out + "/bundle")
with open(f"{out}/rank{rank_distrib()}.json", "w") as f:
    json.dump({"weights": learn.fit_summary["weights"], "history": learn.history.drop(columns="seconds").to_dict("records"),
               "layers": sorted({type(m).__name__ for m in learn.model.modules()})}, f)
"""

@pytest.mark.parametrize("arch", ["test_resnet", "mobilenetv2_035"])
def test_two_processes(tiny, run, tmp_path, arch):
    (tmp_path/"train.py").write_text(SCRIPT)
    (tmp_path/"out").mkdir()
    # What `accelerate launch` calls for several GPUs; for several processes on a CPU it would want MPI
    said = run(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", tmp_path/"train.py", tiny, arch, tmp_path/"out",
               cwd=tmp_path, OMP_NUM_THREADS="1", ACCELERATE_USE_CPU="true")
    first,second = (json.loads((tmp_path/"out"/f"rank{k}.json").read_text()) for k in (0, 1))
    assert first == second and len(first["history"]) == 4
    assert "SyncBatchNorm" not in first["layers"]
    assert sorted(p.name for p in (tmp_path/"out").iterdir()) == ["bundle", "checkpoint", "rank0.json", "rank1.json"]
    assert [p.name for p in Path(tmp_path/"out"/"checkpoint").iterdir()] == ["epoch-0004"]
    assert sum("kept: epoch" in line for line in said.splitlines()) == 1, said
    from ocean_fastai.infer.bundle import load_bundle
    config = load_bundle(tmp_path/"out"/"bundle", "cpu").config
    assert config["training"]["weights"] == first["weights"]
