"What people really have on their disks: each ends in a right answer or in one clear line, and leaves nothing half-done behind."
import json
import os
import re
import resource
import shutil
import struct
import zlib
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from jobs import TINY, ok, refused
from PIL import Image

@pytest.fixture(scope="module")
def home(tmp_path_factory): return tmp_path_factory.mktemp("bad input")

@pytest.fixture(scope="module")
def drawn(tiny): return tiny

@pytest.fixture(scope="module")
def bundle(tiny_bundle): return tiny_bundle

@pytest.fixture
def folders(drawn, tmp_path):
    "Class folders of real (drawn) images, to spoil."
    df = pd.read_csv(drawn)
    for path,floor in zip(df.path, df.floor):
        (tmp_path/"in"/floor).mkdir(parents=True, exist_ok=True)
        shutil.copy(drawn.parent/path, tmp_path/"in"/floor)
    return tmp_path/"in"

def huge_header(path, size=60_000):
    "A PNG that claims to be `size` x `size`."
    def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))

def zoo(folder, photo):
    "Files that can be read, though oddly made, and files that can't; the latter with a word of what is to be said of them."
    folder.mkdir()
    im = Image.open(photo)
    grey = np.asarray(im.convert("L"))
    Image.fromarray(grey.astype(np.uint16)*257).save(folder/"sixteen.png")
    im.convert("CMYK").save(folder/"cmyk.jpg")
    im.convert("L").save(folder/"grey.png")
    Image.merge("LA", (im.convert("L"), Image.new("L", im.size, 255))).save(folder/"grey-alpha.png")
    exif = Image.Exif(); exif[0x0112] = 6
    im.transpose(Image.Transpose.ROTATE_90).save(folder/"turned.png", exif=exif)
    im.save(folder/"upright.png")
    im.resize((1, 1)).save(folder/"one-pixel.png")
    im.save(folder/"moving.gif", save_all=True, append_images=[Image.new("RGB", im.size)]*2)
    im.save(folder/"still.gif")
    im.save(folder/"año 1, señal #2 %20.png")
    (folder/"torn.jpg").write_bytes(photo.read_bytes()[:1000])
    (folder/"empty.jpg").touch()
    (folder/"text.jpg").write_text("this is not a picture")
    huge_header(folder/"huge.png")
    return {"torn.jpg": "cut short", "empty.jpg": "empty", "text.jpg": "not an image", "huge.png": "large"}

def test_predict_reads_what_can_be_read_and_says_why_the_rest_cannot(bundle, drawn, home):
    photo = drawn.parent/"images"/"v000_0000.jpg"
    bad = zoo(home/"zoo", photo)
    out,err = ok("predict", bundle, home/"zoo", "--out", home/"zoo.csv")
    assert f"{len(bad)} of 14 images could not be read" in err and "10 of 14" in out
    df = pd.read_csv(home/"zoo.csv").assign(name=lambda df: df.path.str.rsplit("/", n=1).str[-1]).set_index("name")
    for name,why in bad.items(): assert why in df.error[name] and pd.isna(df.label[name]), name
    good = df.drop(index=list(bad))
    assert good.error.isna().all() and good.label.notna().all()
    p = good.filter(like="p_")
    for one,other in (("turned.png", "upright.png"), ("moving.gif", "still.gif"), ("grey-alpha.png", "grey.png"), ("sixteen.png", "grey.png"), ("año 1, señal #2 %20.png", "upright.png")):
        np.testing.assert_allclose(p.loc[one], p.loc[other], atol=1e-4, err_msg=one)

def test_train_leaves_out_images_that_it_cannot_read(folders, tmp_path):
    bad = zoo(folders/"muddy"/"a-zoo", folders/"reef"/os.listdir(folders/"reef")[0])
    (folders/"muddy"/"a-zoo"/"torn.jpg").rename(folders/"muddy"/"a-zoo"/"a-torn.jpg")  # the very first image
    bad["a-torn.jpg"] = bad.pop("torn.jpg")
    _,err = ok("train", folders, *TINY[2:], "--out", tmp_path/"run")
    assert "4 of 38 images can't be read and are left out" in err and sum(name in err for name in bad) == 3
    assert {os.path.basename(p) for p in json.loads((tmp_path/"run"/"run.json").read_text(encoding="utf-8"))["unreadable"]} == set(bad)
    assert len(pd.read_csv(tmp_path/"run"/"split.csv")) == 34

