"""What class weights do to probabilities, what undoing them gives back, and by which rule a label is best chosen.

Needs OCEAN_DATA (a folder with `seafloor/`, a folder a class) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
From the seafloor images an unbalanced set is drawn for each split: of one class all, of the others fewer, so that the rarest is about a
tenth. A third of it is the test part. Head epochs alone, so a run takes seconds after the first. Intervals are bootstrap percentiles over the
test images of all splits, each image of a split resampled by itself.

    python benchmarks/priors.py [--splits 8] [--size 160] [--epochs 8]
"""
import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ocean_fastai.all import OceanDataLoaders, ocean_learner, predict_table
from ocean_fastai.evaluate.calibration import calibrate
from ocean_fastai.infer.bundle import learner_bundle

ARCH = "mobilenetv2_100"
SETS = { # part of each class's images: all six, and three that are easily taken for one another
    "six": {"silt": 1., "sand": 1., "shell": .6, "pebble": .5, "cobble": .35, "boulder": .3},
    "stones": {"cobble": 1., "pebble": 1., "boulder": .33}}


def unbalanced(seed, keep):
    "The images of one split: path, label, split."
    rng, rows = np.random.default_rng(seed), []
    for folder in sorted((Path(os.environ["OCEAN_DATA"])/"seafloor").iterdir()):
        if folder.name not in keep: continue
        paths = rng.permutation(sorted(map(str, folder.rglob("*.jpg"))))
        paths = paths[:max(12, round(len(paths)*keep[folder.name]))]
        part = np.where(np.arange(len(paths)) < len(paths)/3, "test", np.where(np.arange(len(paths)) < len(paths)/2, "valid", "train"))
        rows += [dict(path=p, label=folder.name, split=s) for p, s in zip(paths, part)]
    return pd.DataFrame(rows)


def trained(df, weighted, args, seed, cache):
    "A learner of the head alone."
    dls = OceanDataLoaders.from_manifest(df, "label", size=args.size, augs=None, cache=cache, num_workers=0, progress=False)
    learn = ocean_learner(dls, ARCH, Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors", weighted=weighted, seed=seed)
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(args.epochs, args.body, views=1)
    return learn


def answers(learn, df, undo):
    "Calibrated probabilities of the test images, their true class as a number, and the training shares."
    loss = learn.loss_func
    if not undo: learn.loss_func = torch.nn.CrossEntropyLoss() # as if nothing had been weighted
    try:
        test = df[df.split == "test"].reset_index(drop=True)
        shares = np.array(list(learner_bundle(learn).config["prior"]["label"].values()))
        fit = calibrate(learn, decide="likely")
        preds = predict_table(learn, test, calibration=fit, decide="likely", progress=False)
    finally: learn.loss_func = loss
    classes = learn.dls.targets["label"]
    return preds[[f"p_{c}" for c in classes]].to_numpy(), pd.Index(classes).get_indexer(test.label), shares, fit["label"]["temperature"]


def classwise(p, y, weight, bins=15):
    "Class-wise ECE of weighted images."
    out = []
    for k in range(p.shape[1]):
        at = np.minimum((p[:, k]*bins).astype(int), bins - 1)
        out.append(np.abs(np.bincount(at, weight*(p[:, k] - (y == k)))).sum()/weight.sum())
    return np.mean(out)


def figures(runs, weight):
    "All figures of the runs, each test image weighted."
    sure = np.concatenate([p.ravel() >= .9 for p, _, _, _ in runs])
    true = np.concatenate([(y[:, None] == np.arange(p.shape[1])).ravel() for p, y, _, _ in runs])
    each = np.repeat(np.concatenate(weight), runs[0][0].shape[1])
    prob = np.concatenate([p.ravel() for p, *_ in runs])
    rare = np.concatenate([(np.arange(p.shape[1]) == s.argmin())[None].repeat(len(p), 0).ravel() for p, _, s, _ in runs])
    def share(value, rows): return (each*rows*value).sum()/max((each*rows).sum(), 1e-9)
    out = {"true where p >= .9": share(true, sure), "mean p there": share(prob, sure),
           "true where p(rarest) >= .5": share(true, rare & (prob >= .5)), "mean p there, rarest": share(prob, rare & (prob >= .5)),
           "mean p of the rarest / share": np.mean([(w*p[:, s.argmin()]).sum()/(w*(y == s.argmin())).sum() for (p, y, s, _), w in zip(runs, weight)]),
           "class-wise ECE": np.mean([classwise(p, y, w) for (p, y, _, _), w in zip(runs, weight)])}
    for rule in ("likely", "balanced"):
        right = [((p/s if rule == "balanced" else p).argmax(1) == y) for p, y, s, _ in runs]
        out[f"accuracy, {rule}"] = np.mean([(r*w).sum()/w.sum() for r, w in zip(right, weight)])
        out[f"balanced accuracy, {rule}"] = np.mean([np.mean([(r*w)[y == k].sum()/max(w[y == k].sum(), 1e-9) for k in np.unique(y)]) for r, (_, y, _, _), w in zip(right, runs, weight)])
    return out, f"{sure.sum()} probabilities of .9 or more, {(rare & (prob >= .5)).sum()} of the rarest class of .5 or more"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=SETS, default="stones")
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--body", type=int, default=0)
    parser.add_argument("--cache", default="/tmp/priors-cache")
    parser.add_argument("--boot", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    runs = {"weighted, as trained": [], "weighted, undone": [], "not weighted": []}
    for seed in range(args.splits):
        df = unbalanced(seed, SETS[args.set])
        if not seed: print(df.groupby("split").label.value_counts(normalize=True).unstack(0).round(2), df.split.value_counts().to_dict(), flush=True)
        learn = trained(df, True, args, seed, args.cache)
        for name, undo in (("weighted, as trained", False), ("weighted, undone", True)): runs[name].append(answers(learn, df, undo))
        runs["not weighted"].append(answers(trained(df, False, args, seed, args.cache), df, True))
    rng = np.random.default_rng(0)
    sizes = [len(y) for _, y, _, _ in runs["not weighted"]]
    draws = [[np.bincount(rng.integers(n, size=n), minlength=n).astype(float) for n in sizes] for _ in range(args.boot)]
    for name, own in runs.items():
        values, n = figures(own, [np.ones(k) for k in sizes])
        many = [figures(own, w)[0] for w in draws]
        print(f"\n{name} ({len(own)} splits, {sum(sizes)} test images; {n}; temperatures {', '.join(f'{o[3]:.2f}' for o in own)})")
        for k, v in values.items(): print(f"  {k:28} {v:.3f}  [{np.quantile([m[k] for m in many], .025):.3f}, {np.quantile([m[k] for m in many], .975):.3f}]")


if __name__ == "__main__": main()
