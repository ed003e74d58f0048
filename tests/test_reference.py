"What a reader of the reference sees: an example of every public name that can be pasted and run, true annotations, plain words, short lines."
import ast
import builtins
import inspect
import json
import re
from functools import lru_cache

import nbformat
import pytest
from conftest import ROOT
from test_structure import EXPORTS, MODULES

PAGES = {f"ocean_fastai.{mod}": nb for nb,mod in EXPORTS.items() if mod}
NOT_RUN = ("hide", "export", "exports", "default_exp", "eval: false", "slow", "cuda", "download")

MADE_BY_OTHERS = {"Bundle"} # Classes that nobody makes by hand: the page shows the function that gives one

def flags(cell): return {f.strip() for f in re.findall(r"^#\|(.*)$", cell.source, re.M)}

def is_visible(cell):
    "Is this a code cell that the page shows and that runs whenever the notebook is tested?"
    return cell.cell_type == "code" and not any(f.startswith(n) for f in flags(cell) for n in NOT_RUN)

@lru_cache(None)
def cells_of(nb): return nbformat.read(nb, as_version=4).cells

def parsed(cell):
    "The Python of a cell; lines for the notebook or the shell left out."
    return ast.parse(re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.M))

def visible(nb): return [parsed(c) for c in cells_of(nb) if is_visible(c)]

def loads(tree): return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}

def attributes(tree): return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}

def binds(tree):
    "The names that code makes, wherever in it."
    for n in ast.walk(tree):
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store): yield n.id
        elif isinstance(n, (ast.FunctionDef, ast.ClassDef)): yield n.name
        elif isinstance(n, ast.arg): yield n.arg
        elif isinstance(n, ast.ExceptHandler) and n.name: yield n.name
        elif isinstance(n, (ast.Import, ast.ImportFrom)): yield from ((a.asname or a.name).split(".")[0] for a in n.names)

