"""A training step on cached input: `ocean_learner` against stock `vision_learner`, same body, size, batch and augmentation.

Both learn from the same images in memory-sized BMP files (what the cache holds), without loader workers, in turns within one process. Also printed: what an
epoch of the first stage (frozen body) costs as a part of an epoch of the second.

    python benchmarks/train_step.py [--arch resnet18] [--size 224] [--bs 16] [--rounds 5]
"""
import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import pandas as pd
from fastai.vision.all import CategoryBlock, ColReader, ColSplitter, DataBlock, ImageBlock, vision_learner
from PIL import Image

from ocean_fastai.data.augment import AlbumentationsTransform, ocean_augs
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.train.learner import ocean_learner


def pictures(folder, n, size):
    "A manifest of noise, already at the network's size."
    rng = np.random.default_rng(0)
    for i in range(n): Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8)).save(folder/f"{i}.bmp")
    return pd.DataFrame({"path": [str(folder/f"{i}.bmp") for i in range(n)], "label": ["a", "b"]*(n//2), "split": ["train"]*(n - 4) + ["valid"]*4})


def step_seconds(learn):
    "Seconds a step over one epoch of training alone."
    began = time.perf_counter()
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    return (time.perf_counter() - began)/len(learn.dls.train)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        df = pictures(Path(tmp), 8*args.bs + 4, args.size)
        ours = ocean_learner(OceanDataLoaders.from_manifest(df, size=args.size, bs=args.bs, num_workers=0, device="cpu"), args.arch, weights=None)
        block = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"), splitter=ColSplitter("is_valid"), item_tfms=AlbumentationsTransform(ocean_augs("medium")))
        dls = block.dataloaders(df.assign(is_valid=df.split == "valid"), bs=args.bs, num_workers=0, device="cpu")
        stock = vision_learner(dls, args.arch, pretrained=False, metrics=ours.metrics)
        stock.unfreeze()
        times = np.array([[step_seconds(learn) for learn in (ours, stock)] for _ in range(args.rounds + 1)])[1:]
        print(f"{args.arch}, {args.size} px, batch {args.bs}: ours {np.median(times[:, 0])*1e3:.0f} ms a step, stock {np.median(times[:, 1])*1e3:.0f} ms, "
              f"ratio {np.median(times[:, 0]/times[:, 1]):.2f} (bar: at most 1.05)")
        fresh = ocean_learner(ours.dls, args.arch, weights=None)
        began = time.perf_counter()
        with fresh.no_bar(), fresh.no_logging(): fresh.fit_transfer(8, 0, patience=9)
        head = (time.perf_counter() - began)/8
        with fresh.no_bar(), fresh.no_logging(): fresh.fit_transfer(0, 3, patience=9)
        body = fresh.history.seconds.median()
        print(f"an epoch of the first stage, features included: {head:.2f} s; of the second: {body:.2f} s; ratio {head/body:.2f} (bar: at most 0.5)")


if __name__ == "__main__": main()
