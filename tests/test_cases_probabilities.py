"Probabilities that mean what they say: class weights undone everywhere, losses independent of the batch size, figures with their weights."
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

@pytest.fixture(scope="module")
def images(tmp_path_factory):
    "Gray noise of two classes that can't be told apart, one in eight of class `reef`; a manifest with a split."
    folder,rng,rows = tmp_path_factory.mktemp("images"),np.random.default_rng(0),[]
    for i in range(64):
        Image.fromarray(rng.integers(90, 160, (32, 32, 3), dtype=np.uint8)).save(folder/f"{i}.png")
        part = "train" if i < 40 else "valid"
        rows.append((f"{i}.png", "reef" if i % 8 == 0 else "mud", ["none", "algae", "algae;rocks"][i % 3], part))
    df = pd.DataFrame(rows, columns=["path", "floor", "elements", "split"])
    df.attrs["folder"] = str(folder)
    return df

def learner(df, target="floor", **kwargs):
    import torch
    from ocean_fastai.all import OceanDataLoaders, ocean_learner
    torch.set_num_threads(1)
    dls = OceanDataLoaders.from_manifest(df, target, size=32, augs=None, bs=8, device="cpu", num_workers=0, progress=False)
    return ocean_learner(dls, "test_efficientnet", weights=None, **kwargs)

@pytest.fixture(scope="module")
def weighted(images):
    "A learner whose head has learnt with class weights until nothing is left to learn: it knows the shares, and no more."
    import torch
    from ocean_fastai.train.models import classifier_of
    learn = learner(images)
    head = classifier_of(learn.model)
    w = learn.loss_func.func.weight
    share = torch.tensor([.875, .125])
    with torch.no_grad(): head.weight.zero_(), head.bias.copy_((share*w).log())
    learn.model.eval()
    return learn

def reef(preds): return preds["p_reef"].to_numpy(float)

def test_class_weights_are_undone_before_anyone_reads_a_probability(weighted, images, tmp_path):
    import timm
    import torch
    from ocean_fastai.all import calibrate, cam_maps, load_bundle, predict_table, save_bundle
    valid = images[images.split == "valid"].reset_index(drop=True)
    valid.attrs = images.attrs
    before = {k: v.clone() for k,v in weighted.model.state_dict().items()}
    preds = predict_table(weighted, valid, progress=False)
    np.testing.assert_allclose(reef(preds), .125, atol=1e-4)                      # as trained it says .5
    bundle = load_bundle(save_bundle(weighted, tmp_path/"bundle"), "cpu")
    np.testing.assert_allclose(reef(bundle.predict(valid, progress=False)), .125, atol=1e-4)
    plain = timm.create_model(f"local-dir:{tmp_path/'bundle'}", pretrained=True).eval()
    with torch.no_grad(): p = plain(torch.zeros(1, 3, 32, 32)).softmax(1)
    np.testing.assert_allclose(p[0], [.875, .125], atol=1e-4)
    maps = cam_maps(weighted, valid[:2], classes="reef", num_workers=0)
    np.testing.assert_allclose(maps["score"], .125, atol=1e-4)
    assert calibrate(weighted, preds=preds)["floor"]["classwise_ece_before"] < .01
    assert all((v == before[k]).all() for k,v in weighted.model.state_dict().items()), "the learner stays as it is"
    assert "taken off the bias" in (tmp_path/"bundle"/"README.md").read_text()

def test_labels_are_chosen_by_the_rule_that_the_bundle_keeps(weighted, images, tmp_path):
    from ocean_fastai.all import BundleError, load_bundle, predict_table, save_bundle
    bundle = load_bundle(save_bundle(weighted, tmp_path/"bundle"), "cpu")
    assert bundle.config["decide"] == {"floor": "balanced"} and bundle.config["format_version"] == 2
    assert bundle.config["prior"]["floor"] == pytest.approx({"mud": .875, "reef": .125})
    import torch
    bundle.model.classifier.bias.data += torch.tensor([-.1, .1])                  # a little evidence of reef
    say = bundle.predict(images[:4], progress=False)
    assert (say["label"] == "reef").all() and np.allclose(say["score"], say["p_reef"]) and (say["score"] < .5).all()
    likely = bundle.predict(images[:4], decide="likely", progress=False)
    assert (likely["label"] == "mud").all() and np.allclose(likely["p_reef"], say["p_reef"])
    assert (predict_table(bundle, images[:4], decide="likely", progress=False)["label"] == "mud").all()
    kept = load_bundle(save_bundle(bundle, tmp_path/"likely", decide="likely"), "cpu")
    assert (kept.predict(images[:4], progress=False)["label"] == "mud").all() and kept.identity != bundle.identity
    with pytest.raises(BundleError, match="choose balanced or likely"): bundle.predict(images[:4], decide="rare")
    assert "highest over its share" in (tmp_path/"bundle"/"README.md").read_text()

