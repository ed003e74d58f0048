"What the tests share: where the project is, a copy of it to build and export in, and Python in a process of its own."
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = ["pyproject.toml", "settings.ini", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "_quarto.yml"]
JUNK = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info", ".*", "[_]proc", "[_]docs")

def copy_project(to):
    "The project's own files in folder `to`, without what builds and runs leave behind."
    for name in FILES: shutil.copy(ROOT/name, to/name)
    for name in ["nbs", "ocean_fastai", "tests", "tools"]: shutil.copytree(ROOT/name, to/name, symlinks=True, ignore=JUNK)
    return to

@pytest.fixture
def project(tmp_path): return copy_project(tmp_path)

@pytest.fixture(scope="session")
def run():
    "Runs a command and returns what it printed; a failing one fails the test and shows what it said."
    def _run(*cmd, cwd=ROOT, **env):
        env = {k: v for k,v in {**os.environ, **env}.items() if k not in ("IN_TEST", "PYTHONPATH")}
        res = subprocess.run([str(c) for c in cmd], cwd=cwd, env=env, capture_output=True, text=True)
        assert res.returncode == 0, f"{cmd} ended with {res.returncode}\n{res.stdout[-4000:]}\n{res.stderr[-4000:]}"
        return res.stdout
    return _run

@pytest.fixture(scope="session")
def python(run):
    "Runs Python code in a process of its own."
    return lambda code, **kw: run(sys.executable, "-c", code, **kw)

@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    "The manifest of a small synthetic data set that several tests share."
    from jobs import draw
    return draw(tmp_path_factory.mktemp("tiny")/"drawn")

@pytest.fixture(scope="session")
def tiny_bundle(tiny):
    "A bundle trained on it in the shortest of ways."
    from jobs import TINY, ok
    ok("train", tiny, *TINY, "--out", tiny.parent.parent/"run")
    return tiny.parent.parent/"run"/"bundle"
