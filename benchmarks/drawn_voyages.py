"""Drawn voyages with their pictures, end to end: a detector trained on other drawn voyages finds debris in JPEGs, boxes become things counted once, things become densities beside the truth.

Nothing is simulated but the sea: `draw_frame` draws every picture, `train_detector` learns from --train voyages (their last is for validation) and chooses its least score there, four voyages more that taught nothing
give the rates of missed and of false detections, and --voyages others are estimated. Each has other waves, weather, light and debris. The detector sees pictures enlarged 1.5 times in tiles, since most debris is a few pixels wide.
Says: average precision and recall by the width of the true box on all pictures of the estimated voyages (intervals resample voyages); of each size class how many of the 95 % intervals hold the truth, the bias of
the mean with its standard error, and the same for the count over the area. The truth is the mean density of the region, so the draw of a voyage's own strip counts as error too.

    python benchmarks/drawn_voyages.py --out DIR      (DIR keeps pictures of training, the detector and all boxes; a second call goes on)
"""
import argparse
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.boxes import box_ious
from ocean_fastai.evaluate.detection import ap_scores
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.infer.detect import detect
from ocean_fastai.infer.detector import train_detector
from ocean_fastai.synth.photos import draw_voyage
from ocean_fastai.synth.voyage import plan_voyage, true_density
from ocean_fastai.transect.density import density
from ocean_fastai.transect.footprint import locate_boxes, read_camera
from ocean_fastai.transect.link import held_out_objects, link_objects, one_each
from ocean_fastai.transect.rates import held_out_rates
from ocean_fastai.transect.track import transects

ARCH, SIZE, TILES = "mobilenetv2_100", (960, 540), (3, 2)
WIDTH, BREAKS, CLASSES = 40, [.5], {"under 0.5 m": (0, .5), "0.5 m or more": (.5, np.inf), "all sizes": (0, np.inf)}
WAY = dict(legs=12, density_km2=300, spacing_m=1000)


def pictures(folder, seed, n, **kwargs):
    "A drawn voyage: manifest and true boxes."
    df = draw_voyage(folder, n=n, seed=seed, progress=False, **(WAY | kwargs))
    return df, pd.read_csv(folder/"boxes.csv", dtype={"path": str, "track": str})


