"""One box a thing out of several people's: simulated annotators of known skill on real debris boxes.

Needs OCEAN_DATA (`debris/`). Each of five annotators misses a share of the boxes, shifts each corner by a normal error in parts of the box's size, draws boxes where nothing is, and takes one class for another; the shares are drawn
anew for each seed, from careful to careless. Every image is looked at by all five, or by three of them drawn at random. F1 at IoU 0.5 with the right class, against the true boxes of all classes; intervals over whole videos of the
mean over seeds, differences paired. Beside `box_consensus`: plain votes (a majority, and the mean box), all boxes put together (overlapping ones of one class suppressed), and the annotator that is truly best. Skill: correlation
of the estimated `skill` with each one's true F1. Also the same with the answers of 30 images known. Nothing was tuned on seeds 0 to 4: the method was tried on drawn boxes and on seeds 100 and 101.

    python benchmarks/consensus.py [--seeds 0 1 2 3 4]
"""
import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torchvision.ops import batched_nms

from ocean_fastai.annotate.box_agreement import _pairs
from ocean_fastai.annotate.box_consensus import box_consensus
from ocean_fastai.data.boxes import box_ious
from ocean_fastai.evaluate.bootstrap import bootstrap, interval_of, summed
from ocean_fastai.formats.coco import read_coco

XY = ["x0", "y0", "x1", "y1"]
NAMES = ["ann", "bo", "cy", "di", "eve"]


def annotated(truth, images, name, skill, rng):
    "What a person of a skill from 0 to 1 draws in the images that they look at."
    miss, shake, extra, confuse = (1 - skill)*np.array([.5, .2, .5, .4])*rng.uniform(.6, 1.4, 4)
    mine = truth[truth["path"].isin(images["path"])]
    out = mine[rng.random(len(mine)) >= miss].copy()
    size = (out[["x1", "y1"]].to_numpy() - out[["x0", "y0"]].to_numpy())[:, [0, 1, 0, 1]]
    out[XY] += size*rng.normal(0, shake/2, size.shape)
    classes, wrong = truth["label"].unique(), rng.random(len(out)) < confuse
    out.loc[wrong, "label"] = rng.choice(classes, wrong.sum())
    more = mine.sample(rng.binomial(len(mine), extra), random_state=int(rng.integers(1e9))).copy()
    place = images.sample(len(more), replace=True, random_state=int(rng.integers(1e9)))
    wide, high = (more[b].to_numpy() - more[a].to_numpy() for a, b in (("x0", "x1"), ("y0", "y1")))
    x, y = (rng.uniform(0, 1, len(more))*np.maximum(place[c].to_numpy() - s, 1) for c, s in (("width", wide), ("height", high)))
    more[["path", *XY]] = pd.DataFrame(dict(path=place["path"].to_numpy(), x0=x, y0=y, x1=x + wide, y1=y + high), index=more.index)
    out = pd.concat([out, more], ignore_index=True)
    lo, hi = np.minimum(out[XY[:2]].to_numpy(), out[XY[2:]].to_numpy()), np.maximum(out[XY[:2]].to_numpy(), out[XY[2:]].to_numpy()) + 1e-3
    out[XY] = np.hstack([lo, hi])
    return out[["path", "label", *XY]].assign(annotator=name)


def by_path(boxes):
    "Corners and labels of each image."
    order = boxes["path"].argsort(kind="stable").to_numpy()
    paths, first = np.unique(boxes["path"].to_numpy(str)[order], return_index=True)
    parts = (np.split(o[order], first[1:]) for o in (boxes[XY].to_numpy(float), boxes["label"].to_numpy(str)))
    return dict(zip(paths, zip(*parts)))


def together(boxes):
    "All boxes, of one class those suppressed that overlap another."
    kind = pd.factorize(boxes["path"] + boxes["label"])[0]
    keep = batched_nms(torch.tensor(boxes[XY].to_numpy(float)), torch.arange(len(boxes), 0, -1).double(), torch.tensor(kind), .5)
    return boxes.iloc[np.sort(keep.numpy())]


