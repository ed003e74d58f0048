"""The wide picture at the top of README: a synthetic frame that no training saw, what the model says of it, and where it sees it.

    python tools/hero.py [--out nbs/images/hero.jpg]

Draws a survey, trains one network for substrate and elements on two thirds of its videos (weights of the extra `offline`), calibrates it and fits the thresholds of its boxes on other
videos, and shows a frame of a video that did neither. The frame is chosen for showing three elements or more, not for being right.
"""
import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from ocean_fastai.all import (OceanDataLoaders, calibrate, class_colors, draw_dataset, fit_threshold, image_paths, load_bundle, load_manifest, localize,
    ocean_learner, open_image, save_bundle, set_seed, split_frames)


def trained(work):
    "A bundle for substrate and elements, and the frames that judge it."
    df = draw_dataset(work/"survey", n=360, size=(960, 540), videos=120, seed=3, masks=False, progress=False)
    df = split_frames(df, valid=.2, test=.15, groups="video", stratify="floor")
    dls = OceanDataLoaders.from_manifest(df, ["floor", "elements"], size=(384, 216), augs="light", cache=work/"cache", num_workers=0)
    learn = ocean_learner(dls, weights="offline")
    with learn.no_bar(): learn.fit_transfer(head_epochs=8, body_epochs=4)
    valid, test = (df[df.split == part].reset_index(drop=True) for part in ("valid", "test"))
    boxes = load_manifest(work/"survey"/"boxes.csv")
    for column in ("x0", "y0", "x1", "y1"): boxes[column] = boxes[column].astype(float)
    fit = fit_threshold(learn, valid, boxes[boxes.path.isin(valid.path)], "elements", progress=False)
    return load_bundle(save_bundle(learn, work/"bundle", calibration=calibrate(learn), localization=fit)), test


def picture(model, row, out):
    "The frame, its probabilities, and its boxes, side by side."
    preds = model.predict(row, progress=False)
    found = localize(model, row, target="elements", progress=False)
    found = found.sort_values("score", ascending=False).drop_duplicates("label").head(3)
    image = open_image(image_paths(row)[0])
    colors = class_colors([c for classes in model.targets.values() for c in classes])
    figure, axes = plt.subplots(1, 3, figsize=(14.4, 3.2), width_ratios=[1.78, .95, 1.78], layout="constrained")
    for ax, title in zip(axes, ("A frame of a video that no training saw", "What the model says, and how sure", "Where it sees it")):
        ax.set_title(title, fontsize=11, loc="left")
    for ax in (axes[0], axes[2]): ax.imshow(image); ax.set_axis_off()
    bars = pd.concat([preds[preds.target == t][[f"p_{c}" for c in classes]].iloc[0].rename(lambda c: c[2:]) for t, classes in model.targets.items()])[::-1]
    axes[1].barh(bars.index, bars, color=[colors[c] for c in bars.index])
    axes[1].set(xlim=(0, 1), xticks=[0, .5, 1])
    axes[1].spines[["top", "right"]].set_visible(False)
    for box in found.itertuples():
        axes[2].add_patch(plt.Rectangle((box.x0, box.y0), box.x1 - box.x0, box.y1 - box.y0, fill=False, edgecolor=colors[box.label], linewidth=2.5))
        axes[2].text(box.x0 + 4, box.y0 + 4, f"{box.label} {box.score:.2f}", color="white", fontsize=9, va="top", bbox=dict(facecolor=colors[box.label], edgecolor="none", pad=2))
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100, facecolor="white", pil_kwargs=dict(quality=88))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=Path(__file__).resolve().parent.parent/"nbs/images/hero.jpg")
    parser.add_argument("--work", type=Path, help="folder to work in; a temporary one by default")
    args = parser.parse_args()
    set_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        model, test = trained(args.work or Path(folder))
        many = test[test.elements.str.count(";") >= 2]
        picture(model, many.iloc[:1].reset_index(drop=True), args.out)


if __name__ == "__main__": main()
