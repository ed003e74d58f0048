"Several targets in one model: all of fastai's tools and the command line work with it, each target keeps to its own part, and what can't be is said in one clear line."
import json
import re
import shlex
import shutil
from types import SimpleNamespace

import fastai.vision.learner # how results are drawn; `ocean_fastai.all` brings it too
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from fastai.interpret import ClassificationInterpretation, Interpretation
from jobs import TINY, draw, here, ok, refused

import ocean_fastai.jobs.training as training
from ocean_fastai import jobs as jobs_of
from ocean_fastai.annotate.pseudo import pseudo_label
from ocean_fastai.jobs.commands import parser
from ocean_fastai.core import OceanError
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.sources import manifest_from_csv
from ocean_fastai.evaluate.calibration import apply_temperature, calibrate
from ocean_fastai.evaluate.report import scores_report
from ocean_fastai.evaluate.scores import classification_scores, confusion
from ocean_fastai.explain.cam import cam_maps, show_cams
from ocean_fastai.explain.localize import localize
from ocean_fastai.infer.bundle import load_bundle, save_bundle
from ocean_fastai.infer.predict import predict_table
from ocean_fastai.train.learner import ocean_learner
from ocean_fastai.train.losses import ocean_loss
from ocean_fastai.train.models import classifier_of

BOTH = ["floor", "elements"]
FLOORS,ELEMENTS = ["muddy", "muddy-sand", "reef", "sandy"],["algae", "fauna", "ripples", "rocks", "waste"]
PARTS = {"floor": slice(0, 4), "elements": slice(4, 9)}

@pytest.fixture(scope="module")
def home(tmp_path_factory):
    was = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path_factory.mktemp("several targets")
    torch.set_num_threads(was)

@pytest.fixture(scope="module")
def drawn(home): return draw(home/"drawn", 48, 16, (96, 64))

@pytest.fixture
def df(drawn): return manifest_from_csv(drawn, target=BOTH)

@pytest.fixture
def halves(df):
    "The manifest with a split: the first four videos, of all floors, are for validation."
    return df.assign(split=np.where(df.video < "v004", "valid", "train"))

@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")

def loaders(df, target=BOTH, **kw): return OceanDataLoaders.from_manifest(df, target, **{"size": 32, "augs": None, "progress": False, "valid": .25, **kw})
def learner(dls, **kw): return ocean_learner(dls, "mobilenetv2_035", **{"weights": None, **kw})
def quiet(learn, **kw):
    with learn.no_bar(),learn.no_logging(): learn.fit_transfer(**{"head_epochs": 0, "body_epochs": 1, "lr": 3e-3, "div": 1, "train_bn": True, **kw})
    return learn

@pytest.fixture(scope="module")
def learn(drawn): return quiet(learner(loaders(manifest_from_csv(drawn, target=BOTH))), head_epochs=1)

@pytest.fixture(scope="module")
def bundle(home, learn): return load_bundle(save_bundle(learn, home/"bundle", calibration=calibrate(learn)))

def titles(): return [text for ax in plt.gcf().axes if (text := ax.get_title() or ax.get_title(loc="left"))]

# An ordinary Learner

def test_the_classifier_is_cut_into_the_targets(learn):
    assert learn.dls.targets == {"floor": FLOORS, "elements": ELEMENTS} and learn.dls.multilabel == ["elements"]
    assert classifier_of(learn.model).out_features == 9
    assert {"floor_balanced_accuracy", "floor_macro_f1", "elements_average_precision", "elements_macro_f1"} < set(learn.history)
    assert np.isfinite(learn.history[["train_loss", "valid_loss"]].to_numpy(float)).all() and learn.fit_summary["n_train"] == 36

def test_pictures_say_both_targets(learn):
    learn.dls.show_batch(max_n=4)
    assert len(titles()) == 4 and all(re.fullmatch(r"floor: [a-z-]+\nelements: [a-z;]+", t) for t in titles())
    plt.close("all")
    with learn.no_bar(): learn.show_results(max_n=3)
    assert len(titles()) == 3 and all(t.count("floor: ") == t.count("elements: ") == 1 for t in titles())

