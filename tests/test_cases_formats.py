"Annotation files as other tools and other people write them: each is read right, or refused in one line that says what to do."
import json

import numpy as np
import pandas as pd
import pytest
from jobs import ok, refused
from ocean_fastai.core import BoxError
from ocean_fastai.formats.coco import coco_images, read_coco
from ocean_fastai.formats.voc import read_voc
from ocean_fastai.formats.yolo import read_yolo
from PIL import Image

TRAIN = ["--arch", "mobilenetv2_035", "--weights", "none", "--size", "32", "--head-epochs", "0", "--body-epochs", "1"]

def picture(path, size=(32, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(str(path))).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(path)

def coco(file, n=10, images=".", name="{}.jpg", **first):
    "A COCO file of `n` images, two classes in turn in all but the last two; `first` changes its first annotation."
    for k in range(n): picture(file.parent/images/f"{k}.jpg")
    notes = [{"id": k + 1, "image_id": k + 1, "category_id": k % 2 + 1, "bbox": [4, 4, 10, 10], "area": 100, "iscrowd": 0} for k in range(n - 2)]
    notes[0].update(first)
    data = {"images": [{"id": k + 1, "file_name": name.format(k), "width": 32, "height": 24} for k in range(n)], "annotations": notes,
            "categories": [{"id": 1, "name": "plastic"}, {"id": 2, "name": "fish"}]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data))
    return file

@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    ok("train", coco(folder/"boxes.json"), *TRAIN, "--out", folder/"run")
    return folder/"run"/"bundle"

def predicted(bundle, file, tmp_path):
    (tmp_path/"p.csv").unlink(missing_ok=True)
    ok("predict", bundle, file, "--out", tmp_path/"p.csv")
    df = pd.read_csv(tmp_path/"p.csv")
    assert df["error"].isna().all() if "error" in df else True
    return len(df)

def test_the_standard_layout_of_coco(bundle, tmp_path):
    file = coco(tmp_path/"set/annotations/instances_default.json", images="../images")
    assert predicted(bundle, file, tmp_path) == 10
    out,_ = ok("train", file, *TRAIN, "--out", tmp_path/"run")

@pytest.mark.parametrize("images", ["../images/val", "../val", "../data", "images", "data"])
def test_other_layouts_of_coco(tmp_path, images):
    file = coco(tmp_path/"annotations/instances_val.json", 3, images=images)
    df,_ = read_coco(file)
    assert pd.Series(df.path).map(lambda p: (tmp_path/"annotations"/images/p).resolve().is_file()).all()
    assert df.attrs["folder"] == str((tmp_path/"annotations"/images).resolve())

def test_images_elsewhere_are_named(tmp_path, capsys):
    file = coco(tmp_path/"set/boxes.json", 3, images="../far/away")
    coco_images(file)
    assert "3 of 3 images aren't there: 0.jpg, 1.jpg, 2.jpg (looked in" in (said := capsys.readouterr().out) and "images=" in said
    assert coco_images(file, images=tmp_path/"far/away").attrs["folder"] == str(tmp_path/"far/away")
    read_coco(file, images=tmp_path/"far/away")
    assert "aren't there" not in capsys.readouterr().out
    with pytest.raises(BoxError, match="nowhere.*no such folder"): read_coco(file, images=tmp_path/"nowhere")

def test_backslashes_in_file_names(bundle, tmp_path):
    file = coco(tmp_path/"result.json", images="images", name="images\\{}.jpg")
    assert predicted(bundle, file, tmp_path) == 10
    assert read_coco(file)[0].path[0] == "images/0.jpg"

@pytest.mark.parametrize("spoilt", [{"bbox": [4, 4, 10, 0]}, {"bbox": [400, 4, 10, 10]}, {"bbox": None}, {"bbox": [1, 2, 3]}], ids=["no height", "outside", "null", "three numbers"])
def test_one_spoilt_box_among_many(bundle, tmp_path, spoilt, capsys):
    file = coco(tmp_path/"boxes.json", **spoilt)
    assert predicted(bundle, file, tmp_path) == 10
    from ocean_fastai.data.boxes import boxes_to_labels
    df,boxes = read_coco(file, outside="clip")
    assert len(boxes) == 7 and "1 of 8 boxes have no area in their image and are left out" in capsys.readouterr().out
    assert boxes_to_labels(df, boxes).elements[0] == "plastic"

