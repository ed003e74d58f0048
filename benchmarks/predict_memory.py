"""Peak memory of `Bundle.predict` over 4K JPEG images, for growing numbers of them: it must not grow.

    python benchmarks/predict_memory.py [--counts 100,300,1000] [--arch resnet18] [--size 224]

Each number runs in a process of its own, and its peak resident memory is what the system noted. The images are a few 3840 x 2160 files under many names (hard links).
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def make_images(folder, n, distinct=8, seed=0):
    "`n` names for `distinct` noisy 4K JPEG files"
    rng = np.random.default_rng(seed)
    for k in range(n):
        path = folder/f"{k:05d}.jpg"
        if k >= distinct: os.link(folder/f"{k % distinct:05d}.jpg", path); continue
        coarse = Image.fromarray(rng.integers(0, 255, (27, 48, 3), dtype=np.uint8)).resize((3840, 2160), Image.Resampling.BICUBIC)
        Image.fromarray((np.asarray(coarse, dtype=np.int16) + rng.integers(-6, 7, (2160, 3840, 3))).clip(0, 255).astype(np.uint8)).save(path, quality=90)


def make_bundle(folder, arch, size):
    "A bundle of a network without training"
    from types import SimpleNamespace

    import timm

    from ocean_fastai.geometry import Geometry, ROVCrop
    from ocean_fastai.infer.bundle import save_bundle
    dls = SimpleNamespace(targets={"floor": ["mud", "sand"]}, multilabel=[], geometry=Geometry(ROVCrop(), size))
    save_bundle(SimpleNamespace(model=timm.create_model(arch, num_classes=2), arch=arch, norm=([.5]*3, [.25]*3), dls=dls), folder)


def peak_mib():
    "The process's peak resident memory in MiB; on Linux from /proc, as getrusage there starts with the parent's"
    status = Path("/proc/self/status")
    if status.exists(): return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))//2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//(2**20 if sys.platform == "darwin" else 2**10)


def predict(bundle, images, out):
    "Predict a folder and print the process's peak memory in MiB, before and after"
    from ocean_fastai.infer.bundle import load_bundle
    from ocean_fastai.infer.predict import list_items
    model,items = load_bundle(bundle),list_items(images)
    model.predict(items[:64], progress=False)
    before = peak_mib()
    preds = model.predict(items, out=out, progress=False, part_rows=100)
    if len(preds) != len(items) or preds["error"].notna().any(): raise SystemExit("not every image was predicted")
    print(before, peak_mib())


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name,value in (("counts", "100,300,1000"), ("arch", "resnet18")): args.add_argument(f"--{name}", default=value)
    args.add_argument("--size", type=int, default=224)
    args.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    args = args.parse_args()
    if args.job: return predict(*args.job)
    print(f"{args.arch} at {args.size}, JPEG images of 3840x2160, peak resident memory")
    with tempfile.TemporaryDirectory() as top:
        top,peaks = Path(top),{}
        make_bundle(top/"bundle", args.arch, args.size)
        for n in map(int, args.counts.split(",")):
            images = top/f"images{n}"
            images.mkdir()
            make_images(images, n)
            done = subprocess.run([sys.executable, __file__, "--job", top/"bundle", images, top/f"preds{n}.csv"], capture_output=True, text=True, check=True)
            first,peaks[n] = map(int, done.stdout.split())
            print(f"{n:6d} images: {peaks[n]} MiB (after the first 64: {first} MiB)", flush=True)
    few,many = min(peaks), max(peaks)
    print(f"{many} images take {peaks[many]/peaks[few]:.3f} times the memory of {few} (flat, at most 1.10: {'yes' if peaks[many] <= 1.1*peaks[few] else 'NO'})")


if __name__ == "__main__": main()