def test_a_class_of_which_no_image_can_be_read(folders, tmp_path):
    for path in (folders/"reef").iterdir(): path.write_bytes(b"")
    assert "no image of reef is left" in refused("train", folders, *TINY[2:], "--out", tmp_path/"run")
    assert not (tmp_path/"run").exists()

def test_a_folder_that_is_not_the_jobs_own(drawn, tmp_path):
    "It holds but hidden files, or becomes someone's while the job finds its input bad: nothing of it is lost."
    (tmp_path/"repo"/".git").mkdir(parents=True)
    (tmp_path/"repo"/".git"/"config").write_text("mine")
    for more in ([], ["--resume"]): assert "exists already" in refused("train", drawn, *TINY, "--valid", "0", "--out", tmp_path/"repo", *more)
    assert (tmp_path/"repo"/".git"/"config").read_text() == "mine"
    (tmp_path/"empty").mkdir()
    for more in ([], ["--resume"]): assert "--valid" in refused("train", drawn, *TINY, "--valid", "0", "--out", tmp_path/"empty", *more)
    assert list((tmp_path/"empty").iterdir()) == []

def test_results_among_the_images(folders, drawn, bundle, tmp_path):
    for argv in (["train", folders, *TINY[2:]], ["evaluate", bundle, folders]):
        for out in (folders/"run", folders/"reef"/"run", folders): assert re.search("would become a class|exists already", refused(*argv, "--out", out))
    assert sorted(os.listdir(folders)) == ["muddy", "muddy-sand", "reef", "sandy"]
    shutil.copytree(bundle.parent, folders/"old-run")
    assert str(folders/"old-run") in refused("train", folders, *TINY[2:], "--out", tmp_path/"run")
    assert str(drawn.parent/"manifest.csv") in refused("train", drawn.parent, *TINY[2:], "--out", tmp_path/"run")

@pytest.mark.parametrize("options,says", [(["--seed", "-1"], "--seed -1"), (["--seed", "99999999999"], "4294967295"), (["--size", "20000"], "at most 10000"), (["--size", "99999999"], "pixels at most"),
    (["--arch", "vit_tiny_patch16_224"], "its own is 224x224"), (["--arch", "inception_v3"], "its own is 299x299")])
def test_numbers_out_of_range(drawn, tmp_path, options, says):
    assert says in refused("train", drawn, *TINY, *options, "--out", tmp_path/"run")
    if options[0] != "--arch": assert says in refused("synth", tmp_path/"run", *options)
    assert not (tmp_path/"run").exists()

def test_a_note_that_cannot_be_read(drawn, tmp_path):
    for text in ('{"job":', "3", "[]"):
        (tmp_path/"run").mkdir(exist_ok=True)
        (tmp_path/"run"/"run.json").write_text(text)
        assert str(tmp_path/"run") in refused("train", drawn, *TINY, "--out", tmp_path/"run", "--resume")
        assert (tmp_path/"run"/"run.json").read_text() == text

def test_an_empty_column_that_the_split_was_made_by(drawn, bundle, tmp_path):
    "The survey that is evaluated has the column, with nothing in it."
    ok("train", drawn, *TINY, "--by", "video", "--out", tmp_path/"run")
    pd.read_csv(drawn, keep_default_na=False).assign(video="").to_csv(drawn.parent/"no-videos.csv", index=False)
    ok("evaluate", tmp_path/"run"/"bundle", drawn.parent/"no-videos.csv", "--out", tmp_path/"e")
    assert json.loads((tmp_path/"e"/"metrics.json").read_text())["groups"] == "image"

