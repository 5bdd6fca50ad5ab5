"""The book to look at, and small books to try things on."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "book" / "_ext")]

from books import NEEDED, NOT_SOURCES, ROOT, Build, build, copy, fake_run  # noqa: E402 - the path comes first

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Mini = Callable[..., Path]


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    """Make a small book: `mini(page="# Title")` is a tree with that page, fake results and the real masters."""

    def make(**pages: str) -> Path:
        copy(NEEDED, tmp_path)
        for name, text in pages.items():
            (tmp_path / "book" / f"{name}.md").write_text(text, encoding="utf-8")
        root, *others = pages
        chapters = "".join(f"  - file: book/{name}\n" for name in others)
        toc = f"format: jb-book\nroot: book/{root}\n" + (f"chapters:\n{chapters}" if others else "")
        (tmp_path / "_toc.yml").write_text(toc)
        for seed in range(3):
            fake_run(seed, True).save(tmp_path / "book" / "results")
        return tmp_path

    return make


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The whole book, student edition, built from a copy of the repository's files."""
    tree = tmp_path_factory.mktemp("book")
    copy((*NEEDED, "_toc.yml"), tree)
    shutil.copytree(ROOT / "book", tree / "book", ignore=NOT_SOURCES, dirs_exist_ok=True)
    built = build(tree)
    assert built.code == 0, built.said
    return built


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in the asked-for theme and width that may load files and nothing else; complaints are collected."""
    scheme, width = getattr(request, "param", ("light", 1400))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.outside, page.complaints = [], []
    local = re.compile(r"^(file|data|blob):")
    context.route(lambda url: not local.match(url), lambda route: route.abort())
    page.on("request", lambda request: None if local.match(request.url) else page.outside.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
