"""Real debris of the deep sea, image labels only: boxes from `ocean-fastai train` and `localize` against stock fastai's Grad-CAM and a box in the middle.

Needs OCEAN_DATA (a folder with `debris/annotations.json`, COCO, whose images tell their `video`) and OCEAN_WEIGHTS (`mobilenetv2_100.imagenet.safetensors`).
The images are split by video into training, validation and test; the heat maps were designed on the first two parts and nothing was chosen on the third.
Both networks learn the same image labels (plastic, bio, rov) from the same training images. Ours chooses its epoch, thresholds and mixes on the validation
images, the boxes of which no training saw. Stock is `vision_learner(...).fine_tune(4)`, plain Grad-CAM of its body's last map (pytorch-grad-cam), a threshold
of half the maximum, and its components' boxes; it is also judged with a threshold fitted a class on the validation boxes, which is more than stock gives.
All are asked for the classes that an image truly has, as localization is usually judged, and give all their boxes. Intervals resample whole videos.
Then ours is asked for all classes in all images, as a user asks, and its boxes are judged, cut at one threshold a class and chosen among candidates, at the default operating point: precision, recall and F1 at an overlap of 0.3, average precision at 0.3 and 0.5, boxes an image.
--seed takes another split, --only-points leaves the comparison with stock out. The boxes of each way are left in DIR as points-*.csv, which `detector.py --pool DIR0 DIR1 DIR2 --files ...` compares over the splits.

    python benchmarks/debris.py --out DIR      (a second call with the same DIR only judges again)
"""
import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from ocean_fastai.data.boxes import boxes_to_labels, true_pairs
from ocean_fastai.formats.coco import read_coco, write_coco
from ocean_fastai.core import fast_cpu
from ocean_fastai.data.splits import split_frames
from ocean_fastai.explain import localize as explain
from ocean_fastai.evaluate.boxes import box_ap, boxes_report, wsol_scores
from ocean_fastai.explain.heatmaps import heat_boxes
from ocean_fastai.explain.localize import MIN_AREA, fit_threshold, localize
from ocean_fastai.evaluate.wsol import center_boxes
from ocean_fastai.infer.bundle import load_bundle

from judging import present, say

ARCH, SIZE, CLASSES = "mobilenetv2_100", (384, 288), ["plastic", "bio", "rov"]


def split_data(out, seed=0):
    "Manifest with `split` and `elements`, boxes, and the COCO file that `train` reads."
    df, boxes = read_coco(Path(os.environ["OCEAN_DATA"])/"debris/annotations.json", classes=CLASSES, outside="clip")
    df = boxes_to_labels(df, boxes, "elements", CLASSES)
    df = split_frames(df, .2, .3, groups="video", stratify="elements", seed=seed)
    df.attrs = boxes.attrs
    return df, boxes, write_coco(df.drop(columns="elements"), boxes, out/"debris.json", CLASSES)


def stock_learner(df, weights, seed=0):
    "What a fastai user writes."
    from fastai.vision.all import ColReader, ColSplitter, DataBlock, ImageBlock, MultiCategoryBlock, Resize, ResizeMethod, aug_transforms, set_seed, vision_learner
    set_seed(seed, reproducible=True)
    some = df[df.split != "test"].reset_index(drop=True)
    some = some.assign(is_valid=some.split == "valid", labels=some.elements.replace("none", ""))
    dls = DataBlock((ImageBlock, MultiCategoryBlock(vocab=CLASSES)), get_x=ColReader("path", pref=f"{df.attrs['folder']}/"), get_y=ColReader("labels", label_delim=";"), splitter=ColSplitter("is_valid"),
                    item_tfms=Resize((SIZE[1], SIZE[0]), ResizeMethod.Squish), batch_tfms=aug_transforms()).dataloaders(some, bs=32, seed=seed, num_workers=0)
    return vision_learner(dls, ARCH, pretrained_cfg_overlay=dict(file=str(weights)))


def stock_table(learn, test, folder, target):
    "A stock learner's predictions as this library writes them."
    with learn.no_bar(): p = learn.get_preds(dl=learn.dls.test_dl([f"{folder}/{path}" for path in test.path]))[0].numpy()
    label = [";".join(c for c, yes in zip(CLASSES, row > .5) if yes) or "none" for row in p]
    return pd.DataFrame({"path": test.path, "target": target, "label": label, "score": p.max(1), **{f"p_{c}": p[:, k] for k, c in enumerate(CLASSES)}, "error": None})