def test_get_preds(learn, df):
    with learn.no_bar(): p,y = learn.get_preds()
    assert p.shape == y.shape == (12, 9)
    assert torch.allclose(p[:, :4].sum(1), torch.ones(12), atol=1e-5)
    assert not torch.allclose(p[:, 4:].sum(1), torch.ones(12), atol=.1) and ((p >= 0) & (p <= 1)).all()
    valid = learn.dls.manifest.query("split == 'valid'")
    with torch.no_grad(): logits = torch.cat([learn.model.eval()(x) for x,_ in learn.dls.valid])
    assert torch.allclose(p, torch.cat([logits[:, :4].softmax(1), logits[:, 4:].sigmoid()], 1), atol=1e-5)
    assert [FLOORS[k] for k in y[:, :4].argmax(1)] == valid.floor.tolist()
    assert [{ELEMENTS[k] for k in row.nonzero()[:, 0].tolist()} for row in y[:, 4:]] == [set(c.split(";")) for c in valid.elements]

def test_predict_can_be_read(learn, drawn, df):
    with learn.no_bar(): said,named,p = learn.predict(drawn.parent/df.path[0])
    assert re.fullmatch(r"floor: [a-z-]+\nelements: ([a-z;]+)", said) and p.shape == named.shape == (9,)
    floor,elements = (line.split(": ")[1] for line in said.split("\n"))
    assert floor == FLOORS[p[:4].argmax()] and named[:4].tolist() == [float(c == floor) for c in FLOORS]
    assert elements == (";".join(c for c,x in zip(ELEMENTS, p[4:]) if x > .5) or "none")

def test_predict_table_is_get_preds(learn):
    rows = learn.dls.manifest.query("split == 'valid'").reset_index(drop=True)
    table = predict_table(learn, rows, progress=False)
    assert table.target.tolist() == BOTH*12 and table.path.tolist() == np.repeat(rows.path, 2).tolist()
    with learn.no_bar(): p,_ = learn.get_preds()
    for t,classes in (("floor", FLOORS), ("elements", ELEMENTS)):
        mine = table[table.target == t]
        np.testing.assert_allclose(mine[[f"p_{c}" for c in classes]], p[:, PARTS[t]], atol=1e-3)
        assert mine[[f"p_{c}" for c in FLOORS + ELEMENTS if c not in classes]].isna().all(axis=None)

def test_interpretation(learn):
    with learn.no_bar():
        about = Interpretation.from_learner(learn)
        *_,losses = learn.get_preds(with_loss=True)
    top,which = about.top_losses(3)
    assert torch.allclose(top, losses.sort(descending=True).values[:3]) and torch.allclose(top, losses[which])
    with learn.no_bar(): about.plot_top_losses(3)
    assert len(titles()) == 3 and all("floor: " in t and "elements: " in t and "loss " in t for t in titles())
    with learn.no_bar(): about.show_results([0, 1])
    assert learn.loss_func.reduction == "mean"

def test_classification_interpretation_is_refused(learn):
    "It asks a single loader for one vocabulary, where fastai lets nobody say more than that there is none; the loaders say what to use instead."
    with learn.no_bar(),pytest.raises(AttributeError, match="vocab"): ClassificationInterpretation.from_learner(learn)
    with pytest.raises(AttributeError, match="use confusion"): learn.dls.vocab

def test_export(learn, home):
    learn.export(home/"learn.pkl")
    assert (home/"learn.pkl").stat().st_size > 1e6 and len(learn.dls.valid_ds) == 12

def test_a_loader_of_other_images(learn, df):
    with learn.no_bar():
        bare,y = learn.get_preds(dl=learn.dls.test_dl(df.drop(columns=BOTH)))
        labelled,true = learn.get_preds(dl=learn.dls.test_dl(df.assign(elements=""), with_labels=True))
        loss,*figures = learn.validate(dl=learn.dls.test_dl(df.assign(elements=""), with_labels=True))
    assert y is None and torch.allclose(bare, labelled) and len(bare) == 48
    assert true[:, 4:].isnan().all() and (true[:, :4].sum(1) == 1).all()
    assert np.isfinite([loss, *figures[:2]]).all() and np.isnan(figures[2:]).all()

def test_a_loader_of_images_with_labels_of_one_target(learn, df):
    "A column that isn't there says nothing, or is asked for."
    try: y = learn.dls.test_dl(df.drop(columns="elements"), with_labels=True).one_batch()[1]
    except OceanError as e: assert "elements" in str(e)
    else: assert y[:, 4:].isnan().all()

