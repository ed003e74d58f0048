"""Is there floating litter in a photograph of a harbour? A probe on tiles against one on whole images, on a day that trained nothing.

Needs OCEAN_DATA (a folder with `litter/labels.csv`: path, litter 0 or 1, day; 240 images of 640 x 640) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
The things are a few pixels wide, so each image is cut into 3 x 3 overlapping tiles at 224 x 224 (`embed(tiles=)`), and of each feature the mean over the tiles, the highest of
them, or both are read by a logistic regression, its strength chosen within the training day on whole runs of ten images. One day trains, the other judges, and the reverse.
Intervals resample images: neighbouring ones are alike, so they are too narrow. Nothing was chosen on the day that judges: all ways are printed.

    python benchmarks/litter.py --out DIR      (DIR keeps the embeddings)
"""
import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.embeddings import embedding_matrix
from ocean_fastai.data.sources import manifest_from_csv
from ocean_fastai.evaluate.bootstrap import bootstrap, interval_of
from ocean_fastai.infer.embed import embed

ARCH, TILES = "mobilenetv2_100", (3, 3)


def features(df, out):
    "For each way to look, images x features."
    weights = Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"
    whole = embedding_matrix(embed(ARCH, df, weights, size=448, out=out/"whole.parquet", bs=8, progress=False)).astype(float)
    tiles = embedding_matrix(embed(ARCH, df, weights, size=224, tiles=TILES, out=out/"tiles.parquet", bs=16, progress=False)).astype(float)
    tiles = tiles.reshape(len(df), TILES[0]*TILES[1], -1)
    mean, most = tiles.mean(1), tiles.max(1)
    return {"whole image at 448": whole, "tiles, mean": mean, "tiles, highest": most, "tiles, both": np.hstack([mean, most])}


def judged(X, y, train, test):
    "Balanced accuracy on the other day, with its interval over images, and the strength that was chosen."
    probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
    runs = np.arange(train.sum())//10 if train.sum() > 60 else np.arange(train.sum())//4
    grid = GridSearchCV(probe, {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1]}, scoring="balanced_accuracy", cv=GroupKFold(5))
    said = grid.fit(X[train], y[train], groups=runs).predict(X[test])
    true, right = y[test], said == y[test]
    drawn = bootstrap(lambda times: np.mean([(times[:, true == c]*right[true == c]).sum(1)/np.maximum(times[:, true == c].sum(1), 1) for c in (0, 1)], 0), len(true))
    return balanced_accuracy_score(true, said), *interval_of(drawn), grid.best_params_["logisticregression__C"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder, which keeps the embeddings")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    df = manifest_from_csv(Path(os.environ["OCEAN_DATA"])/"litter/labels.csv", target=["litter"])
    y, day = df["litter"].astype(float).astype(int).to_numpy(), df["day"].astype(float).astype(int).astype(str).to_numpy()
    for name, X in features(df, out).items():
        for test_day in sorted(set(day)):
            test = day == test_day
            value, low, high, C = judged(X, y, ~test, test)
            print(f"{name:20} judged on {test_day}: {test.sum()} images ({y[test].sum()} with litter): balanced accuracy {value:.3f} ({low:.3f} to {high:.3f}), C={C:g}", flush=True)


if __name__ == "__main__": main()
