"The review page and the review panel in a browser, with clicks and keys; what they keep is what the table gets."
import base64
import json
import shutil
from importlib.util import find_spec

import pandas as pd
import pytest
from PIL import Image, ImageDraw

from ocean_fastai.annotate.decisions import apply_decisions, last_decisions, merge_decisions, read_decisions
from ocean_fastai.annotate.review import panel_source, review
from ocean_fastai.annotate.review_page import review_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
missing = [what for what,there in (("playwright", find_spec("playwright")), ("a Chromium browser", BROWSER)) if not there]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")
ODD = "</script><b>x"

@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        chrome = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chrome
        chrome.close()

@pytest.fixture(scope="module")
def images(tmp_path_factory):
    "A manifest of 150 small pictures; one file is no image, and names and labels are of every kind."
    home = tmp_path_factory.mktemp("review")
    rows = []
    for k in range(150):
        name = {3: 'a "b".png', 4: "海 底, ñ.png", 5: "torn.png"}.get(k, f"{k:03}.png")
        im = Image.new("RGB", (80, 60), (40 + k, 90, 120))
        ImageDraw.Draw(im).text((5, 5), str(k), fill="white")
        im.save(home/name)
        rows.append({"path": name, "floor": ("sandy", "muddy", ODD)[k % 3], "score": k/150, "suggestion": "reef"})
    (home/"torn.png").write_bytes(b"no image")
    df = pd.DataFrame(rows)
    df.attrs["folder"] = str(home)
    return df

CLASSES = ["sandy", "muddy", "reef", ODD]

@pytest.fixture(scope="module")
def written(images, tmp_path_factory):
    "The static page's file, and what was printed."
    scores = images[["path", "score", "suggestion"]]
    out = tmp_path_factory.mktemp("page")/"page"
    return review_page(images[["path", "floor"]], out, "floor", scores=scores, classes=CLASSES)

@pytest.fixture
def page(browser, written):
    "The static page, opened by a browser that knows nothing of it; errors of its script, and requests elsewhere, fail the test."
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    tab = context.new_page()
    faults = []
    tab.on("pageerror", lambda e: faults.append(str(e)))
    tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    tab.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else faults.append(r.url))
    tab.goto(written.as_uri())
    tab.wait_for_selector(".rv-tile")
    yield tab
    context.close()
    assert faults == []

def saved(tab, path):
    with tab.expect_download() as found: tab.click(".rv-save")
    found.value.save_as(path)
    return merge_decisions(path)

def tile(tab, k): return tab.locator(".rv-tile").nth(k)

def short(decisions): return decisions[["path", "action", "label"]].values.tolist()

def test_page_by_keys_and_clicks(page, images, tmp_path):
    assert page.locator(".rv-tile").count() == 60 and "of 150 decided" in page.text_content(".rv-kept")
    page.keyboard.press("Tab")
    tile(page, 0).click()
    page.keyboard.press("a")                                     # asks for a name first
    assert "Write your name" in page.text_content(".rv-status") and page.evaluate("document.activeElement.tagName") == "INPUT"
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    tile(page, 0).click()
    page.keyboard.press("a")                                     # accepts 000, goes on to 001
    page.keyboard.press("r")                                     # rejects 001
    page.keyboard.press("s")                                     # takes the suggestion for 002
    page.keyboard.press("1")                                     # gives the label that it has: accepts a "b"
    assert "✓ accepted" in tile(page, 0).text_content() and "→ reef" in tile(page, 2).text_content()
    page.keyboard.press("2")                                     # 海 底: has it already
    page.keyboard.press("u")                                     # undone
    assert "Undone" in page.text_content(".rv-status") and tile(page, 4).get_attribute("class") == "rv-tile"
    tile(page, 10).click()
    tile(page, 13).click(modifiers=["Shift"])
    tile(page, 20).click(modifiers=["Control"])
    assert "5 selected" in page.text_content(".rv-status")
    page.click(".rv-button.rv-reject")
    assert page.text_content(".rv-kept").startswith("9 of 150 decided, kept in this browser")
    decisions = saved(page, tmp_path/"ana.csv")
    assert short(decisions)[:4] == [["000.png", "accept", "sandy"], ["001.png", "reject", ""], ["002.png", "relabel", "reef"],
                                    ['a "b".png', "accept", "sandy"]]
    assert decisions["path"].tolist()[4:] == [f"{k:03}.png" for k in (10, 11, 12, 13, 20)] and set(decisions["annotator"]) == {"Ana"}
    new = apply_decisions(images, decisions, "floor", classes=CLASSES)
    assert len(new) == 144 and new["floor"][1] == "reef"         # 002.png

