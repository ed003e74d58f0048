"""Drawn scenes with true boxes and masks: what a fitted threshold and mix bring over Otsu's, half of the maximum and a box in the middle.

Needs OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). Videos are drawn with waste, rocks or both; half of them train on image labels alone, a fifth choose the epoch
and, with boxes, the thresholds, the others judge. Two tables: box accuracy, where a threshold is needed, and PxAP, where none is: how well the values of the
heat maps tell a class's pixels from the others. `class map` is plain Grad-CAM, without what stands out in the features. Intervals resample whole videos.
The library and the scenes have the same authors: read the difference between the rows.

    python benchmarks/drawn_boxes.py --out DIR      (a second call with the same DIR only judges again)
"""
import argparse
import os
from pathlib import Path

import pandas as pd

from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.splits import split_frames
from ocean_fastai.evaluate.boxes import wsol_scores
from ocean_fastai.explain.heatmaps import heat_maps
from ocean_fastai.explain.localize import fit_threshold, localize
from ocean_fastai.evaluate.pxap import pxap
from ocean_fastai.evaluate.wsol import center_boxes
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.synth.dataset import MASK_VALUES, draw_dataset, mask_path
from ocean_fastai.train.learner import ocean_learner

from judging import present, say

ARCH, SIZE, CLASSES, MEASURES = "mobilenetv2_100", (288, 160), ["rocks", "waste"], ["box_acc_v2", "top_hit", "pointing"]


def train(df, out):
    "A bundle that learnt the image labels."
    dls = OceanDataLoaders.from_manifest(df, "elements", size=SIZE, crop=None, bs=32, num_workers=0, cache=out/"cache")
    learn = ocean_learner(dls, ARCH, Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors")
    with learn.no_bar(): learn.fit_transfer(body_epochs=6)
    print(learn.history[["epoch", "valid_loss", "average_precision"]].round(3).to_string(index=False))
    save_bundle(learn, out/"bundle")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder: the scenes and the trained network")
    out = parser.parse_args().out
    df = draw_dataset(out/"scenes", n=600, size=(512, 288), videos=120, seed=11, elements=["waste", "rocks"])
    boxes = pd.read_csv(out/"scenes/boxes.csv")
    boxes.attrs["folder"] = df.attrs["folder"]
    df = split_frames(boxes_to_labels(df, boxes, "elements"), valid=.2, test=.3, groups="video", stratify="elements", seed=0)
    if not (out/"bundle").exists(): train(df, out)
    model = load_bundle(out/"bundle")
    valid, test = (df[df.split == part].reset_index(drop=True) for part in ("valid", "test"))
    true = boxes[boxes.path.isin(set(test.path))].reset_index(drop=True)
    near = boxes[boxes.path.isin(set(valid.path))]
    fits = {"fitted": fit_threshold(model, valid, near, held_out=test), "class map, fitted": fit_threshold(model, valid, near, held_out=test, mix=1., scales=1)}
    print(f"{len(test)} test images of {test.video.nunique()} videos; " + "; ".join(f"{k}: {v['classes']}" for k, v in fits.items()))
    cuts = {name: dict(fit=fit) for name, fit in fits.items()} | {"Otsu": dict(threshold="otsu"), "0.5": dict(threshold=.5)}
    found = {name: present(localize(model, test, CLASSES, min_score=0, nms=False, **cut), true) for name, cut in cuts.items()} | {"centre box": center_boxes(test, true)}
    for name, b in found.items():
        table = wsol_scores(b, true, test)
        say(name, table[table.measure.isin(MEASURES)])
    masks = test[["path"]].assign(mask=test.path.map(mask_path))
    for name, kw in {"heat_maps": {}, "class map": dict(mix=1., scales=1)}.items():
        table = pxap(heat_maps(model, test, CLASSES, **kw), masks, {c: MASK_VALUES[c] for c in CLASSES})
        print(f"PxAP {name:12} " + "  ".join(f"{r['class']} {r['pxap']:.3f} (centre box {r['baseline']:.3f})" for _, r in table.iterrows()), flush=True)


if __name__ == "__main__": main()
