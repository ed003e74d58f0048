"The pages of the site that are no notebooks: what they show parses, and names what there is."
import ast
import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT
from test_reference import binds

PAGES = sorted((ROOT/"nbs").glob("*.qmd"))

def blocks(page, language):
    "The code blocks of a page in a language."
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)

def test_commands_are_in_step(python):
    "The reference of the command line says what the parser says."
    fresh = python("from commands import commands; print(commands(), end='')", cwd=ROOT/"tools")
    assert (ROOT/"nbs/commands.qmd").read_text(encoding="utf-8") == fresh, "run `make export`"

def test_contents_for_language_models_are_in_step(python):
    "llms.txt names every page of the sidebar, with its title and its one line."
    fresh = python("from llms import llms; print(llms(), end='')", cwd=ROOT/"tools")
    assert (ROOT/"nbs/llms.txt").read_text(encoding="utf-8") == fresh, "run `make export`"
    assert all("): " in line for line in fresh.splitlines() if line.startswith("- ["))

@pytest.mark.parametrize("page", [*PAGES, ROOT/"README.md"], ids=lambda p: p.name)
def test_commands_on_pages_can_be_typed(page):
    from ocean_fastai.jobs.commands import parser
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["ocean-fastai"]: parser().parse_args(words[1:])

@pytest.fixture(scope="module")
def names(python):
    "The names that `from ocean_fastai.all import *` gives."
    return set(python("import ocean_fastai.all as o; print(*[n for n in dir(o) if n[0] != '_'])").split())

@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_code_on_pages_uses_names_that_are_there(page, names):
    "Names that a page's Python calls: its own, Python's, or those of the library."
    made = set(dir(__builtins__)) | set(__builtins__ if isinstance(__builtins__, dict) else ()) | names | {"timm", "df", "dls", "learn", "model", "valid", "boxes"}
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        loads = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        made |= set(binds(tree))
        assert {n.id for n in loads if isinstance(n.ctx, ast.Load)} <= made

def test_every_page_is_in_the_sidebar():
    text = (ROOT/"nbs/sidebar.yml").read_text(encoding="utf-8")
    assert [p.name for p in PAGES if p.name not in text and p.name not in ("404.qmd", "changelog.qmd")] == []
