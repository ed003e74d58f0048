"""Kinds within a class: clusters of real debris boxes against their true names, beside k-means on whole frames.

Needs OCEAN_DATA (`debris/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). Every box of the debris counts as `thing`, and its true name (plastic, bio, rov, metal, ...) is kept aside; of each video at most --most frames, evenly,
since neighbouring ones are near copies. Adjusted mutual information with the true names: of HDBSCAN's clusters of boxes (what is in no cluster is one more), of k-means on the same box embeddings, and of k-means on whole frames (a box has
its frame's cluster), each k-means with as many clusters as there are names, and as many as HDBSCAN found. Intervals: 95 %, bootstrap over videos of the boxes' names and clusters.

    python benchmarks/subclasses.py --out DIR [--most 4] [--reduce pca umap]      (DIR keeps the embeddings)
"""
import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score

from ocean_fastai.core import fast_cpu
from ocean_fastai.explain.subclasses import cluster_rows, wider_boxes
from ocean_fastai.formats.coco import read_coco
from ocean_fastai.infer.embed import embed
from ocean_fastai.data.embeddings import embedding_matrix

ARCH = "mobilenetv2_100"


def agreement(true, found, videos, n=500, seed=0):
    "Adjusted mutual information and its interval over videos, as text"
    number, rng = pd.factorize(videos)[0], np.random.default_rng(seed)
    rows, draws = [np.flatnonzero(number == g) for g in range(number.max() + 1)], []
    for _ in range(n):
        at = np.concatenate([rows[g] for g in rng.integers(len(rows), size=len(rows))])
        draws.append(adjusted_mutual_info_score(true[at], found[at]))
    low, high = np.quantile(draws, [.025, .975])
    return f"{adjusted_mutual_info_score(true, found):.3f} ({low:.3f} to {high:.3f})"


def kmeans(X, k, seed=0):
    "Clusters of standardized rows, on the same number of principal components"
    Z = PCA(10, random_state=seed).fit_transform((X - X.mean(0))/(X.std(0) + 1e-6))
    return KMeans(k, n_init=10, random_state=seed).fit_predict(Z)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=4)
    parser.add_argument("--reduce", nargs="+", default=["pca"])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    df, boxes = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", outside="clip")
    place = df.groupby("video").cumcount()
    size = df.groupby("video")["path"].transform("size")
    df = df[(place*args.most//size.clip(lower=args.most)).groupby(df["video"]).diff().ne(0)].reset_index(drop=True)
    df.attrs = boxes.attrs
    own = boxes[boxes["path"].isin(df["path"])].reset_index(drop=True)
    own = own[own["label"].map(own["label"].value_counts()) >= 5].reset_index(drop=True)
    seen = df[df["path"].isin(own["path"])].reset_index(drop=True)
    seen.attrs = boxes.attrs
    print(f"{len(own)} boxes in {len(seen)} frames of {seen['video'].nunique()} videos: {own['label'].value_counts().to_dict()}")
    weights = Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"
    inside = embed(ARCH, seen, weights, size=(160, 160), boxes=wider_boxes(own, .1), out=args.out/f"boxes-{args.most}-{ARCH}.parquet")
    whole = embed(ARCH, seen, weights, size=(384, 288), out=args.out/f"frames-{args.most}-{ARCH}.parquet")
    X = embedding_matrix(inside)
    frame = own["path"].map({p: i for i, p in enumerate(whole["path"])}).to_numpy()
    F, true, videos = embedding_matrix(whole), own["label"].to_numpy(), own["path"].map(dict(zip(seen["path"], seen["video"]))).to_numpy()
    for names in (None, ["plastic", "bio", "rov"]):
        rows = np.ones(len(own), bool) if names is None else np.isin(true, names)
        t, v, x = true[rows], videos[rows], X[rows]
        used = np.unique(frame[rows])
        print(f"{'all names' if names is None else ', '.join(names)}: {rows.sum()} boxes, {len(used)} frames")
        counts = {"as many as names": len(set(t))}
        for how in args.reduce:
            kinds = cluster_rows(x, reduce=how)
            found = kinds["cluster"].to_numpy()
            counts[f"as many as HDBSCAN, {how}"] = len(set(found) - {-1})
            print(f"  HDBSCAN on boxes, {how}: {len(set(found) - {-1})} clusters, {(found < 0).mean():.2f} in none, stability {kinds.attrs['stability']:.2f}, AMI {agreement(t, found, v)}, "
                  f"of the clustered alone {adjusted_mutual_info_score(t[found >= 0], found[found >= 0]):.3f}", flush=True)
        for title, k in counts.items():
            if k < 2: continue
            place = dict(zip(used, kmeans(F[used], k)))
            print(f"  k-means, {title} ({k}): boxes {agreement(t, kmeans(x, k), v)}, whole frames {agreement(t, np.array([place[i] for i in frame[rows]]), v)}", flush=True)
        print(f"  the video itself as a cluster: AMI {adjusted_mutual_info_score(t, pd.factorize(v)[0]):.3f}")


if __name__ == "__main__": main()
