"""Real sea floor: `ocean-fastai train` against stock fastai and a logistic regression, on one held-out part.

Needs OCEAN_DATA (a folder with `seafloor/`, a folder a class) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
A fifth of the images, stratified, is held out once and for all; no recipe was tuned on it. Every candidate learns from the same other
images: stock `vision_learner(...).fine_tune(4)` and the logistic regression on frozen features from all of them, `ocean-fastai train` at its
default epochs, with --refit, which takes a part of them for validation first and then trains on all. Intervals are bootstrap percentiles
over the held-out images, of the mean over seeds.

    python benchmarks/seafloor.py [--seeds 0 1 2] [--only ours stock logistic]
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ARCH, SIZE = "mobilenetv2_100", 224


def held_out():
    "The images, their classes, and which of them are held out."
    root = Path(os.environ["OCEAN_DATA"])/"seafloor"
    df = pd.DataFrame({"path": sorted(map(str, root.rglob("*.jpg")))})
    df["label"] = [Path(p).parent.name for p in df.path]
    _, test = next(StratifiedShuffleSplit(1, test_size=.2, random_state=0).split(df, df.label))
    df["split"] = "train"
    df.loc[test, "split"] = "test"
    return df


def ours(df, weights, seed, tmp):
    "The command line, from a manifest to predictions of the held-out images."
    run, cli = tmp/f"run{seed}", [Path(sys.executable).parent/"ocean-fastai"]
    df.to_csv(tmp/"manifest.csv", index=False)
    df[df.split == "test"].to_csv(tmp/"test.csv", index=False)
    subprocess.run([*cli, "train", tmp/"manifest.csv", "--out", run, "--target", "label", "--arch", ARCH, "--weights", weights, "--size", str(SIZE),
                    "--crop", "1", "--refit", "--seed", str(seed)], check=True, stdout=sys.stderr)
    subprocess.run([*cli, "predict", run/"bundle", tmp/"test.csv", "--out", tmp/f"p{seed}.csv"], check=True, stdout=sys.stderr)
    print((run/"history.csv").read_text(), file=sys.stderr)
    return pd.read_csv(tmp/f"p{seed}.csv", dtype={"label": str}).label.to_numpy()


def stock(df, weights, seed, tmp):
    "What a fastai user writes."
    from fastai.vision.all import ColReader, ColSplitter, CategoryBlock, DataBlock, ImageBlock, Resize, aug_transforms, set_seed, vision_learner
    set_seed(seed, reproducible=True)
    dls = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("path"), get_y=ColReader("label"), splitter=ColSplitter("is_valid"), item_tfms=Resize(SIZE),
                    batch_tfms=aug_transforms()).dataloaders(df.assign(is_valid=df.split == "test"), seed=seed, num_workers=0)
    learn = vision_learner(dls, ARCH, pretrained_cfg_overlay=dict(file=str(weights)))
    with learn.no_bar(): learn.fine_tune(4)
    return np.array(dls.vocab)[learn.get_preds()[0].argmax(1).numpy()]


def logistic(df, weights, seed, tmp):
    "Features of the frozen network, standardized, and scikit-learn's logistic regression."
    import timm
    import torch
    from PIL import Image
    model = timm.create_model(ARCH, pretrained=True, pretrained_cfg_overlay=dict(file=str(weights)), num_classes=0).eval()
    mean, std = (torch.tensor(model.pretrained_cfg[k])[:, None, None] for k in ("mean", "std"))
    def pixels(p): return (torch.from_numpy(np.array(Image.open(p).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR))).permute(2, 0, 1)/255 - mean)/std
    with torch.inference_mode(): x = torch.cat([model(torch.stack([pixels(p) for p in df.path[i:i+32]])) for i in range(0, len(df), 32)]).numpy()
    train = (df.split == "train").to_numpy()
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000)).fit(x[train], df.label[train]).predict(x[~train])


def score(truth, said, picks):
    "Accuracy and balanced accuracy (mean over seeds) for the images of each row of `picks`."
    right = np.mean([s == truth for s in said], 0)
    recalls = [np.array([right[p][truth[p] == c].mean() for c in np.unique(truth)]) for p in picks]
    return np.array([right[p].mean() for p in picks]), np.array([r.mean() for r in recalls])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=["logistic", "ours", "stock"])
    args = parser.parse_args()
    df, weights = held_out(), Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"
    truth = df[df.split == "test"].label.to_numpy()
    picks = np.random.default_rng(0).integers(0, len(truth), (2000, len(truth)))
    print(f"{len(df)} images, {len(truth)} of them held out, {df.label.nunique()} classes")
    for name in args.only:
        said, seconds = [], []
        for seed in args.seeds if name != "logistic" else [0]:
            began = time.time()
            with tempfile.TemporaryDirectory() as tmp: said.append(globals()[name](df, weights, seed, Path(tmp)))
            seconds.append(time.time() - began)
        for what, one, many in zip(("accuracy", "balanced accuracy"), score(truth, said, [np.arange(len(truth))]), score(truth, said, picks)):
            low, high = np.nanpercentile(many, [2.5, 97.5])
            each = ", ".join(f"{(s == truth).mean():.3f}" for s in said) if what == "accuracy" else ", ".join(f"{score(truth, [s], [np.arange(len(truth))])[1][0]:.3f}" for s in said)
            print(f"{name:9} {what:18} {one[0]:.3f}  [{low:.3f}, {high:.3f}]  by seed: {each}  ({np.mean(seconds):.0f} s a run)", flush=True)


if __name__ == "__main__": main()
