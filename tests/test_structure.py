"How the package is built: imports go one way, code says what it does and swallows nothing, and every module has its places."
import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT

def number(name):
    "The number that a notebook's name begins with, where a third digit is a decimal (491 is 49.1); after all numbers where there is none."
    digits = re.match(r"\d*", name)[0]
    return float(f"{digits[:2]}.{digits[2:]}0") if digits else 100.

NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"), key=lambda nb: (number(nb.name), nb.name))

def default_exp(nb):
    "The module that a notebook exports, None where it exports nothing."
    for cell in nbformat.read(nb, as_version=4).cells:
        found = re.search(r"^#\|\s*default_exp\s+(\S+)", cell.source, re.M) if cell.cell_type == "code" else None
        if found: return found[1]

EXPORTS = {nb: default_exp(nb) for nb in NOTEBOOKS}
NUMBERS = {f"ocean_fastai.{mod}": number(nb.name) for nb,mod in EXPORTS.items() if mod}
MODULES = {name: ROOT/(name.replace(".", "/")+".py") for name in NUMBERS}

def parse(path): return ast.parse(path.read_text(encoding="utf-8"), str(path))

def own_imports(name, tree, numbers):
    "The modules of the library that module `name` imports, wherever in it. nbdev writes `from ocean_fastai.core` as `from .core`."
    for node in ast.walk(tree):
        if isinstance(node, ast.Import): names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = ".".join([*name.split(".")[:-node.level], node.module or ""]).strip(".") if node.level else node.module
            names = [f"{source}.{a.name}" if f"{source}.{a.name}" in numbers else source for a in node.names]
        else: continue
        yield from {n for n in names if n.startswith("ocean_fastai.")}

def breaches(name, tree, numbers):
    "The imports of module `name` that don't lead downwards."
    return [f"{name} ({numbers[name]:02g}) imports {imp} ({numbers.get(imp, 'not a module of a notebook')})" for imp in own_imports(name, tree, numbers)
            if not numbers.get(imp, 100) < numbers[name]]

def test_modules_are_numbered():
    for nb,mod in EXPORTS.items():
        if mod: assert re.fullmatch(rf"\d\d\d?_{re.escape(mod)}\.ipynb", nb.name), f"{nb.name} exports {mod}"
    numbers = list(NUMBERS.values())
    assert len(numbers) == len(set(numbers)), "two modules have one number"

def test_a_third_digit_is_a_decimal():
    names = ["05_a.ipynb", "49_infer.a.ipynb", "491_infer.b.ipynb", "492_infer.c.ipynb", "50_explain.a.ipynb"]
    assert [number(n) for n in names] == [5, 49, 49.1, 49.2, 50]
    assert sorted(reversed(names), key=number) == names

def test_notebooks_begin_with_a_title_and_one_line():
    first = {nb.name: nbformat.read(nb, as_version=4).cells[0].source for nb in NOTEBOOKS}
    assert [name for name,text in first.items() if not re.match(r"# [^#\s].*\n\n?> \S", text)] == []