def test_a_loader_of_images_with_a_class_that_the_model_does_not_know(learn, df):
    "Nothing would be worse than to take it for the first one that it knows."
    with pytest.raises(OceanError, match="lava"): learn.dls.test_dl(df.assign(floor="lava"), with_labels=True).one_batch()

@pytest.mark.parametrize("target,c", [("floor", "reef"), ("elements", "rocks")])
def test_maps_of_each_target(learn, df, target, c):
    x = learn.dls.valid.one_batch()[0]
    k = learn.dls.targets[target].index(c) + PARTS[target].start
    with torch.no_grad(): want = torch.einsum("c,nchw->nhw", classifier_of(learn.model).weight[k], learn.model.eval().forward_features(x).as_subclass(torch.Tensor))
    np.testing.assert_allclose(cam_maps(learn, x, c, target, raw=True), want, atol=1e-4)
    assert cam_maps(learn, x, "all", target).shape[:2] == (8, len(learn.dls.targets[target]))
    table = cam_maps(learn, df.head(3), c, target)
    assert set(table.target) == {target} and set(table.label) == {c}
    np.testing.assert_allclose(table.score, predict_table(learn, df.head(3), progress=False).query("target == @target")[f"p_{c}"], atol=1e-4)
    assert len(show_cams(table)) == 3
    boxes = localize(learn, df.head(3), c, target, progress=False)
    assert boxes.attrs["classes"] == [c] and set(boxes.label) <= {c} and not boxes.attrs["errors"]

def test_maps_need_to_know_the_target(learn, df):
    x = learn.dls.valid.one_batch()[0]
    for f in (lambda **kw: cam_maps(learn, x, "reef", **kw), lambda **kw: localize(learn, df.head(2), "reef", progress=False, **kw)):
        with pytest.raises(OceanError, match="target=: floor, elements"): f()
        with pytest.raises(OceanError, match="reef; the classes .*algae, fauna|'reef'; the classes are algae"): f(target="elements")
        with pytest.raises(OceanError, match="no target 'habitat'; the network's are floor, elements"): f(target="habitat")

def test_a_bundle_gives_the_learners_predictions(learn, bundle, df):
    fit = bundle.config["calibration"]
    assert set(fit) == set(BOTH) and bundle.targets == learn.dls.targets and bundle.multilabel == ["elements"]
    pd.testing.assert_frame_equal(bundle.predict(df, progress=False), predict_table(learn, df, calibration=fit, progress=False), atol=1e-5)
    raw = predict_table(learn, df, progress=False)
    pd.testing.assert_frame_equal(apply_temperature(raw, {t: o["temperature"] for t,o in fit.items()}), bundle.predict(df, progress=False), atol=1e-4)

def test_each_target_is_judged(bundle, df, home):
    preds = bundle.predict(df, progress=False)
    cm = confusion(preds, df, "floor")
    assert cm.index.tolist() == cm.columns.tolist() == FLOORS and cm.sum(axis=1).tolist() == [12]*4
    assert confusion(preds, df, "elements").loc["rocks", ["found", "missed"]].sum() == df.elements.str.contains("rocks").sum()
    floors,summary = classification_scores(preds, df, "floor", n_boot=20)
    named = preds[preds.target == "floor"].label.to_numpy()
    assert summary.set_index("metric").value["accuracy"] == pytest.approx((named == df.floor.to_numpy()).mean()) and floors["class"].tolist() == FLOORS
    assert "mean_average_precision" in set(classification_scores(preds, df, "elements", n_boot=20)[1].metric)
    for f in (confusion, classification_scores):
        with pytest.raises(OceanError, match="several targets .floor, elements.; pass target="): f(preds, df)
    page = scores_report(preds, df, home/"both.html", n_boot=20, n_examples=1).read_text(encoding="utf-8")
    assert all(f"{t}: {what}" in page for t in BOTH for what in ("Scores", "Confusion"))

# Labels that are missing

