"""How unlike the training images is an image? A probe of deep-sea debris, asked about other seas, and its errors by distance on held-out videos.

Needs OCEAN_DATA (`debris/`, `burrows/`, `litter/`, `seafloor/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). Three splits of the debris by video, 70 to 30; the probe learns plastic, bio and rov from 70 %. AUROC of `domain` for
telling 111 frames of a muddy floor with burrows, 240 photographs of harbour litter and 134 sea-floor patches from the held-out debris, against the same of one minus the surest probability. Nothing was chosen on these images: k = 5 and
Euclidean distances of standardized features were fixed before. Errors are the part of the three answers an image that are wrong, in fifths of the held-out images by distance, near to far. Intervals: 95 %, bootstrap over the debris' videos and the
other images; of the errors over videos, of each split and of the three together, whose videos overlap.
Days: the domain of four fifths of a day's images in order of time (litter: 213 photographs of a day, burrows: 97 frames), asked about the last fifth of that day and about the other days' images; on litter a probe of its presence learns from the same
four fifths, and its errors are shown by distance. Ten images in a row count as one group.

    python benchmarks/domain.py --out DIR      (DIR keeps the embeddings)
"""
import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.splits import split_frames
from ocean_fastai.evaluate.domain import OUTSIDE, errors_by_domain
from ocean_fastai.formats.coco import read_coco
from ocean_fastai.infer.domain import fit_domain
from ocean_fastai.infer.embed import embed
from ocean_fastai.data.embeddings import embedding_matrix
from ocean_fastai.infer.probe import fit_probe

CLASSES, ARCH = ["plastic", "bio", "rov"], "mobilenetv2_100"


def embedded(name, items, layers, out):
    "Embeddings of a set as the debris' model sees it, kept in `out`"
    weights = Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"
    return embed(ARCH, items, weights, layers, size=(384, 288), out=out/f"{name}-{ARCH}-{layers}.parquet")


def areas(far, videos, others, n=300, seed=0):
    "AUROC of others against the held-out images, with its interval: videos and others are drawn again"
    groups, rng = pd.factorize(videos)[0], np.random.default_rng(seed)
    rows, draws = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)], []
    def area(a, b): return roc_auc_score(np.r_[np.zeros(len(a)), np.ones(len(b))], np.r_[a, b])
    for _ in range(n):
        at = np.concatenate([rows[g] for g in rng.integers(len(rows), size=len(rows))])
        draws.append(area(far[at], rng.choice(others, len(others))))
    low, high = np.quantile(draws, [.025, .975])
    return f"{area(far, others):.3f} ({low:.3f} to {high:.3f})"