def tallies(found, truth, video):
    "Groups x 2: twice the matches, and boxes of both."
    out, there, mine = np.zeros((max(video.values()) + 1, 2)), by_path(truth), by_path(found)
    nothing = np.zeros((0, 4)), np.zeros(0, str)
    for path in {*there, *mine}:
        (a, said), (b, true) = mine.get(path, nothing), there.get(path, nothing)
        same = said[:, None] == true
        n = len(_pairs(box_ious(a, b)*same, same, .5)[0]) if len(a) and len(b) else 0
        out[video[path]] += 2*n, len(a) + len(b)
    return out


def f1(tables):
    "A function of how often videos were drawn: F1, the mean over seeds."
    def statistic(times):
        sums = [summed(times, t) for t in tables]
        return np.mean([s[:, 0]/np.maximum(s[:, 1], 1e-9) for s in sums], axis=0)
    return statistic


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--looks", nargs="+", type=int, default=[5, 3], help="how many of the five look at an image")
    parser.add_argument("--boots", type=int, default=500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    images, truth = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", outside="clip")
    video = dict(zip(images["path"].astype(str), pd.factorize(images["video"])[0]))
    for lookers in args.looks:
        runs, skills = {}, []
        for seed in args.seeds:
            rng, start = np.random.default_rng(seed), time.process_time()
            sees = np.argsort(rng.random((len(images), 5)), 1) < lookers
            skill = rng.permutation(np.linspace(.25, .95, 5))
            parts = [annotated(truth, images[sees[:, k]], name, skill[k], rng) for k, name in enumerate(NAMES)]
            boxes = pd.concat(parts, ignore_index=True)
            looked = pd.DataFrame([(images["path"].iloc[i], NAMES[k]) for i, k in zip(*np.nonzero(sees))], columns=["path", "annotator"])
            known = truth[truth["path"].isin(images["path"].sample(30, random_state=seed))]
            settled, people = box_consensus(boxes, looked=looked)
            found = {"box_consensus": settled, "votes": box_consensus(boxes, method="votes", looked=looked)[0], "all together": together(boxes)}
            alone = {}
            for k, name in enumerate(NAMES):
                t = tallies(parts[k], truth[truth["path"].isin(images["path"][sees[:, k]])], video).sum(0)
                alone[name] = t[0]/t[1]
            best = max(alone, key=alone.get)
            found["best single one"] = parts[NAMES.index(best)]
            for name, table in found.items():
                part = truth if name != "best single one" else truth[truth["path"].isin(images["path"][sees[:, NAMES.index(best)]])]
                runs.setdefault(name, []).append(tallies(table, part, video))
            rest = ~truth["path"].isin(known["path"])
            taught = box_consensus(boxes, looked=looked, known=known)
            for name, table in (("30 known, the other images", taught[0]), ("box_consensus, the same images", settled)):
                runs.setdefault(name, []).append(tallies(table[~table["path"].isin(known["path"])], truth[rest], video))
            skills.append([np.corrcoef(p["skill"], p["annotator"].map(alone))[0, 1] for p in (people, taught[1])])
            print(f"{lookers} look, seed {seed}: single ones {', '.join(f'{v:.2f}' for v in sorted(alone.values()))}; skill correlation {skills[-1][0]:.3f}, with known {skills[-1][1]:.3f}; "
                  f"{time.process_time() - start:.0f} s CPU", flush=True)
        n = max(video.values()) + 1
        base = bootstrap(f1(runs["box_consensus"]), n, args.boots)
        for name, tables in runs.items():
            draws = bootstrap(f1(tables), n, args.boots)
            low, high = interval_of(draws)
            dlow, dhigh = interval_of(base - draws)
            print(f"{lookers} look, {name}: F1 {f1(tables)(np.ones((1, n)))[0]:.3f} ({low:.3f} to {high:.3f}); box_consensus better by {dlow:.3f} to {dhigh:.3f}", flush=True)
        print(f"{lookers} look: skill correlation, least over seeds {np.min(skills, 0).round(3).tolist()}, mean {np.mean(skills, 0).round(3).tolist()}; {len(images)} images, {len(truth)} boxes, {n} videos", flush=True)


if __name__ == "__main__": main()