def test_page_keeps_what_was_decided(page, tmp_path):
    "Classes, filters and pages change, and the page is closed and opened again: every decision stays."
    page.fill("input", "Ben")
    page.press("input", "Enter")
    tile(page, 0).click()
    page.keyboard.press("a")
    labels = page.locator(".rv-bar select").nth(0)
    labels.select_option("muddy")
    assert page.locator(".rv-tile").count() == 50
    tile(page, 0).click()
    page.keyboard.press("Control+a")
    page.keyboard.press("3")                                     # all of a class at once
    labels.select_option(ODD)
    tile(page, 0).click()
    page.keyboard.press("r")
    labels.select_option("*")
    assert "52 of 150 decided" in page.text_content(".rv-kept")
    page.keyboard.press("]")
    page.reload()
    page.wait_for_selector(".rv-tile")
    assert "52 of 150 decided" in page.text_content(".rv-kept") and page.input_value("input") == "Ben"
    page.locator(".rv-bar select").nth(1).select_option("open")
    assert "98 images" in page.text_content(".rv-pager")
    tile(page, 0).click()
    for _ in range(4): page.keyboard.press("u")                  # three batches, and then nothing
    assert "nothing to undo" in page.text_content(".rv-status")
    assert len(saved(page, tmp_path/"ben.csv")) == 0 and len(read_decisions(tmp_path/"ben.csv")) == 55

def test_page_large_and_narrow(page):
    page.fill("input", "Eva")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tile(page, 4).click()
    page.keyboard.press("Enter")
    page.wait_for_selector(".rv-whole[src]")
    assert page.locator(".rv-grid").is_hidden() and "海 底, ñ.png" in page.text_content(".rv-about")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".rv-large .rv-unread")
    assert "unreadable: is not an image" in page.text_content(".rv-large")
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    assert page.locator(".rv-grid").is_visible() and "✓ accepted" in tile(page, 5).text_content()
    assert "unreadable" in tile(page, 5).text_content()

class Kernel:
    "What the widget's JavaScript talks to in a notebook, with the panel of this process at the other end."
    def __init__(self, tab, panel):
        self.panel,self.told = panel,[]
        tab.expose_function("toPython", self.receive)
        source = json.dumps(base64.b64encode(panel_source("js").encode()).decode())
        tab.set_content("<style>" + panel_source("css") + "</style><div id=one></div><div id=two></div>")
        tab.evaluate("""async source => {
          const module = await import("data:text/javascript;base64," + source)
          const heard = new Set()
          const model = {on: (_, f) => heard.add(f), off: (_, f) => heard.delete(f), send: async content => {
            for (const [answer, buffers] of await window.toPython(content)) {
              const views = buffers.map(b => new DataView(Uint8Array.from(atob(b), c => c.charCodeAt(0)).buffer))
              for (const f of heard) f(structuredClone(answer), views)
            }
          }}
          for (const id of ["one", "two"]) module.default.render({model, el: document.getElementById(id)})
        }""", json.loads(source))
        tab.wait_for_selector("#two .rv-tile")

    def receive(self, content):
        self.told.append(content["type"])
        return [(answer, [base64.b64encode(b).decode() for b in buffers]) for answer,buffers in self.panel.receive(content)]

def test_panel_in_two_views(browser, images, tmp_path, monkeypatch):
    "The widget's own code and the panel's own answers: decisions reach the log, other views and a second panel."
    boxes = pd.DataFrame([(p, "rov", 10, 10, 50, 40, .5) for p in images["path"][:9]], columns=["path", "label", "x0", "y0", "x1", "y1", "score"])
    maps = {images["path"][0]: [[0, 1], [1, 0]]}
    log = tmp_path/"log.jsonl"
    panel = review(images, "floor", boxes, log=log, annotator="ana", classes=CLASSES, maps=maps)
    tab = browser.new_page()
    kernel = Kernel(tab, panel)
    tab.wait_for_selector("#one .rv-tile img[src]")
    tab.locator("#one .rv-tile").nth(0).click()
    tab.keyboard.press("r")
    tab.wait_for_function("document.querySelector('#one .rv-kept').textContent.includes('kept in log.jsonl')")
    tab.wait_for_selector("#two .rv-tile.rv-reject")
    assert last_decisions(read_decisions(log))["path"].tolist() == ["000.png"]
    tab.locator("#one .rv-tile").nth(0).dblclick()
    tab.wait_for_selector("#one .rv-box")
    tab.wait_for_selector("#one .rv-map")
    tab.keyboard.press("b")
    assert tab.locator("#one .rv-box").is_hidden()
    monkeypatch.setattr(panel.log, "_write", lambda data: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    tab.keyboard.press("a")                                      # a full disk: said, and tried again
    tab.wait_for_selector("#one .rv-failed")
    assert "NOT kept" in tab.text_content("#one .rv-kept") and len(read_decisions(log)) == 1
    monkeypatch.undo()
    tab.click("#one >> text=Try again")
    tab.wait_for_function("document.querySelector('#one .rv-kept').textContent.includes('kept in log.jsonl')")
    assert short(last_decisions(read_decisions(log))) == [["000.png", "accept", "sandy"]]
    tab.close()
    assert len(review(images, "floor", log=log, annotator="ana", classes=CLASSES).decisions()) == 1
    assert kernel.told[0] == "ready"
