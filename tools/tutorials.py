"""Runs the tutorials as a reader would, the visible code of each pasted into an empty folder, and keeps what they show: `python tools/tutorials.py [NAME ...]`.

At full size this takes minutes a tutorial; with OCEAN_SMALL=1 the library draws and trains as little as it can, and nothing is kept (`--dry`).
"""
import argparse
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

root = Path(__file__).resolve().parent.parent
TUTORIALS = ("seafloor", "elements", "two_heads", "localization", "litter")


def is_hidden(cell): return bool(re.match(r"#\|\s*hide\b", cell.source))


def ran(book, folder):
    "The notebook's visible code, run from top to bottom in `folder`: its cells with their outputs, by id."
    fresh = nbformat.v4.new_notebook(metadata=book.metadata)
    fresh.cells = [nbformat.v4.new_code_cell(c.source, id=c.id) for c in book.cells if c.cell_type == "code" and not is_hidden(c)]
    NotebookClient(fresh, timeout=3600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return {c.id: c.outputs for c in fresh.cells}


def shown(outputs):
    "Outputs as they are kept: no progress bars, no warnings of other libraries, one stream a cell."
    keep = [o for o in outputs if not (o.output_type == "stream" and o.name == "stderr")]
    for o in keep:
        if o.output_type == "stream": o.text = re.sub(r"^.*\r", "", o.text, flags=re.M)
        o.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        if "execution_count" in o: o.execution_count = None
    return [o for o in keep if o.output_type != "stream" or o.text.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=TUTORIALS)
    parser.add_argument("--dry", action="store_true", help="keep no outputs")
    args = parser.parse_args()
    for name in args.names:
        file = root/"nbs"/f"{name}.ipynb"
        book = nbformat.read(file, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            for given in re.findall(r"images/\w+", "\n".join(c.source for c in book.cells if c.cell_type == "code")):
                if (root/"nbs"/given).is_dir(): shutil.copytree(root/"nbs"/given, Path(folder)/given, dirs_exist_ok=True)
            outputs = ran(book, folder)
        if not args.dry:
            for c in book.cells:
                if c.id in outputs: c.outputs = shown(outputs[c.id])
            nbformat.write(book, file)
        print(f"{name}: ran", flush=True)


if __name__ == "__main__": main()
