"""What one pass over many images costs: time, memory, and a second call, which has nothing left to compute.

Each number of images runs in a process of its own (`embed(..., out=)`, in parts), and a second process asks for the same table again. The images are drawn: smooth noise, each another one, as JPEG.

    python benchmarks/embed_speed.py --out DIR --n 2000 --image 512x288 --size 384x288 --arch mobilenetv2_100 --weights FILE
    python benchmarks/embed_speed.py --out DIR --n 10000 100000 --image 128x72 --size 64x64     (DIR keeps the images; about 3 KB each)
"""
import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from predict_memory import peak_mib

from ocean_fastai.geometry import parse_size


def draw(folder, n, size):
    "`n` different JPEG files of this size, those that aren't there yet."
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        path = folder/f"{k:06d}.jpg"
        if path.exists(): continue
        coarse = np.random.default_rng(k).integers(0, 255, (9, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=85)


def embed_once(folder, n, out, arch, weights, size):
    "Embed the first `n` images and print what it took."
    from ocean_fastai.core import fast_cpu
    from ocean_fastai.infer.embed import embed, embedding_body
    fast_cpu()
    files = [folder/f"{k:06d}.jpg" for k in range(n)]
    body = embedding_body(arch, weights, size=size)
    embed(body, files[:64], num_workers=1, progress=False)
    before, wall, cpu = peak_mib(), time.time(), time.process_time()
    table = embed(body, files, out=out, progress=False)
    if table["embedding"].isna().any(): raise SystemExit("not every image was embedded")
    print(json.dumps({"wall": time.time() - wall, "cpu": time.process_time() - cpu, "before": before, "peak": peak_mib(), "dim": table.attrs["body"]["dim"]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, nargs="+", default=[2000])
    parser.add_argument("--image", default="512x288", help="size of the files, WIDTHxHEIGHT")
    parser.add_argument("--size", default="384x288", help="of the network's input")
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", default="offline")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.out/f"images-{args.image}"
    if args.once: return embed_once(folder, args.n[0], args.once, args.arch, args.weights, parse_size(args.size))
    draw(folder, max(args.n), parse_size(args.image))
    for n in args.n:
        table, said = args.out/f"{args.arch}-{n}.parquet", []
        table.unlink(missing_ok=True)
        for _ in range(2):
            call = [sys.executable, __file__, *sys.argv[1:], "--n", str(n), "--once", str(table)]
            said.append(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))
        first, second = said
        print(f"{n} images of {args.image} at {args.size}, {args.arch}, {first['dim']} numbers each: {first['cpu']:.0f} s CPU ({1000*first['cpu']/n:.1f} ms an image), {n/first['wall']:.0f} images/s; "
              f"peak {first['before']} -> {first['peak']} MiB, table {os.path.getsize(table)/2**20:.0f} MiB; again: {second['cpu']:.2f} s CPU ({second['cpu']/first['cpu']:.1%}), "
              f"{second['wall']:.1f} s ({second['wall']/first['wall']:.1%} of the first call), peak {second['before']} -> {second['peak']} MiB", flush=True)


if __name__ == "__main__": main()
