"What a model said teaches and judges nothing unless that is asked for."
import numpy as np
import pandas as pd
import pytest
from jobs import draw, refused

from ocean_fastai.core import BoxError, ManifestError
from ocean_fastai.data.embeddings import as_embeddings
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.manifest import load_manifest, save_manifest
from ocean_fastai.formats.convert import write_annotations
from ocean_fastai.infer.probe import fit_probe
from ocean_fastai.jobs.data import read_labelled

@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    "Twenty-four drawn images; a model labelled the floor of every fourth."
    file = draw(tmp_path_factory.mktemp("machine")/"scenes")
    df = load_manifest(file)
    by_model = df.index % 4 == 0
    df["floor_source"] = np.where(by_model, "pseudo", "person")
    return save_manifest(df, file.parent/"marked.csv"),by_model

def test_a_table_is_read_without_a_models_labels(drawn, capsys):
    file,by_model = drawn
    df,_,_ = read_labelled(file, "floor")
    assert df.floor.isna().tolist() == by_model.tolist()
    assert f"floor: {by_model.sum()} of 24 labels are a model's, and left out" in capsys.readouterr().out
    assert read_labelled(file, "floor", machine_labels=True)[0].floor.notna().all()

def test_loaders_leave_them_out(drawn):
    file,by_model = drawn
    df = load_manifest(file)
    df = df.drop(columns="video")  # single frames: a model labelled some of each video
    df["split"] = np.where(df.index % 4 == 3, "valid", "train")
    dls = OceanDataLoaders.from_manifest(df, "floor", size=32, groups="split", num_workers=0, progress=False)
    assert not set(dls.manifest.path) & set(df.path[by_model])
    dls = OceanDataLoaders.from_manifest(df, "floor", size=32, groups="split", num_workers=0, progress=False, machine_labels=True)
    assert len(dls.manifest) == 24

def test_a_probe_leaves_them_out(capsys):
    rng = np.random.default_rng(0)
    about = {"arch": "resnet18", "weights": None, "fingerprint": "0", "layers": "last", "pool": ["mean"], "geometry": {"crop": None, "size": [32, 32]},
             "normalization": {"mean": [.5]*3, "std": [.2]*3}, "dim": 4}
    paths = [f"{i}.jpg" for i in range(40)]
    table = as_embeddings({"path": paths, "error": None}, rng.normal(size=(40, 4)).astype(np.float16), about)
    df = pd.DataFrame({"path": paths, "floor": ["mud", "sand"]*20, "floor_source": ["person"]*30 + ["pseudo"]*10})
    assert len(fit_probe(table, df, "floor", C=.1).oof) == 30
    assert "10 of 40 labels are a model's" in capsys.readouterr().out
    assert len(fit_probe(table, df, "floor", C=.1, machine_labels=True).oof) == 40
    with pytest.raises(ManifestError, match="none is a person's"): fit_probe(table, df.assign(floor_source="pseudo"), "floor")

def boxes_of(df, status):
    return pd.DataFrame({"path": df.path, "label": "crab", "x0": 4., "y0": 4., "x1": 24., "y1": 24., "score": .9, "annotator": "net@1", "status": status})

def test_boxes_of_a_model_are_no_labels(drawn, capsys):
    df = load_manifest(drawn[0])[["path", "width", "height"]] if "width" in load_manifest(drawn[0]) else load_manifest(drawn[0])[["path"]]
    df.attrs["folder"] = str(drawn[0].parent)
    status = ["human"]*6 + ["verified"]*6 + ["machine"]*4
    file = drawn[0].parent/"boxes.json"
    write_annotations(df, boxes_of(df.head(16), status), file)
    got,_,boxes = read_labelled(file)
    assert len(got) == 20 and len(boxes) == 12 and set(boxes.status) == {"human", "verified"}  # 8 images without a box were searched
    said = capsys.readouterr().out
    assert "4 of 16 boxes are a model's" in said and "4 of 24 images have boxes of a model alone" in said
    assert len(read_labelled(file, machine_labels=True)[0]) == 24
    alone = drawn[0].parent/"alone.json"
    write_annotations(df, boxes_of(df, "machine"), alone)
    with pytest.raises(BoxError, match="all 24 boxes are a model's"): read_labelled(alone)

def test_train_and_score_refuse_what_only_a_model_said(drawn, tmp_path):
    folder = drawn[0].parent
    df = load_manifest(drawn[0])
    save_manifest(df.assign(floor_source="pseudo"), folder/"all.csv")
    assert "none is a person's" in refused("train", folder/"all.csv", "--target", "floor", "--out", tmp_path/"run")
    table = boxes_of(df, "machine")
    table.to_csv(folder/"found.csv", index=False)
    assert "are a model's" in refused("score", folder/"found.csv", folder/"found.csv", "--out", tmp_path/"judged")
