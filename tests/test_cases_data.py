"Tables and folders as people have them, from the file to the trained model: read as they were meant, or refused with one line that names what is wrong."
import os
import shutil
import unicodedata
import warnings

import numpy as np
import pandas as pd
import pytest
from jobs import TINY, ok, refused
from PIL import Image

from ocean_fastai.data.manifest import check_manifest, load_manifest, read_table, save_manifest
from ocean_fastai.data.sources import manifest_from_csv, manifest_from_folder
from ocean_fastai.data.splits import split_frames

def photos(folder, *names):
    "Small pictures, each with bytes of its own."
    for i,name in enumerate(names):
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), (i%256, 9*i%256, 80)).save(folder/name)
    return folder

@pytest.fixture
def table(tiny):
    "The tiny data set's manifest with other columns, in the same folder; the file."
    def write(**columns):
        df = load_manifest(tiny)[["path", "video", "floor"]].assign(**columns)
        file = tiny.parent/"other.csv"
        df.to_csv(file, index=False)
        return file
    yield write
    (tiny.parent/"other.csv").unlink(missing_ok=True)

OWN = dict(image="a photo", cached="yes", error="blurred", score=.5, label="x", target="y", mask="m.png", time="morning", width=9, height=9, annotator="me",
           cam="left", heat="low", status="new", p_reef=.1)

def test_columns_with_names_of_the_librarys_own(tiny_bundle, tiny, table, tmp_path):
    file = table(**OWN)
    ok("predict", tiny_bundle, file, "--out", tmp_path/"p.csv")
    ok("predict", tiny_bundle, tiny, "--out", tmp_path/"plain.csv")
    preds,plain = (read_table(tmp_path/f) for f in ("p.csv", "plain.csv"))
    assert "error" not in preds or preds["error"].isna().all()
    assert preds["label"].tolist() == plain["label"].tolist()
    ok("evaluate", tiny_bundle, file, "--out", tmp_path/"judged")
    ok("localize", tiny_bundle, file, "--out", tmp_path/"found", "--classes", "reef", "--scales", "1")
    ok("train", file, *TINY, "--out", tmp_path/"run")

def test_such_columns_in_python(tiny, table):
    import torch
    from ocean_fastai.infer.items import list_items
    from ocean_fastai.data.loaders import OceanDataLoaders
    df = manifest_from_csv(table(**OWN), target="floor")
    for source in (df, tiny.parent/"other.csv"): assert not {"image", "cached", "error", "time"} & set(list_items(source))
    picture = Image.new("RGB", (8, 6))
    again = list_items(list_items([picture]))
    assert again["image"].tolist() == [picture]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore") # A class that so small a validation part lacks
        x,_ = OceanDataLoaders.from_manifest(df, "floor", size=32, augs=None, device="cpu").train.one_batch()
    assert torch.isfinite(x).all()

@pytest.mark.parametrize("text, says", [
    ("path,label, label\na.jpg,reef,mud\n", "2 columns are called label"),
    ("path,path ,label\na.jpg,a.jpg,mud\n", "2 columns are called path"),
    ("path,label\na.jpg,reef\n\0\0\0\0", "row 2 holds a NUL byte"),
    ("# 1: Detection,2: Video\npath,label\na.jpg,reef\n", "begins with a comment"),
    ("path,label\na,b.jpg,reef\n", "rows hold more cells than the header"),
    (b"path,label\na\xf1o.jpg,reef\n", "is not UTF-8 text"),
    ("path,depth\na.jpg,reef\n", "depth is the name of a column with another meaning")])
def test_a_table_that_is_refused(tmp_path, text, says):
    (tmp_path/"m.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    photos(tmp_path, "a.jpg")
    said = refused("train", tmp_path/"m.csv", "--target", "depth" if "depth" in says else "label", "--out", tmp_path/"run")
    assert says in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "m.csv"]

def test_a_path_column_of_numbers(tiny_bundle, tmp_path):
    pd.DataFrame({"path": [1, 2], "label": ["reef", "mud"]}).to_parquet(tmp_path/"m.parquet")
    assert "path holds numbers, not text" in refused("train", tmp_path/"m.parquet", "--out", tmp_path/"run")
    assert "path holds numbers, not text" in refused("predict", tiny_bundle, tmp_path/"m.parquet", "--out", tmp_path/"p.csv")

@pytest.mark.parametrize("text", ["sep=;\r\npath;label\r\na.jpg;reef\r\nb.jpg;mud\r\n", "\"sep=,\"\npath,label\na.jpg,reef\nb.jpg,mud\n",
                                  "path,label\na.jpg,reef\n,\n , \nb.jpg,mud\n,\n,\n"])
def test_what_spreadsheets_add(tmp_path, text):
    (tmp_path/"m.csv").write_bytes(text.encode())
    photos(tmp_path, "a.jpg", "b.jpg")
    df = check_manifest(manifest_from_csv(tmp_path/"m.csv"), "label")
    assert df[["path", "label"]].to_numpy().tolist() == [["a.jpg", "reef"], ["b.jpg", "mud"]]

def said_of(df, *targets):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        check_manifest(df, list(targets))
    return [str(w.message) for w in seen]

def test_missing_values_of_other_programs(tmp_path):
    photos(tmp_path, *(f"{i}.jpg" for i in range(6)))
    text = "path,video,elements\n" + "".join(f"{i}.jpg,{'NA' if i > 3 else i},{'NA' if i < 4 else 'algae'}\n" for i in range(6))
    (tmp_path/"m.csv").write_text(text)
    said = said_of(manifest_from_csv(tmp_path/"m.csv", target="elements"), "elements")
    assert said == ["elements: 4 cells say NA, which is taken as a class; leave them empty if they mean unknown",
                    "video: 2 cells say NA, which is taken as one video; leave them empty if they mean unknown"]

