"""Look-alike groups: how well they find the videos of real debris that they are not told of, and what they cost for many images.

Needs OCEAN_DATA (`debris/annotations.json`, whose images tell their `video`), the extras `offline` and `audit`, and for its rival the package imagededup.
The number of components, of neighbours and the rule that chooses the threshold were chosen on the 61 videos of one random half (seed 0); figures are of the other half, which chose nothing. `video` and
the names are hidden; groups are judged by the adjusted Rand index, the precision and recall of pairs, and by what a split leaks: the share of held-out images that have a frame of their video in training (means of
ten splits). Intervals: 200 draws of two thirds of the videos. The rivals' distance is also chosen for the best index on these very images, which is more than they would get.
--scale times groups of synthetic embeddings (videos of ten frames, 992 numbers) in processes of their own, beside a loop over all pairs.

    python benchmarks/groups.py --out DIR [--scale 1000 10000 100000]        (DIR keeps the embeddings)
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.embeddings import as_embeddings
from ocean_fastai.data.groups import group_frames
from ocean_fastai.data.lookalikes import HASH_BITS, hash_alikes
from ocean_fastai.data.splits import split_frames
from ocean_fastai.formats.coco import coco_images
from ocean_fastai.infer.embed import embed


def halves(df):
    "The rows of the half that was tuned on, and of the other one."
    videos = sorted(set(df["video"]))
    first = set(np.random.default_rng(0).permutation(videos)[:len(videos)//2])
    tuned = df["video"].isin(first)
    return df[tuned].reset_index(drop=True), df[~tuned].reset_index(drop=True)


def pair_scores(video, group):
    "Precision and recall of pairs."
    (_, false), (missed, true) = pair_confusion_matrix(video, group)
    return true/max(true + false, 1), true/(true + missed)


def leaking(df, group):
    "The share of held-out images with a frame of their video in training, by ten splits."
    out = []
    for seed in range(10):
        part = split_frames(df[["path"]].assign(group=group), .2, groups="group", seed=seed, progress=False)["split"]
        known = set(df.loc[part == "train", "video"])
        out.append(df.loc[part == "valid", "video"].isin(known).mean())
    return np.mean(out)


def judged(name, df, group):
    "A row of the table."
    group, video = pd.factorize(np.asarray(group))[0], pd.factorize(df["video"])[0]
    rng, index = np.random.default_rng(0), []
    for _ in range(200):
        some = np.isin(video, rng.permutation(video.max() + 1)[:round((video.max() + 1)*2/3)])
        index.append(adjusted_rand_score(video[some], group[some]))
    low, high = np.quantile(index, [.025, .975])
    precision, recall = pair_scores(video, group)
    return {"groups by": name, "adjusted Rand index": adjusted_rand_score(video, group), "low": low, "high": high, "precision": precision, "recall": recall,
            "groups": group.max() + 1, "largest": np.bincount(group).max(), "held-out images that leak": leaking(df, group)}


def components(n, pairs):
    "Groups of rows linked by chains."
    a, b = np.array(pairs, int).reshape(-1, 2).T
    return connected_components(coo_array((np.ones(len(a)), (a, b)), (n, n)), directed=False)[1]


def all_hash_pairs(df):
    "Bits that differ between all pairs of perceptual hashes."
    near = hash_alikes(df, HASH_BITS, k=len(df) - 1)
    return near["row"].to_numpy(), near["other"].to_numpy(), near["distance"].to_numpy()


def rivals(df):
    "A plain perceptual hash at imagededup's own distance and at the best one; imagededup itself, where it is installed."
    a, b, bits = all_hash_pairs(df)
    at = {t: components(len(df), list(zip(a[bits <= t], b[bits <= t]))) for t in range(0, 21)}
    best = max(at, key=lambda t: adjusted_rand_score(df["video"], at[t]))
    yield f"plain perceptual hash, best distance ({best} bits)", at[best]
    yield "plain perceptual hash, 10 bits", at[10]
    try: from imagededup.methods import PHash
    except ImportError as e:
        print(f"imagededup: not installed ({e})")
        return
    method = PHash(verbose=False)
    encoded = {i: method.encode_image(str(Path(df.attrs["folder"])/p)) for i, p in enumerate(df["path"])}
    found = method.find_duplicates(encoding_map={str(i): h for i, h in encoded.items()})
    yield "imagededup PHash, its own distance", components(len(df), [(int(i), int(j)) for i, js in found.items() for j in js])


def debris(out):
    "The table of real debris."
    df = coco_images(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json")
    table = embed("tf_efficientnet_lite0", df, "offline", out=out/"debris-lite0.parquet", progress=False)
    for title, part in zip(("chosen on", "judged on"), halves(df)):
        part.attrs = df.attrs
        hidden = part[["path"]].copy()
        hidden.attrs = df.attrs
        rows = []
        for evidence in (["embedding"], ["hash"], ["hash", "embedding"]):
            grouped = group_frames(hidden, table, evidence)
            rows.append(judged(f"{' and '.join(evidence)} ({ {k: round(v, 3) for k, v in grouped.attrs['groups']['thresholds'].items()} })", part, grouped["group"]))
        rows.append(judged("names alone", part, group_frames(hidden, evidence="name")["group"]))
        rows += [judged(name, part, group) for name, group in rivals(part)]
        rows.append(judged("single images", part, range(len(part))))
        print(f"{title}: {len(part)} images of {part['video'].nunique()} videos\n{pd.DataFrame(rows).round(3).to_string(index=False)}", flush=True)


def synthetic(n):
    "A manifest and embeddings of videos of ten frames, in a random order."
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (n//10, 64)).astype(np.float32)
    mixing = rng.normal(0, 1, (64, 992)).astype(np.float32)
    vectors = np.empty((n, 992), np.float16)
    for k in range(0, n, 5000):
        own = centers[np.arange(k, min(k + 5000, n))//10]
        vectors[k:k + 5000] = (own + .3*rng.normal(0, 1, own.shape)).astype(np.float32)@mixing/8
    names = pd.DataFrame({"path": [f"{i:08x}x.jpg" for i in rng.permutation(n)]})
    return names, as_embeddings(names, vectors, {"arch": "synthetic"}), np.arange(n)//10


def one_size(n):
    "Seconds, and memory at most, of one grouping; seconds of a loop over the pairs of some rows, for all of them."
    fast_cpu()
    df, table, video = synthetic(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    grouped = group_frames(df, table, ("name", "time", "embedding"))
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    X = np.stack(table["embedding"].to_list()).astype(np.float32)[:, :48].copy()
    start, rows = time.process_time(), min(n, 300)
    for i in range(rows): np.flatnonzero(((X - X[i])**2).sum(1) < 1)
    loop = (time.process_time() - start)*n/rows
    return {"images": n, "seconds": seconds, "CPU seconds": busy, "GB at most": memory/1e6, "GB of the table": before/1e6, "all-pairs loop, CPU seconds (of 300 rows, times all)": loop,
            "adjusted Rand index": adjusted_rand_score(video, grouped["group"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scale", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--only-scale", action="store_true", help="leave the real debris out")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.one:
        print(json.dumps(one_size(args.one)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    if not args.only_scale: debris(args.out)
    rows = []
    for n in args.scale:
        done = subprocess.run([sys.executable, __file__, "--out", args.out, "--one", str(n)], check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(pd.DataFrame(rows[-1:]).round(2).to_string(index=False, header=len(rows) == 1), flush=True)
    for a, b in zip(rows, rows[1:]):
        print(f"{a['images']} to {b['images']}: CPU time grows as n^{np.log(b['CPU seconds']/a['CPU seconds'])/np.log(b['images']/a['images']):.2f}, memory as n^{np.log(b['GB at most']/a['GB at most'])/np.log(b['images']/a['images']):.2f}")


if __name__ == "__main__": main()
