"""The price of a leak: a probe for `rov` and `bio` on real debris, scored by random folds, by folds of look-alike groups (`video` and names hidden), and by folds of whole videos.

Needs OCEAN_DATA (`debris/annotations.json`, whose images tell their `video`) and the extra `offline`. All 957 images of 123 videos, five folds dealt three times, average precision; intervals resample whole videos and differences are paired.
With --drawn the same for 60 drawn videos of 15 frames whose label (one of four, by chance) is the video's: what a random split makes of nothing.

    python benchmarks/leaks.py --out DIR [--drawn]        (DIR keeps the embeddings)
"""
import argparse
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.groups import group_frames
from ocean_fastai.evaluate.compare import compare_preds
from ocean_fastai.evaluate.leaks import price_of_leak
from ocean_fastai.formats.coco import read_coco
from ocean_fastai.infer.embed import embed
from ocean_fastai.infer.probe import fit_probe
from ocean_fastai.synth.dataset import draw_dataset

SHOWN = ["name", "metric", "value", "value_low", "value_high", "difference", "difference_low", "difference_high", "n", "n_groups"]


def debris(out):
    "Real debris, a target at a time."
    df, boxes = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", outside="clip")
    table = embed("tf_efficientnet_lite0", df, "offline", out=out/"debris-lite0.parquet", progress=False)
    hidden = df[["path"]].copy()
    hidden.attrs = df.attrs
    found = group_frames(hidden, table, "embedding")["group"]
    for target in ("rov", "bio"):
        rows = boxes_to_labels(df, boxes, target, [target]).assign(group=found)
        runs = {"whole videos": "video", "look-alike groups": "group", "random": "none"}
        preds = {name: [fit_probe(table, rows, target, by, seed=seed).oof for seed in (0, 1, 2)] for name, by in runs.items()}
        scores = compare_preds(preds, rows, target, groups="video")
        print(f"{target}: {(rows[target] == target).sum()} of {len(rows)} images\n{scores[SHOWN].round(3).to_string(index=False)}", flush=True)


def drawn():
    "Drawn videos whose label says nothing."
    with tempfile.TemporaryDirectory() as folder:
        df = draw_dataset(Path(folder)/"drawn", 900, (256, 144), 60, masks=False, progress=False)
        table = embed("tf_efficientnet_lite0", df, "offline", size=(128, 72), progress=False)
    videos = df["video"].unique()
    label = dict(zip(videos, np.random.default_rng(0).permutation(np.arange(len(videos)) % 4)))
    df = df.assign(label=df["video"].map(label).map("class {}".format))
    print(f"drawn, {len(df)} frames of {len(videos)} videos, random labels\n{price_of_leak(df, table, 'label', 'video')[SHOWN].round(3).to_string(index=False)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    if args.drawn: drawn()
    else: debris(args.out)


if __name__ == "__main__": main()