def test_training_goes_on_past_a_spoilt_box(tmp_path):
    out,_ = ok("train", coco(tmp_path/"boxes.json", bbox=[4, 4, 10, 0]), *TRAIN, "--out", tmp_path/"run")
    assert "1 of 8 boxes have no area" in out

def test_polygons_without_a_box(tmp_path, capsys):
    file = coco(tmp_path/"boxes.json")
    data = json.loads(file.read_text())
    for a in data["annotations"]: a["segmentation"] = [[*a["bbox"][:2], 14, 4, 14, 14]]; del a["bbox"]
    file.write_text(json.dumps(data))
    assert read_coco(file)[1][["x0", "y0", "x1", "y1"]].drop_duplicates().values.tolist() == [[4, 4, 14, 14]]
    assert "8 polygons have no bbox" in capsys.readouterr().out

@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_coco_in_other_encodings(tmp_path, encoding):
    file = coco(tmp_path/"boxes.json", 3)
    data = json.loads(file.read_text())
    data["categories"][0]["name"] = "limón"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding=encoding)
    assert read_coco(file)[1].label[0] == "limón"

def test_withheld_answers(bundle, tmp_path):
    file = coco(tmp_path/"test.json", 4)
    data = json.loads(file.read_text())
    for a in data["annotations"]: a["category_id"] = None
    file.write_text(json.dumps(data))
    assert predicted(bundle, file, tmp_path) == 4
    ok("localize", bundle, file, "--classes", "plastic", "--scales", "1", "--out", tmp_path/"found")
    assert "category_id None isn't there" in refused("train", file, *TRAIN, "--out", tmp_path/"run")
    file.write_text(json.dumps({"images": data["images"]}))
    assert predicted(bundle, file, tmp_path) == 4

def yolo(folder, lines="0 0.5 0.5 0.2 0.2\n", encoding="utf-8", yaml="train: train/images\nval: valid/images\nnames: [fish, trash]\n", **more):
    "A YOLO folder of two splits; `lines` is the label file of the training image."
    for split,text in (("train", lines), ("valid", "0 0.5 0.5 0.2 0.2\n")):
        picture(folder/split/"images"/f"{split}0.jpg")
        (folder/split/"labels").mkdir(exist_ok=True)
        (folder/split/"labels"/f"{split}0.txt").write_text(text, encoding=encoding)
    (folder/"data.yaml").write_text(yaml)
    return folder

@pytest.mark.parametrize("lines,encoding", [("0 0.5 0.5 0.2 0.2", "utf-16"), ("0 0.5 0.5 0.2 0.2", "utf-8-sig"), ("# año\n0 0.5 0.5 0.2 0.2", "latin-1"),
    ("0.0 5e-1 .5 .2 .2", "utf-8"), ("0 .4 .4 .6 .4 .6 .6 .4 .6", "utf-8")], ids=["utf-16", "byte-order mark", "latin-1", "class 0.0", "polygon"])
def test_label_files_of_yolo(tmp_path, lines, encoding):
    df,boxes = read_yolo(yolo(tmp_path, lines, encoding))
    train = boxes[boxes.path.str.startswith("train")]
    assert train.label.tolist() == ["fish"]
    np.testing.assert_allclose(train[["x0", "y0", "x1", "y1"]].to_numpy(), [[12.8, 9.6, 19.2, 14.4]])
    assert df.split.tolist() == ["train", "valid"]

def test_an_absent_test_split_is_passed_over(tmp_path, capsys):
    df,_ = read_yolo(yolo(tmp_path, yaml="train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: [fish, trash]\n"))
    assert df.split.tolist() == ["train", "valid"] and "test images in ../test/images aren't there; passed over" in capsys.readouterr().out
    with pytest.raises(BoxError, match="names images in gone, which isn't there"): read_yolo(yolo(tmp_path, yaml="train: train/images\nval: gone\nnames: [fish, trash]\n"))

