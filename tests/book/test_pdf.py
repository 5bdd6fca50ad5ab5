"""The book on paper: whole, with links inside of it, and nothing cut off."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from books import ROOT, Build, pages
from ftbook import pdf
from ftbook.claims import REPEAT

from ftlab import claims
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE = "<article><table><tr>" + "<td>unbreakable</td>" * 40 + "</tr></table></article>"
SCROLLS = "<article><div style='overflow-x: auto'><p style='width: 2000px'>x</p></div></article>"


def test_the_pages_come_in_the_order_of_the_contents(tmp_path: Path) -> None:
    sections = "  chapters:\n  - file: b\n    sections:\n    - file: c\n"
    parts = f"root: a\nparts:\n- caption: One\n{sections}- chapters:\n  - file: d\n"
    (tmp_path / "_toc.yml").write_text(parts)
    assert pdf.pages(tmp_path) == ["a", "b", "c", "d"]


@pytest.mark.slow
@pytest.mark.assets
def test_the_book_becomes_one_page_whose_links_lead_somewhere(site: Build) -> None:
    text = pdf.whole(site.html, pdf.pages())
    names = set(re.findall(r'\bid="([^"]+)"', text))
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert len(links) > 20 and links <= names
    assert "<details" in text and not re.search(r"<details(?![^>]*\bopen)", text)
    assert all(f'id="{name}"' in text for name in pages())
    assert text.count(REPEAT) == len(claims.load(ROOT / "book" / "claims.yml")), "once a claim"


@pytest.mark.slow
@pytest.mark.assets
def test_the_book_is_printed(site: Build, tmp_path: Path) -> None:
    target = tmp_path / "book.pdf"
    command = [sys.executable, "-m", "ftbook", "pdf", str(site.html), str(target)]
    env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'book' / '_ext'}", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert target.read_bytes().startswith(b"%PDF")
    assert 1_000_000 < target.stat().st_size < 30_000_000, "with a picture for each shadow it had 52 MB"


def test_a_book_that_is_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="make book"):
        pdf.whole(tmp_path, ["book/index"])


@pytest.mark.parametrize("body", [WIDE, SCROLLS])
def test_what_would_be_cut_is_told(page: Page, body: str) -> None:
    page.set_viewport_size({"width": pdf.WIDTH, "height": 900})
    page.set_content(body)
    with pytest.raises(CourseError, match="wider than the paper"):
        pdf.check(page)
    page.set_content("<article><p>narrow</p></article>")
    pdf.check(page)


def test_a_picture_that_is_missing_is_told(page: Page) -> None:
    page.set_content("<article><img src='data:,'></article>")
    with pytest.raises(CourseError, match="pictures are missing"):
        pdf.check(page)