def runs_of(paths, days, most):
    "Of images in order of time: which are of the day `most` and among its first four fifths, which are of its last fifth, and the number of the run of ten that each is in"
    order = pd.Series(Path(p).name for p in paths).argsort().to_numpy()
    days, run = np.asarray(days), np.empty(len(order), int)
    turn = pd.Series(days[order]).groupby(days[order]).cumcount().to_numpy()
    run[order] = pd.factorize(pd.Series(days[order]) + "/" + pd.Series(turn//10).astype(str))[0]
    at = np.flatnonzero(days[order] == most)
    learnt, last = np.zeros(len(order), bool), np.zeros(len(order), bool)
    learnt[order[at[:len(at)*4//5]]], last[order[at[len(at)*4//5:]]] = True, True
    return learnt & ~np.isin(run, run[last]), last, run


def other_days(name, table, days, labels=None):
    "Print the AUROC of another day's images against the last ones of the day that was learnt, and where there are labels the errors by distance"
    most = pd.Series(days).mode()[0]
    learnt, last, run = runs_of(table["path"], days, most)
    X, other = embedding_matrix(table), np.asarray(days) != most
    domain = fit_domain(X[learnt], run[learnt])
    far = domain(X)
    print(f"days, {name}: {learnt.sum()} images of {most} learnt, its last {last.sum()} in domain {np.median(far[last]):.2f} (median), {other.sum()} of other days {np.median(far[other]):.2f}; "
          f"AUROC {areas(far[last], run[last], far[other])}; over {OUTSIDE}: {(far[last] > OUTSIDE).mean():.2f} and {(far[other] > OUTSIDE).mean():.2f}", flush=True)
    if labels is None: return
    df = pd.DataFrame({"path": table["path"].astype(str), "litter": labels, "run": run})
    preds = fit_probe(table, df[learnt].reset_index(drop=True), "litter", groups="run").predict(table[last | other]).assign(domain=far[last | other])
    test = df[last | other].reset_index(drop=True)
    wrong = (preds.set_index("path").loc[test["path"], "label"].to_numpy() != test["litter"].to_numpy())
    same = last[last | other]
    print(f"  wrong: {wrong[same].mean():.2f} of the day's last images, {wrong[~same].mean():.2f} of the other day's")
    print(errors_by_domain(preds, test, "litter", groups="run").round(3).to_string(index=False), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", nargs="+", default=["blocks"], help="blocks, last")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    data = Path(os.environ["OCEAN_DATA"])
    df, boxes = read_coco(data/"debris/annotations.json", classes=CLASSES, outside="clip")
    df = boxes_to_labels(df, boxes, "label", CLASSES)
    patches = sorted((data/"seafloor").glob("*/*"))[::5]
    sets = {"burrows": sorted((data/"burrows").rglob("*.jpg")), "litter": sorted((data/"litter").rglob("*.jpg")), "sea floor": patches}
    for layers in args.layers:
        own = embedded("debris", df, layers, args.out)
        others = {name: embedded(name, paths, layers, args.out) for name, paths in sets.items()}
        judged = []
        for seed in args.seeds:
            part = split_frames(df, .001, .3, groups="video", stratify="label", seed=seed)
            part.attrs = boxes.attrs
            train, test = (part[(part["split"] == "test") == held].drop(columns="split").reset_index(drop=True) for held in (False, True))
            for o in (train, test): o.attrs = boxes.attrs
            probe = fit_probe(own, train, "label", groups="video")
            def features(table):
                X = embedding_matrix(table)
                return X if layers == "last" else (X - probe.mean)/probe.std
            held = own.set_index("path").loc[test["path"].astype(str)].reset_index()
            held.attrs = own.attrs
            preds = probe.predict(held)
            preds["domain"] = probe.domain(features(held))
            plain = fit_domain(features(own.set_index("path").loc[train["path"].astype(str)].reset_index()))
            said = [f"p_{c}" for c in CLASSES]
            print(f"{layers}, split {seed}: {len(train)} images of {train['video'].nunique()} videos learnt, {len(test)} of {test['video'].nunique()} held out; {probe.domain}")
            print(f"  held out, over {OUTSIDE}: {(preds['domain'] > OUTSIDE).mean():.3f} of the images; measured within videos {(plain(features(held)) > OUTSIDE).mean():.3f}")
            for name, table in others.items():
                far, theirs = probe.domain(features(table)), probe.predict(table)[said].max(axis=1).to_numpy()
                print(f"  {name}, {len(table)} images: AUROC {areas(preds['domain'].to_numpy(), test['video'], far)}, of one less the surest probability "
                      f"{areas(1 - preds[said].max(axis=1).to_numpy(), test['video'], 1 - theirs)}; over {OUTSIDE}: {(far > OUTSIDE).mean():.3f}", flush=True)
            table = errors_by_domain(preds, test, "label", groups="video")
            print(table.round(3).to_string(index=False))
            judged.append((preds, test.assign(video=test["video"].astype(str))))
        pooled = pd.concat([p.assign(path=f"{k}/" + p["path"]) for k, (p, _) in enumerate(judged)], ignore_index=True)
        truth = pd.concat([t.assign(path=f"{k}/" + t["path"].astype(str)) for k, (_, t) in enumerate(judged)], ignore_index=True)
        pooled.attrs = {"multilabel": ["label"]}
        print(f"{layers}, the three splits together\n{errors_by_domain(pooled, truth, 'label', groups='video').round(3).to_string(index=False)}", flush=True)
        burrows, litter = others["burrows"], others["litter"]
        other_days("burrows", burrows, [Path(p).name.split("_D")[1][:10] for p in burrows["path"]])
        present = pd.read_csv(data/"litter/labels.csv").assign(name=lambda o: o["path"].map(lambda p: Path(p).name)).set_index("name").loc[[Path(p).name for p in litter["path"]]]
        other_days("litter", litter, present["day"].astype(str).tolist(), present["litter"].map({0: "none there", 1: "litter"}).tolist())


if __name__ == "__main__": main()