def test_rows_without_any_label_are_left_out_and_counted(df, capsys):
    df.loc[:4, BOTH] = ["", None]
    df.loc[5:7, BOTH] = ["", ";".join(f"?{c}" for c in ELEMENTS)]
    df.loc[8:20, "floor"] = ""
    dls = loaders(df, progress=True)
    said = capsys.readouterr().out
    assert "5 of 48 rows have no label in floor, elements and are left out" in said and "3 rows say only that nothing is known of floor, elements, and are left out" in said
    assert len(dls.manifest) == len(dls.train_ds) + len(dls.valid_ds) == 40 and dls.manifest.attrs["unlabelled"] == 8

def test_a_row_trains_only_the_targets_that_it_is_labelled_for(df):
    dls = loaders(df)
    learn = learner(dls)
    x,y = dls.train.one_batch()
    head = classifier_of(learn.model)
    for t,other in (BOTH, BOTH[::-1]):
        one = y.clone()
        one[:, PARTS[other]] = torch.nan
        learn.model.zero_grad()
        loss = learn.loss_func(learn.model.eval()(x), one)
        loss.backward()
        assert (head.weight.grad[PARTS[other]] == 0).all() and (head.bias.grad[PARTS[other]] == 0).all()
        assert (head.weight.grad[PARTS[t]] != 0).any() and (head.bias.grad[PARTS[t]] != 0).all()
        one[3:] = torch.nan # of the others nothing at all is known: as if they weren't there
        assert torch.isclose(learn.loss_func(learn.model(x), one), learn.loss_func(learn.model(x[:3]), one[:3]))

def test_half_of_the_labels(df):
    df["floor"] = df.floor.where(np.arange(48) % 2 == 0, "")
    df["elements"] = df.elements.where(np.arange(48) % 2 == 1, None)
    learn = quiet(learner(loaders(df)))
    assert np.isfinite(learn.history.drop(columns="stage").to_numpy(float)).all()
    preds = predict_table(learn, df, progress=False)
    assert preds.label.notna().all() and confusion(preds, df, "floor").to_numpy().sum() == 24

def test_a_run_is_not_resumed_with_another_loss(df, home):
    "Whether a row can have several classes changes neither rows nor labels, and so not the split."
    quiet(learner(loaders(df)), folder=home/"checkpoint")
    with pytest.raises(OceanError, match="another multi"): quiet(learner(loaders(df, multi={"floor": True})), folder=home/"checkpoint", resume=True)

# Bad input

def unseen(halves, target, c):
    "The class stands in a validation row alone."
    halves.loc[0, target] = c
    return halves

@pytest.mark.parametrize("change,options,says", [
    (lambda df: df, {"target": ["floor", "habitat"]}, "'habitat' is no target column; the manifest has floor, elements.*target="),
    (lambda df: df, {"target": ["floor", "video"]}, "'video' is no target column"),
    (lambda df: df, {"target": ["floor", "floor"]}, "floor is named twice; name each column once"),
    (lambda df: df, {"target": []}, "no target; name one column"),
    (lambda df: df.assign(elements=""), {}, "elements: .*label.*; .+"),
    (lambda df: df.assign(elements=None), {}, "elements: .*label.*; .+"),
    (lambda df: df.assign(floor="", elements=""), {}, "no row has a label in floor, elements; .*`none`"),
    (lambda df: df.assign(floor="reef"), {}, r"floor: nothing to learn, all 48 images say the same \(reef\); add"),
    (lambda df: df, {"vocab": FLOORS}, "classes: with several targets give a dict"),
    (lambda df: df, {"vocab": {"habitat": FLOORS}}, "classes: habitat is no target here; the targets are floor, elements"),
    (lambda df: df, {"vocab": {"floor": FLOORS[:3]}}, "floor: 1 label outside the classes muddy, muddy-sand, reef: 'sandy' in 12 rows"),
    (lambda df: df, {"vocab": {"floor": [*FLOORS, "mud;sand"]}}, "floor: 'mud;sand' can't name a class: no `;` in it.*rename"),
    (lambda df: df, {"vocab": {"elements": [*ELEMENTS, "none", "?sponge", "?"]}}, "elements: 'none', '[?]sponge', '[?]' can't name a class.*rename"),
    (lambda df: df.assign(floor=["?", *df.floor[1:]]), {}, "floor: 1 cells can't be read: .*a class must follow the `[?]`"),
    (lambda df: df.assign(elements=["none;rocks", *df.elements[1:]]), {}, "elements: 1 cells can't be read: .*`none` means"),
    (lambda df: df, {"multi": {"elements": False}}, "elements: some rows hold several classes.*leave multi=False out")])
