"""Drawn voyages as tables, from boxes to densities, against the density that each was drawn with; and how time and memory grow.

A voyage has 12 legs through a region in which debris lies in patches (mean 150 things on a square kilometre); the ship rolls and pitches, position, tilt, roll and height are measured with errors. A simulated detector
misses by the width of the box in the picture, never finds 8 % of the things, and sees debris in one picture of 33 where there is none. Boxes are placed, linked, counted once, and corrected by the rates of another voyage that
was drawn with another seed and another field (`held_out_objects`, false detections by searched area). No pictures are drawn. The truth is the mean density of the region; "naive" is the count over the area.

    python benchmarks/voyages.py [--voyages 20] [--n 1200] [--n-boot 200]
    python benchmarks/voyages.py --frames 100000        # time and memory of each step, boxes to map.html, without thumbnails
"""
import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ocean_fastai.synth.voyage import imperfect_boxes, plan_voyage, true_density
from ocean_fastai.transect.density import density
from ocean_fastai.transect.footprint import locate_boxes, read_camera
from ocean_fastai.transect.link import held_out_objects, link_objects, one_each
from ocean_fastai.transect.map import grid_density, write_geojson
from ocean_fastai.transect.page import density_map
from ocean_fastai.transect.rates import held_out_rates
from ocean_fastai.transect.track import transects

WIDTH, BREAKS = 40, [.5]


def sailed(seed, args):
    "A voyage with what a detector found and its legs."
    voyage = plan_voyage(args.n, legs=12, density_km2=150, spacing_m=1000, seed=seed)
    return voyage, imperfect_boxes(voyage, seed=seed), transects(voyage.frames)


def one(seed, args):
    "Densities of one voyage beside the truth, by size class."
    other, boxes, way = sailed(10_000 + seed, args)
    held = held_out_objects(boxes, other.boxes, way.frames, read_camera(other.camera))
    area = way.legs["length_m"].sum()*2*WIDTH/1e6
    rates = held_out_rates(held[held["across_m"].abs() <= WIDTH], BREAKS, searched_km2=area)
    voyage, boxes, way = sailed(seed, args)
    linked = link_objects(locate_boxes(boxes, read_camera(voyage.camera), way.frames))
    rows = density(one_each(linked), way.legs, WIDTH, size_breaks_m=BREAKS, rates=rates, n_boot=args.n_boot, seed=seed).summary
    truth = {"under 0.5 m": (0, .5), "0.5 m or more": (.5, np.inf), "all sizes": (0, np.inf)}
    return rows.assign(truth=[true_density(voyage.truth, *truth[k]) for k in rows["size_class"]], voyage=seed)


def densities(args):
    rows = pd.concat([one(seed, args) for seed in range(args.voyages)])
    rows["covered"] = (rows["density_low"] <= rows["truth"]) & (rows["truth"] <= rows["density_high"])
    for kind, part in rows.groupby("size_class", sort=False):
        ratio, n = part["density"]/part["truth"], len(part)
        print(f"{kind}: {n} voyages, {part['n'].mean():.0f} things found each; covered {int(part['covered'].sum())} of {n}; bias "
              f"{ratio.mean() - 1:+.3f} (s.e. {ratio.std()/n**.5:.3f}); naive {(part['naive']/part['truth']).mean() - 1:+.3f}; half width "
              f"{((part['density_high'] - part['density_low'])/2/part['density']).median():.2f} of the estimate")


def growth(frames, args):
    voyage = plan_voyage(frames, legs=max(frames//1000, 2), density_km2=700, spacing_m=500, seed=0)
    boxes = imperfect_boxes(voyage, seed=0)
    if len(boxes) > 2*frames: boxes = boxes.sample(2*frames, random_state=0).sort_values("path", ignore_index=True)
    print(f"{frames} frames, {len(boxes)} boxes", flush=True)
    times, start = {}, time.process_time()
    def step(name):
        nonlocal start
        times[name], start = time.process_time() - start, time.process_time()
        print(f"  {name}: {times[name]:.1f} s of CPU, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024:.0f} MiB", flush=True)
    start = time.process_time()
    way = transects(voyage.frames)
    step("legs")
    placed = locate_boxes(boxes, read_camera(voyage.camera), way.frames)
    step("places and sizes")
    found = one_each(link_objects(placed))
    step("linking")
    result = density(found, way.legs, WIDTH, size_breaks_m=BREAKS, n_boot=200)
    step("density, 200 resamples")
    cells = grid_density(way.frames, found, WIDTH, tow_width_m=20)
    with tempfile.TemporaryDirectory() as folder:
        write_geojson(Path(folder)/"map.geojson", way, found, cells)
        step("GeoJSON")
        page = density_map(Path(folder)/"map.html", way, found, cells, result)
        step(f"map.html ({page.stat().st_size/1e6:.1f} MB)")
    print(f"  {len(found)} things; together {sum(times.values()):.1f} s of CPU", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--voyages", type=int, default=20)
    p.add_argument("--n", type=int, default=1200)
    p.add_argument("--n-boot", type=int, default=200)
    p.add_argument("--frames", type=int, action="append")
    args, start = p.parse_args(), time.process_time()
    if args.frames:
        for frames in args.frames: growth(frames, args)
    else: densities(args)
    print(f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__": main()