def trained(args):
    "The detector, made once."
    if (args.out/"detector").exists(): return load_bundle(args.out/"detector")
    parts, boxes = [], []
    for k in range(args.train):
        df, own = pictures(args.out/f"train{k}", 1000 + k, args.train_n, density_km2=1200)
        parts.append(df.assign(path=f"train{k}/" + df["path"], split="valid" if k == args.train - 1 else "train"))
        boxes.append(own.assign(path=f"train{k}/" + own["path"]))
    df, boxes = pd.concat(parts, ignore_index=True), pd.concat(boxes, ignore_index=True)
    df.attrs["folder"] = str(args.out)
    print(f"{len(df)} pictures of {args.train} voyages to learn from, {len(boxes)} boxes", flush=True)
    bundle = train_detector(df, boxes, arch=ARCH, weights=Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors", size=SIZE, tiles=TILES, epochs=args.epochs, bs=16, outside="clip", progress=False)
    print(bundle.history.round(3).to_string(), bundle.thresholds, sep="\n", flush=True)
    save_bundle(bundle, args.out/"detector")
    return bundle


def sailed(bundle, seed, args):
    "A voyage's plan, its true boxes, what the detector found in its pictures, and its legs; pictures are drawn, looked at and removed."
    kept = args.out/"voyages"/str(seed)
    if not (kept/"found.csv").exists():
        df, true = pictures(args.out/"now", seed, args.n)
        found = detect(bundle, df, min_score=.01, progress=False)
        kept.mkdir(parents=True, exist_ok=True)
        true.to_csv(kept/"true.csv", index=False)
        found.to_csv(kept/"found.csv", index=False)
        shutil.rmtree(args.out/"now")
        print(f"voyage {seed}: {len(true)} true boxes, {len(found)} found at any score", flush=True)
    voyage = plan_voyage(args.n, seed=seed, **WAY)
    true, found = (pd.read_csv(kept/f"{name}.csv", dtype={"path": str, "track": str}) for name in ("true", "found"))
    return voyage, true, found, transects(voyage.frames)


def sure(bundle, found):
    "The boxes that the detector gives by default."
    return found[found["score"] >= bundle.thresholds["elements"]["debris"]].reset_index(drop=True)


def estimated(bundle, rates, seed, voyage, found, way):
    "Densities of a voyage beside the truth."
    linked = link_objects(locate_boxes(sure(bundle, found), read_camera(voyage.camera), way.frames))
    rows = density(one_each(linked), way.legs, WIDTH, size_breaks_m=BREAKS, rates=rates, n_boot=500, seed=seed).summary
    return rows.assign(truth=[true_density(voyage.truth, *CLASSES[k]) for k in rows["size_class"]], voyage=seed)


def say_detector(bundle, tables, limits=(2, 5, 8, 12, 20, np.inf)):
    "Average precision, and recall by the width of true boxes, of all pictures of the estimated voyages."
    true, found, df = (pd.concat([t[k] for t in tables], ignore_index=True) for k in range(3))
    print(ap_scores(found, true, df, groups="voyage").round(3).to_string())
    at, hit = sure(bundle, found).groupby("path"), np.zeros(len(true), bool)
    sides = ["x0", "y0", "x1", "y1"]
    for path, rows in true.groupby("path").indices.items():
        if path in at.indices: hit[rows] = (box_ious(true[sides].to_numpy(float)[rows], at.get_group(path)[sides].to_numpy(float)) >= .3).any(1)
    wide = pd.cut(true["x1"] - true["x0"], limits, right=False)
    print("width of the true box, pixels; recall at an overlap of 0.3 at the default score\n", pd.Series(hit).groupby(wide, observed=True).agg(["size", "mean"]).round(3).to_string())


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--voyages", type=int, default=20)
    p.add_argument("--n", type=int, default=144, help="pictures of a voyage")
    p.add_argument("--train", type=int, default=3, help="voyages to learn from, the last of them to validate on")
    p.add_argument("--train-n", type=int, default=120, help="pictures of each of these")
    p.add_argument("--epochs", type=int, default=4)
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    bundle = trained(args)
    held, area = [], 0
    for seed in range(2000, 2004):
        voyage, true, found, way = sailed(bundle, seed, args)
        part = held_out_objects(sure(bundle, found), true, way.frames, read_camera(voyage.camera))
        held.append(part.assign(group=f"{seed} " + part["group"].astype(str)))
        area += way.legs["length_m"].sum()*2*WIDTH/1e6
    held = pd.concat(held, ignore_index=True)
    rates = held_out_rates(held[held["across_m"].abs() <= WIDTH], BREAKS, searched_km2=area)
    counts = rates.groupby("size_class")[["there", "found", "named", "right"]].sum()
    print(counts.assign(recall=counts["found"]/counts["there"], precision=counts["right"]/counts["named"]).round(3).to_string(), flush=True)
    rows, tables = [], []
    for seed in range(args.voyages):
        voyage, true, found, way = sailed(bundle, seed, args)
        rows.append(estimated(bundle, rates, seed, voyage, found, way))
        tables.append([t.assign(path=f"{seed}/" + t["path"]) for t in (true, found, voyage.frames.assign(voyage=seed, width=640, height=360))])
    say_detector(bundle, tables)
    rows = pd.concat(rows)
    rows["covered"] = (rows["density_low"] <= rows["truth"]) & (rows["truth"] <= rows["density_high"])
    rows.to_csv(args.out/"densities.csv", index=False)
    for kind, part in rows.groupby("size_class", sort=False):
        ratio, naive, n = part["density"]/part["truth"], part["naive"]/part["truth"], len(part)
        print(f"{kind}: {n} voyages, {part['n'].mean():.0f} things found each; covered {int(part['covered'].sum())} of {n}; bias {ratio.mean() - 1:+.3f} (s.e. {ratio.std()/n**.5:.3f}); naive "
              f"{naive.mean() - 1:+.3f} (s.e. {naive.std()/n**.5:.3f}); half width {((part['density_high'] - part['density_low'])/2/part['density']).median():.2f} of the estimate")


if __name__ == "__main__": main()