def names_of_all():
    "Module and name of what `ocean_fastai/all.py` imports from the library."
    for node in ast.parse((ROOT/"ocean_fastai/all.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("ocean_fastai."):
            yield from ((node.module, a.name) for a in node.names)

NAMES = list(names_of_all())

def union(sets): return set().union(*sets)

def without_example(page, names):
    "Which of `names` no visible cell of a page uses. Of a constant or an error it is enough that the page names it."
    used,cells = union(map(loads, visible(page))),cells_of(page)
    text = "\n".join(c.source for c in cells if is_visible(c) or c.cell_type == "markdown")
    for name in names:
        mentioned = (name.isupper() or name.endswith("Error") or name in MADE_BY_OTHERS) and re.search(rf"\b{name}\b", text)
        if name not in used and not mentioned: yield name

@pytest.mark.parametrize("module", dict(NAMES))
def test_every_name_of_all_has_a_visible_example(module):
    assert list(without_example(PAGES[module], [n for m,n in NAMES if m == module])) == []

def methods():
    "Class, name and module of the public methods that users call: of `all`'s classes, and those given to fastai's `Learner`."
    import ocean_fastai.all as ours
    for name in [*(n for _,n in NAMES if inspect.isclass(getattr(ours, n))), "Learner"]:
        cls = getattr(ours, name)
        inherited = {n for base in cls.__mro__[1:] for n in vars(base)} | {"encodes"} # fastai calls these
        for n,f in inspect.getmembers(cls, lambda o: inspect.isfunction(o) or inspect.ismethod(o)):
            if n[0] != "_" and n not in inherited and f.__module__ in PAGES: yield name,n,f.__module__

def test_methods_that_users_call_have_a_visible_example():
    shown = {module: union(map(attributes, visible(page))) for module,page in PAGES.items()}
    found = [(f"{c}.{n}", n in shown[module]) for c,n,module in methods()]
    assert len(found) > 10 and [name for name,is_shown in found if not is_shown] == []

@pytest.mark.parametrize("module,name", [("data.loaders", "show_batch"), ("train.learner", "show_results"), ("train.learner", "plot_top_losses"),
    ("train.learner", "resize"), ("data.loaders", "test_dl")])
def test_what_fastai_users_call_is_shown(module, name):
    assert name in union(map(attributes, visible(PAGES[f"ocean_fastai.{module}"])))

@pytest.fixture(scope="module")
def everything():
    "The names that `from ocean_fastai.all import *` gives."
    import ocean_fastai.all as ours
    return {n for n in dir(ours) if n[0] != "_"}

def unknown(cells, everything):
    "Names that visible cells use before a visible cell makes them: whoever pastes the page doesn't have them."
    made = set(dir(builtins))
    for cell in cells:
        if not is_visible(cell): continue
        tree = parsed(cell)
        made |= set(binds(tree))
        if "*" in made: made |= everything
        yield from sorted(loads(tree) - made)
        yield from sorted(n for n in loads(tree) | attributes(tree) if n[0] == "_" and n not in ("_", "__name__", "__version__"))

@pytest.mark.parametrize("page", [p for p in PAGES.values() if p.name != "99_cli.ipynb"], ids=lambda p: p.stem)
def test_visible_cells_can_be_pasted(page, everything):
    "They use nothing private, and nothing that only a hidden or exported cell makes."
    assert list(unknown(cells_of(page), everything)) == []

@pytest.mark.parametrize("sources,bad", [(["#| hide\na = 1", "print(a)"], ["a"]), (["#| export\ndef f(): pass", "f()"], ["f"]),
    (["print(b)", "b = 1"], ["b"]), (["from ocean_fastai.all import *", "ours()"], []), (["c = [d for d in range(2)]", "c"], []),
    (["import numpy as np", "np._private"], ["_private"])])
def test_the_check_sees_what_cannot_be_pasted(sources, bad):
    assert list(unknown([nbformat.v4.new_code_cell(s) for s in sources], {"ours"})) == bad

def holds_a_test(tree):
    return any(isinstance(n, ast.Assert) or isinstance(n, ast.Call) and ast.unparse(n.func).startswith("test_") for n in ast.walk(tree))

def test_few_visible_cells_are_tests():
    seen = [holds_a_test(tree) for page in PAGES.values() for tree in visible(page)]
    assert sum(seen) < .1*len(seen)

# Metaphors for parts of the library that a reader of the field doesn't know: a module, layer, interface, comparison or pseudo-label is called so.
METAPHORS = re.compile(r"\b(rooms|houses?|the doors?|contests?|lent|the ground(?! truth)|ground floor)\b", re.I)

def texts():
    "All that is read of the project, by page."
    for page in sorted((ROOT/"nbs").glob("*.ipynb")): yield page.name,"\n".join(c.source for c in cells_of(page))
    files = [ROOT/"README.md", ROOT/"CONTRIBUTING.md", ROOT/"nbs/sidebar.yml", *sorted((ROOT/"nbs").glob("*.qmd"))]
    for path in files: yield path.name,path.read_text(encoding="utf-8") # commands.qmd is the help of the command line

def test_words_are_those_of_the_field():
    found = {name: METAPHORS.findall(text) for name,text in texts()}
    assert {name: words for name,words in found.items() if words} == {}

@pytest.mark.parametrize("text,n", [("the two rooms of the house", 2), ("lent labels", 1), ("comes in by the door", 1), ("talent, a roommate, the ground truth", 0)])
def test_the_check_sees_a_metaphor(text, n): assert len(METAPHORS.findall(text)) == n

def long_lines(text): return [k for k,line in enumerate(text.splitlines(), 1) if len(line) > 120]

def test_lines_are_short():
    "At most 120 characters; the docstring and the list of names that nbdev writes aside."
    found = {}
    for page in sorted((ROOT/"nbs").glob("*.ipynb")):
        found[page.name] = [k for c in cells_of(page) if c.cell_type == "code" for k in long_lines(c.source)]
    for path in sorted((ROOT/"ocean_fastai").rglob("*.py")):
        name,text = path.relative_to(ROOT/"ocean_fastai").as_posix(),path.read_text(encoding="utf-8")
        if path.name == "_modidx.py": continue
        if "# AUTOGENERATED" in text: text = re.sub(r"^__all__ = \[.*?\]$", "", text.split("# AUTOGENERATED", 1)[1], flags=re.S|re.M)
        found[name] = long_lines(text)
    assert {name: lines for name,lines in found.items() if lines} == {}

def code_lines(path):
    "How many lines of a module hold something: neither blank nor the mark of a notebook's cell."
    return sum(bool(line.strip()) and not line.startswith("# %%") for line in path.read_text(encoding="utf-8").splitlines())

def test_modules_are_short():
    lengths = {name.removeprefix("ocean_fastai.").replace(".", "/")+".py": code_lines(path) for name,path in MODULES.items()}
    assert {name: n for name,n in lengths.items() if n > 300} == {}

def functions():
    "The public functions and methods of `all`, and the methods given to fastai's `Learner`, each with a name."
    import ocean_fastai.all as ours
    things = {name: getattr(ours, name) for _,name in NAMES} | {"Learner": ours.Learner}
    for name,thing in things.items():
        members = [(name, thing)]
        if inspect.isclass(thing):
            members = [(f"{name}.{n}", f) for n,f in inspect.getmembers(thing, lambda o: inspect.isfunction(o) or inspect.ismethod(o))]
        for full,f in members:
            own = getattr(f, "__module__", "").startswith("ocean_fastai.")
            if own and callable(f) and (full.rpartition(".")[2][0] != "_" or full.endswith(".__init__")): yield full,f

def vague(f):
    "Parameters whose default tells less than they accept: the site would print `NoneType`, or nothing."
    for p in inspect.signature(f).parameters.values():
        bare = p.annotation is p.empty and (p.default is None or isinstance(p.default, (tuple, list, dict)))
        if bare or p.default is None and "None" not in str(p.annotation): yield p.name

def test_annotations_say_what_is_accepted():
    found = {name: list(vague(f)) for name,f in functions()}
    assert len(found) > 80 and {name: params for name,params in found.items() if params} == {}

def test_the_check_sees_a_vague_parameter():
    def f(a, b=None, c:int=None, d:int|None=None, e=(), g=1): pass
    assert list(vague(f)) == ["b", "c", "e"]

@pytest.mark.parametrize("page", PAGES.values(), ids=lambda p: p.stem)
def test_outputs_name_things_as_users_do(page):
    "What a class of the notebook itself shows is `ROVCrop(...)`, never `__main__.ROVCrop`."
    shown = json.dumps([c.get("outputs") for c in cells_of(page) if is_visible(c)])
    assert "__main__" not in shown and "NoneType" not in shown

def test_old_names_are_found_but_not_brought(everything):
    "A name that a session is surprised by is still imported, with a warning that says the new one."
    import ocean_fastai.all as ours
    for old,new in ours._OLD_NAMES.items():
        assert old not in everything
        with pytest.warns(DeprecationWarning, match=new.split(":")[1]): assert getattr(ours, old) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"): ours.nonsense
