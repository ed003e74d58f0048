"""Floor and elements in one network against a network for each, on drawn videos of which half of each target's labels are hidden; what it costs, what a first task lends the second, and how calibrated it is.

Needs OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`). Every candidate starts from the same weights and sees the same 192x108 pictures. The labels are hidden at random, of training and validation rows alike, drawn
anew for each seed; the test videos keep all theirs. The two single networks see only the rows of which their target is known, for as many epochs that both together pass as many pictures through a network as the joint one.

one network            both targets, `balance=None`
one, balance learnt    both targets, `balance="uncertainty"`
a network each         floor alone and elements alone
elements after floor   elements alone, `init=` a network of floor that was trained to its last epoch (the best one by validation often left the body as it was), as many epochs as elements alone

    python benchmarks/two_heads.py --out DIR [--seeds 3]      (a second call with the same DIR only judges again)
"""
import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ocean_fastai.all import OceanDataLoaders, draw_dataset, load_bundle, load_manifest, load_predictions, ocean_learner, predict_table, save_bundle, save_manifest, split_frames
from ocean_fastai.evaluate.compare import compare_preds

from judging import calibration

ARCH, SIZE, TARGETS = "mobilenetv2_100", (192, 108), ["floor", "elements"]


def data(out):
    "Drawn videos, split."
    if not (out/"drawn/split.csv").exists():
        df = draw_dataset(out/"drawn", n=1200, size=(384, 216), videos=120, seed=7, masks=False)
        save_manifest(split_frames(df, .2, .3, groups="video", stratify=TARGETS, seed=0), out/"drawn/split.csv")
    return load_manifest(out/"drawn/split.csv")


def hidden(df, seed):
    "The manifest without half of each target's labels in training and validation."
    rng, free = np.random.default_rng(seed), df.split != "test"
    return df.assign(**{t: df[t].where(~(free & (rng.random(len(df)) < .5))) for t in TARGETS})


def trained(df, target, out, seed, body, validate=True, **kwargs):
    "A learner, and the seconds that its training took."
    dls = OceanDataLoaders.from_manifest(df, target, SIZE, crop=2/3, cache=out/"cache", bs=32, seed=seed, num_workers=0, progress=False)
    learn = ocean_learner(dls, ARCH, Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors", seed=seed, **kwargs)
    began = time.time()
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(head_epochs=8, body_epochs=body, patience=9, validate=validate)
    return learn, {"seconds": round(time.time() - began, 1), "rows": len(dls.train_ds)}


def predictions(df, out, seed):
    "Candidates' predictions of validation and test images, with notes."
    rows, home = df[df.split != "train"].reset_index(drop=True), out/f"seed-{seed}"
    part = hidden(df, seed)
    part.attrs = rows.attrs = df.attrs
    def seen(learn): return predict_table(learn, rows, progress=False)
    for name, balance in (("one network", None), ("one, balance learnt", "uncertainty")):
        learn, note = trained(part, TARGETS, out, seed, body=8, balance=balance)
        yield name, seen(learn), note
        if not (home/name).exists(): save_bundle(learn, home/name)
    tables, notes = [], {"seconds": 0}
    for t in TARGETS:
        learn, note = trained(part[part[t].notna()].reset_index(drop=True), t, out, seed, body=6)
        if not (home/t).exists(): save_bundle(learn, home/t)
        tables.append(seen(learn))
        notes = {"seconds": notes["seconds"] + note["seconds"], f"rows of {t}": note["rows"], **{k: v for k, v in notes.items() if k != "seconds"}}
    yield "a network each", pd.concat(tables, ignore_index=True), notes
    yield "elements after floor", *after_floor(part, out, seed, seen)


def after_floor(part, out, seed, seen):
    "Predictions and note of a network of elements that starts from the body of one of floor."
    body = out/f"seed-{seed}/floor, to the end"
    if not body.exists(): save_bundle(trained(part[part.floor.notna()].reset_index(drop=True), "floor", out, seed, body=6, validate=False)[0], body)
    learn, note = trained(part[part.elements.notna()].reset_index(drop=True), "elements", out, seed, body=6, init=body)
    return seen(learn), note


def cost(df, out):
    "Seconds to predict the test images from files with one network and with two, in turn; the best of three rounds."
    test = df[df.split == "test"].reset_index(drop=True)
    test.attrs = df.attrs
    models = {n: load_bundle(out/"seed-0"/n, "cpu") for n in ("one network", *TARGETS)}
    def seconds(*names):
        began = time.time()
        for n in names: models[n].predict(test, progress=False)
        return time.time() - began
    rounds = [(seconds("one network"), seconds(*TARGETS)) for _ in range(3)]
    one, two = (min(r[k] for r in rounds) for k in (0, 1))
    print(f"inference of {len(test)} images, files to table: one network {one:.2f} s, two {two:.2f} s, ratio {one/two:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder: pictures, networks, and a table of predictions for each candidate and seed")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    out = args.out
    df = data(out)
    for seed in range(args.seeds):
        home = out/f"seed-{seed}"
        if (home/"notes.json").exists(): continue
        home.mkdir(parents=True, exist_ok=True)
        notes = {}
        for name, table, notes[name] in predictions(df, out, seed):
            table.to_csv(home/f"{name}.csv", index=False)
            print(seed, name, notes[name], flush=True)
        (home/"notes.json").write_text(json.dumps(notes))
    names = json.loads((out/"seed-0/notes.json").read_text())
    test = df[df.split == "test"].reset_index(drop=True)
    test.attrs = df.attrs
    runs = {name: [load_predictions(out/f"seed-{seed}/{name}.csv") for seed in range(args.seeds)] for name in names}
    for t, baseline in (("floor", "a network each"), ("elements", "a network each")):
        mine = {name: [p[p.path.isin(test.path)] for p in tables] for name, tables in runs.items() if (tables[0].target == t).any()}
        print(f"\n{t}\n" + compare_preds(mine, test, t, baseline=baseline).round(3).to_string(index=False))
    known = [rows[rows.split == "valid"].reset_index(drop=True) for rows in (hidden(df, seed) for seed in range(args.seeds))]
    for rows in known: rows.attrs = df.attrs
    for name in ("one network", "a network each"):
        for t in TARGETS: calibration(name, runs[name], known, test, t)
    cost(df, out)


if __name__ == "__main__": main()
