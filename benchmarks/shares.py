"""Shares of classes from predictions and a checked sample: do the intervals cover, and how much narrower are they than the sample's alone?

200 surveys are drawn as tables (no images): 1,000 to 8,000 frames in one to five strata, two to six classes of unequal shares, and a model of 70 to 95 % accuracy that prefers some classes, whose probabilities are those of a softmax
or, in every third survey, zeros and ones. From each, five samples of 100 to 400 frames are drawn and checked, at random or within strata: 1,000 tables. Every share of the survey, and of each stratum with ten checked frames, is a row.
Coverage is the part of the rows whose interval holds the truth. The width is compared with the sample's alone, in rows of classes with at least 5 % of the frames; the bound is sqrt(1 - rho^2), rho the correlation of truth and
probability over all frames. With OCEAN_DATA, OCEAN_WEIGHTS and --out also on real predictions: out-of-fold ones of a probe on the sea-floor patches, 200 samples of 100 and of 200 of the 670.

    python benchmarks/shares.py [--surveys 200] [--seed 0] [--out DIR]
"""
import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from ocean_fastai.evaluate.survey import estimate_shares, frames_to_check


def softmax(z):
    "Rows that add up to 1."
    e = np.exp(z - z.max(1, keepdims=True))
    return e/e.sum(1, keepdims=True)


def drawn_survey(rng, accuracy, hard):
    "A survey whose truth is known: predictions, truth, and its strata"
    n, k, h = int(rng.integers(1000, 8001)), int(rng.integers(2, 7)), int(rng.integers(1, 6))
    strata = rng.choice(h, n, p=rng.dirichlet(np.full(h, 4.)))
    shares = np.stack([rng.dirichlet(np.full(k, .5)) for _ in range(h)])*.3 + rng.dirichlet(np.full(k, .5))*.7
    truth = np.array([rng.choice(k, p=shares[s]) for s in strata])
    noise = rng.gumbel(size=(n, k)) + rng.normal(0, .6, k) # some classes are named too often
    signal, low, high = np.eye(k)[truth], 0., 30.
    for _ in range(40): # the strength of the signal that gives this accuracy
        mid = (low + high)/2
        if ((noise + mid*signal).argmax(1) == truth).mean() < accuracy: low = mid
        else: high = mid
    z = noise + high*signal
    p = np.eye(k)[z.argmax(1)] if hard else softmax(1.5*(z - np.median(z, 1, keepdims=True)))
    classes = [f"c{i}" for i in range(k)]
    preds = pd.DataFrame({"path": [f"{i}.jpg" for i in range(n)], "target": "t", "stratum": [f"s{s}" for s in strata],
                          "label": [classes[i] for i in z.argmax(1)], "score": p.max(1), **{f"p_{c}": q for c, q in zip(classes, p.T)}})
    return preds, np.array(classes)[truth]


def true_shares(preds, truth):
    "{(stratum, class): share, correlation of truth and probability}"
    out = {}
    for s in ["all", *preds["stratum"].unique()]:
        mine = np.ones(len(preds), bool) if s == "all" else (preds["stratum"] == s).to_numpy()
        for c in np.unique(truth):
            y, f = (truth == c)[mine].astype(float), preds[f"p_{c}"].to_numpy()[mine]
            rho = np.corrcoef(y, f)[0, 1] if y.std() > 0 and f.std() > 0 else 0.
            out[s, c] = y.mean(), rho
    return out


def judged(table, true, **about):
    "Each row of a table beside the truth"
    rows = table[[(s, c) in true for s, c in zip(table["stratum"], table["class"])]].dropna(subset="share").copy()
    rows["true"], rows["rho"] = np.array([true[s, c] for s, c in zip(rows["stratum"], rows["class"])]).T
    z = 1.96*np.sqrt(rows["naive"]*(1 - rows["naive"])/rows["n"])
    rows["naive_low"], rows["naive_high"] = rows["naive"] - z, rows["naive"] + z
    for name in ("naive", "sample", "share"):
        rows[f"{name}_holds"] = (rows[f"{name}_low"] <= rows["true"] + 1e-12) & (rows["true"] <= rows[f"{name}_high"] + 1e-12)
        rows[f"{name}_width"] = rows[f"{name}_high"] - rows[f"{name}_low"]
    return rows.assign(**about)


def simulated(n, seed):
    "The rows of all drawn surveys"
    rng, out = np.random.default_rng(seed), []
    for i in range(n):
        accuracy, hard = rng.uniform(.7, .95), i % 3 == 2
        preds, truth = drawn_survey(rng, accuracy, hard)
        true = true_shares(preds, truth)
        for j in range(5):
            size = int(rng.integers(100, 401))
            strata = "stratum" if preds["stratum"].nunique() > 1 else None
            way = ("proportional", "neyman", None)[j % 3] if strata else None
            drawn = frames_to_check(preds, size, strata if way else None, allocation=way or "proportional", least=10, seed=int(rng.integers(1 << 30)))
            at = drawn["path"].str[:-4].astype(int)
            try: table = estimate_shares(preds, drawn[["path"]].assign(t=truth[at]), strata=strata)
            except ValueError as e: print("refused:", e); continue
            out.append(judged(table, true, accuracy=accuracy, hard=hard, survey=i, number=len(out)))
    return pd.concat(out, ignore_index=True)


