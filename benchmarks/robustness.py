"""Real sea floor and debris: what the recipe's augmentation and each of its families is worth under corruptions, with one seed and one budget.

Needs OCEAN_DATA (`seafloor/`, `debris/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
Every candidate starts from the same weights and learns from the same images at the same size for the epochs that `train` gives (--epochs: of the classifier, of the whole network, at most): without augmentation, with fastai's stock `aug_transforms()`,
with the recipe at `medium`, with the recipe without each of its families, and with --more with two or one of them and with milder recipes. All are judged on the same 60 images that trained and chose nothing (sea floor: of the 134 that
benchmarks/seafloor.py holds out; debris: of the test videos of split 0, in turn; --skip leaves out the first 60, on which earlier recipes were compared), clean and under the corruptions of `data.corrupt` at severities 1, 3 and 5, of the ten waters two. Mean corruption errors are relative to no augmentation.
Intervals are bootstrap percentiles over the images, on debris over whole videos. One seed a call: what another gives is not known from it, and differences within the intervals decide nothing.

    python benchmarks/robustness.py seafloor --out DIR      (DIR keeps the models; a second call goes on)
"""
import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastai.vision.augment import aug_transforms
from seafloor import held_out

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.augment import aug_recipes, ocean_augs
from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.corrupt import CORRUPTIONS
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.splits import split_frames
from ocean_fastai.evaluate.robustness import robustness, robustness_report
from ocean_fastai.formats.coco import read_coco
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.train.learner import ocean_learner

ARCH, CLASSES = "mobilenetv2_100", ["plastic", "bio", "rov"]
SIZES = {"seafloor": (160, 160), "debris": (256, 192)}
WATERS = ("water_II", "water_3C")


def candidates(more=False):
    "{name: what the loaders are given}."
    families = list(aug_recipes())
    without = {f"recipe without {f}": dict(augs=ocean_augs("medium", [o for o in families if o != f])) for f in families}
    out = {"none": dict(augs=None), "stock": dict(augs=None, batch_tfms=aug_transforms()), "recipe": dict(augs="medium"), **without}
    if not more: return out
    some = {" and ".join(names): ocean_augs("medium", list(names)) for names in (("viewpoint", "optics"), ("viewpoint", "resolution"), ("optics", "resolution"), ("water", "optics"), ("optics",), ("resolution",))}
    return out | {name: dict(augs=augs) for name, augs in some.items()} | {"light": dict(augs="light"), "mirror": dict(augs="mirror")}


def in_turn(test, by, skip, n):
    "`n` images after the first `skip`, of each class or video in turn."
    turn = test.groupby(by).cumcount()
    return test.assign(turn=turn).sort_values("turn", kind="stable").iloc[skip:skip + n].drop(columns="turn")


def data_of(name, n_train, n_test, skip=0):
    "The manifest with its split, and the images that judge."
    if name == "seafloor":
        df = held_out()
        test = df[df["split"] == "test"].groupby("label", group_keys=False).sample(frac=1, random_state=0)
        test = in_turn(test, "label", skip, n_test)
        learnt = split_frames(df[df["split"] != "test"].drop(columns="split").reset_index(drop=True), .2, groups="none", stratify="label", seed=0, progress=False)
    else:
        df, boxes = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", classes=CLASSES, outside="clip")
        df = split_frames(boxes_to_labels(df, boxes, "label", CLASSES), .2, .3, groups="video", stratify="label", seed=0, progress=False)
        test = in_turn(df[df["split"] == "test"], "video", skip, n_test)
        learnt, attrs = df[df["split"] != "test"].reset_index(drop=True), boxes.attrs
        learnt.attrs = test.attrs = attrs
    train = np.flatnonzero(learnt["split"] == "train")
    drop = np.setdiff1d(train, train[np.linspace(0, len(train) - 1, min(n_train or len(train), len(train))).astype(int)])
    attrs, learnt = learnt.attrs, learnt.drop(index=drop).reset_index(drop=True)
    test = test.reset_index(drop=True)
    learnt.attrs, test.attrs = attrs, {"folder": attrs["folder"]} if "folder" in attrs else {}
    return learnt, test.drop(columns="split")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=list(SIZES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, nargs=2, default=(8, 4))
    parser.add_argument("--n-train", type=int, help="images to learn from; by default all")
    parser.add_argument("--n-test", type=int, default=60)
    parser.add_argument("--skip", type=int, default=60, help="test images that are left out first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="names of candidates, none among them, as in: none stock recipe 'recipe without resolution'")
    parser.add_argument("--more", action="store_true", help="also two families or one, and milder recipes")
    args = parser.parse_args()
    out = args.out/(args.set if args.seed == 0 else f"{args.set}-seed-{args.seed}")
    out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    warnings.simplefilter("ignore")
    learnt, test = data_of(args.set, args.n_train, args.n_test, args.skip)
    print(f"{args.set}: {learnt['split'].value_counts().to_dict()}, judged on {len(test)}: {test['label'].value_counts().to_dict()}", flush=True)
    weights, models = Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors", {}
    for name, given in candidates(args.more).items():
        if args.only and name not in args.only: continue
        if not (out/name).exists():
            start = time.process_time()
            dls = OceanDataLoaders.from_manifest(learnt, "label", size=SIZES[args.set], groups="split", seed=args.seed, cache=out/"cache", num_workers=0, progress=False, **given)
            learn = ocean_learner(dls, ARCH, weights, seed=args.seed)
            with learn.no_bar(), learn.no_logging(): learn.fit_transfer(*args.epochs)
            save_bundle(learn, out/name)
            print(f"{name}: {time.process_time() - start:.0f} s CPU, validation loss {learn.history['valid_loss'].min():.3f}", flush=True)
        models[name] = load_bundle(out/name)
    names = [c for c in CORRUPTIONS if not c.startswith("water_") or c in WATERS]
    start = time.process_time()
    found = robustness(models, test, names, (1, 3, 5), baseline="none", out=out/"predictions.csv", resume=True, progress=False)
    print(f"judged in {time.process_time() - start:.0f} s CPU")
    print("\n".join(found.notes))
    for kind in ("clean", "mean"):
        table = found.scores[found.scores["corruption"] == "clean"] if kind == "clean" else found.errors[found.errors["corruption"] == "mean"]
        print(table.drop(columns=["target", "corruption"]).dropna(axis=1, how="all").round(3).to_string(index=False))
    families = found.errors[found.errors["corruption"] != "mean"].assign(family=lambda o: o["corruption"].map(lambda c: CORRUPTIONS[c].family))
    print(families.pivot_table("ce", "model", "family", sort=False).round(3).to_string())
    robustness_report(found, out/"report.html", test.attrs.get("folder", Path())/Path(test["path"][0]) if "folder" in test.attrs else test["path"][0], f"Augmentation on {args.set}")


if __name__ == "__main__": main()
