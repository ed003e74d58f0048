"""Makes nbs/llms.txt, the site's table of contents for language models (https://llmstxt.org), from the sidebar and each page's own title and one line:
`python tools/llms.py`."""
import re
from pathlib import Path

import nbformat
import yaml

root = Path(__file__).resolve().parent.parent
nbs = root/"nbs"
HEAD = """It extends fastai, timm and Albumentations; `from ocean_fastai.all import *` gives all names that users need, and `ocean-fastai` is the same on the command line.
Every step takes and returns a pandas table: a manifest (a row an image), predictions (an image and a target) or boxes (a box). Python 3.11 or newer, Apache-2.0.
The page "Data formats" says what the columns mean, and each page of the API has examples that can be pasted."""


def about(page):
    "A page's title and its one line."
    if page.suffix == ".qmd":
        front = yaml.safe_load(page.read_text(encoding="utf-8").split("---")[1])
        return front["title"], front.get("description", "")
    text = next(c.source for c in nbformat.read(page, as_version=4).cells if c.cell_type == "markdown")
    line = re.search(r"^> ?((?:.+\n?> ?)*.+)", text, re.M)
    return re.search(r"^# (.+)", text, re.M)[1], " ".join(re.sub(r"^> ?", "", line[1], flags=re.M).split()) if line else ""


def item(name, site):
    "A page as an item of a list; Quarto leaves its Markdown beside it, under the name of the page and `.md`."
    title, line = about(nbs/name)
    stem = re.sub(r"^\d+\w?_", "", Path(name).stem)  # as nbdev names an API page
    return f"- [{title}]({site}/{stem}.html.md)" + (f": {line}" if line else "")


def sections(entries, site, above=""):
    "The sections of the sidebar: their titles, and a line for each page."
    for entry in entries:
        if isinstance(entry, str):
            yield about(nbs/entry)[0], [item(entry, site)]
            continue
        pages = [e for e in entry["contents"] if isinstance(e, str)]
        title = above + entry["section"]
        if pages: yield title, [item(p, site) for p in pages]
        yield from sections([e for e in entry["contents"] if not isinstance(e, str)], site, f"{title}: ")


def llms():
    "The file's text."
    website = yaml.safe_load((nbs/"nbdev.yml").read_text(encoding="utf-8"))["website"]
    sidebar = yaml.safe_load((nbs/"sidebar.yml").read_text(encoding="utf-8"))["website"]["sidebar"]["contents"]
    parts = [f"# {website['title']}", f"> {website['description']}", HEAD]
    for title, items in sections(sidebar, website["site-url"]): parts += [f"## {title}", "\n".join(items)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__": (nbs/"llms.txt").write_text(llms(), encoding="utf-8")