def test_a_folder_with_no_images(bundle, tmp_path):
    (tmp_path/"none"/"reef").mkdir(parents=True)
    (tmp_path/"none"/"reef"/"notes.txt").write_text("nothing here")
    for argv in (["train", tmp_path/"none", *TINY, "--out", tmp_path/"r"], ["predict", bundle, tmp_path/"none", "--out", tmp_path/"p.csv"], ["evaluate", bundle, tmp_path/"none", "--out", tmp_path/"e"]):
        assert "no image" in refused(*argv)
    assert "no image" in refused("predict", bundle, tmp_path/"*.jpg", "--out", tmp_path/"p.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["none"]

def test_images_that_lie_in_no_class_folder(drawn, tmp_path):
    shutil.copytree(drawn.parent/"images", tmp_path/"flat")
    assert "class folders" in refused("train", tmp_path/"flat", *TINY, "--out", tmp_path/"r")

def test_a_class_with_one_image(folders, tmp_path):
    for path in sorted((folders/"reef").iterdir())[1:]: path.unlink()
    ok("train", folders, *TINY[2:], "--out", tmp_path/"run")
    split = pd.read_csv(tmp_path/"run"/"split.csv")
    assert split.split[split.label == "reef"].tolist() == ["train"]
    reef = json.loads((tmp_path/"run"/"metrics.json").read_text())["valid"]["classes"]["reef"]
    assert reef["recall"] is None and reef["support"] == 0

def test_a_single_class(folders, tmp_path):
    for name in os.listdir(folders):
        if name != "reef": shutil.rmtree(folders/name)
    assert "reef" in refused("train", folders, *TINY[2:], "--out", tmp_path/"run")
    assert not (tmp_path/"run").exists()

def test_the_same_file_twice(drawn, tmp_path):
    df = pd.read_csv(drawn, keep_default_na=False)
    twice = pd.concat([df, df.head(2)])
    twice["path"] = [drawn.parent/p for p in twice.path]
    twice.to_csv(tmp_path/"twice.csv", index=False)
    assert "v000_0000.jpg" in refused("train", tmp_path/"twice.csv", *TINY, "--out", tmp_path/"run")
    (tmp_path/"link.jpg").symlink_to(drawn.parent/"images"/"v000_0000.jpg")
    pd.concat([twice.head(24), twice.head(1).assign(path=tmp_path/"link.jpg")]).to_csv(tmp_path/"linked.csv", index=False)
    assert "v000_0000.jpg in 2 rows" in refused("train", tmp_path/"linked.csv", *TINY, "--out", tmp_path/"run")

def test_files_that_are_gone(drawn, bundle, tmp_path):
    pd.read_csv(drawn).replace({"path": {"images/v000_0001.jpg": "images/gone.jpg"}}).to_csv(drawn.parent/"gone.csv", index=False)
    assert "images/gone.jpg" in refused("train", drawn.parent/"gone.csv", *TINY, "--out", tmp_path/"run")
    _,err = ok("predict", bundle, drawn.parent/"gone.csv", "--out", tmp_path/"p.csv")
    assert "1 of 24 images could not be read" in err

def test_a_label_outside_the_classes(drawn, bundle, tmp_path):
    said = refused("train", drawn, *TINY, "--classes", "sandy,muddy,reef", "--out", tmp_path/"run")
    assert "'muddy-sand' in 6 rows" in said
    pd.read_csv(drawn).replace({"floor": {"reef": "lava"}}).to_csv(drawn.parent/"lava.csv", index=False)
    assert "'lava' in 6 rows" in refused("evaluate", bundle, drawn.parent/"lava.csv", "--out", tmp_path/"e")
    assert list(tmp_path.iterdir()) == []

def test_fewer_images_than_a_batch(folders, tmp_path):
    ok("train", folders, *TINY[2:], "--bs", "500", "--out", tmp_path/"run")
    assert np.isfinite(pd.read_csv(tmp_path/"run"/"history.csv").train_loss).all()

def test_names_with_blanks_and_accents(folders, tmp_path):
    (folders/"reef").rename(folders/"fondo rocoso ñ")
    for k,path in enumerate(sorted((folders/"fondo rocoso ñ").iterdir())): path.rename(path.with_name(f"cámara 1 – día {k}.jpg"))
    out = tmp_path/"mi modelo (ñ)"
    ok("train", folders, *TINY[2:], "--out", out)
    ok("predict", out/"bundle", folders, "--out", tmp_path/"las imágenes.csv")
    ok("evaluate", out/"bundle", folders, "--out", tmp_path/"a b")
    assert "fondo rocoso ñ" in json.loads((out/"bundle"/"config.json").read_text(encoding="utf-8"))["targets"]["label"]
    assert pd.read_csv(tmp_path/"las imágenes.csv").path.str.contains("cámara 1 – día").sum() == 6

def test_columns_in_another_order(drawn, bundle, tmp_path):
    df = pd.read_csv(drawn, keep_default_na=False)
    other = df[df.columns[::-1]].sample(frac=1, random_state=0)
    other.to_csv(drawn.parent/"other.csv", index=False)
    figures = []
    for name in ("manifest.csv", "other.csv"):
        ok("evaluate", bundle, drawn.parent/name, "--out", tmp_path/name)
        figures.append(json.loads((tmp_path/name/"metrics.json").read_text())["classes"])
    assert figures[0] == figures[1]
    for name in ("one", "two"): ok("train", drawn.parent/("manifest.csv" if name == "one" else "other.csv"), *TINY, "--out", tmp_path/name)
    assert (tmp_path/"one"/"split.csv").read_bytes() == (tmp_path/"two"/"split.csv").read_bytes()

@pytest.mark.parametrize("text,says", [("floor,video\nreef,1\n", "path"), ("path,floor\n", "no rows"), ("", "can't be read"), ("path,floor\na.jpg,reef,7\nb.jpg,sandy\n", ""), ("path;floor\na.jpg;\n", "a.jpg")])
def test_a_manifest_that_is_none(tmp_path, text, says):
    (tmp_path/"m.csv").write_text(text)
    assert says in refused("train", tmp_path/"m.csv", *TINY, "--out", tmp_path/"run")
    assert not (tmp_path/"run").exists()

def spoil_weights(b): (b/"model.safetensors").write_bytes((b/"model.safetensors").read_bytes()[:-64])
def lose_weights(b): (b/"model.safetensors").unlink()
def spoil_config(b): (b/"config.json").write_text('{"targets": ')

@pytest.mark.parametrize("spoil", [spoil_weights, lose_weights, spoil_config, shutil.rmtree])
def test_a_damaged_bundle(bundle, drawn, tmp_path, spoil):
    shutil.copytree(bundle, tmp_path/"bundle")
    spoil(tmp_path/"bundle")
    assert str(tmp_path/"bundle") in refused("predict", tmp_path/"bundle", drawn, "--out", tmp_path/"p.csv")
    assert str(tmp_path/"bundle") in refused("evaluate", tmp_path/"bundle", drawn, "--out", tmp_path/"e")
    assert not (tmp_path/"p.csv").exists() and not (tmp_path/"e").exists()

def unwritable(tmp_path):
    "A place where nothing can be written: under a file, and, but for root, in a read-only folder."
    (tmp_path/"file").write_text("mine")
    (tmp_path/"locked").mkdir(mode=0o500)
    return [tmp_path/"file"/"x"] + [tmp_path/"locked"/"x"]*bool(os.geteuid())

def test_an_output_that_cannot_be_written(bundle, drawn, tmp_path):
    for place in unwritable(tmp_path):
        for argv in (["train", drawn, *TINY, "--out", place], ["evaluate", bundle, drawn, "--out", place], ["synth", place], ["demo", "--out", place], ["predict", bundle, drawn, "--out", place/"p.csv"]):
            assert str(place.parent) in refused(*argv)
    assert (tmp_path/"file").read_text() == "mine"
    assert "csv or .parquet" in refused("predict", bundle, drawn, "--out", tmp_path/"p.txt")

@contextmanager
def small_disk(n_bytes):
    "No file can grow beyond `n_bytes`, as on a disk that fills."
    soft,hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try: yield
    finally: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

def test_a_disk_that_fills_while_training(drawn, bundle, tmp_path):
    "It fills when the first weights are to be written; with room again the run goes on to the same end."
    with small_disk(300_000): assert str(tmp_path/"run") in refused("train", drawn, *TINY, "--out", tmp_path/"run")
    assert not (tmp_path/"run"/"bundle").exists()
    assert "--resume" in refused("train", drawn, *TINY, "--out", tmp_path/"run")
    ok("train", drawn, *TINY, "--out", tmp_path/"run", "--resume")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path/"run"/"predictions.csv"), pd.read_csv(bundle.parent/"predictions.csv"), atol=1e-4)

def test_a_disk_that_fills_while_caching(drawn, tmp_path):
    with small_disk(2_000): refused("train", drawn, *TINY, "--out", tmp_path/"run")
    ok("train", drawn, *TINY, "--out", tmp_path/"run", "--resume")

def test_a_disk_that_fills_while_predicting(bundle, drawn, tmp_path):
    for name in ("p.csv", "p.parquet"):
        with small_disk(1_000): assert str(tmp_path/name) in refused("predict", bundle, drawn, "--out", tmp_path/name)
        assert not (tmp_path/name).exists()
        ok("predict", bundle, drawn, "--out", tmp_path/name, "--resume")
    assert len(pd.read_csv(tmp_path/"p.csv")) == len(pd.read_parquet(tmp_path/"p.parquet")) == 24
    with small_disk(1_000): refused("evaluate", bundle, drawn, "--out", tmp_path/"e")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.csv", "p.csv.run.json", "p.parquet", "p.parquet.run.json"]