def test_what_loaders_refuse(df, change, options, says):
    with pytest.raises(OceanError, match=says): loaders(change(df), **options)

@pytest.mark.parametrize("target,c,together", [("floor", "lava", ["floor"]), ("floor", "lava", BOTH), ("elements", "waste;shark", ["elements"]), ("elements", "waste;shark", BOTH)])
@pytest.mark.parametrize("weighted", [True, False, "pos"])
def test_a_class_that_is_never_seen_in_training(halves, target, c, together, weighted):
    with pytest.raises(OceanError, match=f"no image in train is {target} '{c.split(';')[-1]}'; move some there, leave the class out"):
        ocean_loss(loaders(unseen(halves, target, c), together), weighted)

def test_balance_and_names_of_targets(df):
    for balance,says in (({"floor": 1}, "balance names floor; the targets are floor, elements"), ({"floor": 1, "elements": -1}, "elements: -1 is no number of 0 or more"), ("even", "balance='even'")):
        with pytest.raises(OceanError, match=says): ocean_loss(loaders(df), balance=balance)

@pytest.mark.parametrize("name", ["floor.type", "floor type", "sand/mud", "Fondo (ñ)", "training"])
def test_any_column_can_be_a_target(df, name):
    dls = loaders(df.rename(columns={"floor": name}), [name, "elements"])
    x,y = dls.train.one_batch()
    assert torch.isfinite(ocean_loss(dls)(torch.zeros(y.shape), y))

@pytest.mark.parametrize("name", ["mud;sand", "?", "?reef"])
def test_class_folders_that_can_not_be_a_class(drawn, df, tmp_path, name):
    for k,folder in enumerate((name, "sandy", "muddy")):
        (tmp_path/folder).mkdir()
        for path in df.path[3*k:3*k + 3]: shutil.copy(drawn.parent/path, tmp_path/folder)
    with pytest.raises(OceanError, match=f"folder '{re.escape(name)}': a class can't hold `;` or begin with `[?]`; rename it"): OceanDataLoaders.from_folder(tmp_path, size=32)

def test_a_class_folder_called_none(drawn, df, tmp_path):
    "Pictures that were looked at, and nothing seen."
    for k,folder in enumerate(("none", "sandy", "muddy")):
        (tmp_path/folder).mkdir()
        for path in df.path[3*k:3*k + 3]: shutil.copy(drawn.parent/path, tmp_path/folder)
    dls = OceanDataLoaders.from_folder(tmp_path, size=32, augs=None, progress=False)
    assert dls.targets == {"label": ["muddy", "sandy"]} and dls.multilabel == ["label"]

def test_a_bundle_of_other_targets(bundle, df, drawn, tmp_path):
    other = df.rename(columns={"floor": "habitat", "elements": "things"})
    other.to_csv(drawn.parent/"other.csv", index=False)
    preds = bundle.predict(other, progress=False) # labels aren't needed to predict
    assert len(preds) == 96
    with pytest.raises(OceanError, match="no column 'floor'; the columns are: path, habitat, things"): classification_scores(preds, other, "floor")
    with pytest.raises(OceanError, match="'habitat'.*the targets are: floor, elements"): classification_scores(preds, other, "habitat")
    with pytest.raises(OceanError, match=r"labels none of the model's targets .floor, elements.; the columns are: path, habitat, things"): jobs_of.evaluate(bundle.folder, drawn.parent/"other.csv", tmp_path/"e")
    with pytest.raises(OceanError, match="labels one target, and the model has 2"): jobs_of.evaluate(bundle.folder, drawn.parent/"images", tmp_path/"e")
    with pytest.raises(OceanError, match=r"none of the model's targets .floor, elements.; its columns are: path, habitat"): pseudo_label(bundle, other.assign(split="train"))
    with pytest.raises(OceanError, match="'habitat': no target of this model; those are floor, elements"): jobs_of.pseudo_label(bundle.folder, drawn.parent/"other.csv", tmp_path/"p.csv", "habitat")
    with pytest.raises(OceanError, match="'habitat': no target of this model"): calibrate(bundle, df, "habitat")
    with pytest.raises(OceanError, match="no image to calibrate on is labelled with floor, elements"): calibrate(bundle, other)
    df.replace({"floor": {"reef": "lava"}}).to_csv(drawn.parent/"lava.csv", index=False)
    with pytest.raises(OceanError, match="floor: 1 label outside the classes .*: 'lava' in 12 rows"): jobs_of.evaluate(bundle.folder, drawn.parent/"lava.csv", tmp_path/"e")
    assert list(tmp_path.iterdir()) == []

