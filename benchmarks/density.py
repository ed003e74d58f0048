"""How often the 95 % intervals of `density` hold the truth, and its bias, over simulated surveys.

A survey is 16 legs (or `--legs`) of 8 to 15 km with a strip of 100 m to each side. Things lie in patches: each leg's own density is drawn from a gamma
distribution (mean 30 a km2, coefficient of variation 0.5), their number is Poisson. A detector finds them with a half-normal chance of the distance
(sigma 40 m, large ones 60 m) times 0.9 on the line; false detections are Poisson, 2 a km2 (about a tenth of all detections).

    rates      recall and false detections by size and distance from another such voyage at 40 things a km2, its legs resampled as groups
    distances  a detection function of the survey's own distances with the size class as covariate; g(0) by a person as second observer, who looked
               through all pictures, from the things within 30 m; precision from 300 detections of the survey that were checked
    formula    as distances, with the estimator R2 in place of the bootstrap

The truth is the mean density. "naive" is the count over the area.

    python benchmarks/density.py [--tables 1000] [--legs 16] [--n-boot 200] [--way rates|distances|formula]
"""
import argparse
import time

import numpy as np
import pandas as pd

from ocean_fastai.transect.density import density
from ocean_fastai.transect.detection import detection_function
from ocean_fastai.transect.observers import two_observers
from ocean_fastai.transect.rates import held_out_rates

WIDTH, FALSE, SHAPE = 100, 2, 4
SIZES, BREAKS = (.4, .7, 1.5), [1.]


def sail(rng, n_legs, per_km2):
    "Legs, and what lies on them with what a detector and a person make of it."
    legs = pd.DataFrame({"leg": range(n_legs), "length_m": rng.uniform(8000, 15000, n_legs)})
    area = legs["length_m"].to_numpy()*2*WIDTH/1e6
    lie, false = rng.poisson(rng.gamma(SHAPE, per_km2/SHAPE, n_legs)*area), rng.poisson(FALSE*area)
    n, m = lie.sum(), false.sum()
    out = pd.DataFrame({"leg": np.concatenate([np.repeat(legs["leg"], lie), np.repeat(legs["leg"], false)]),
        "size_m": np.concatenate([rng.choice(SIZES, n), rng.choice(SIZES[:2], m)]), "true": np.arange(n + m) < n,
        "across_m": rng.uniform(-WIDTH, WIDTH, n + m)})
    fall = np.exp(-out["across_m"]**2/2/np.where(out["size_m"] > 1, 60, 40)**2)
    out["found"] = ~out["true"] | (rng.random(n + m) < .9*fall)
    out["human"] = out["true"] & (rng.random(n + m) < .85*fall**.5)
    return legs, out, area.sum()


def one(seed, args):
    "Densities, intervals and naive counts of one simulated survey, by size class."
    rng = np.random.default_rng(seed)
    legs, survey, _ = sail(rng, args.legs, 30)
    found = survey[survey["found"]].reset_index(drop=True)
    options = dict(width_m=WIDTH, size_breaks_m=BREAKS, n_boot=args.n_boot, seed=seed)
    if args.way == "rates":
        _, held, area = sail(rng, 16, 40)
        rates = held_out_rates(held.assign(group=held["leg"]), BREAKS, [20, 40, 60, 80], searched_km2=area)
        return density(found, legs, rates=rates, **options).summary
    checked = found.iloc[rng.permutation(len(found))[:300]]
    rates = held_out_rates(checked, BREAKS, [40])
    found["kind"] = np.where(found["size_m"] > 1, "large", "small")
    fit = detection_function(found, width_m=WIDTH, covariates=["kind"])
    seen = survey[survey["true"]].assign(model=lambda d: d["found"], square=lambda d: (d["across_m"]/WIDTH)**2)
    near = (seen["human"] | seen["model"]) & (seen["across_m"].abs() < 30)
    pair = two_observers(seen[near], ["square"], zero="square", groups="leg", n_boot=min(100, args.n_boot), seed=seed)
    return density(found, legs, rates=rates, detection=fit, g0=pair, variance="R2" if args.way == "formula" else "bootstrap", **options).summary


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tables", type=int, default=1000)
    p.add_argument("--legs", type=int, default=16)
    p.add_argument("--n-boot", type=int, default=200)
    p.add_argument("--way", choices=["rates", "distances", "formula"], default="rates")
    args, start, kept = p.parse_args(), time.time(), []
    for seed in range(args.tables): kept.append(one(seed, args).assign(table=seed))
    rows = pd.concat(kept)
    rows["truth"] = rows["size_class"].map({"under 1 m": 20., "1 m or more": 10., "all sizes": 30.})
    rows["covered"] = (rows["density_low"] <= rows["truth"]) & (rows["truth"] <= rows["density_high"])
    for kind, part in rows.groupby("size_class"):
        cover, n = part["covered"].mean(), len(part)
        bias, sd = part["density"].mean()/part["truth"].iloc[0] - 1, (part["density"]/part["truth"]).std()/n**.5
        print(f"{args.way}, {args.legs} legs, {kind}: {n} tables, {part['n'].mean():.0f} detections each; covered {cover:.3f} "
              f"(s.e. {(cover*(1 - cover)/n)**.5:.3f}); bias {bias:+.3f} (s.e. {sd:.3f}); naive {part['naive'].mean()/part['truth'].iloc[0] - 1:+.3f}; "
              f"half width {((part['density_high'] - part['density_low'])/2/part['density']).median():.2f} of the estimate")
    print(f"{time.process_time():.0f} s of CPU, {time.time() - start:.0f} s")


if __name__ == "__main__": main()