def test_without_class_weights_the_likeliest_is_named(images):
    from ocean_fastai.infer.bundle import learner_config
    assert learner_config(learner(images, weighted=False))["decide"] == {"floor": "likely"}
    config = learner_config(learner(images, ["floor", "elements"], weighted="pos"))
    shift = np.array(config["logit_shift"])
    assert config["decide"] == {"floor": "balanced"} and config["prior"].keys() == {"floor"}
    assert (shift[2:] != 0).all()                                                 # presences were weighted
    assert (np.array(learner_config(learner(images, ["floor", "elements"]))["logit_shift"])[2:] == 0).all()

def test_temperatures_keep_the_rule_and_refuse_a_table_that_lost_it(weighted, images):
    from ocean_fastai.all import OceanError, apply_temperature, predict_table
    preds = predict_table(weighted, images[:4], progress=False)
    preds["p_reef"],preds["p_mud"],preds["label"],preds["score"] = .3,.7,"reef",.3
    warm = apply_temperature(preds, {"floor": 2.})
    assert (warm["label"] == "reef").all() and np.allclose(warm["score"], warm["p_reef"])
    prior,preds.attrs = preds.attrs["prior"],{}
    with pytest.raises(OceanError, match="has lost; give prior="): apply_temperature(preds, {"floor": 2.})
    assert (apply_temperature(preds, {"floor": 2.}, prior=prior)["label"] == "reef").all()

@pytest.mark.parametrize("target", ["floor", "elements", ["floor", "elements"]])
def test_valid_loss_does_not_depend_on_the_batch_size(images, target):
    df = images.assign(elements=images["elements"].where(images.index % 5 > 1, "?algae;rocks"))
    df.attrs = images.attrs
    learn,found = learner(df, target),[]
    for bs in (1, 3, 8, 24):
        with learn.no_bar(), learn.no_logging(): found.append(learn.validate(dl=learn.dls.valid.new(bs=bs))[0])
    assert found == pytest.approx([found[-1]]*4, rel=1e-4)

def test_mixup_mixes_the_losses_of_several_targets(images):
    import torch
    from fastai.callback.core import Callback
    from fastai.callback.mixup import MixUp
    found = []
    class Watch(Callback):
        def after_loss(self):
            if not self.training: return
            y,z = (o.as_subclass(torch.Tensor).detach() for o in (self.yb[0], self.pred))
            ce = -(y[:, :2]*z[:, :2].log_softmax(1)).sum(1).mean()
            bce = torch.nn.functional.binary_cross_entropy_with_logits(z[:, 2:], y[:, 2:])
            found.append((float(self.loss_grad), float(ce + bce), bool(((y[:, :2] > .01) & (y[:, :2] < .99)).any())))
    learn = learner(images, ["floor", "elements"], weighted=False, cbs=[MixUp(1.), Watch()])
    with learn.no_bar(), learn.no_logging(): learn.fit(1)
    assert any(mixed for _,_,mixed in found)
    for ours,by_hand,_ in found: assert ours == pytest.approx(by_hand, rel=1e-4)

def test_figures_belong_to_their_weights(images, tmp_path):
    from ocean_fastai.all import save_bundle
    learn = learner(images)
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(1, 0)
    card = (save_bundle(learn, tmp_path/"good")/"README.md").read_text()
    assert "validation: valid_loss" in card and "Weights of epoch 1" in card
    learn.model.classifier.bias.data += 1                                         # whatever changed it since
    card = (save_bundle(learn, tmp_path/"spoilt")/"README.md").read_text()
    assert "None were recorded." in card and "Weights of epoch" not in card