def spread(values, of, n=1000):
    "95 % bootstrap interval of a mean, whole surveys drawn"
    if not len(values): return np.nan, np.nan
    sums = pd.DataFrame({"v": values, "of": of}).groupby("of")["v"].agg(["sum", "count"]).to_numpy()
    picks = np.random.default_rng(0).integers(len(sums), size=(n, len(sums)))
    drawn = sums[picks].sum(1)
    return np.quantile(drawn[:, 0]/drawn[:, 1], [.025, .975])


def covers(rows, name):
    "Coverage and its interval, as text"
    low, high = spread(rows[f"{name}_holds"].astype(float), rows["survey"])
    return f"{rows[f'{name}_holds'].mean():.3f} ({low:.3f} to {high:.3f})"


def real(out, seed):
    "Samples of real patches with a probe's out-of-fold predictions; every sample counts as a survey"
    from ocean_fastai.data.sources import manifest_from_folder
    from ocean_fastai.infer.embed import embed
    from ocean_fastai.infer.probe import fit_probe
    df = manifest_from_folder(Path(os.environ["OCEAN_DATA"])/"seafloor", "floor")
    table = embed("mobilenetv2_100", df, Path(os.environ["OCEAN_WEIGHTS"])/"mobilenetv2_100.imagenet.safetensors", size=(224, 224), out=out/"seafloor-mobilenetv2_100-blocks.parquet")
    preds, rng, rows = fit_probe(table, df, "floor", C=.01).oof.assign(stratum="all"), np.random.default_rng(seed), []
    truth = df.set_index(df["path"].astype(str)).loc[preds["path"], "floor"].to_numpy()
    true = true_shares(preds, truth)
    for n in (100, 200):
        for i in range(200):
            at = rng.choice(len(preds), n, replace=False)
            table = estimate_shares(preds, pd.DataFrame({"path": preds["path"].iloc[at], "floor": truth[at]}))
            rows.append(judged(table, true, survey=f"{n} {i}", checked=n))
    rows = pd.concat(rows)
    print(f"real sea floor, {len(preds)} patches, accuracy {(preds['label'] == truth).mean():.3f}")
    for n, some in rows.groupby("checked"):
        ratio = some["share_width"]/some["sample_width"]
        print(f"  {n} checked: coverage naive {some['naive_holds'].mean():.3f}, sample {covers(some, 'sample')}, corrected {covers(some, 'share')}; "
              f"width of the sample's {ratio.mean():.2f}, bound {np.sqrt(1 - some['rho']**2).mean():.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surveys", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the embeddings of the real patches")
    args = parser.parse_args()
    rows = simulated(args.surveys, args.seed)
    whole, parts = rows[rows["stratum"] == "all"], rows[rows["stratum"] != "all"]
    print(f"{args.surveys} drawn surveys, {rows['number'].nunique()} tables, {len(whole)} shares of surveys, {len(parts)} of strata")
    for title, some in (("surveys", whole), ("  shares under 2 %", whole[whole["true"] < .02]), ("  2 to 10 %", whole[whole["true"].between(.02, .1)]),
                        ("  over 10 %", whole[whole["true"] > .1]), ("  probabilities 0 or 1", whole[whole["hard"]]), ("strata", parts),
                        ("  10 to 20 checked", parts[parts["n_checked"] < 20]), ("  shares under 5 %", parts[parts["true"] < .05])):
        print(f"{title}: coverage naive {some['naive_holds'].mean():.3f}, sample {covers(some, 'sample')}, corrected {covers(some, 'share')}, n={len(some)}")
    common = whole[whole["true"].between(.05, .95)].assign(ratio=lambda o: o["share_width"]/o["sample_width"], bound=lambda o: np.sqrt(1 - o["rho"]**2))
    common["band"] = pd.cut(common["accuracy"], [.7, .75, .8, .85, .9, .95])
    for band, some in common.groupby("band", observed=True):
        low, high = spread(some["ratio"], some["survey"])
        print(f"accuracy {band.left:.2f} to {band.right:.2f}: width {some['ratio'].mean():.3f} of the sample's alone ({low:.3f} to {high:.3f}), bound {some['bound'].mean():.3f}, "
              f"excess {(some['ratio'] - some['bound']).mean():.3f}; error of the naive count {(some['naive'] - some['true']).abs().mean():.3f}, of the corrected {(some['share'] - some['true']).abs().mean():.3f}")
    if args.out: real(args.out, args.seed)


if __name__ == "__main__": main()
