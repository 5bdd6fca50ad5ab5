"""What a labeller does, in JupyterLab and Chromium: twenty pairs by button and key, a dead kernel, undo, export."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from ftlab import comparisons, labels

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COUNT = 20
BEGIN = """import os, pathlib
from ftlab import comparisons, labelled, labels, widgets
pathlib.Path("kernel").write_text(str(os.getpid()))
pairs = comparisons.load("pairs.jsonl")
widgets.label(pairs, "labels.jsonl", labeller="NAME")"""
EXPORT = """found = labelled.preferences(pairs, labels.read("labels.jsonl"))
found.save("preferences.jsonl"), print(found)
found.dataset()"""
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> & <b>bold</b>\n\n**stars** $x$ "
LONG = "A long one that goes on and on, with averylongwordthathasnoplacetobreakatall" + "l" * 60 + ". "
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
KEYS = ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp", "l", "r", "t", "b"]
KEY_ANSWERS = ["left", "right", "tie", "both bad"] * 2
BUTTONS = {"left": "Left is better", "right": "Right is better", "tie": "Tie", "both bad": "Both bad"}
SETTINGS = "config/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
VIEWS = [("Light", 1280), ("Dark", 1280), ("Light", 420), ("Dark", 420)]
CONTRAST = """root => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b };
  const mixed = (c, under) => { const [r, g, b, a = 1] = c.match(/[\\d.]+/g).map(Number);
      const [x, y, z] = under.match(/[\\d.]+/g).map(Number);
      return `rgb(${[[r, x], [g, y], [b, z]].map(([p, q]) => p * a + q * (1 - a))})` };
  const under = getComputedStyle(root).backgroundColor;
  return [...root.querySelectorAll('p, h4, span, button, li')].filter(e => e.textContent.trim() && e.offsetParent)
      .map(e => { const [x, y] = [light(mixed(getComputedStyle(e).color, under)), light(under)].sort((p, q) => q - p);
          return (x + .05) / (y + .05) });
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of twenty pairs, some of them hostile or long, and a notebook each for two people to label it in."""
    folder, numbers = tmp_path_factory.mktemp("labelling"), range(COUNT)
    ones = [f"{HOSTILE}{LONG * (number % 3)}one {number}" for number in numbers]
    others = [f"other {number}" for number in numbers]
    prompts = [f"Prompt {number}:" for number in numbers]
    comparisons.save(comparisons.paired(prompts, ones, others, ("model-sft", "model-dpo")), folder / "pairs.jsonl")
    for name in ("ada", "bob"):
        cells = [new_code_cell(BEGIN.replace("NAME", name)), new_code_cell(EXPORT)]
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def jupyterlab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab over `folder`, with settings of its own."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += [
        "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME")}
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
        try:
            yield _answering(f"http://127.0.0.1:{port}", folder / "server.log")
        finally:
            server.terminate()
            server.wait(20)


def _answering(address: str, log: Path) -> str:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2)
            return address
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"JupyterLab does not answer: {log.read_text()}")


class Desk:
    """The widget as a person meets it, in a notebook of their name; what the page is sent and complains of is kept."""

    def __init__(self, page: Page, address: str, folder: Path, labeller: str) -> None:
        self.page, self.folder, self.labeller = page, folder, labeller
        self.heard: list[str] = []
        self.complaints: list[str] = []
        page.on("websocket", lambda found: found.on("framereceived", lambda frame: self.heard.append(str(frame))))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.root, self.address = page.locator(".ftl-label"), f"{address}/doc/tree/{labeller}.ipynb?reset"

    def open(self) -> None:
        """Open the notebook and run its first cell."""
        self.page.goto(self.address)
        self.run(0)
        self.root.wait_for(timeout=30_000)

    def run(self, cell: int) -> None:
        """Run a cell once the kernel is idle."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for(timeout=60_000)
        self.page.locator(".jp-Cell .cm-content").nth(cell).click()
        self.page.keyboard.press("Control+Enter")

    def answer(self, answer: str, press: Any) -> None:
        """Press, and wait until the page and the file say that it is saved."""
        from playwright.sync_api import expect

        done = len(self.saved())
        press()
        expect(self.root).to_contain_text(f"{done + 1} of {COUNT}", timeout=5_000)
        assert [label.answer for label in self.saved()][done:] == [answer]

    def by_key(self, number: int) -> None:
        self.answer(KEY_ANSWERS[number % 8], lambda: self.page.keyboard.press(KEYS[number % 8]))

    def by_button(self, answer: str) -> None:
        self.answer(answer, self.root.get_by_role("button", name=BUTTONS[answer]).click)

    def saved(self) -> list[labels.Label]:
        """What lies on the disk."""
        file = self.folder / "labels.jsonl"
        return list(labels.read(file).by(self.labeller).values()) if file.exists() else []


