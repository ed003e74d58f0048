"""Images a second of `Bundle.predict` against the bare network's forward pass, and against `learn.predict` in a loop.

    python benchmarks/predict_speed.py [--n 1000] [--arch resnet18] [--size 224] [--bs 32] [--rounds 3]

1,000 JPEG images of 512 x 288 are made in a temporary folder and cached once, as a second run over an archive finds them. In each round the
candidates take turns, so that other load on the machine hits them alike; medians and the median of the rounds' ratios are printed.
The bare network is timm's, on ready normalized tensors in memory, in batches of the same size; once in timm's own memory layout and once channels last.
"""
import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image

from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.infer.predict import list_items
from ocean_fastai.train.learner import ocean_learner


def make_images(folder, n, seed=0):
    "A manifest of `n` smooth, noisy JPEG images of 512 x 288"
    rng = np.random.default_rng(seed)
    for k in range(n):
        coarse = Image.fromarray(rng.integers(0, 255, (18, 32, 3), dtype=np.uint8)).resize((512, 288), Image.Resampling.BICUBIC)
        noisy = np.asarray(coarse, dtype=np.int16) + rng.integers(-8, 9, (288, 512, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder/f"{k:05d}.jpg", quality=88)
    df = pd.DataFrame({"path": [f"{k:05d}.jpg" for k in range(n)], "label": [("mud", "sand")[k % 2] for k in range(n)], "split": "train"})
    df.loc[df.index % 5 == 4, "split"] = "valid"
    df.attrs["folder"] = str(folder)
    return df


def seconds(job):
    "How long it takes"
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


@torch.inference_mode()
def bare(network, batch, n):
    "Forward passes over ready tensors, `n` images"
    for start in range(0, n, len(batch)): network(batch[:min(len(batch), n - start)])


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name,value in (("n", 1000), ("size", 224), ("bs", 32), ("rounds", 3), ("loop", 40)): args.add_argument(f"--{name}", type=int, default=value)
    args.add_argument("--arch", default="resnet18")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        df = make_images(folder, args.n)
        learn = ocean_learner(OceanDataLoaders.from_manifest(df, size=args.size, bs=args.bs, augs=None, num_workers=0), args.arch, weights=None)
        bundle = load_bundle(save_bundle(learn, folder/"bundle"))
        network = timm.create_model(args.arch, num_classes=2).eval().to(bundle.device)
        nhwc = timm.create_model(args.arch, num_classes=2).eval().to(bundle.device, memory_format=torch.channels_last)
        batch = torch.randn(args.bs, 3, args.size, args.size, device=bundle.device)
        batch_nhwc = batch.contiguous(memory_format=torch.channels_last)
        stocked = stock(df, folder, args)
        paths = [folder/p for p in df["path"][:args.loop]]
        jobs = {
            "bare network, timm's layout": (lambda: bare(network, batch, args.n), args.n),
            "bare network, channels last": (lambda: bare(nhwc, batch_nhwc, args.n), args.n),
            "predict, cached": (lambda: bundle.predict(df, bs=args.bs, cache=folder/"cache", progress=False), args.n),
            "predict, JPEG": (lambda: bundle.predict(df, bs=args.bs, progress=False), args.n),
            "learn.predict in a loop": (lambda: loop(learn, paths), len(paths)),
            "stock learn.predict in a loop": (lambda: [stocked.predict(p) for p in paths], len(paths))}
        first = seconds(lambda: bundle.predict(list_items(df), bs=args.bs, cache=folder/"cache", progress=False))
        for network_ in (network, nhwc): bare(network_, batch if network_ is network else batch_nhwc, args.bs)
        loop(learn, paths[:2])
        stocked.predict(paths[0])
        speed = {name: [] for name in jobs}
        for _ in range(args.rounds):
            for name,(job,n) in jobs.items(): speed[name].append(n/seconds(job))
    print(f"{args.arch} at {args.size}, {args.n} images of 512x288, batches of {args.bs}, {torch.get_num_threads()} threads, {bundle.device}, {args.rounds} rounds")
    for name,values in speed.items(): print(f"{name:30} {median(values):8.1f} images/s   ({min(values):.1f} to {max(values):.1f})")
    print(f"{'predict, filling the cache':30} {args.n/first:8.1f} images/s   (once)")
    ours = speed["predict, cached"]
    for name,bar in (("bare network, timm's layout", .85), ("bare network, channels last", None), ("learn.predict in a loop", 5), ("stock learn.predict in a loop", 5)):
        ratio = median(a/b for a,b in zip(ours, speed[name]))
        print(f"predict, cached / {name}: {ratio:.2f}" + (f"   (at least {bar}: {'yes' if ratio >= bar else 'NO'})" if bar else ""))


def stock(df, folder, args):
    "fastai's learner as its user writes it: resized from the file, progress bars as they come"
    from fastai.vision.all import CategoryBlock, ColReader, DataBlock, ImageBlock, Resize, vision_learner
    dls = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("path", pref=f"{folder}/"), get_y=ColReader("label"), item_tfms=Resize(args.size)).dataloaders(df, bs=args.bs, num_workers=0)
    return vision_learner(dls, args.arch, pretrained=False)


def loop(learn, paths):
    "fastai's own way with our learner, image by image, without bars"
    with learn.no_bar(), learn.no_logging():
        for path in paths: learn.predict(path)


if __name__ == "__main__": main()
