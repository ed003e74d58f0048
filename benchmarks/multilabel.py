"""Several labels an image on real debris of the deep sea: against stock fastai, and what to do with labels that are unknown.

Needs OCEAN_DATA (a folder with `debris/annotations.json`, COCO, whose images tell their `video`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
The split by video, the test part and the stock learner are those of `debris.py`. Nothing was chosen on the test part.

stock       `ocean_learner` and `fit_transfer` as they are, against `MultiCategoryBlock`, `vision_learner` and `fine_tune(k)`: k is 4, or more where so many epochs still
            take no longer than ours did; both start from the same weights and read 384x288. A seed at a time, one after the other, on the same processors.
unknown     30 % of the (image, class) labels of training and validation images are made unknown, drawn anew for each seed. `masked` leaves them out of the loss, `dropped` drops
            every image with an unknown label, `absent` takes them as absent, `all known` has lost nothing. The classifier alone learns, for 8 epochs.
borrowed    a third of the training videos keep their labels, the others lose all; `borrowed` fills them with `pseudo_label` (two rounds), `without` doesn't.

    python benchmarks/multilabel.py stock|unknown|borrowed --out DIR [--seeds 3] [--split 0]      (a second call with the same DIR only judges again)

`--split` draws other videos for training, validation and test. What one test part says hangs on which few videos of a rare class are in it.
"""
import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ocean_fastai.all import OceanDataLoaders, load_predictions, ocean_learner, predict_table
from ocean_fastai.evaluate.compare import compare_preds

from debris import ARCH, CLASSES, SIZE, split_data, stock_learner, stock_table
from judging import calibration


def weights(): return Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"


def ours(df, out, seed, **epochs):
    "A learner of this library, trained."
    dls = OceanDataLoaders.from_manifest(df, "elements", SIZE, cache=out/"cache", bs=32, classes=CLASSES, multi=True, seed=seed, num_workers=0, progress=False)
    learn = ocean_learner(dls, ARCH, weights(), seed=seed)
    began = time.time()
    with learn.no_bar(): learn.fit_transfer(**epochs)
    return learn, time.time() - began


def stock(df, seed, seconds):
    "Stock fastai's learner, trained for at least 1 + 4 epochs, and for more where the time allows."
    probe = stock_learner(df, weights(), seed)
    began = time.time()
    with probe.no_bar(): probe.fit(1)
    epochs = max(4, math.floor(seconds/(time.time() - began)) - 1)
    learn = stock_learner(df, weights(), seed)
    began = time.time()
    with learn.no_bar(): learn.fine_tune(epochs)
    return learn, time.time() - began, epochs


def against_stock(df, test, out, seed):
    learn, seconds = ours(df, out, seed)
    yield "ours", predict_table(learn, test, progress=False), {"seconds": seconds, "epochs": len(learn.history)}
    other, took, epochs = stock(df, seed, seconds)
    yield "stock", stock_table(other, test, df.attrs["folder"], "elements"), {"seconds": took, "epochs": epochs + 1}


def hide(df, seed, share=.3):
    "The table with a share of its (image, class) labels unknown, those with an unknown label dropped, and unknown taken as absent."
    lost = np.random.default_rng(seed).random((len(df), len(CLASSES))) < share
    lost[(df.split == "test").to_numpy()] = False
    there = [set(cell.split(";")) for cell in df.elements]
    masked = [";".join([c for c, gone in zip(CLASSES, row) if c in has and not gone] + [f"?{c}" for c, gone in zip(CLASSES, row) if gone]) or "none" for has, row in zip(there, lost)]
    absent = [";".join(c for c, gone in zip(CLASSES, row) if c in has and not gone) or "none" for has, row in zip(there, lost)]
    return {"masked": df.assign(elements=masked), "dropped": df[~lost.any(1)].reset_index(drop=True), "absent": df.assign(elements=absent), "all known": df}


def with_unknown(df, test, out, seed):
    for name, rows in hide(df, seed).items():
        rows.attrs = df.attrs
        learn, seconds = ours(rows, out, seed, head_epochs=8, body_epochs=0)
        yield name, predict_table(learn, test, progress=False), {"seconds": seconds, "images": len(learn.dls.train_ds)}


def with_borrowed(df, test, out, seed):
    from ocean_fastai.all import pseudo_label
    videos = pd.Series(df.video[df.split == "train"].unique())
    known = set(videos.sample(frac=1/3, random_state=seed))
    bare = df.assign(elements=df.elements.where((df.split != "train") | df.video.isin(known)))
    def fit(rows): return ours(rows, out, seed, head_epochs=8, body_epochs=0)[0]
    learn = fit(bare)
    yield "without", predict_table(learn, test, progress=False), {"images": len(learn.dls.train_ds)}
    filled = pseudo_label(learn, bare, rounds=2, fit=fit)
    learn = fit(filled)
    right = filled.assign(truth=df.elements)[filled.elements_source.fillna("").str.startswith("pseudo")]
    said = [(c in cell.split(";"), c in truth.split(";")) for cell, truth in zip(right.elements, right.truth) for c in CLASSES if f"?{c}" not in cell.split(";")]
    yield "borrowed", predict_table(learn, test, progress=False), {"images": len(learn.dls.train_ds), "borrowed rows": len(right), "borrowed labels": len(said), "of them right": float(np.mean([a == b for a, b in said])) if said else None}


PARTS = {"stock": against_stock, "unknown": with_unknown, "borrowed": with_borrowed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, required=True, help="work folder: a table of predictions for each candidate and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", type=int, default=0, help="seed of the split")
    args = parser.parse_args()
    home = args.out/(args.part if not args.split else f"{args.part}, split {args.split}")
    home.mkdir(parents=True, exist_ok=True)
    df, _, _ = split_data(args.out, args.split)
    test = df[df.split != "train"].reset_index(drop=True)  # validation as well, for the temperature
    for seed in range(args.seeds):
        if (home/f"{seed}.json").exists(): continue
        notes = {}
        for name, table, notes[name] in PARTS[args.part](df, test, args.out, seed): table.to_csv(home/f"{name}-{seed}.csv", index=False)
        (home/f"{seed}.json").write_text(json.dumps(notes))
    notes = [json.loads((home/f"{seed}.json").read_text()) for seed in range(args.seeds)]
    for name in notes[0]: print(f"{name:12}", "  ".join(json.dumps(n[name]) for n in notes))
    runs = {name: [load_predictions(home/f"{name}-{seed}.csv") for seed in range(args.seeds)] for name in notes[0]}
    held_out = df[df.split == "test"].reset_index(drop=True)
    table = compare_preds({name: [preds[preds.path.isin(held_out.path)] for preds in tables] for name, tables in runs.items()}, held_out, "elements", baseline={"stock": "stock", "unknown": "masked", "borrowed": "without"}[args.part])
    print(table.round(3).to_string(index=False))
    if args.part == "stock":
        valid = df[df.split == "valid"].reset_index(drop=True)
        valid.attrs = held_out.attrs = df.attrs
        calibration("ours", runs["ours"], [valid]*args.seeds, held_out, "elements")


if __name__ == "__main__": main()