def test_a_folder_is_in_one_ten():
    tens = {}
    for name,number in NUMBERS.items():
        if name.count(".") == 2: tens.setdefault(name.split(".")[1], set()).add(number//10)
    assert all(len(t) == 1 for t in tens.values()), tens

def test_imports_lead_downwards():
    assert [b for name,path in MODULES.items() for b in breaches(name, parse(path), NUMBERS)] == []

@pytest.mark.parametrize("code", ["import ocean_fastai.up", "from ocean_fastai.up import f", "from ocean_fastai import up",
    "def f():\n    from ocean_fastai.up import g", "from ocean_fastai.me import f", "from ocean_fastai.all import *",
    "from .up import f", "from . import up"])
def test_the_rule_sees_a_breach(code):
    numbers = {"ocean_fastai.down": 10, "ocean_fastai.me": 20, "ocean_fastai.up": 30}
    assert breaches("ocean_fastai.me", ast.parse(code), numbers)
    assert not breaches("ocean_fastai.me", ast.parse("from .down import f\nfrom ocean_fastai.down import f\nimport ocean_fastai"), numbers)
    assert breaches("ocean_fastai.train.me", ast.parse("from ..down import f\nfrom .up import f"),
                    {"ocean_fastai.down": 10, "ocean_fastai.train.me": 20, "ocean_fastai.train.up": 30}) == ["ocean_fastai.train.me (20) imports ocean_fastai.train.up (30)"]

def test_every_module_has_its_notebook():
    byhand = {"__init__.py", "__main__.py", "_modidx.py", "all.py"}
    found = {p for p in (ROOT/"ocean_fastai").rglob("*.py") if p.name not in byhand}
    assert found == set(MODULES.values())

def test_notebooks_leave_warnings_as_they_are():
    "Notebooks share a process when tested, so a filter that one sets would hide the warnings that another tests."
    filters = re.compile(r"^warnings\.(?:simplefilter|filterwarnings|resetwarnings)\(", re.M)
    assert not [(nb.name, c.id) for nb in NOTEBOOKS for c in nbformat.read(nb, as_version=4).cells
                if c.cell_type == "code" and filters.search(c.source)]

def test_no_module_of_jobs_has_a_jobs_name():
    "Importing such a module would put it in the place of the job."
    from ocean_fastai.jobs import _MODULES
    assert not set(_MODULES) & set(_MODULES.values())

def test_every_folder_is_a_package_and_says_what_it_is():
    for folder in {p.parent for p in (ROOT/"ocean_fastai").rglob("*.py")}:
        assert ast.get_docstring(parse(folder/"__init__.py")), folder

def faults(tree):
    "What no exported code may hold, as `line: fault`."
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names): yield f"{node.lineno}: wildcard import"
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
            if node.type is None: yield f"{node.lineno}: bare except"
            elif broad and all(isinstance(n, (ast.Pass, ast.Continue)) for n in node.body): yield f"{node.lineno}: error swallowed"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None), *(a.name for a in node.names)]
            if {"pickle", "dill", "joblib"} & set(names): yield f"{node.lineno}: pickle"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            safe = [k for k in node.keywords if k.arg == "weights_only" and getattr(k.value, "value", None) is True]
            if not safe: yield f"{node.lineno}: torch.load without weights_only=True"

def test_exported_code_has_no_faults():
    assert [f"{path.relative_to(ROOT)}:{f}" for path in MODULES.values() for f in faults(parse(path))] == []

@pytest.mark.parametrize("code", ["from os import *", "try: f()\nexcept: raise", "try: f()\nexcept Exception: pass",
    "import pickle", "from pickle import load", "torch.load(f)", "torch.load(f, weights_only=False)"])
def test_the_check_sees_a_fault(code):
    assert list(faults(ast.parse(code)))
    assert not list(faults(ast.parse("try: f()\nexcept OSError: pass\ntorch.load(f, weights_only=True)")))

def test_public_functions_say_what_they_do():
    mute = [f"{path.relative_to(ROOT)}: {node.name}" for path in MODULES.values() for node in parse(path).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and not ast.get_docstring(node)]
    assert mute == []

def test_every_notebook_is_in_the_sidebar_and_numbered_ones_in_order():
    def pages(items):
        for item in items:
            if isinstance(item, str): yield item
            else: yield from pages(item["contents"])
    listed = list(pages(yaml.safe_load((ROOT/"nbs/sidebar.yml").read_text())["website"]["sidebar"]["contents"]))
    assert sorted(p for p in listed if p.endswith(".ipynb")) == sorted(nb.name for nb in NOTEBOOKS)
    names = [p for p in listed if p[:2].isdigit()]
    assert names == sorted(names, key=number)

def test_every_module_is_in_the_map():
    shown = re.findall(r"^    (\d\d\d?_\S+)", (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    assert shown == [Path(nb.name).stem for nb,mod in EXPORTS.items() if mod]

@pytest.fixture(scope="module")
def given(python):
    "What `from ocean_fastai.all import *` gives, and which names of fastai mean something else there."
    return json.loads(python("import json, fastai.vision.all as theirs, ocean_fastai.all as ours\n"
        "changed = [n for n in dir(theirs) if n[0] != '_' and getattr(ours, n) is not getattr(theirs, n)]\n"
        "print(json.dumps({'names': [n for n in dir(ours) if n[0] != '_'], 'changed': changed}))"))

def test_all_gives_what_the_readme_uses(given):
    code = re.search(r"```python\n(.*?)```", (ROOT/"README.md").read_text(encoding="utf-8"), re.S)[1]
    names = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)]
    used = {n.id for n in names if isinstance(n.ctx, ast.Load)} - {n.id for n in names if isinstance(n.ctx, ast.Store)}
    assert "OceanDataLoaders" in used and sorted(used - set(given["names"])) == []

def test_all_hides_no_name_of_fastai(given):
    "A name of ours that hides one of fastai's would change what a fastai user's code means."
    assert given["changed"] == []
