"""What an image costs on its way into training: 4K JPEG -> crop -> 512 x 512 -> augmentation, in one process.

Three ways, one after the other on every image, so that all see the same machine:
stock   fastai's PILImage.create, a crop of the middle 2/3, Resize(512, squish), the recipe
first   ocean_fastai's loaders without a cache, the recipe
cached  ocean_fastai's loaders with a cache, the recipe

    python benchmarks/input_path.py [--n 24] [--passes 5]
"""
import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from fastai.data.transforms import ToTensor
from fastai.torch_core import set_seed
from fastai.vision.augment import Resize, ResizeMethod
from fastai.vision.core import PILImage
from fasttransform import Pipeline

from ocean_fastai.data.augment import AlbumentationsTransform, ocean_augs
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.geometry import ROVCrop
from ocean_fastai.synth.scene import draw_scene

FLOORS = ("sandy", "reef")

def draw(folder, n):
    "`n` drawn 3840 x 2160 scenes as JPEG; drawn sharp, then given a camera's grain, so that they weigh what a camera's frames weigh."
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 5, (2160, 3840, 3)).astype(np.float32)
    for i in range(n):
        scene = np.asarray(draw_scene((3840, 2160), FLOORS[i % 2], seed=i).image, dtype=np.float32)
        pixels = np.clip(scene + np.roll(grain, 997*i, axis=1), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder/f"{i:03}.jpg"), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    df = pd.DataFrame({"path": [f"{i:03}.jpg" for i in range(n)], "label": [FLOORS[i % 2] for i in range(n)], "split": "train"})
    df.attrs["folder"] = str(folder)
    return df

def stock(df):
    "fastai's own way, with the same crop, size and augmentations."
    def middle(im:PILImage): return im.crop(ROVCrop(2/3).box(im.size))
    item = Pipeline([Resize(512, method=ResizeMethod.Squish), AlbumentationsTransform(ocean_augs("medium")), ToTensor()], split_idx=0)
    return lambda i: item(PILImage(middle(PILImage.create(Path(df.attrs["folder"])/df.path[i]))))

def ours(df, cache=None):
    "The item function of our training loader."
    dls = OceanDataLoaders.from_manifest(df, size=512, crop=2/3, cache=cache, valid=0, num_workers=0, device="cpu", progress=False)
    dls.train.before_iter()
    return lambda i: dls.train.do_item(i)[0]

def timed(ways, n, passes):
    "Milliseconds an image: way -> passes x images."
    out = {name: np.zeros((passes, n)) for name in ways}
    for p in range(passes):
        set_seed(p)
        for i in range(n):
            for name,way in ways.items():
                start = time.perf_counter()
                x = way(i)
                out[name][p, i] = 1000*(time.perf_counter() - start)
                assert x.shape == (3, 512, 512) and x.dtype == torch.uint8
    return out

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=24, help="images")
    parser.add_argument("--passes", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        (folder := Path(temp)/"images").mkdir()
        df = draw(folder, args.n)
        mb = np.mean([f.stat().st_size for f in folder.iterdir()])/1e6
        ways = {"stock": stock(df), "first": ours(df), "cached": ours(df, Path(temp)/"cache")}
        for way in ways.values(): way(0)
        ms = timed(ways, args.n, args.passes)
    print(f"{args.n} JPEGs of 3840 x 2160, {mb:.1f} MB each; torch {torch.__version__}, OpenCV {cv2.__version__}, {args.passes} passes")
    for name,times in ms.items():
        per_pass = times.mean(1)
        ratios = ms["stock"].mean(1)/per_pass
        print(f"{name:7}{np.median(per_pass):8.1f} ms/image (median of passes; {per_pass.min():.1f} to {per_pass.max():.1f}){np.median(ratios):8.1f}x stock ({ratios.min():.1f} to {ratios.max():.1f})")
    for name,bar in (("first", 2.5), ("cached", 15)):
        ratio = np.median(ms["stock"].mean(1)/ms[name].mean(1))
        print(f"{name}: {ratio:.1f}x, at least {bar}x asked: {'met' if ratio >= bar else 'NOT MET'}")

if __name__ == "__main__": main()
