"""Time and memory of each converter at 100,000 images with 500,000 boxes, and at a tenth of that, so that growth shows.

    python benchmarks/formats.py [--images 100000] [--formats coco,kili] [--folder /tmp]

Images are links to a few files of 64 x 48 pixels; boxes are drawn by chance, with score, annotator, status and a track. Every format writes and reads in a
process of its own, whose peak memory is taken. One run each: no interval. A row says seconds to write and to read, of one core and on the clock, peak
memory, and how many boxes came back within 1e-6 of the size. After the larger run of a format: how its CPU time grew, as the exponent of the number of
images (1: ten times the images take ten times as long).
"""
import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

NAMES = ("coco", "yolo", "voc", "kili", "labelstudio", "ifdo", "viame", "biigle", "csv")
SUFFIX = {"coco": ".json", "ifdo": ".json", "viame": ".csv", "csv": ".csv"}


def tables(folder, n):
    "Manifest and boxes of `n` images, five boxes each"
    rng = np.random.default_rng(0)
    paths = [f"{k:06d}.jpg" for k in range(n)]
    manifest = pd.DataFrame({"path": paths, "width": 64, "height": 48, "lat": rng.uniform(27, 29, n),
                             "lon": rng.uniform(-16, -13, n), "depth": rng.uniform(10, 100, n)})
    x,y = rng.uniform(0, 40, 5*n),rng.uniform(0, 30, 5*n)
    boxes = pd.DataFrame({"path": np.repeat(paths, 5), "label": rng.choice(["fauna", "waste", "rocks"], 5*n), "x0": x, "y0": y,
                          "x1": x + rng.uniform(1, 20, 5*n), "y1": y + rng.uniform(1, 15, 5*n), "score": rng.random(5*n),
                          "annotator": "net-1", "status": "machine", "track": np.arange(5*n)})
    manifest.attrs["folder"] = boxes.attrs["folder"] = str(folder)
    return manifest,boxes


def biigle_report(boxes, path):
    "A CSV report as BIIGLE's, to read"
    spots = boxes[["x0", "y0", "x1", "y0", "x1", "y1", "x0", "y1"]].to_numpy()
    pd.DataFrame({"annotation_label_id": np.arange(len(boxes)), "label_name": boxes["label"], "label_hierarchy": boxes["label"], "user_id": 1,
                  "firstname": "Ana", "lastname": "A", "filename": boxes["path"], "shape_name": "Rectangle",
                  "points": [json.dumps(s.tolist()) for s in spots], "annotation_id": np.arange(len(boxes)),
                  "created_at": "2023-06-05 16:21:15"}).to_csv(path, index=False)


def one(name, folder, n):
    "Writes and reads one format; prints a row as JSON"
    from ocean_fastai.formats.convert import read_annotations, write_annotations
    manifest,boxes = tables(folder, n)
    out = Path(folder)/f"out-{name}{SUFFIX.get(name, '')}"
    further = {"images": "link"} if name in ("yolo", "voc") else {}
    start,cpu = time.time(),time.process_time()
    write_annotations(manifest, boxes, out, name, machine="keep", **further)
    wrote = time.process_time() - cpu,time.time() - start
    if name == "biigle": biigle_report(boxes, out := Path(folder)/"report.csv")
    start,cpu = time.time(),time.process_time()
    read_manifest,read_boxes,_ = read_annotations(out, name)
    took = time.process_time() - cpu,time.time() - start
    columns = ["x0", "y0", "x1", "y1"]
    exact = np.abs(read_boxes[columns].to_numpy() - boxes[columns].to_numpy()).max(1) <= 1e-6*64 if len(read_boxes) == len(boxes) else [0]
    print(json.dumps({"format": name, "images": n, "boxes": len(boxes), "write_cpu_s": round(wrote[0], 2), "read_cpu_s": round(took[0], 2),
                      "write_s": round(wrote[1], 1), "read_s": round(took[1], 1),
                      "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024), "images_back": len(read_manifest),
                      "exact": int(np.sum(exact))}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--formats", default=",".join(NAMES))
    parser.add_argument("--folder", default=None, help="where the images are made and removed again")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return one(args.one, args.folder, args.images)
    sizes = (args.images//10, args.images)
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        folders = {n: Path(place)/str(n) for n in sizes}
        for n, folder in folders.items(): link_images(folder, n)
        for name in args.formats.split(","):
            small, large = (measured(name, folder, n) for n, folder in folders.items())
            for what in ("write_cpu_s", "read_cpu_s"):
                growth = math.log10(max(large[what], .05)/max(small[what], .05))
                print(f"{name}: {what} grows as the number of images to the power of {growth:.2f}", flush=True)


def link_images(folder, n):
    "A folder of `n` links to a few images; a file system allows some 65,000 links to one file"
    folder.mkdir()
    for k in range(n):
        source = f"{folder}/all-{k//50_000}.jpeg"
        if k % 50_000 == 0: Image.new("RGB", (64, 48), "teal").save(source)
        os.link(source, f"{folder}/{k:06d}.jpg")


def measured(name, folder, n):
    "The row of one format, from a process of its own, which is printed"
    words = [sys.executable, __file__, "--one", name, "--folder", str(folder), "--images", str(n)]
    line = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]
    print(line, flush=True)
    return json.loads(line)


if __name__ == "__main__": main()
