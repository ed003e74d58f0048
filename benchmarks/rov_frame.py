"""Deep-sea debris: what a vehicle's frame and burnt-in text cost a network, and what a crop or a filling gives back.

Needs OCEAN_DATA (`debris/`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
A probe (`embed`, `fit_probe`) on the training and validation videos of split 0, judged on the test videos, mean average precision. One learns from whole frames, one from the central 2/3 of the width (`ROVCrop(2/3)`), each at the same input size.
Drawn: `ROVFrame` within 16 % of the width, the same for all frames of a video, put on the test images alone; filled: the same, taken off by `FillOverlay` with its true mask. Real: the test images with and without the label `rov`, judged on
plastic and bio, whole, cropped, and with the text filled that `find_static_overlay` finds in their video. All differences are paired; intervals are bootstrap percentiles over whole videos.

    python benchmarks/rov_frame.py --out DIR [--every 1]      (DIR keeps the embeddings)
"""
import argparse
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from probe import splits_of, weights_of

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.augment import FillOverlay, ROVFrame, augment
from ocean_fastai.data.manifest import image_paths
from ocean_fastai.data.overlay import video_overlays
from ocean_fastai.evaluate.compare import compare_preds
from ocean_fastai.geometry import ROVCrop
from ocean_fastai.images import open_image
from ocean_fastai.infer.embed import embed
from ocean_fastai.data.embeddings import load_embeddings
from ocean_fastai.infer.probe import fit_probe

ARCH, SIZE, REACH = "mobilenetv2_100", (144, 108), .16


def framed(image, video):
    "The picture with the frame that belongs to its video, and where the frame is."
    a = np.asarray(image)
    out = augment(a, ROVFrame(REACH, seed=zlib.crc32(str(video).encode()), p=1), 0)
    return out, (out != a).any(2)


def pictures(df, kind, found):
    "Arrays of the images after a change."
    masks = found if kind == "text filled" else {}
    for path, video in zip(image_paths(df), df["video"]):
        image = np.asarray(open_image(path))
        if kind in ("frame", "frame filled"):
            image, mask = framed(image, video)
            if kind == "frame filled": image = FillOverlay(mask)(image=image)["image"]
        mask = masks.get(str(video))
        if mask is not None and mask.any(): image = FillOverlay(mask)(image=image)["image"]
        yield image


def embedded(df, kind, crop, out, found):
    "Embeddings of the images after a change, kept in `out`."
    file = out/f"{kind}-{'crop' if crop else 'whole'}.parquet"
    if file.exists(): return load_embeddings(file)
    items = pd.DataFrame({"path": df["path"].astype(str)})
    items["image"] = list(pictures(df, kind, found))
    return embed(ARCH, items, weights_of(ARCH), "blocks", size=SIZE, crop=ROVCrop(2/3) if crop else None, out=file, progress=False)


def show(title, runs, test, target, baseline):
    "Scores and paired differences."
    table = compare_preds(runs, test, target, baseline=baseline, groups="video")
    columns = ["name", "value", "value_low", "value_high", "difference", "difference_low", "difference_high"]
    print(f"{title}: {table['n'][0]} images of {table['n_groups'][0]} videos, {table['metric'][0]}", flush=True)
    print(table[columns].round(3).to_string(index=False), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="learn from every n-th image alone")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    warnings.simplefilter("ignore")
    _, df, _ = next(splits_of("debris", [0]))
    test = df[df["split"] == "test"].reset_index(drop=True)
    found = video_overlays(df)  # Of all frames: of every n-th a video may have too few
    rows = df[df["split"] != "test"].drop(columns="split").iloc[::args.every].reset_index(drop=True)
    attrs, df = df.attrs, pd.concat([rows, test], ignore_index=True)
    rows.attrs = test.attrs = df.attrs = attrs
    start = time.process_time()
    tables = {(kind, crop): embedded(df if kind in ("plain", "text filled") else test, kind, crop, args.out, found)
              for kind, crop in (("plain", False), ("plain", True), ("frame", False), ("frame", True), ("frame filled", False), ("text filled", False))}
    print(f"{len(rows)} learnt from, {len(test)} judged; embedded in {time.process_time() - start:.0f} s CPU", flush=True)

    def asked(probe, kind, crop=False):
        table = tables[kind, crop]
        return probe.predict(table[table["path"].isin(test["path"].astype(str))])
    whole, cropped, filled = (fit_probe(tables[key], rows, "label", groups="video") for key in (("plain", False), ("plain", True), ("text filled", False)))
    show("drawn frame", {"whole": asked(whole, "plain"), "whole, frame on": asked(whole, "frame"), "whole, frame filled": asked(whole, "frame filled"),
                         "cropped": asked(cropped, "plain", True), "cropped, frame on": asked(cropped, "frame", True)}, test, "label", "whole")
    two = {"cropped": asked(cropped, "plain", True), "cropped, frame on": asked(cropped, "frame", True)}
    show("drawn frame, against the crop without it", two, test, "label", "cropped")
    runs = {"whole": asked(whole, "plain"), "cropped": two["cropped"], "text filled, both": asked(filled, "text filled"), "text filled at test": asked(whole, "text filled")}
    texts = test["video"].map(lambda v: found.get(str(v)) is not None and found[str(v)].any()).to_numpy()
    share = np.mean([found[str(v)].mean() for v in test["video"][texts]]) if texts.any() else 0
    print(f"static overlay found for {texts.sum()} of {len(test)} test images, on average {share:.1%} of the image", flush=True)
    rov = test["label"].str.contains("rov").to_numpy()
    for title, keep in (("all test images", rov | True), ("with rov", rov), ("without rov", ~rov), ("with text found", texts)):
        part = test[keep].assign(label=test["label"].map(lambda cell: ";".join(c for c in cell.split(";") if c in ("plastic", "bio")) or "none")).reset_index(drop=True)
        part.attrs = test.attrs
        own = {k: p.drop(columns="p_rov").assign(label=p["label"].map(lambda cell: ";".join(c for c in cell.split(";") if c in ("plastic", "bio")) or "none")) for k, p in runs.items()}
        for p in own.values(): p.attrs = {"multilabel": ["label"]}
        show(f"plastic and bio, {title}", {k: p[p["path"].isin(part["path"].astype(str))].reset_index(drop=True) for k, p in own.items()}, part, "label", "whole")


if __name__ == "__main__": main()
