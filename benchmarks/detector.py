"""A detector on real debris of the deep sea, by video, against the boxes that `localize` makes of a classifier of the same images, and against torchvision's Faster R-CNN.

Needs OCEAN_DATA (a folder with `debris/annotations.json`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`); splits as in `debris.py` (--seed 0, 1, 2).
Each has the same time, --minutes of two cores, and the same training images. The time is counted as CPU seconds of the process (twice 60 a minute), so that what else runs
on the machine makes no difference; the number of epochs is what fits, measured on the first steps. The detector (channels and cells as it chooses them,
--size, early stages and batch-norm statistics frozen) learns from boxes and chooses its least scores on the validation videos; average precision asks for all boxes, so nothing is
chosen on the test videos. `localize` reads `--bundle`, what `ocean-fastai train` made of the image labels (`debris.py --out` leaves it in ours/bundle).
Stock is torchvision's own recipe for mobiles (`fasterrcnn_mobilenet_v3_large_320_fpn`: Faster R-CNN, 256 channels, 320 pixels), its body `mobilenet_v2` because that has the
same ImageNet weights as ours (weights of v3 are not on a machine without network); SGD with a one-cycle rate, batches of 8 and our light augmentation; it learns
from 64 regions an image, not 512, with which a single epoch takes the whole time; its last epoch is judged. Its first steps are slower than the rest (by a third here), so --stock-epochs gives it
the epochs that an earlier run has shown to fill the time.
Average precision at 0.3 and 0.5 by class and their mean, as COCO counts it, with intervals over whole videos.

    python benchmarks/detector.py --out DIR --minutes 20 --stock --bundle DEBRIS/ours/bundle      (a second call with the same DIR only judges again)
    python benchmarks/detector.py --pool DIR0 DIR1 DIR2      (the means over the splits, and paired differences)
"""
import argparse
import os
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import timm
import torch

from ocean_fastai.core import fast_cpu
from ocean_fastai.data.manifest import image_paths
from ocean_fastai.data.splits import group_numbers
from ocean_fastai.evaluate import detection
from ocean_fastai.evaluate.bootstrap import bootstrap
from ocean_fastai.explain.localize import localize
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.images import open_image
from ocean_fastai.infer.detector import train_detector
from ocean_fastai.train.boxes import box_loaders, boxes_to_learn, detector_learner

from debris import ARCH, CLASSES, split_data

FILES = {"detector": "detector_boxes.csv", "boxes of localize": "boxes_of_localize_boxes.csv", "Faster R-CNN, stock": "stock.csv"}
NORM = ((.485, .456, .406), (.229, .224, .225))


def epochs_in(minutes, step, n_steps, tries=8, rest=1.15):
    "How many epochs of so many steps fit into the minutes of two cores, after some steps were timed; 15 % are left for validation."
    for _ in range(3): step()  # The first ones are slower
    start = time.process_time()
    for _ in range(tries - 1): step()
    return max(1, int(2*60*minutes/((time.process_time() - start)/(tries - 1)*n_steps*rest)))


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


def stock_model(weights):
    "torchvision's Faster R-CNN for mobiles (its 320-pixel recipe) on its mobilenet_v2 with a feature pyramid, from the ImageNet weights that ours starts from."
    from safetensors.torch import load_file
    from torchvision.models import mobilenet_v2
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import _mobilenet_extractor
    from torchvision.ops.misc import FrozenBatchNorm2d
    body = mobilenet_v2(norm_layer=FrozenBatchNorm2d)
    own = body.state_dict()
    tensors = load_file(weights)
    theirs = {k: tensors[k] for k in timm.create_model(ARCH).state_dict() if not k.endswith("num_batches_tracked")}  # In the order of the layers
    if [v.shape for v in own.values()] != [v.shape for v in theirs.values()]: raise SystemExit(f"{weights} are not the weights of mobilenet_v2")
    body.load_state_dict(dict(zip(own, theirs.values())))
    backbone = _mobilenet_extractor(body, fpn=True, trainable_layers=3)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),)*3, ((.5, 1., 2.),)*3)
    return FasterRCNN(backbone, len(CLASSES) + 1, rpn_anchor_generator=anchors, min_size=320, max_size=640, box_batch_size_per_image=64,
                      rpn_pre_nms_top_n_test=150, rpn_post_nms_top_n_test=150, rpn_score_thresh=.05)


