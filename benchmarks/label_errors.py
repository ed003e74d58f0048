"""Wrong labels found among real sea-floor labels of which a tenth was made wrong on purpose.

Needs OCEAN_DATA (`seafloor/`), OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`), and the extras `quality` and `offline`. 67 of the 670 labels are changed, five times (seeds 0 to 4): at random to any other
substrate ("random"), or only among what people confuse, sand with silt or pebble, silt with sand, pebble with sand ("confusion"). Ranked by `label_issues` on the blocks of two frozen bodies, and of each
alone; by cleanlab as its tutorials have it, a logistic regression on the last layer in five ungrouped stratified folds; and, with --tune, by the loss of a fine-tuned network (seed 0 alone). AUROC and the
share of changed labels among the first tenth; intervals are bootstrap percentiles over look-alike groups, of the mean over the seeds, differences paired. `label_issues` was chosen on seeds 100 to 103 of the
same images. The real labels hold errors and doubtful cases of their own, which count as right here.

    python benchmarks/label_errors.py --out DIR [--tune] [--seeds 0 1 2 3 4]     (DIR keeps the embeddings and the scores)
"""
import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores
from probe import BODIES, embedded, weights_of
from seafloor import held_out
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ocean_fastai.annotate.issues import label_issues
from ocean_fastai.core import fast_cpu
from ocean_fastai.data.embeddings import embedding_matrix
from ocean_fastai.data.groups import group_frames
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.splits import group_numbers
from ocean_fastai.evaluate.bootstrap import bootstrap, interval_of
from ocean_fastai.infer.predict import predict_table
from ocean_fastai.train.learner import ocean_learner

CONFUSED = {"sand": ["silt", "pebble"], "silt": ["sand"], "pebble": ["sand"]}


def changed(labels, kind, seed):
    "Labels of which a tenth is wrong, and which these are."
    rng, classes, out = np.random.default_rng(seed), sorted(set(labels)), np.array(labels, object)
    could = np.arange(len(out)) if kind == "random" else np.flatnonzero(np.isin(out, list(CONFUSED)))
    which = rng.choice(could, round(len(out)/10), replace=False)
    for i in which: out[i] = rng.choice([c for c in classes if c != out[i]] if kind == "random" else CONFUSED[out[i]])
    return out, np.isin(np.arange(len(out)), which)


def own(df, tables):
    "Scores of `label_issues` in the order of the images."
    return label_issues(df, tables, "label").set_index("path").loc[df["path"].astype(str), "score"].to_numpy()


def plain(df, last, seed):
    "cleanlab's self-confidence on ungrouped folds of the last layer."
    y = pd.factorize(df["label"], sort=True)[0]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=400))
    p = cross_val_predict(model, last, y, cv=StratifiedKFold(5, shuffle=True, random_state=seed), method="predict_proba")
    return get_label_quality_scores(y, p)


def tuned(df, size, seed, out):
    "Minus the loss of a network that was fine-tuned on these labels, a fifth of them for validation."
    df = df.drop(columns="split", errors="ignore")
    dls = OceanDataLoaders.from_manifest(df, "label", size=size, groups="none", seed=seed, cache=out/"cache", progress=False)
    learn = ocean_learner(dls, "mobilenetv2_100", weights_of("mobilenetv2_100"), seed=seed)
    with learn.no_bar(): learn.fit_transfer()
    preds = predict_table(learn, df, progress=False).set_index("path").loc[df["path"].astype(str)]
    return np.array([preds[f"p_{c}"].iloc[i] for i, c in enumerate(df["label"])])


def precision(wrong, score, weight):
    "Share of wrong labels among the tenth with the lowest scores."
    order = np.argsort(score, kind="stable")
    there = weight[order]
    first = np.cumsum(there) <= weight.sum()/10
    return (there*wrong[order])[first].sum()/max(there[first].sum(), 1e-9)


def judged(wrongs, scores, group):
    "A function of how often groups were drawn: AUROC and precision, the means over the seeds."
    def statistic(times):
        rows = []
        for t in times:
            w = t[group]
            rows.append(np.mean([(roc_auc_score(wrong, -s, sample_weight=w), precision(wrong, s, w)) for wrong, s in zip(wrongs, scores)], axis=0))
        return np.array(rows)
    return statistic


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--kinds", nargs="+", default=["random", "confusion"])
    parser.add_argument("--tune", action="store_true", help="also fine-tune, for the first seed")
    parser.add_argument("--ways", nargs="+", help="of them those to run, by name (default: all)")
    parser.add_argument("--boots", type=int, default=500)
    parser.add_argument("--size", type=int, default=160, help="of the fine-tuned network's input")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    df = held_out().drop(columns="split")
    blocks = [embedded("seafloor", df, arch, size, "blocks", args.out)[0] for arch, size in BODIES["seafloor"]]
    last = embedding_matrix(embedded("seafloor", df, *BODIES["seafloor"][0], "last", args.out)[0].set_index("path").loc[df["path"].astype(str)].reset_index())
    group = group_numbers(group_frames(df, blocks[0], "embedding"), "group")
    for kind in args.kinds:
        runs, wrongs = {}, []
        for seed in args.seeds:
            labels, wrong = changed(df["label"], kind, seed)
            noisy = df.assign(label=labels)
            wrongs.append(wrong)
            ways = {"two bodies": lambda: own(noisy, blocks), "mobilenetv2_100": lambda: own(noisy, blocks[0]),
                    "mobilenetv2_100, one round": lambda: label_issues(noisy, blocks[0], "label", rounds=0).set_index("path").loc[df["path"], "score"].to_numpy(),
                    "last layer, ungrouped": lambda: plain(noisy, last, seed)}
            if args.tune and seed == args.seeds[0]: ways["fine-tuned, loss"] = lambda: tuned(noisy, args.size, seed, args.out)
            for name, way in ways.items():
                if args.ways and name not in args.ways: continue
                start, file = time.process_time(), args.out/f"{kind} {seed} {name}.npy"
                if not file.exists(): np.save(file, way())
                runs.setdefault(name, []).append(np.load(file))
                print(f"{kind} seed {seed}: {name}: AUROC {roc_auc_score(wrong, -runs[name][-1]):.3f}, {time.process_time() - start:.0f} s CPU", flush=True)
        if "two bodies" not in runs: continue
        for name, scores in runs.items():
            mine = wrongs[:len(scores)]
            draws = {n: bootstrap(judged(mine, runs[n][:len(scores)], group), int(group.max()) + 1, args.boots) for n in {name, "two bodies"}}
            value = judged(mine, scores, group)(np.ones((1, int(group.max()) + 1)))[0]
            low, high = interval_of(draws[name])
            dlow, dhigh = interval_of(draws["two bodies"] - draws[name])
            print(f"{kind} {name} ({len(scores)} seeds): AUROC {value[0]:.3f} ({low[0]:.3f} to {high[0]:.3f}), precision at 10 % {value[1]:.3f} ({low[1]:.3f} to {high[1]:.3f}); "
                  f"two bodies better by {dlow[0]:.3f} to {dhigh[0]:.3f} and {dlow[1]:.3f} to {dhigh[1]:.3f}", flush=True)


if __name__ == "__main__": main()
