"Bundles written by earlier versions of the library still load, and predict what they predicted when they were written."
from pathlib import Path

import numpy as np
import pandas as pd

FIXTURES = Path(__file__).parent/"fixtures"

def test_a_bundle_of_format_1_predicts_as_when_it_was_written():
    import ocean_fastai.infer.predict # gives Bundle its `predict`
    from ocean_fastai.infer.bundle import load_bundle
    rng = np.random.default_rng(7)
    images = [np.kron(rng.integers(0, 256, (4, 6, 3)), np.ones((10, 10, 1))).astype(np.uint8) for _ in range(6)]
    model = load_bundle(FIXTURES/"bundle-v1", "cpu")
    now = model.predict(images, progress=False)
    then = pd.read_csv(FIXTURES/"bundle-v1.csv", keep_default_na=False, na_values=[""])
    numbers = [c for c in then if c.startswith("p_")] + ["score"]
    assert list(now.columns) == list(then.columns)
    assert now["label"].where(now["label"].notna(), None).tolist() == then["label"].astype(object).where(then["label"].notna(), None).tolist()
    np.testing.assert_allclose(now[numbers].to_numpy(float), then[numbers].to_numpy(float), atol=1e-4)
    assert now["label"].isna().sum() == 1 and (then["label"] == "none").any(), "the fixture shows an abstention and a `none`"
