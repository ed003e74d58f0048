"""Pre-annotations of real images: how much is accepted, how right that is on other videos, and what people then do an hour.

Needs OCEAN_DATA (`debris/`, `seafloor/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). A probe on the blocks of the frozen body learns from 70 % of the
images (debris: whole videos), with the C that benchmarks/probe.py found; thresholds are chosen on its out-of-fold predictions of the same images (folds by video),
and everything is measured on the other 30 %, in six splits. Intervals resample videos (sea floor: images) over all splits at once.

A simulated person labels in 4 s and errs in 5 % of the answers; looks at a pre-annotation in 1.6 s, spoils a right one in 1 % and lets a wrong one pass in 15 %, else labels
it in the usual way. These times and rates are assumptions, not measurements. A label of an answer with an error rate e counts (1 - 2e)^2, what a label with random flips is
worth to a learner; so the quality-adjusted labels an hour are n (1 - 2e)^2 / hours.

    python benchmarks/preannotate.py --out DIR [--sets debris seafloor] [--seeds 6]     (DIR keeps the embeddings)
"""
import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from probe import embedded, splits_of

from ocean_fastai.annotate.preannotate import preannotate
from ocean_fastai.annotate.triage import CHECK_S, LABEL_S
from ocean_fastai.core import fast_cpu
from ocean_fastai.data.manifest import label_matrix
from ocean_fastai.data.splits import split_frames
from ocean_fastai.evaluate.bootstrap import bootstrap, interval_of
from ocean_fastai.infer.probe import fit_probe

KNOWN = {"debris": ((384, 288), .01, "video"), "seafloor": ((224, 224), .1, "none")}
SLIP, SPOIL, PASS = .05, .01, .15
HALF = "half of all"


def images_of(name):
    "The labelled images of a set."
    _, df, _ = next(splits_of(name, [0]))
    return df.drop(columns="split").reset_index(drop=True)


def judged(pre, df):
    "The answers about held-out images, whether each is right, and what is resampled: its video, or the image."
    classes = sorted({c for cell in df["label"] for c in cell.split(";")} - {"none"})
    Y = pd.DataFrame(label_matrix(df, "label", classes), index=df["path"], columns=classes)
    out = pre.answers.copy()
    there = np.array([Y.at[p, c] for p, c in zip(out["path"], out["label"])])
    out["right"] = there == (out["answer"] == "there").to_numpy(float)
    out["unit"] = out["path"].map(df.set_index("path")["video"]) if "video" in df else out["path"]
    return out


