"""A detector on real debris of the deep sea, by video, against the boxes that `localize` makes of a classifier of the same images, and against torchvision's ssdlite.

Needs OCEAN_DATA (a folder with `debris/annotations.json`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`); splits as in `debris.py` (--seed 0, 1, 2).
Each has the same time, --minutes of two cores, and the same training images. The time is counted as CPU seconds of the process (twice 60 a minute), so that what else runs
on the machine makes no difference; the number of epochs is what fits, measured on the first steps. The detector (64 channels,
--size, early stages and batch-norm statistics frozen) learns from boxes and chooses its least scores on the validation videos; average precision asks for all boxes, so nothing is
chosen on the test videos. `localize` reads `--bundle`, what `ocean-fastai train` made of the image labels (`debris.py --out` leaves it in ours/bundle).
ssdlite is torchvision's `ssdlite320_mobilenet_v3_large`, from random weights (its own are not on a machine without network: that flatters ours), SGD with a one-cycle rate.
Average precision at 0.3 and 0.5 by class and their mean, as COCO counts it, with intervals over whole videos.

    python benchmarks/detector.py --out DIR --minutes 20 --bundle DEBRIS/ours/bundle      (a second call with the same DIR only judges again)
"""
import argparse
import os
import time
from pathlib import Path

import pandas as pd
import torch

from ocean_fastai.core import fast_cpu
from ocean_fastai.evaluate.detection import ap_scores
from ocean_fastai.explain.localize import localize
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.infer.detector import train_detector
from ocean_fastai.train.boxes import BoxImages, box_augs, box_loaders, boxes_to_learn, detector_learner

from debris import ARCH, CLASSES, split_data

NORM = ((.485, .456, .406), (.229, .224, .225))


def epochs_in(minutes, step, n_steps, tries=8):
    "How many epochs of so many steps fit into the minutes of two cores, after some steps were timed; 15 % are left for validation."
    step()
    start = time.process_time()
    for _ in range(tries - 1): step()
    return max(1, int(2*60*minutes/((time.process_time() - start)/(tries - 1)*n_steps*1.15)))


def ours(df, boxes, size, minutes, out):
    "The detector's bundle."
    if (out/"detector").exists(): return load_bundle(out/"detector")
    weights = Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors"
    images, own = boxes_to_learn(df, boxes, CLASSES, "elements", outside="clip")
    dls = box_loaders(images, own, size, norm=NORM, cache=out/"cache")
    learn = detector_learner(dls, ARCH, weights)
    batches = iter(dls.train)

    def step():
        x, y = next(batches)
        learn.loss_func(learn.model.train()(x.contiguous(memory_format=torch.channels_last)), y).backward()
    epochs = epochs_in(minutes, step, len(dls.train))
    print(f"detector: {epochs} epochs of {len(dls.train)} steps in {minutes} minutes", flush=True)
    bundle = train_detector(df, boxes, CLASSES, "elements", ARCH, weights, size=size, epochs=epochs, outside="clip", cache=out/"cache")
    save_bundle(bundle, out/"detector")
    return bundle


def stock(df, boxes, minutes, out, bs=8):
    "Boxes of torchvision's ssdlite on the test images."
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large
    file = out/"ssdlite.csv"
    if file.exists(): return pd.read_csv(file)
    from ocean_fastai.geometry import Geometry
    images, own = boxes_to_learn(df, boxes, CLASSES, "elements", outside="clip")
    torch.manual_seed(0)
    model, sets = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=len(CLASSES) + 1), {}
    for part in ("train", "test"):
        rows = images[images.split == part].reset_index(drop=True)
        rows.attrs = images.attrs
        sets[part] = BoxImages(rows, own, CLASSES, Geometry(size=(320, 320)), None, box_augs("light") if part == "train" else None)
        sets[part].paths, sets[part].sizes = rows["path"].tolist(), list(zip(rows["width"], rows["height"]))
    opt = torch.optim.SGD(model.parameters(), 1e-2, momentum=.9, weight_decay=4e-5)

    def step():
        some = [sets["train"][i] for i in torch.randint(len(sets["train"]), (bs,)).tolist()]
        losses = model.train()([x for x, _ in some], [{"boxes": b[:, :4], "labels": b[:, 4].long() + 1} for _, b in some])
        opt.zero_grad()
        sum(losses.values()).backward()
        opt.step()
    n = len(sets["train"])//bs
    epochs = epochs_in(minutes, step, n)
    print(f"ssdlite: {epochs} epochs of {n} steps in {minutes} minutes", flush=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-2, total_steps=epochs*n)
    for _ in range(epochs*n):
        step()
        rate.step()
    rows, model = [], model.eval()
    for k, (path, size) in enumerate(zip(sets["test"].paths, sets["test"].sizes)):
        with torch.no_grad(): found = model([sets["test"][k][0]])[0]
        xy = sets["test"].geometry.mapping(size).inverse().boxes(found["boxes"].numpy())
        rows += [(path, CLASSES[c - 1], *b, s) for b, c, s in zip(xy, found["labels"].tolist(), found["scores"].tolist())]
    out_table = pd.DataFrame(rows, columns=["path", "label", "x0", "y0", "x1", "y1", "score"])
    out_table.to_csv(file, index=False)
    return out_table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder: the trained detector, and the boxes of each")
    parser.add_argument("--minutes", type=float, default=20, help="time of each training, minutes of two cores")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--size", default="384x288", help="of the detector's input")
    parser.add_argument("--bundle", type=Path, help="a classifier of the same split; without one localize is left out")
    parser.add_argument("--stock", action="store_true", help="train ssdlite too")
    args = parser.parse_args()
    out = args.out
    out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    df, boxes, _ = split_data(out, args.seed)
    test = df[df.split == "test"].reset_index(drop=True)
    test.attrs = df.attrs
    true = boxes[boxes.path.isin(set(test.path))].reset_index(drop=True)
    candidates = {"detector": localize(ours(df, boxes, args.size, args.minutes, out), test, min_score=0)}
    if args.bundle: candidates["boxes of localize"] = localize(load_bundle(args.bundle), test, CLASSES, min_score=0)
    if args.stock: candidates["ssdlite, stock"] = stock(df, boxes, args.minutes, out)
    for name, found in candidates.items():
        found.to_csv(out/f"{name.replace(', ', '-').replace(' ', '_')}_boxes.csv", index=False)
        table = ap_scores(found, true, test, groups="video")
        print(f"{name}: {len(test)} test images of {test.video.nunique()} videos, split {args.seed}; {table.attrs['interval']}")
        print(table.round(3).to_string(), flush=True)


if __name__ == "__main__": main()
