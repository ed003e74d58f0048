"""A training step on cached input: `ocean_learner`, with and without `fast_cpu`, against stock `vision_learner`; same body, size, batch and augmentation.

All learn from the same images in memory-sized BMP files (what the cache holds), without loader workers. `fast_cpu` sets the memory of a whole process, so each has one of its own, in turns; the first epoch of each is not counted.
Also printed: what an epoch of the first stage (frozen body) costs as a part of an epoch of the second.

    python benchmarks/train_step.py [--arch resnet18] [--size 224x224] [--bs 16] [--rounds 3]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import pandas as pd
from fastai.vision.all import CategoryBlock, ColReader, ColSplitter, DataBlock, ImageBlock, vision_learner
from PIL import Image

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.augment import AlbumentationsTransform, ocean_augs
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.geometry import parse_size
from ocean_fastai.train.learner import ocean_learner
from ocean_fastai.train.metrics import default_metrics
from predict_memory import peak_mib


CANDIDATES = ("stock", "ours", "ours, fast_cpu")


def pictures(folder, n, size):
    "A manifest of noise, already at the network's size."
    rng, w, h = np.random.default_rng(0), *size
    for i in range(n): Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8)).save(folder/f"{i}.bmp")
    return pd.DataFrame({"path": [str(folder/f"{i}.bmp") for i in range(n)], "label": ["a", "b"]*(n//2), "split": ["train"]*(n - 4) + ["valid"]*4})


def our_learner(df, args):
    loaders = OceanDataLoaders.from_manifest(df, size=parse_size(args.size), bs=args.bs, num_workers=0, device="cpu", progress=False)
    return ocean_learner(loaders, args.arch, weights=None)


def stock_learner(df, args):
    "fastai's, with our augmentation, for the same work on the images."
    block = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"), splitter=ColSplitter("is_valid"), item_tfms=AlbumentationsTransform(ocean_augs("medium")))
    dls = block.dataloaders(df.assign(is_valid=df.split == "valid"), bs=args.bs, num_workers=0, device="cpu")
    learn = vision_learner(dls, args.arch, pretrained=False, metrics=default_metrics(SimpleNamespace(targets={"label": ["a", "b"]}, multilabel=[])))
    learn.unfreeze()
    return learn


def measured(name, df, args):
    "One process: seconds and CPU seconds a step, and the peak of its memory in MiB."
    if "fast_cpu" in name: fast_cpu()
    learn = (stock_learner if name == "stock" else our_learner)(df, args)
    for _ in range(2):
        began, cpu = time.perf_counter(), time.process_time()
        with learn.no_bar(), learn.no_logging(): learn.fit(1)
    n = len(learn.dls.train)
    return {"wall": (time.perf_counter() - began)/n, "cpu": (time.process_time() - cpu)/n, "mib": peak_mib()}


def stages(df, args):
    "Print what an epoch of the frozen stage costs."
    learn = our_learner(df, args)
    began = time.perf_counter()
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(8, 0, patience=9)
    head = (time.perf_counter() - began)/8
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(0, 3, patience=9)
    body = learn.history.seconds.median()
    print(f"an epoch of the first stage, features included: {head:.2f} s; of the second: {body:.2f} s; ratio {head/body:.2f} (bar: at most 0.5)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--size", default="224x224")
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6, help="an epoch")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        df = pictures(Path(tmp), args.steps*args.bs + 4, parse_size(args.size))
        if args.one: return print(json.dumps(measured(args.one, df, args)))
        found = {name: [] for name in CANDIDATES}
        for k in range(args.rounds):
            for name in CANDIDATES[::1 if k % 2 == 0 else -1]:
                said = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", name], check=True, capture_output=True, text=True).stdout
                found[name].append(json.loads(said.splitlines()[-1]))
        print(f"{args.arch}, {args.size}, batch {args.bs}, {args.rounds} rounds of {args.steps} steps")
        for name, runs in found.items():
            wall, cpu = (np.median([a[k]/b[k] for a, b in zip(runs, found["stock"])]) for k in ("wall", "cpu"))
            middle = {k: np.median([o[k] for o in runs]) for k in runs[0]}
            print(f"{name:15} {middle['wall']*1e3:6.0f} ms a step, {middle['cpu']*1e3:6.0f} ms of CPU, peak {middle['mib']:.0f} MiB; of stock's time {wall:.2f}, of its CPU time {cpu:.2f}")
        stages(df, args)


if __name__ == "__main__": main()
