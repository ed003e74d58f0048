"What pip installs: the wheel's content, its use from another environment, and how little an import costs."
import ast
import configparser
import re
import sys
import sysconfig
import tarfile
import time
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from conftest import ROOT, copy_project

HEAVY = ["torch", "fastai", "timm", "pandas", "matplotlib", "albumentations", "cv2", "sklearn", "PIL"]

@pytest.fixture(scope="session")
def dist(tmp_path_factory, run):
    "The folder with the wheel, which is built from the sdist, as pip would build it."
    project, out = copy_project(tmp_path_factory.mktemp("project")), tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, project, cwd=project)
    return out

@pytest.fixture(scope="session")
def wheel(dist): return next(dist.glob("*.whl"))

@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory, wheel, run):
    "The Python of another environment: the wheel installed, with the requirements of this one."
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home/"env", with_pip=False, symlinks=True)
    scheme = {"base": str(home/"env"), "platbase": str(home/"env")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (site/"requirements.pth").write_text("\n".join(dict.fromkeys(sysconfig.get_path(k) for k in ("purelib", "platlib"))))
    python = Path(sysconfig.get_path("scripts", "venv", vars=scheme))/"python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel)
    return python

def metadata(wheel):
    with zipfile.ZipFile(wheel) as z: return Parser().parsestr(z.read(next(n for n in z.namelist() if n.endswith("/METADATA"))).decode())

def test_wheel_holds_the_library_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    modules = {str(p.relative_to(ROOT)) for p in (ROOT/"ocean_fastai").rglob("*.py")}
    data = {"infer/predict_onnx.txt", "annotate/review.js", "annotate/review.css", "transect/leaflet.js", "transect/leaflet.css", "transect/leaflet.LICENSE"}
    assert {n for n in names if ".dist-info/" not in n} == modules | {f"ocean_fastai/{n}" for n in data}
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)

def test_wheel_says_what_it_needs(wheel):
    meta = metadata(wheel)
    needs = meta.get_all("Requires-Dist")
    assert meta["Name"] == "ocean-fastai" and meta["License-Expression"] == "Apache-2.0" and meta["Requires-Python"] == ">=3.11"
    assert meta["Version"] in (ROOT/"CHANGELOG.md").read_text(encoding="utf-8")
    assert {"dev", "onnx", "wandb"} <= set(meta.get_all("Provides-Extra"))
    assert {"fastai", "timm", "pandas", "pyarrow", "torch"} <= {re.match(r"[\w-]+", n)[0] for n in needs if "extra ==" not in n}
    assert [n for n in needs if re.search(r"<|==(?!.*extra)|~=", n.split(";")[0])] == [], "no upper bounds"
    entry = next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("entry_points.txt"))
    assert "ocean-fastai = ocean_fastai.cli:main" in zipfile.ZipFile(wheel).read(entry).decode()

def test_readme_leads_somewhere_from_pypi(wheel):
    text = metadata(wheel).get_payload()
    assert text.startswith("# ocean-fastai")
    assert [t for t in re.findall(r"\]\(([^)]+)\)", text) if not re.match(r"https://|#", t)] == []

def test_requirements_are_what_the_code_imports():
    cfg = configparser.ConfigParser(delimiters=["="])
    cfg.read(ROOT/"settings.ini")
    named = {re.match(r"[\w-]+", r)[0].lower() for r in cfg["project"]["requirements"].split()}
    used = set()
    for path in (ROOT/"ocean_fastai").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            used |= {n.split(".")[0] for n in names if n}
    used -= set(sys.stdlib_module_names) | {"ocean_fastai", "wandb", "ray", "onnx", "onnxruntime", "imagehash", "umap", "anywidget", "cleanlab", "folium", "geopandas"}  # extras: imported where they are asked for
    dists = packages_distributions()
    assert {u for u in used if not named & {d.lower() for d in dists[u]}} == set(), "imported, and not in settings.ini"

def test_sdist_holds_what_a_build_needs(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as tar: names = {n.partition("/")[2] for n in tar.getnames()}
    assert {"settings.ini", "setup.py", "pyproject.toml", "README.md", "LICENSE", "ocean_fastai/core.py"} <= names
    assert not [n for n in names if n.startswith(("nbs", "tests", ".github"))]

def test_wheel_serves_another_environment(elsewhere, run, tmp_path):
    out = run(elsewhere, "-c", "import ocean_fastai, ocean_fastai.all as o; print(ocean_fastai.__file__, o.OceanDataLoaders.__module__)", cwd=tmp_path)
    assert out.startswith(str(elsewhere.parent.parent)) and out.split()[-1] == "ocean_fastai.data.loaders"
    assert "predict" in run(elsewhere.parent/"ocean-fastai", "--help", cwd=tmp_path)

def test_import_and_help_load_nothing_heavy(python, tmp_path):
    loaded = f"import sys; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert python(f"import ocean_fastai; {loaded}", cwd=tmp_path).split() == []
    code = f"import sys; sys.argv[1:] = ['--help']\nfrom ocean_fastai.cli import main\ntry: main()\nexcept SystemExit: pass\n{loaded}"
    assert python(code, cwd=tmp_path).splitlines()[-1].split() == []

def test_help_is_quick(elsewhere, run, tmp_path):
    def seconds():
        start = time.perf_counter()
        run(elsewhere.parent/"ocean-fastai", "--help", cwd=tmp_path)
        return time.perf_counter() - start
    assert min(seconds() for _ in range(3)) < .5
