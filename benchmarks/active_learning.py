"""Which images to label next: six strategies against chance with the same limit on images of one group, real sea floor and debris.

Needs OCEAN_DATA (`seafloor/`, `debris/`) and the embeddings of mobilenetv2_100 that benchmarks/probe.py keeps (--embeddings DIR).
Sea floor: 670 patches of six classes, look-alike groups from the embeddings, balanced accuracy. Debris: 957 frames of the classes plastic, bio and rov, groups are
videos, mean average precision. Each seed holds 30 % of the groups back to judge on, begins with the same 20 random labels for all strategies, and adds 20 a round up
to 200, at most 2 of one group a round. The classifier is the logistic regression of a probe at C = 0.1. The figure is the area under the curve of score against
labels, divided by its width; intervals are bootstrap percentiles over seeds, of the difference from chance paired by seed. Nothing was tuned on these curves.

    python benchmarks/active_learning.py --embeddings DIR [--sets seafloor debris] [--seeds 5] [--per-group 2] [--out DIR]
"""
import argparse
import os
import time
import warnings
from pathlib import Path

from ocean_fastai.annotate.learning import expected_gain, learning_areas, plot_learning, simulate_labeling
from ocean_fastai.annotate.strategies import STRATEGIES
from ocean_fastai.data.boxes import boxes_to_labels
from ocean_fastai.data.embeddings import load_embeddings
from ocean_fastai.data.groups import group_frames
from ocean_fastai.data.sources import manifest_from_folder
from ocean_fastai.formats.coco import read_coco

CLASSES = ["plastic", "bio", "rov"]


def labelled(name, embeddings):
    "A set's manifest with its groups, and its embeddings."
    table = load_embeddings(embeddings/f"{name}-mobilenetv2_100-blocks.parquet")
    root = Path(os.environ["OCEAN_DATA"])
    if name == "debris":
        df, boxes = read_coco(root/"debris/annotations.json", classes=CLASSES, outside="clip")
        return boxes_to_labels(df, boxes, "label", CLASSES), table
    df = manifest_from_folder(root/"seafloor", "label")
    df["path"] = [str(root/"seafloor"/p) for p in df["path"]]
    return group_frames(df, table, "embedding"), table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embeddings", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["seafloor", "debris"])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--per-group", type=int, default=2)
    parser.add_argument("--n-max", type=int, default=200)
    parser.add_argument("--out", type=Path, help="where curves and pictures go")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in args.sets:
        df, table = labelled(name, args.embeddings)
        start = time.process_time()
        runs = simulate_labeling(table, df, "label", args.strategies, args.seeds, n_max=args.n_max, per_group=args.per_group)
        said = {k: runs.attrs[k] for k in ("metric", "groups", "images")}
        column = "group" if "group" in df else "video"
        print(f"{name}: {said}, {df[column].nunique()} groups, {time.process_time() - start:.0f} s CPU", flush=True)
        print(runs.groupby(["n", "strategy"])["value"].mean().unstack().round(3).to_string(), flush=True)
        print(learning_areas(runs).round(3).to_string(index=False), flush=True)
        print(expected_gain(runs, 100)["says"], flush=True)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            runs.to_csv(args.out/f"{name}.csv", index=False)
            plot_learning(runs).figure.savefig(args.out/f"{name}.png", dpi=120)


if __name__ == "__main__": main()