@pytest.mark.parametrize("cells, word", [(["Reef", "reef", "mud"], "differ"), (["sea grass", "seagrass", "mud"], "differ"),
                                         (["algae,fauna", "algae", "fauna"], "joined"), (["algae|fauna", "mud", "mud"], "joined")])
def test_labels_that_may_be_meant_otherwise(tmp_path, cells, word):
    photos(tmp_path, "0.jpg", "1.jpg", "2.jpg")
    df = pd.DataFrame({"path": ["0.jpg", "1.jpg", "2.jpg"], "kind": cells})
    df.attrs["folder"] = str(tmp_path)
    said, = said_of(df, "kind")
    assert word in said

@pytest.mark.parametrize("outer, parts", [(("training_set", "test_set"), {"train", "test"}), (("train2017", "val2017"), {"train", "valid"})])
def test_outer_folders_that_are_parts(tmp_path, outer, parts):
    photos(tmp_path, *(f"{o}/{c}/{i}.jpg" for o in outer for c in ("sand", "shell") for i in range(2)))
    df = manifest_from_folder(tmp_path)
    assert (set(df["label"]), set(df["split"])) == ({"sand", "shell"}, parts)

@pytest.mark.parametrize("outer", [("2019", "2020", "2021"), ("dive 1", "dive 2", "dive 3")])
def test_outer_folders_that_may_be_classes(tmp_path, outer):
    photos(tmp_path/"survey", f"{outer[0]}/sand/1.jpg", f"{outer[1]}/sand/1.jpg", f"{outer[1]}/shell/1.jpg", f"{outer[2]}/shell/1.jpg")
    assert "which level is the class?" in refused("train", tmp_path/"survey", "--out", tmp_path/"run")
    assert not (tmp_path/"run").exists()

def test_a_class_folder_that_yields_nothing(tmp_path):
    photos(tmp_path/"classes", *(f"{c}/{i}.jpg" for c in ("sand", "mud") for i in range(3)))
    (tmp_path/"classes/shell").mkdir()
    for i in range(3): (tmp_path/"classes/shell"/f"{i}.heic").write_bytes(b"x")
    said = refused("train", tmp_path/"classes", "--out", tmp_path/"run")
    assert "shell: this class folder has no image that is read (its files: .heic 3)" in said

def test_a_class_folder_called_none(tmp_path):
    photos(tmp_path, *(f"{c}/{i}.jpg" for c in ("sand", "none") for i in range(2)))
    with pytest.warns(UserWarning, match="the folder none is read as `nothing there`"): manifest_from_folder(tmp_path)

@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="an administrator may open every folder")
def test_a_class_folder_that_may_not_be_opened(tmp_path):
    photos(tmp_path, *(f"{c}/{i}.jpg" for c in ("sand", "shell") for i in range(2)))
    (tmp_path/"shell").chmod(0)
    try:
        with pytest.raises(ValueError, match="shell: this folder can't be opened"): manifest_from_folder(tmp_path)
    finally: (tmp_path/"shell").chmod(0o755)

def test_links_that_lead_back(tmp_path):
    photos(tmp_path, "sand/1.jpg", "mud/2.jpg")
    (tmp_path/"sand/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path/"all").symlink_to(tmp_path, target_is_directory=True)
    assert check_manifest(manifest_from_folder(tmp_path))["path"].tolist() == ["mud/2.jpg", "sand/1.jpg"]

def test_names_in_another_unicode_form(tmp_path):
    photos(tmp_path, unicodedata.normalize("NFD", "cámara.jpg"), "b.JPG")
    (tmp_path/"m.csv").write_text(unicodedata.normalize("NFC", "path,label\ncámara.jpg,reef\nb.jpg,mud\n"))
    assert len(check_manifest(manifest_from_csv(tmp_path/"m.csv"))) == 2

def test_names_that_are_not_utf8(tmp_path):
    photos(tmp_path, "sand/1.jpg", "mud/2.jpg")
    shutil.copy(tmp_path/"sand/1.jpg", os.fsencode(tmp_path/"sand") + b"/a\xf1o.jpg")
    df = manifest_from_folder(tmp_path)
    for file in (tmp_path/"m.csv", tmp_path/"m.parquet"): assert len(check_manifest(load_manifest(save_manifest(df, file)))) == 3

def test_shares_of_single_frames_and_of_groups():
    rng = np.random.default_rng(0)
    for n,valid,test in [(1000, .4, 0), (1000, .3, 0), (1000, .4, .4), (37, .2, .1), (11, .25, .25)]:
        df = pd.DataFrame({"path": [f"{i}.jpg" for i in range(n)], "label": rng.choice(["a", "b"], n)})
        shares = split_frames(df, valid, test, progress=False)["split"].value_counts()
        assert all(abs(shares.get(p, 0) - share*n) <= 1 for p,share in (("valid", valid), ("test", test)))
    for seed in range(20):
        sizes = rng.integers(1, 20, rng.integers(8, 30))
        df = pd.DataFrame({"video": np.repeat(np.arange(len(sizes)), sizes)}).assign(path=lambda d: [f"{i}.jpg" for i in d.index], label="a")
        out = split_frames(df, .3, progress=False, seed=seed)
        assert abs((out["split"] == "valid").sum() - .3*len(df)) <= sizes.max()/2
        assert out.groupby("video")["split"].nunique().max() == 1