def body_of(model): return [p for n,p in model.state_dict().items() if not n.startswith("classifier.")]

def test_the_body_of_a_bundle_of_other_targets(bundle, df):
    heir = learner(loaders(df.rename(columns={"elements": "things"}), "things"), init=bundle)
    assert all(torch.equal(a, b) for a,b in zip(body_of(heir.model), body_of(bundle.model)))
    with pytest.raises(OceanError, match=r"not weights of resnet18: of its 122 tensors 96 missing \(conv1.weight"): ocean_learner(heir.dls, "resnet18", init=bundle)
    with pytest.raises(OceanError, match="can't be read"): learner(heir.dls, init=bundle.folder/"absent")

def test_the_classifier_of_another_task_stays_behind(bundle, df):
    "Also where it happens to have as many classes."
    df["depth_zone"] = [f"zone {c}" for c in "abcd"]*12
    df["things"] = df.elements
    heir = learner(loaders(df, ["depth_zone", "things"]), init=bundle.folder)
    assert not torch.equal(classifier_of(heir.model).weight, classifier_of(bundle.model).weight)

def test_a_learner_is_no_bundle(learn, df):
    with pytest.raises(OceanError, match="init"): learner(loaders(df), init=learn)

# The same class in two targets

@pytest.fixture(scope="module")
def twins(drawn):
    "An untrained learner that is sure of a reef by its floor, and sure of none by the other target; the maps of the latter are twice as high."
    df = manifest_from_csv(drawn, target=BOTH)
    df["second"] = ["reef" if "rocks" in cell else "sandy" for cell in df.elements]
    learn = learner(loaders(df, ["floor", "second"]))
    head = classifier_of(learn.model)
    with torch.no_grad():
        head.weight.zero_(), head.bias.zero_()
        for k,weight,bias in ((2, 1e-3, 4.), (4, 2e-3, -4.)): head.weight[k],head.bias[k] = weight,bias
    return SimpleNamespace(learn=learn, df=df)

def test_a_class_of_two_targets_is_predicted_and_judged(twins, home):
    df,preds = twins.df,predict_table(twins.learn, twins.df, progress=False)
    assert twins.learn.dls.targets == {"floor": FLOORS, "second": ["reef", "sandy"]}
    assert [c for c in preds if c.startswith("p_")] == ["p_muddy", "p_muddy-sand", "p_reef", "p_sandy"]
    floor,second = (preds[preds.target == t] for t in ("floor", "second"))
    assert (floor.p_reef > .9).all() and set(floor.label) == {"reef"} and (second.p_reef < .1).all() and set(second.label) == {"sandy"}
    assert second[["p_muddy", "p_muddy-sand"]].isna().all(axis=None)
    assert classification_scores(preds, df, "floor", n_boot=0)[0].set_index("class").support["reef"] == 12
    assert classification_scores(preds, df, "second", n_boot=0)[0].set_index("class").support.to_dict() == df.second.value_counts().to_dict()
    assert confusion(preds, df, "second").loc["reef"].to_dict() == {"reef": 0, "sandy": (df.second == "reef").sum()}
    saved = load_bundle(save_bundle(twins.learn, home/"twins"))
    pd.testing.assert_frame_equal(saved.predict(df, progress=False), preds, atol=1e-5)
    assert saved.config["pretrained_cfg"]["label_names"].count("floor: reef") == 1

