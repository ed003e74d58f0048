"""Real burrows, 30 pixels in frames of 1229 x 691: boxes from a network that learnt whether a tile has a burrow, against one pass without tiles and a box in the middle.

Needs OCEAN_DATA (a folder with `burrows/`, YOLO) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). Every frame has burrows, so an image label says
nothing; tiles of 12 x 7 do. A tile has one if half of a box lies in it, none if no more than a tenth of any does; others are left out. Tiles of the first
four fifths of 2023-06-03 train, those of its last fifth choose the epoch, and its last fifth's boxes the thresholds. The other five days, 14 images, judge.
The number of tiles and the scales were chosen on that last fifth. Recall and precision are of one-to-one matches at an overlap (IoU) of 0.3, for each image
of all its boxes; intervals resample images, and for so few are a rough guess. The centre box has 0.6 of each side, and one box an image can't find many.

    python benchmarks/burrows.py --out DIR      (a second call with the same DIR only judges again)
"""
import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ocean_fastai.formats.yolo import read_yolo
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.evaluate.boxes import boxes_report, wsol_scores
from ocean_fastai.explain.heatmaps import tile_boxes
from ocean_fastai.explain.localize import fit_threshold, localize
from ocean_fastai.evaluate.wsol import center_boxes
from ocean_fastai.jobs.find import overlay
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.train.learner import ocean_learner

from judging import say

ARCH, TILES, SCALES, DAY = "mobilenetv2_100", (12, 7), (1, 2), "2023-06-03"


def frames():
    "Manifest with `split`, and boxes."
    df, boxes = read_yolo(Path(os.environ["OCEAN_DATA"])/"burrows", outside="clip")
    time = df.path.str.extract(r"D([\dT-]+)Z")[0]
    day = time.str.startswith(DAY)
    late = time.isin(sorted(time[day])[int(.8*day.sum()):])
    df = df.assign(split=np.where(~day, "test", np.where(late, "valid", "train")))
    df.attrs = boxes.attrs
    return df, boxes


def cut_tiles(df, boxes, out):
    "Tiles of the frames that are not tested, as images, with whether a burrow is in each."
    rows = []
    out.mkdir(parents=True, exist_ok=True)
    for r in df[df.split != "test"].itertuples():
        im = Image.open(f"{df.attrs['folder']}/{r.path}").convert("RGB")
        b = boxes.loc[boxes.path == r.path, ["x0", "y0", "x1", "y1"]].to_numpy()
        for k, t in enumerate(tile_boxes((0, 0, *im.size), TILES)):
            inside = np.clip(np.minimum(b[:, 2:], t[2:]) - np.maximum(b[:, :2], t[:2]), 0, None).prod(1)/(b[:, 2:] - b[:, :2]).prod(1)
            if .1 < inside.max() < .5: continue
            rows.append((str(out/f"{Path(r.path).stem}_{k:03d}.jpg"), "burrow" if inside.max() >= .5 else "none", r.split, r.path))
            im.crop(tuple(np.round(t).astype(int).tolist())).save(rows[-1][0], quality=95)
    return pd.DataFrame(rows, columns=["path", "elements", "split", "video"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder: tiles, the trained network, pages and overlays")
    out = parser.parse_args().out
    df, boxes = frames()
    if not (out/"bundle").exists():
        dls = OceanDataLoaders.from_manifest(cut_tiles(df, boxes, out/"tiles"), "elements", size=128, crop=None, bs=64, num_workers=0)
        learn = ocean_learner(dls, ARCH, Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors")
        with learn.no_bar(): learn.fit_transfer(body_epochs=3)
        save_bundle(learn, out/"bundle")
    model = load_bundle(out/"bundle")
    valid, test = (df[df.split == part].reset_index(drop=True) for part in ("valid", "test"))
    true = boxes[boxes.path.isin(set(test.path))].reset_index(drop=True)
    print(f"{len(test)} images, {len(true)} burrows")
    found = {}
    for name, kw in {"tiles": dict(tiles=TILES, scales=SCALES), "one pass": {}}.items():
        fit = fit_threshold(model, valid, boxes[boxes.path.isin(set(valid.path))], held_out=test, **kw)
        found[name] = localize(model, test, "burrow", fit=fit, masks=True, min_score=0, nms=False)
        print(f"{name}: fitted on {len(valid)} images of {DAY}: {fit['classes']['burrow']}")
    for path in test.path:
        b = found["tiles"][found["tiles"].path == path]
        (out/"overlays").mkdir(exist_ok=True)
        overlay(Image.open(f"{df.attrs['folder']}/{path}"), b).save(out/"overlays"/f"{Path(path).stem[:30]}.jpg")
    for name, b in {**found, "centre box": center_boxes(test, true)}.items():
        b = b.drop(columns="mask", errors="ignore")
        scores = wsol_scores(b, true, test, groups="none")
        boxes_report(b, true, test, out/f"{name.replace(' ', '_')}.html", f"Burrows: {name}", groups="none", scores=scores)
        table = scores.query("`class` == 'burrow'")
        say(name, table)


if __name__ == "__main__": main()