def stock(df, boxes, size, minutes, out, epochs=None, bs=8):
    "Boxes of torchvision's Faster R-CNN on the test images, after as many epochs as are given or fit into the minutes."
    file = out/"stock.csv"
    if file.exists(): return pd.read_csv(file)
    images, own = boxes_to_learn(df, boxes, CLASSES, "elements", outside="clip")
    torch.manual_seed(0)
    model = stock_model(Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors")
    dls = box_loaders(images, own, size, bs=bs, cache=out/"cache")
    opt = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-2, momentum=.9, weight_decay=1e-4)

    def learn(x, rows):
        targets = [{"boxes": r[r[:, 4] >= 0, :4], "labels": r[r[:, 4] >= 0, 4].long() + 1} for r in rows]
        losses = model.train()(list(x), targets)
        opt.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        opt.step()
    batches, n = iter(dls.train), len(dls.train)
    epochs = epochs or epochs_in(minutes, lambda: learn(*next(batches)), n, rest=1.)
    print(f"stock: {epochs} epochs of {n} steps, meant for {minutes} minutes", flush=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-2, total_steps=epochs*n)
    start = time.process_time()
    for epoch in range(epochs):
        for batch in dls.train:
            learn(*batch)
            rate.step()
        print(f"stock: epoch {epoch + 1}, {time.process_time() - start:.0f} s CPU", flush=True)
    rows, model = [], model.eval()
    test = df[df.split == "test"]
    for path, image, w, h in zip(test["path"], image_paths(test), test["width"], test["height"]):
        x = torch.from_numpy(np.float32(open_image(image, dls.geometry))/255).permute(2, 0, 1)
        with torch.no_grad(): found = model([x])[0]
        xy = dls.geometry.mapping((w, h)).inverse().boxes(found["boxes"].numpy())
        rows += [(path, CLASSES[c - 1], *b, s) for b, c, s in zip(xy, found["labels"].tolist(), found["scores"].tolist())]
    out_table = pd.DataFrame(rows, columns=["path", "label", "x0", "y0", "x1", "y1", "score"])
    out_table.to_csv(file, index=False)
    return out_table


def resampled(found, true, test):
    "The function of `ap_scores` that gives its values for resampled videos: how often each was drawn (resamples x videos) -> resamples x classes and mean x overlaps."
    kept = []
    with patch.object(detection, "bootstrap", lambda *args: kept.append(args[0]) or bootstrap(*args)):
        detection.ap_scores(found, true, test, groups="video", n_boot=0)
    return kept[0]


def parts(out, seed):
    "Manifest of the test images and true boxes of a split."
    df, boxes, _ = split_data(out, seed)
    test = df[df.split == "test"].reset_index(drop=True)
    test.attrs = df.attrs
    return df, boxes, test, boxes[boxes.path.isin(set(test.path))].reset_index(drop=True)


def pool(folders, names, n=1000):
    "Print the mean AP of the named candidates over splits ({seed: work folder}), and what the first has more. Videos are resampled: one is drawn as often in each split that has it."
    where = {seed: parts(out, seed)[2:] for seed, out in folders.items()}
    videos = sorted({v for test, _ in where.values() for v in test.video})
    rng = np.random.default_rng(0)
    drawn = np.vstack([np.ones((1, len(videos)), int), [np.bincount(rng.integers(len(videos), size=len(videos)), minlength=len(videos)) for _ in range(n)]])
    values = {}
    for name in names:
        of = []
        for seed, (test, true) in where.items():
            number = pd.Series(group_numbers(test, "video"), test.video.to_numpy()).groupby(level=0).first().sort_values()
            score = resampled(pd.read_csv(folders[seed]/FILES.get(name, name)), true, test)
            times = drawn[:, [videos.index(v) for v in number.index]]
            of.append(np.concatenate([score(times[at:at + 100]) for at in range(0, len(times), 100)])[:, -1])
        values[name] = np.mean(of, 0)
    first = next(iter(values))
    print(f"mean over splits {', '.join(map(str, folders))}; {len(videos)} videos")
    for name, of in values.items():
        for said, v in [(name, of)] + ([(f"{first} less {name}", values[first] - of)] if name != first else []):
            low, high = np.nanpercentile(v[1:], (2.5, 97.5), axis=0)
            print(f"{said}: " + ", ".join(f"{v[0, k]:.3f} [{low[k]:.3f}, {high[k]:.3f}] at {iou}" for k, iou in enumerate((.3, .5))), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="work folder: the trained detector, and the boxes of each")
    parser.add_argument("--minutes", type=float, default=20, help="time of each training, minutes of two cores")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--size", default="384x288", help="of the detector's input")
    parser.add_argument("--bundle", type=Path, help="a classifier of the same split; without one localize is left out")
    parser.add_argument("--stock", action="store_true", help="train torchvision's too")
    parser.add_argument("--stock-epochs", type=int, help="epochs of torchvision's, where it is known how many take its time; otherwise estimated from its first steps, which are slower")
    parser.add_argument("--without-ours", action="store_true", help="leave the detector out")
    parser.add_argument("--pool", type=Path, nargs="+", help="work folders of the splits 0, 1, ... in this order: their means, and nothing else")
    parser.add_argument("--files", nargs="+", default=list(FILES), help="with --pool: tables of boxes in these folders, in place of the usual ones; the first is compared with each other")
    args = parser.parse_args()
    if args.pool: return pool(dict(enumerate(args.pool)), args.files)
    out = args.out
    out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    df, boxes, test, true = parts(out, args.seed)
    candidates = {} if args.without_ours else {"detector": localize(ours(df, boxes, args.size, args.minutes, out), test, min_score=0)}
    if args.bundle: candidates["boxes of localize"] = localize(load_bundle(args.bundle), test, CLASSES, min_score=0)
    if args.stock: candidates["Faster R-CNN, stock"] = stock(df, boxes, args.size, args.minutes, out, args.stock_epochs)
    for name, found in candidates.items():
        found.to_csv(out/FILES[name], index=False)
        table = detection.ap_scores(found, true, test, groups="video")
        print(f"{name}: {len(test)} test images of {test.video.nunique()} videos, split {args.seed}; {table.attrs['interval']}")
        print(table.round(3).to_string(), flush=True)
    if len(candidates) > 1: pool({args.seed: out}, list(candidates))


if __name__ == "__main__": main()