def test_a_validation_transform_that_a_bundle_would_lose_is_refused_by_name(images, tmp_path):
    from fasttransform import Transform
    from fastai.vision.core import PILImage
    from ocean_fastai.all import BundleError, predict_table, save_bundle
    class Darken(Transform):
        def encodes(self, o:PILImage): return PILImage(o.point(lambda v: v//3))
    learn = learner(images)
    learn.dls.valid.after_item.add(Darken())
    with pytest.raises(BundleError, match="through Darken"): save_bundle(learn, tmp_path/"bundle")
    assert not (tmp_path/"bundle").exists()
    with pytest.raises(BundleError, match="through Darken"): predict_table(learn, images[:2], progress=False)

def test_stock_fastai_learners_predict_and_calibrate(images, tmp_path):
    "Through their own loaders, so that the answers are those of `get_preds`; a bundle of fastai's own head is refused."
    from pathlib import Path
    from fastai.vision.all import CategoryBlock, ColReader, ColSplitter, DataBlock, ImageBlock, Resize, vision_learner
    from ocean_fastai.all import BundleError, OceanDataLoaders, OceanError, calibrate, predict_table, save_bundle
    table = images.assign(file=[str(Path(images.attrs["folder"])/p) for p in images["path"]], is_valid=images.split == "valid")
    dls = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader("file"), get_y=ColReader("floor"), splitter=ColSplitter("is_valid"),
                    item_tfms=Resize(32)).dataloaders(table, bs=8, num_workers=0, device="cpu")
    valid = images[images.split == "valid"].reset_index(drop=True)
    valid.attrs = images.attrs
    own = OceanDataLoaders.from_manifest(images, "floor", size=32, augs=None, bs=8, device="cpu", num_workers=0, progress=False)
    for loaders,target in ((dls, "label"), (own, "floor")):
        learn = vision_learner(loaders, "test_efficientnet", pretrained=False)
        with learn.no_bar(), learn.no_logging(): theirs = learn.get_preds()[0].numpy()
        ours = predict_table(learn, valid, progress=False)[["p_mud", "p_reef"]].to_numpy()
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
        fit = calibrate(learn, valid.drop(columns="split").rename(columns={"floor": target}))
        assert fit[target]["images"] == len(valid)
        with pytest.raises(BundleError, match="made by ocean_learner|make it with ocean_learner|train with ocean_learner"): save_bundle(learn, tmp_path/"no")
    with pytest.raises(OceanError, match="not by a dict"): predict_table({}, valid)

def test_one_target_that_misses_the_precision_leaves_the_others():
    from ocean_fastai.evaluate.calibration import _target_fit
    rng = np.random.default_rng(0)
    p = rng.uniform(.5, 1, 200)
    preds = pd.DataFrame({"path": [f"{i}" for i in range(200)], "target": "t", "label": "a", "score": p, "p_a": p, "p_b": 1 - p, "error": None})
    df = pd.DataFrame({"path": preds["path"], "t": np.where(rng.random(200) < .5, "a", "b")})
    with pytest.warns(UserWarning, match="never abstain from t"): fit = _target_fit(preds, df, "t", .99)
    assert fit["abstain"] is None and fit["temperature"] > 0

def test_curves_end_at_the_share_that_is_answered():
    from ocean_fastai.all import calibration_table, ece_interval, plot_reliability, risk_coverage
    preds = pd.DataFrame({"path": list("abcdefghij"), "target": "t", "label": ["x"]*6 + [None]*4, "score": [.9, .85, .8, .8, .75, .7, .6, .6, .55, .51]})
    preds = preds.assign(p_x=preds["score"], p_y=1 - preds["score"], error=None)
    df = pd.DataFrame({"path": list("abcdefghij"), "t": ["x", "x", "y", "x", "x", "x", "y", "y", "x", "x"], "video": "one"})
    curve = risk_coverage(preds, df)
    assert curve["coverage"].iloc[-1] == pytest.approx(.6) and curve.attrs["coverage"] == pytest.approx(.6)
    assert (curve.attrs["n"], curve.attrs["of"]) == (6, 10)
    table = calibration_table(preds, df)
    assert (table.attrs["n"], table.attrs["of"], table["n"].sum()) == (6, 10, 6)
    assert "on 6 of 10" in plot_reliability(preds, df).axes[0].get_legend().get_texts()[1].get_text()
    _,low,high = ece_interval(preds, df, n_boot=20)
    assert np.isnan(low) and np.isnan(high), "one video can't say how much another would differ"

def test_infer_gives_a_whole_bundle_and_loads_no_fastai():
    code = "import sys; from ocean_fastai.infer import load_bundle, Bundle; print(hasattr(Bundle, 'predict'), 'fastai' in sys.modules)"
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", "False"]