def stock_maps(df, boxes, out):
    "Grad-CAM of the stock learner for each image and class that it has: {(path, class): (map, probability, size)}."
    import torch
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    learn = stock_learner(df, Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors")
    if (out/"stock.pth").exists(): learn.model.load_state_dict(torch.load(out/"stock.pth", weights_only=True))
    else:
        with learn.no_bar(): learn.fine_tune(4)
        torch.save(learn.model.state_dict(), out/"stock.pth")
    model = learn.model.eval().requires_grad_(True)
    maps, some = {}, df[df.split != "train"].reset_index(drop=True)
    have = true_pairs(boxes)
    with GradCAM(model, [model[0]]) as cam:
        for row, (x,) in zip(some.itertuples(), learn.dls.test_dl([f"{df.attrs['folder']}/{p}" for p in some.path], bs=1)):
            x = torch.Tensor(x.as_subclass(torch.Tensor))
            for c in (c for c in CLASSES if (row.path, c) in have):
                with torch.no_grad(): p = model(x).sigmoid()[0, CLASSES.index(c)].item()
                maps[row.path, c] = cam(x, [ClassifierOutputTarget(CLASSES.index(c))])[0], p, (row.width, row.height)
    return maps


def cut(maps, paths, thresholds):
    "Boxes of stock maps, in the library's table, without the smallest specks."
    rows = [(p, c, *b[:4], prob*b[4]/max(m.max(), 1e-9), *b[5:7]) for (p, c), (m, prob, size) in maps.items() if p in paths for b in heat_boxes(m, thresholds[c], size, MIN_AREA)]
    return pd.DataFrame(rows, columns=["path", "label", "x0", "y0", "x1", "y1", "score", "peak_x", "peak_y"])


def best_thresholds(maps, paths, boxes):
    "For each class the threshold that `fit_threshold` would choose on these images."
    from ocean_fastai.explain.localize import _best_threshold, _threshold_scores
    true = true_pairs(boxes)
    return {c: _best_threshold(np.array([[_threshold_scores(m, true[p, c], size)] for (p, k), (m, _, size) in maps.items() if k == c and p in paths]), (1.,))["threshold"] for c in CLASSES}


def say_points(bundle, valid, test, boxes, true):
    "Boxes of all classes in all test images: cut at one fitted threshold a class and chosen among candidates, all of them and those above the least scores."
    looked = partial(explain.seen_images, bundle, classes=CLASSES)  # The heat maps are the same for all, so they are made once
    of_test, of_valid = ({row["path"]: (row, *more) for row, *more in looked(part)} for part in (test, valid))
    kept = of_test | of_valid
    with patch.object(explain, "seen_images", lambda net, df, *args: (kept[row["path"]] for _, row in df.iterrows())):
        fit = explain.fit_threshold(bundle, valid, boxes[boxes.path.isin(set(valid.path))], held_out=test)
        one = {k: v for k, v in fit.items() if k != "candidates"}
        points = {"one threshold a class, all boxes": dict(fit=one, min_score=0, nms=False), "one threshold, nested ones left out": dict(fit=one, min_score=0), "one threshold, least score 0.5": dict(fit=one, min_score=.5),
                  "one threshold, fitted least scores": dict(fit=one), "candidates, all boxes": dict(fit=fit, min_score=0), "candidates, fitted least scores (the default)": dict(fit=fit)}
        found = {name: localize(bundle, test, CLASSES, **kw) for name, kw in points.items()}
    print(f"candidates: {'chosen' if 'candidates' in fit else 'not better on validation videos'}")
    for name, own in found.items():
        print(f"{name}: {len(own)/len(test):.2f} boxes an image; left out {own.attrs['left_out']}; least scores {own.attrs['min_scores']}")
        print(box_ap(own, true, test).round(3).to_string())
        say(name, wsol_scores(own, true, test))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="work folder: the trained networks, and a page for each candidate")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--only-points", action="store_true", help="judge the operating points alone")
    args = parser.parse_args()
    out = args.out
    out.mkdir(parents=True, exist_ok=True)
    fast_cpu()
    df, boxes, coco = split_data(out, args.seed)
    if not (out/"ours/metrics.json").exists():
        subprocess.run([Path(sys.executable).parent/"ocean-fastai", "train", coco, "--target", "elements", "--by", "split", "--classes", ",".join(CLASSES), "--arch", ARCH,
                        "--weights", Path(os.environ["OCEAN_WEIGHTS"])/f"{ARCH}.imagenet.safetensors", "--size", f"{SIZE[0]}x{SIZE[1]}", "--out", out/"ours", *(["--resume"] if (out/"ours").exists() else [])],
                       check=True, stdout=sys.stderr)
    valid, test = (df[df.split == part].reset_index(drop=True) for part in ("valid", "test"))
    true = boxes[boxes.path.isin(set(test.path))].reset_index(drop=True)
    bundle = load_bundle(out/"ours/bundle")
    print(f"{len(test)} test images of {test.video.nunique()} videos; thresholds: {bundle.config['localization']['elements']['classes']}")
    for name, found in say_points(bundle, valid, test, boxes, true).items(): found.to_csv(out/f"points-{name.split(' (')[0].replace(', ', '-').replace(' ', '_')}.csv", index=False)
    if args.only_points: return
    plain = fit_threshold(bundle, valid, boxes[boxes.path.isin(set(valid.path))], mix=1., scales=1)
    maps = stock_maps(df, boxes, out)
    fitted = best_thresholds(maps, set(valid.path), boxes)
    print(f"stock's fitted thresholds: {fitted}; those of our plain map: {[(c, f['threshold']) for c, f in plain['classes'].items()]}")
    candidates = {"ours, fitted": present(localize(bundle, test, CLASSES, min_score=0, nms=False), true),
                   "ours, class map alone, fitted": present(localize(bundle, test, CLASSES, fit=plain, min_score=0, nms=False), true),
                   "ours, Otsu": present(localize(bundle, test, CLASSES, threshold="otsu", min_score=0, nms=False), true),
                   "ours, 0.5": present(localize(bundle, test, CLASSES, threshold=.5, min_score=0, nms=False), true),
                   "stock Grad-CAM, 0.5": cut(maps, set(test.path), dict.fromkeys(CLASSES, .5)),
                   "stock Grad-CAM, fitted": cut(maps, set(test.path), fitted),
                   "centre box": center_boxes(test, true)}
    for name, found in candidates.items():
        scores = wsol_scores(found, true, test)
        page = out/f"{name.replace(', ', '-').replace(' ', '_')}.html"
        boxes_report(found, true, test, page, f"Debris: {name}", "Boxes of the classes that each image has.", scores=scores)
        say(name, scores)


if __name__ == "__main__": main()