def test_val_that_is_train(tmp_path, capsys):
    df,boxes = read_yolo(yolo(tmp_path, yaml="train: train/images\nval: train/images\nnames: [fish, trash]\n"))
    assert len(df) == len(boxes) == 1 and "split" not in df
    assert "train and valid name the same folder" in capsys.readouterr().out

def test_yolo_without_a_yaml(tmp_path):
    picture(tmp_path/"images/a.jpg")
    (tmp_path/"labels").mkdir()
    (tmp_path/"labels/a.txt").write_text("1 .5 .5 .1 .1")
    (tmp_path/"classes.txt").write_text("fish\ntrash\n")
    assert read_yolo(tmp_path)[1].label.tolist() == ["trash"]

def voc(folder, name="0.jpg", image="0.jpg", encoding="utf-8"):
    picture(folder/"JPEGImages"/image)
    (folder/"Annotations").mkdir()
    box = "<bndbox><xmin>4</xmin><ymin>4</ymin><xmax>14</xmax><ymax>14</ymax></bndbox>"
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotation><filename>{name}</filename><object><name>fish</name>{box}</object></annotation>'
    (folder/"Annotations/0.xml").write_bytes(text.encode())
    return folder

@pytest.mark.parametrize("side", ["._0.xml", ".ipynb_checkpoints/0-checkpoint.xml", "0.tif.aux.xml", "sub/.hidden/x.xml"])
def test_side_files_of_voc(tmp_path, side):
    file = voc(tmp_path)/"Annotations"/side
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"<PAMDataset></PAMDataset>" if "aux" in side else b"\0\5\26\7" if "._" in side else (tmp_path/"Annotations/0.xml").read_bytes())
    df,boxes = read_voc(tmp_path)
    assert (len(df), len(boxes)) == (1, 1)

@pytest.mark.parametrize("name,image", [("0", "0.JPG"), ("0.jpg", "0.JPG"), ("C:\\photos\\0.jpg", "0.JPG"), ("x" * 300 + ".jpg", "0.JPG"), ("", "0.jpeg")])
def test_names_of_voc_images(tmp_path, name, image):
    assert read_voc(voc(tmp_path, name, image))[0].path.tolist() == [f"JPEGImages/{image}"]

@pytest.mark.parametrize("encoding", ["made-up", "utf-7", "shift_jis", "latin-1"])
def test_encodings_of_voc(tmp_path, encoding):
    assert len(read_voc(voc(tmp_path, encoding=encoding))[1]) == 1

def test_over_long_names_of_coco(tmp_path):
    file = coco(tmp_path/"boxes.json", 3)
    data = json.loads(file.read_text())
    data["images"].append({"id": 99, "file_name": "x"*400 + ".jpg", "width": 4, "height": 3})
    file.write_text(json.dumps(data))
    assert len(read_coco(file)[0]) == 4

def test_a_large_coco_file_is_read_in_seconds(tmp_path):
    n = 100_000
    for k in range(50): picture(tmp_path/f"{k}.jpg")
    notes = [{"id": k + 1, "image_id": k % 50 + 1, "category_id": 1, "bbox": [k % 20, 1.5, 3, 4], "area": 6, "iscrowd": 0, "segmentation": [[k % 20, 1.5, k % 20 + 3, 1.5, k % 20, 5.5]]} for k in range(n)]
    data = {"images": [{"id": k + 1, "file_name": f"{k}.jpg", "width": 32, "height": 24} for k in range(50)], "annotations": notes, "categories": [{"id": 1, "name": "plastic"}]}
    (tmp_path/"boxes.json").write_text(json.dumps(data))
    df,boxes = read_coco(tmp_path/"boxes.json")
    assert len(boxes) == n and boxes.segmentation[1] == "[[1, 1.5, 4, 1.5, 1, 5.5]]"