def test_a_class_of_two_targets_is_found_where_each_sees_it(twins):
    x,maps = twins.learn.dls.valid.one_batch()[0],{}
    for t in ("floor", "second"): maps[t] = cam_maps(twins.learn, x, "reef", t, raw=True)
    assert (maps["floor"] > 0).any()
    np.testing.assert_allclose(maps["second"], 2*maps["floor"], rtol=1e-4)
    for t,sure in (("floor", True), ("second", False)):
        assert ((cam_maps(twins.learn, twins.df.head(2), "reef", t).score > .5) == sure).all()
        boxes = localize(twins.learn, twins.df.head(2), "reef", t, min_score=0, progress=False)
        assert len(boxes) and (boxes.score.groupby(boxes.path).max() > .5).eq(sure).all()
    for f in (lambda: cam_maps(twins.learn, x, "reef"), lambda: localize(twins.learn, twins.df.head(2), "reef", progress=False)):
        with pytest.raises(OceanError, match="several targets; name one with target=: floor, second"): f()

# The command line

TWO = ["--target", "floor", "--target", "elements", *TINY[2:]]

@pytest.fixture(scope="module")
def survey(drawn):
    "A manifest as people have it: a third without labels, others labelled for one target, columns of their own."
    df = pd.read_csv(drawn, keep_default_na=False).assign(site="Roca", notes="at dusk; blurred")
    df.loc[::3, BOTH] = ""
    df.loc[1::6, "floor"] = ""
    df.loc[2::9, "elements"] = ""
    df.to_csv(drawn.parent/"survey.csv", index=False)
    return drawn.parent/"survey.csv"

@pytest.fixture(scope="module")
def run(home, survey):
    out,_ = ok("train", survey, *TWO, "--out", home/"run")
    assert "16 of 48 rows have no label in floor, elements and are left out" in out
    assert "floor: balanced accuracy on" in out and "elements: balanced accuracy on" in out
    return home/"run"

def load(path): return json.loads(path.read_text(encoding="utf-8"))

def test_train_leaves_a_run_of_both(run):
    assert {p.name for p in run.iterdir()} == {"bundle", "history.csv", "split.csv", "metrics.json", "confusion_floor.png", "confusion_elements.png", "predictions.csv", "report.html", "run.json"}
    figures = load(run/"metrics.json")
    assert set(figures["valid"]) == set(figures["calibration"]) == set(BOTH)
    assert "mean_average_precision" in figures["valid"]["elements"]["metrics"] and set(figures["valid"]["floor"]["classes"]) == set(FLOORS)
    assert load(run/"bundle"/"config.json")["targets"] == {"floor": FLOORS, "elements": ELEMENTS}

def test_the_command_of_a_run_can_be_typed_again(run, survey):
    words = shlex.split(load(run/"run.json")["command"])[1:]
    typed,again = (vars(parser().parse_args([str(w) for w in o])) for o in (["train", survey, *TWO, "--out", run], words))
    assert again["target"] == typed["target"] == BOTH
    assert "is finished already" in ok(*words, "--resume")[0]

def test_predict_and_evaluate(run, drawn, home):
    ok("predict", run/"bundle", drawn, "--out", home/"p.csv")
    preds = pd.read_csv(home/"p.csv")
    assert preds.target.tolist() == BOTH*48 and preds.label.notna().all()
    out,_ = ok("evaluate", run/"bundle", drawn, "--out", home/"evaluated")
    assert "floor: balanced accuracy on 48 images" in out and "elements: balanced accuracy on 48 images" in out
    assert {p.name for p in (home/"evaluated").iterdir()} == {"predictions.csv", "metrics.json", "confusion_floor.png", "confusion_elements.png", "report.html", "run.json"}
    assert {t: f["n"] for t,f in load(home/"evaluated"/"metrics.json").items()} == {"floor": 48, "elements": 48}

def test_evaluate_on_labels_of_one_target_says_which(run, drawn, home):
    pd.read_csv(drawn).drop(columns="floor").to_csv(drawn.parent/"elements.csv", index=False)
    out,_ = ok("evaluate", run/"bundle", drawn.parent/"elements.csv", "--out", home/"one")
    assert "elements" in out.splitlines()[-1].split(":")[0]
    assert set(load(home/"one"/"metrics.json")) == {"elements"} # as `valid` in a run's

def test_localize(run, drawn, home):
    assert "name one with target=: floor, elements" in refused("localize", run/"bundle", drawn, "--classes", "reef", "--out", home/"found")
    assert not (home/"found").exists()
    few = drawn.parent/"images"/"v000_*.jpg"
    ok("localize", run/"bundle", few, "--classes", "reef", "--target", "floor", "--out", home/"found")
    assert set(pd.read_csv(home/"found"/"boxes.csv").label) <= {"reef"} and len(list((home/"found"/"overlays").iterdir())) == 3
    words = shlex.split(load(home/"found"/"run.json")["command"])[1:]
    assert "is finished already" in ok(*words, "--resume")[0]