@pytest.mark.slow
def test_twenty_pairs_are_labelled_by_button_and_key_over_a_dead_kernel_and_exported(
    folder: Path, jupyterlab: str, browser: Browser
) -> None:
    from playwright.sync_api import expect

    desk = Desk(browser.new_page(viewport={"width": 1280, "height": 900}), jupyterlab, folder, "ada")
    page, root = desk.page, desk.root
    desk.open()
    for answer in BUTTONS:
        desk.by_button(answer)
    for number in range(8):  # the focus is still on a button
        desk.by_key(number)
    page.keyboard.type("dd")  # deletes a cell where these keys are the notebook's
    expect(page.locator(".jp-CodeCell")).to_have_count(2)
    expect(page.locator(".jp-CodeCell").first).to_have_class(re.compile("jp-mod-active"))  # no arrow key moved on
    page.keyboard.press("Backspace")
    expect(root).to_contain_text(f"11 of {COUNT}")
    expect(root.get_by_role("status")).to_have_text("Taken back: judge this pair again.")

    os.kill(int((folder / "kernel").read_text()), signal.SIGKILL)
    page.keyboard.press("ArrowLeft")
    expect(root.get_by_role("alert")).to_contain_text("the kernel does not answer", timeout=10_000)
    page.screenshot(path=folder / "dead.png")
    assert len(desk.saved()) == 11
    page.get_by_role("button", name="Ok", exact=True).click()
    desk.run(0)
    expect(root).to_contain_text(f"11 of {COUNT}", timeout=30_000)
    root.locator(".ftl-text").first.click()  # the focus goes to the widget as a whole
    for number in range(9):
        desk.by_key(number)
    expect(root).to_contain_text(f"All {COUNT} pairs are judged and saved")
    page.screenshot(path=folder / "done.png")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    expect(root).to_contain_text(f"{COUNT - 1} of {COUNT}")
    desk.by_button("right")

    desk.run(1)
    expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("by people, 0 simulated", timeout=30_000)
    decided = sum(label.chosen is not None for label in desk.saved())
    assert len((folder / "preferences.jsonl").read_text().splitlines()) == decided > 8
    assert desk.complaints == [] and page.title() != "hacked"
    assert len(desk.heard) > 20 and not [frame for frame in desk.heard if "model-" in frame], "models are not told"
    page.close()


@pytest.mark.slow
def test_it_is_legible_in_light_and_dark_wide_and_narrow(folder: Path, jupyterlab: str, browser: Browser) -> None:
    """A second person labels the same set into the same file, each time in another theme or width."""
    from playwright.sync_api import expect

    desk = Desk(browser.new_page(), jupyterlab, folder, "bob")
    before = len(Desk(desk.page, jupyterlab, folder, "ada").saved())
    (folder / SETTINGS).parent.mkdir(parents=True, exist_ok=True)
    for theme, width in VIEWS:
        (folder / SETTINGS).write_text(f'{{"theme": "JupyterLab {theme}"}}')
        desk.page.set_viewport_size({"width": width, "height": 1000})
        desk.open()
        expect(desk.page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "Light").lower())
        for _ in range(3):
            desk.by_button("tie")
            assert min(desk.root.evaluate(CONTRAST)) >= 4.5
            assert desk.root.evaluate("root => root.scrollWidth <= root.clientWidth"), "nothing is cut off"
        desk.page.screenshot(path=folder / f"{theme}-{width}.png".lower())
    assert len(desk.saved()) == 12 and len(Desk(desk.page, jupyterlab, folder, "ada").saved()) == before
    desk.page.close()
