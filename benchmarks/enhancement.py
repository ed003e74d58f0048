"""Real sea floor and debris: what each enhancement is worth to a network, and the bound of a best choice per image.

Needs OCEAN_DATA (`seafloor/`, `debris/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
A probe (`embed`, `fit_probe`) learns from the plain pictures and is asked about enhanced ones ("at test"), and one learns from enhanced pictures and is asked about the same kind ("both"). Sea floor: the 134 images that
benchmarks/seafloor.py holds out. Debris: the test videos of split 0, mean average precision of plastic, bio and rov. Differences from the plain pictures are paired; intervals are bootstrap percentiles over images, on debris over videos.
The bound: an oracle that knows the truth takes for each image whichever of the five answers (plain and four enhanced) is right. Any five answers that differ allow that, so its measure is the same oracle over five answers about pictures
that a person can't tell apart: plain, mirrored, and shifted by 2 % of the width to three sides.

    python benchmarks/enhancement.py --out DIR [--sets seafloor debris] [--every 1]      (DIR keeps the embeddings)
"""
import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from probe import splits_of, weights_of

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.enhance import ENHANCEMENTS, enhance
from ocean_fastai.data.manifest import image_paths, label_matrix
from ocean_fastai.evaluate.bootstrap import bootstrap, interval_of
from ocean_fastai.evaluate.compare import compare_preds
from ocean_fastai.images import open_image
from ocean_fastai.infer.embed import embed
from ocean_fastai.data.embeddings import load_embeddings
from ocean_fastai.infer.probe import fit_probe

ARCH, SIZES = "mobilenetv2_100", {"seafloor": (128, 128), "debris": (144, 108)}


def shifted(image, dx, dy):
    "The picture moved by a share of its width and mirrored at its edge."
    a, n = np.asarray(image), round(.02*image.width)
    padded = np.pad(a, ((n, n), (n, n), (0, 0)), "reflect")
    return padded[n + dy*n:n + dy*n + a.shape[0], n + dx*n:n + dx*n + a.shape[1]]


VARIANTS = {"plain": np.asarray, **{k: (lambda im, k=k: np.asarray(enhance(im, k))) for k in ENHANCEMENTS}, "mirrored": lambda im: np.asarray(im)[:, ::-1],
            "left": lambda im: shifted(im, 1, 0), "right": lambda im: shifted(im, -1, 0), "up": lambda im: shifted(im, 0, 1)}


def embedded(name, df, variant, out):
    "Embeddings of the pictures after a change, kept in `out`."
    file = out/f"{name}-{variant}.parquet"
    items = pd.DataFrame({"path": df["path"].astype(str)})
    if file.exists(): return load_embeddings(file)
    items["image"] = [np.ascontiguousarray(VARIANTS[variant](open_image(p, min_size=SIZES[name]))) for p in image_paths(df)]
    return embed(ARCH, items, weights_of(ARCH), "blocks", size=SIZES[name], out=file, progress=False)


def right(preds, test, classes):
    "For each image and class, is the answer right? NaN where the truth isn't known."
    truth = label_matrix(test, "label", classes)
    said = preds.set_index("path").loc[test["path"].astype(str)]
    named = label_matrix(pd.DataFrame({"label": said["label"].to_numpy()}), "label", classes)
    return np.where(np.isnan(truth), np.nan, truth == named)


def oracle(hits, group, single):
    "Share of right answers (of images, or of images x classes) if the best of several may be taken, and its interval."
    best = np.nanmax(np.stack([h.all(1, keepdims=True) if single else h for h in hits]), 0).mean(1)
    number = pd.factorize(group)[0]
    sums, counts = np.bincount(number, best), np.bincount(number)
    return best.mean(), *interval_of(bootstrap(lambda times: times @ sums/(times @ counts), number.max() + 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SIZES))
    parser.add_argument("--every", type=int, default=1, help="learn from every n-th image alone")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    for name in args.sets:
        _, df, groups = next(splits_of(name, [0]))
        attrs = df.attrs
        rows = df[df["split"] != "test"].drop(columns="split").iloc[::args.every].reset_index(drop=True)
        test = df[df["split"] == "test"].reset_index(drop=True)
        df = pd.concat([rows, test], ignore_index=True)
        rows.attrs = test.attrs = df.attrs = attrs
        start = time.process_time()
        tables = {v: embedded(name, df, v, args.out) for v in VARIANTS}
        print(f"{name}: {len(rows)} learnt from, {len(test)} judged; embedded in {time.process_time() - start:.0f} s CPU", flush=True)
        def answers(probe, table): return probe.predict(table[table["path"].isin(test["path"].astype(str))])
        plain = fit_probe(tables["plain"], rows, "label", groups=groups)
        asked = {v: answers(plain, t) for v, t in tables.items()}
        both = {f"{v}, both": answers(fit_probe(tables[v], rows, "label", groups=groups), tables[v]) for v in ENHANCEMENTS}
        runs = {"plain": asked["plain"], **{f"{v}, at test": asked[v] for v in ENHANCEMENTS}, **both, "mirrored, at test": asked["mirrored"]}
        table = compare_preds(runs, test, "label", baseline="plain", groups=groups)
        print(table[["name", "metric", "value", "value_low", "value_high", "difference", "difference_low", "difference_high", "n", "n_groups"]].round(3).to_string(index=False), flush=True)
        classes = [c[2:] for c in asked["plain"] if c.startswith("p_")]
        single, group = name == "seafloor", test["video"] if groups == "video" else np.arange(len(test))
        for title, several in (("plain alone", [asked["plain"]]), ("plain and enhanced at test", [asked[v] for v in ("plain", *ENHANCEMENTS)]),
                               ("plain and enhanced, both", [asked["plain"], *both.values()]), ("plain, mirrored, shifted", [asked[v] for v in ("plain", "mirrored", "left", "right", "up")])):
            value, low, high = oracle([right(p, test, classes) for p in several], group, single)
            print(f"  best of {title}: {value:.3f} ({low:.3f} to {high:.3f}) of the {'images' if single else 'answers'} right", flush=True)


if __name__ == "__main__": main()
