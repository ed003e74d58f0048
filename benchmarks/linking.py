"""How near the number of linked things comes to the true one on drawn voyages: by place, by place and looks, and by the overlap of boxes as a tracker of videos links them.

Voyages of 600 pictures on 6 legs with the errors of `plan_voyage`; a simulated detector misses boxes and sees debris where there is none. The true number is that of all things found at least once, on each leg, and of false
boxes. Looks are drawn: a direction of 32 numbers for each thing, with noise in each picture so that boxes of one thing have a cosine of about 0.7 to each other. Overlap: IoU of 0.1 or more from one picture to the next.

    python benchmarks/linking.py [--voyages 10]
"""
import argparse
import time

import numpy as np

from ocean_fastai.data.boxes import box_ious
from ocean_fastai.synth.voyage import imperfect_boxes, plan_voyage
from ocean_fastai.transect.footprint import locate_boxes, read_camera
from ocean_fastai.transect.link import link_objects
from ocean_fastai.transect.track import transects
from scipy.optimize import linear_sum_assignment

SIDES = ["x0", "y0", "x1", "y1"]


def by_overlap(boxes, frames):
    "Number of things when boxes are linked from picture to picture by their overlap."
    rows, links = boxes.groupby("path").indices, 0
    for a, b in zip(frames["path"], frames["path"][1:]):
        if a not in rows or b not in rows: continue
        ious = box_ious(boxes[SIDES].to_numpy()[rows[a]], boxes[SIDES].to_numpy()[rows[b]])
        i, j = linear_sum_assignment(-ious)
        links += int((ious[i, j] >= .1).sum())
    return len(boxes) - links


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--voyages", type=int, default=10)
    args, start = p.parse_args(), time.process_time()
    for density, every_s in ((50, 3.), (50, 6.), (150, 6.), (300, 6.)):
        kept = {"place": [], "place and looks": [], "overlap": []}
        inside = []
        for seed in range(args.voyages):
            voyage = plan_voyage(600, legs=6, density_km2=density, every_s=every_s, seed=seed)
            boxes, way, rng = imperfect_boxes(voyage, seed=seed), transects(voyage.frames), np.random.default_rng(seed)
            placed = locate_boxes(boxes, read_camera(voyage.camera), way.frames)
            known = boxes["true_track"] != ""
            true = placed[known].groupby(["true_track", "leg"]).ngroups + (~known).sum()
            own = rng.normal(size=(len(voyage.objects), 32))
            looks = rng.normal(size=(len(boxes), 32))
            looks[known] = own[boxes.loc[known, "true_track"].astype(int)] + .65*looks[known]
            count = link_objects(placed).attrs["count"]
            inside.append(count["low"] <= true <= count["high"])
            kept["place"].append(count["n"]/true - 1)
            kept["place and looks"].append(link_objects(placed, appearance=looks).attrs["count"]["n"]/true - 1)
            kept["overlap"].append(by_overlap(boxes, voyage.frames)/true - 1)
        text = "; ".join(f"{k} {np.mean(v):+.3f} (worst {max(v, key=abs):+.3f})" for k, v in kept.items())
        print(f"{density} on a square kilometre, a picture every {every_s:g} s, {args.voyages} voyages, some {true} things each: {text}; bounds held "
              f"the truth in {sum(inside)}", flush=True)
    print(f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__": main()
