"Each tutorial's visible code runs where a reader pastes it: in an empty folder, with nothing that a hidden cell defines."
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT/"tools"))
from tutorials import TUTORIALS  # noqa: E402

@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_pasted(name, run):
    run(sys.executable, ROOT/"tools/tutorials.py", "--dry", name, OCEAN_SMALL="1", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
