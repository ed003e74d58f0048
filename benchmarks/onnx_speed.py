"""Images a second, CPU seconds and peak memory of predicting from JPEG: with torch, in onnxruntime, by the exported script, and the bare network.

    python benchmarks/onnx_speed.py [--n 200] [--rounds 3] [--threads 2] [--arch mobilenetv2_100] [--size 384x288]

Drawn scenes of 512 x 288 as JPEG. Each candidate runs in a process of its own, so that none has another's memory; each round takes them in another order, forwards and
backwards, so that other load hits them alike. A process warms up on 32 images, then predicts all. The bare network is timm's as its user runs it: ready normalized
tensors in memory, `torch.inference_mode`, once without and once with `fast_cpu`. Ratios are medians over the rounds. The network isn't trained.
"""
import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

CANDIDATES = ("bare", "bare, fast_cpu", "predict", "predict, fast_cpu", "predict, onnx", "predict.py")


def candidate(name, folder, args):
    "What one candidate does to a list of files, ready to run; it imports no more than it needs"
    if name == "predict.py":
        sys.path.insert(0, str(folder/"exported"))
        from predict import Model
        model = Model(threads=args.threads)
        return lambda files: [model.predict(files[at:at + args.bs]) for at in range(0, len(files), args.bs)]
    import torch
    torch.set_num_threads(args.threads)
    from ocean_fastai.core import fast_cpu
    if "fast_cpu" in name: fast_cpu()
    if name.startswith("bare"):
        import timm
        w,h = map(int, args.size.split("x"))
        network,x = timm.create_model(args.arch, num_classes=9).eval(),torch.randn(args.bs, 3, h, w)
        def forward(files):
            with torch.inference_mode():
                for at in range(0, len(files), args.bs): network(x[:len(files) - at])
        return forward
    from ocean_fastai.infer import load_bundle
    bundle = load_bundle(folder/"exported", runtime="onnx") if "onnx" in name else load_bundle(folder/"bundle", "cpu")
    return lambda files: bundle.predict(files, bs=args.bs, progress=False)


def measured(name, folder, args):
    "One process: seconds and CPU seconds an image, and the peak of its memory in MiB"
    start = time.perf_counter()
    files = sorted((folder/"images").glob("*.jpg"))
    job = candidate(name, folder, args)
    job(files[:args.bs])
    ready = time.perf_counter()
    cpu = time.process_time()
    job(files)
    out = {"wall": (time.perf_counter() - ready)/len(files), "cpu": (time.process_time() - cpu)/len(files), "start": ready - start}
    return out | {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024}


def prepare(folder, args):
    "Images, a bundle, and what it exports"
    from ocean_fastai.data.loaders import OceanDataLoaders
    from ocean_fastai.geometry import parse_size
    from ocean_fastai.infer import export_onnx, save_bundle
    from ocean_fastai.synth.dataset import draw_dataset
    from ocean_fastai.train.learner import ocean_learner
    df = draw_dataset(folder/"drawn", n=args.n, size=(512, 288), videos=20, masks=False, progress=False)
    (folder/"drawn"/"images").rename(folder/"images")
    df["path"] = [Path(p).name for p in df["path"]]
    df.attrs["folder"] = str(folder/"images")
    dls = OceanDataLoaders.from_manifest(df, ["floor", "elements"], size=parse_size(args.size), augs=None, num_workers=0, progress=False)
    export_onnx(save_bundle(ocean_learner(dls, args.arch, weights=None), folder/"bundle"), folder/"exported")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name,value in (("n", 200), ("rounds", 3), ("threads", 2), ("bs", 32)): parser.add_argument(f"--{name}", type=int, default=value)
    for name,value in (("arch", "mobilenetv2_100"), ("size", "384x288"), ("one", None), ("folder", None)): parser.add_argument(f"--{name}", default=value)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(args.one, Path(args.folder), args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), args)
        size = sum(f.stat().st_size for f in Path(folder, "exported").iterdir())/2**20
        found = {name: [] for name in CANDIDATES}
        for k in range(args.rounds):
            for name in CANDIDATES[::1 if k % 2 == 0 else -1]:
                argv = [sys.executable, __file__, *sys.argv[1:], "--one", name, "--folder", folder]
                found[name].append(json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))
                print(f"round {k + 1}: {name:18} {found[name][-1]}", flush=True)
    print(f"{args.arch} at {args.size}, {args.n} JPEG images of 512x288, batches of {args.bs}, {args.threads} threads, {args.rounds} rounds; exported folder {size:.1f} MiB")
    both = [a["wall"]/b["wall"] for a,b in zip(found["bare, fast_cpu"], found["predict, fast_cpu"])]
    print(f"predict, fast_cpu: {median(both):.2f} of the images a second of the bare network with fast_cpu")
    print(f"{'':18} images/s   CPU ms an image   images/s of bare   CPU of bare   peak MiB   seconds to start")
    for name,runs in found.items():
        speed,cpu = (median(b[k]/a[k] for a,b in zip(runs, found["bare"])) for k in ("wall", "cpu"))
        middle = {k: median(o[k] for o in runs) for k in runs[0]}
        print(f"{name:18} {1/middle['wall']:8.1f}   {1000*middle['cpu']:15.1f}   {speed:16.2f}   {1/cpu:11.2f}   {middle['mib']:8.0f}   {middle['start']:8.1f}")


if __name__ == "__main__": main()