@pytest.fixture(scope="module")
def filled(run, survey, home):
    "The survey with what the run's model is half sure of, before and after."
    out,_ = ok("pseudo-label", run/"bundle", survey, "--threshold", "0.501", "--out", home/"filled.csv")
    assert "floor: " in out and "elements: " in out
    before,after = (manifest_from_csv(p, target=BOTH) for p in (survey, home/"filled.csv"))
    names = [[p.rsplit("/", 1)[-1] for p in df.path] for df in (before, after)]
    assert names[0] == names[1]
    return before,after

def test_pseudo_label_fills_only_what_is_empty(filled):
    before,after = filled
    for t in BOTH:
        mine = before[t].notna()
        assert (after[t] == before[t])[mine].all() and (after[f"{t}_source"] == "person").eq(mine).all()
        assert (after[f"{t}_source"] == "pseudo").eq(~mine & after[t].notna()).all()
    assert not (after[after.split == "valid"][["floor_source", "elements_source"]] == "pseudo").any(axis=None)
    assert (after.elements_source == "pseudo").any()

def test_pseudo_label_leaves_other_columns_alone(filled):
    before,after = filled
    for c in ("site", "notes", "video", "depth"): assert before[c].tolist() == after[c].tolist(), c

def test_pseudo_label_measures_on_nothing_that_trained(filled, run):
    "The manifest has no split, and the run that made the model made one."
    split = pd.read_csv(run/"split.csv")
    trained = {p.rsplit("/", 1)[-1] for p in split.path[split.split == "train"]}
    assert not trained & {p.rsplit("/", 1)[-1] for p in filled[1].path[filled[1].split == "valid"]}

def test_what_train_refuses(drawn, survey, tmp_path):
    for argv,says in (([survey, *TWO, "--target", "floor"], "--target: floor is named twice"), ([survey, *TWO, "--classes", "reef"], "--classes can't be given for several targets"),
                      ([survey, *TWO, "--target", "habitat"], "no column 'habitat'"), ([drawn.parent/"images", *TWO], "labels one target, not 2")):
        assert says in refused("train", *argv, "--out", tmp_path/"run")
    pd.read_csv(drawn).assign(elements="").to_csv(drawn.parent/"empty.csv", index=False)
    assert re.search("elements: .*no row is labelled", refused("train", drawn.parent/"empty.csv", *TWO, "--out", tmp_path/"run"))
    assert not (tmp_path/"run").exists()

def test_no_validation_image_is_labelled_for_one_target(drawn, halves, tmp_path):
    "Known before anything is trained: it ends well, or at once."
    halves.assign(elements=halves.elements.where(halves.split == "train")).to_csv(drawn.parent/"no-valid.csv", index=False)
    code,_,err = here("train", drawn.parent/"no-valid.csv", *TWO, "--out", tmp_path/"run")
    assert code == 0 and (tmp_path/"run"/"report.html").is_file() or code == 2 and "elements" in err and not (tmp_path/"run").exists(), err

def test_a_target_with_a_slash_in_its_name(drawn, df, tmp_path):
    df.rename(columns={"floor": "sand/mud"}).to_csv(drawn.parent/"slash.csv", index=False)
    ok("train", drawn.parent/"slash.csv", "--target", "sand/mud", "--target", "elements", *TINY[2:], "--out", tmp_path/"run")
    assert len(list((tmp_path/"run").glob("confusion*.png"))) == 2

def test_a_run_with_rows_of_which_nothing_is_known_can_go_on(drawn, df, tmp_path, monkeypatch):
    df.loc[:2, BOTH] = ["", ";".join(f"?{c}" for c in ELEMENTS)]
    df.to_csv(drawn.parent/"unknown.csv", index=False)
    def stopped(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(training, "started", stopped)
    for more in ([], ["--resume"]):
        code,_,err = here("train", drawn.parent/"unknown.csv", *TWO, "--out", tmp_path/"run", *more)
        assert code == 130, err
