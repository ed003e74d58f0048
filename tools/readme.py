"Makes README.md from nbs/index.ipynb: `python tools/readme.py`."
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).resolve().parent.parent

def readme(nb=root/"nbs/index.ipynb"):
    "The notebook as the text of a README: hidden cells left out, relative links and pictures seen from the top folder."
    book = nbformat.read(nb, as_version=4)
    book.cells = [c for c in book.cells if not re.match(r"#\|\s*hide\s*$", c.source, re.M)]
    text, _ = MarkdownExporter().from_notebook_node(book)
    text = re.sub(r"(\]\(|src=\")(?![a-z]+:|#|/)", r"\1nbs/", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"

if __name__ == "__main__": (root/"README.md").write_text(readme(), encoding="utf-8")
