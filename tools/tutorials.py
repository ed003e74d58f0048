"""Runs the tutorials as a reader would, the visible code of each in an empty folder, and keeps what they show: `python tools/tutorials.py [NAME ...]`.

At full size this takes minutes a tutorial; with OCEAN_SMALL=1 the library draws and trains as little as it can, and `--dry` keeps no outputs.
"""
import argparse
import base64
import io
import re
import shutil
import tempfile
import time
from contextlib import chdir
from pathlib import Path

import nbformat
from execnb.shell import CaptureShell
from nbclient import NotebookClient
from PIL import Image

root = Path(__file__).resolve().parent.parent
TUTORIALS = ("first_model", "seafloor", "elements", "two_heads", "localization", "litter", "honest_splits", "robustness",
             "survey", "subclasses", "annotation", "transects")
GIVEN = {"litter": "images/litter"} # What a reader downloads first
MAX_PNG = 100_000 # Characters; a larger picture is kept as JPEG

def is_hidden(cell): return bool(re.match(r"#\|\s*hide\b", cell.source))

def run(book, folder):
    "The notebook's visible code, run from top to bottom in `folder`: its cells with their outputs, by id."
    fresh = nbformat.v4.new_notebook(metadata=book.metadata)
    code = [c for c in book.cells if c.cell_type == "code" and not is_hidden(c)]
    fresh.cells = [nbformat.v4.new_code_cell(c.source, id=c.id) for c in code]
    NotebookClient(fresh, timeout=3600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return {c.id: c.outputs for c in fresh.cells}

def pasted(name):
    "Run a tutorial's visible code in this process, in an empty folder. Raises what a cell raises."
    book = nbformat.read(root/"nbs"/f"{name}.ipynb", as_version=4)
    shell = CaptureShell()
    with tempfile.TemporaryDirectory() as folder,chdir(folder):
        if name in GIVEN: shutil.copytree(root/"nbs"/GIVEN[name], Path(folder)/GIVEN[name])
        for c in book.cells:
            if c.cell_type != "code" or is_hidden(c): continue
            shell.run(c.source)
            if shell.exc: raise RuntimeError(f"{name}, cell {c.id}: {c.source}") from shell.exc

def as_jpeg(png):
    "A PNG as base64 text, as a JPEG."
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture)
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=85, optimize=True)
    return base64.b64encode(out.getvalue()).decode()

def is_bar(html):
    "Is it a progress bar, or what is left of one?"
    return html is not None and bool(re.search(r"<progress|progress \{", html) or not html.strip())

def kept(outputs):
    "Outputs as they are kept: no progress bars, no warnings of other libraries, no axes as text, photographs as JPEG."
    out = []
    for o in outputs:
        data = o.get("data", {})
        if o.output_type == "stream" and (o.name == "stderr" or not o.text.strip()): continue
        if "application/vnd.jupyter.widget-view+json" in data or is_bar(data.get("text/html")): continue
        if re.match(r"<Axes|array\(\[+<Axes", data.get("text/plain", "")) and len(data) == 1: continue
        if "image/jpeg" in data: data.pop("image/png", None)
        if len(data.get("image/png", "")) > MAX_PNG: data["image/jpeg"] = as_jpeg(data.pop("image/png"))
        if "execution_count" in o: o.execution_count = None
        out.append(o)
    return out

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=TUTORIALS)
    parser.add_argument("--dry", action="store_true", help="keep no outputs")
    parser.add_argument("--folder", help="where to run, in place of an empty temporary folder")
    args = parser.parse_args()
    for name in args.names:
        file,start = root/"nbs"/f"{name}.ipynb",time.time()
        book = nbformat.read(file, as_version=4)
        with tempfile.TemporaryDirectory() as empty:
            folder = Path(args.folder or empty)
            if name in GIVEN: shutil.copytree(root/"nbs"/GIVEN[name], folder/GIVEN[name], dirs_exist_ok=True)
            outputs = run(book, folder)
        if not args.dry:
            for c in book.cells:
                if c.id in outputs: c.outputs = kept(outputs[c.id])
            nbformat.write(book, file)
        print(f"{name}: {time.time() - start:.0f} s", flush=True)

if __name__ == "__main__": main()
