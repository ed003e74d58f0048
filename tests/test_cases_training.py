"Small inputs that trained wrongly or ended with a traceback."
import numpy as np
import pytest
from PIL import Image

from ocean_fastai.core import OceanError
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.train.learner import ocean_learner


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "Two class folders with four plain pictures each."
    root = tmp_path_factory.mktemp("classes")
    for i in range(8):
        (root/"ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 40, 3), 20*i, np.uint8)).save(root/"ab"[i % 2]/f"{i}.png")
    return root

def learner(folder, bs):
    dls = OceanDataLoaders.from_folder(folder, size=32, bs=bs, augs=None, valid=.25, device="cpu", progress=False)
    return ocean_learner(dls, "resnet18", weights=None)

def test_one_image_a_batch_is_refused_before_it_trains(folder):
    learn = learner(folder, 1)
    before = learn.model.bn1.running_mean.clone()
    with pytest.raises(OceanError, match="batch norm needs two images.*give bs=2"):
        learn.fit_transfer(0, 1, train_bn=True)
    assert (learn.model.bn1.running_mean == before).all()

def test_two_images_a_batch_train(folder):
    learn = learner(folder, 2)
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(0, 1, train_bn=True)
    assert learn.fit_summary["best"] == ("body", 1)

def test_a_frozen_norm_trains_on_one_image_a_batch(folder):
    learn = learner(folder, 1)
    with learn.no_bar(), learn.no_logging(): learn.fit_transfer(0, 1)
    assert len(learn.history) == 1