def pooled(rows, top, low):
    "A ratio of sums and its interval over videos."
    unit, names = pd.factorize(rows["unit"])
    tally = np.stack([np.bincount(unit, rows[c].to_numpy(float), len(names)) for c in (top, low)], 1)
    ratio = lambda times: (s := times@tally)[:, 0]/s[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        value, ends = ratio(np.ones((1, len(names))))[0], interval_of(bootstrap(ratio, len(names), 1000))
    return f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


def simulated(rows, rng):
    "Seconds and errors of each answer: labelled from nothing, and from its pre-annotation."
    n = len(rows)
    draw = lambda rate: rng.random(n) < rate
    accept, skip = (rows["decision"].to_numpy() == d for d in ("accept", "skip"))
    wrong = ~rows["right"].to_numpy(bool)
    own = draw(SLIP)
    caught = wrong & ~draw(PASS)
    looked = np.where(wrong, np.where(caught, own, True), draw(SPOIL))
    seconds = np.select([accept, skip], [0., LABEL_S], CHECK_S + LABEL_S*caught)
    return pd.DataFrame({"own_s": LABEL_S, "own_err": own, "pre_s": seconds,
                         "pre_err": np.select([accept, skip], [wrong, own], looked)}, rows.index)


def shares_text(rows, answers):
    "Error of each class's share: labelled by people alone, and with the accepted answers as they are; the difference with its interval."
    rows = pd.concat([rows, answers], axis=1)
    out = []
    for label, o in rows.groupby("label"):
        said = (o["answer"] == "there").to_numpy()
        true = said == o["right"].to_numpy(bool)
        unit, names = pd.factorize(o["unit"])
        columns = [true, np.where(o["own_err"], ~true, true), np.where(o["pre_err"], ~true, true), np.ones(len(o))]
        tally = np.stack([np.bincount(unit, np.asarray(c, float), len(names)) for c in columns], 1)

        def errors(times):
            s = times@tally
            people, pre = (abs(s[:, k] - s[:, 0])/s[:, 3] for k in (1, 2))
            return np.stack([people, pre, pre - people], 1)
        value, drawn = errors(np.ones((1, len(names))))[0], interval_of(bootstrap(errors, len(names), 1000))
        out.append(f"{label}: people {value[0]:.3f}, with accepted {value[1]:.3f}, difference {value[2]:+.3f} ({drawn[0][2]:+.3f} to {drawn[1][2]:+.3f})")
    return "; ".join(out)


def run(name, df, table, groups, C, settings, seeds):
    "The answers of the held-out images of each split, and the thresholds."
    parts, cuts = {k: [] for k in settings}, {k: [] for k in settings}
    for seed in range(seeds):
        part = split_frames(df, .3, groups=groups, stratify="label", seed=seed, progress=False)
        learnt, other = (part[part["split"] == p].drop(columns="split").reset_index(drop=True) for p in ("train", "valid"))
        probe = fit_probe(table, learnt, "label", groups=groups, C=C)
        pool = table[table["path"].isin(set(learnt["path"]) | set(other["path"]))]
        for key, (precision, per) in settings.items():
            pre = preannotate(probe, pool, learnt, precision=precision, per=per, groups=groups, audit=0)
            rows = judged(pre, other).assign(seed=seed)
            if key[0] == HALF: rows["decision"] = np.where(rows["score"].rank(ascending=False, method="first") <= len(rows)/2, "accept", "review")
            parts[key].append(rows)
            cuts[key].append(pre.thresholds.assign(seed=seed))
    return {k: pd.concat(v, ignore_index=True) for k, v in parts.items()}, {k: pd.concat(v, ignore_index=True) for k, v in cuts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(KNOWN))
    parser.add_argument("--seeds", type=int, default=6)
    args = parser.parse_args()
    fast_cpu()
    warnings.simplefilter("ignore")
    settings = {(f"{p:g}", per): (p, per) for p in (.95, .9, .85) for per in ("class", "target")} | {(HALF, ""): (.5, "target")}
    for name in args.sets:
        size, C, groups = KNOWN[name]
        df = images_of(name)
        table, _ = embedded(name, df, "mobilenetv2_100", size, "blocks", args.out)
        rows, cuts = run(name, df, table, groups, C, settings, args.seeds)
        for key, some in rows.items():
            some = some.assign(one=1., taken=(some["decision"] == "accept")*1., right_taken=(some["decision"] == "accept")*some["right"])
            held = cuts[key]
            seeds = some[some["taken"] == 1].groupby("seed")["right"].mean()
            print(f"\n{name}, wished {key[0]} by {key[1] or '-'}: {len(some)} answers of {some['path'].nunique()} images in {some['unit'].nunique()} units, {args.seeds} splits", flush=True)
            print(f"  accepted {pooled(some, 'taken', 'one')}, of these right {pooled(some, 'right_taken', 'taken')}; parts with a threshold: {(held['share'] > 0).sum()} of {len(held)}; "
                  f"splits that accept: {len(seeds)}, below the wish: {(seeds < float(key[0])).sum() if key[0] != HALF else '-'}")
            people = simulated(some, np.random.default_rng(0))
            o = some.join(people)
            adjusted = {}
            unit, names = pd.factorize(o["unit"])
            tally = np.stack([np.bincount(unit, o[c].to_numpy(float), len(names)) for c in ("one", "own_err", "own_s", "pre_err", "pre_s")], 1)

            def rates(times):
                n, e0, s0, e1, s1 = (times@tally).T
                a, b = (3600*n*(1 - 2*e/n)**2/s for e, s in ((e0, s0), (e1, s1)))
                return np.stack([a, b, b/a, e0/n, e1/n], 1)
            value, ends = rates(np.ones((1, len(names))))[0], interval_of(bootstrap(rates, len(names), 1000))
            print("  quality-adjusted labels an hour: from nothing {:.0f} (errors {:.3f}), from pre-annotations {:.0f} (errors {:.3f}), {:.2f} times ({:.2f} to {:.2f})".format(
                value[0], value[3], value[1], value[4], value[2], ends[0][2], ends[1][2]))
            if name == "debris": print("  share of a class, error:", shares_text(some, people))  # an answer for each class: so shares follow


if __name__ == "__main__": main()
