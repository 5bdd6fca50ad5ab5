"""The built book as one PDF: `python -m ftbook pdf _build/html _build/book.pdf`.

The articles of all pages are put into one, their links turned into links inside of it, and a headless Chromium prints
that. What would be cut off at the edge of the paper is an error.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from bs4 import BeautifulSoup, Tag

from ftlab.errors import CourseError

from .plain import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAPER = {"format": "A4", "margin": {"top": "20mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}}
WIDTH = 658  # CSS pixels of A4 less the margins
FOOT = '<div style="font-size: 8px; width: 100%; text-align: center"><span class="pageNumber"></span></div>'
NOT_PRINTED = "script, button, .headerlink, .copybtn, .toctree-wrapper, .tableofcontents-wrapper, .ft-buttons"
REPEAT = ".ft-claim details"  # how to repeat the runs of a claim: many lines, printed once, on the page of all claims
LOOK = Path(__file__).with_name("print.css")

# What sticks out to the right of the paper, or would be cut where a screen scrolls.
CUT = """width => [...document.querySelectorAll('article *')].filter(e => {
  if (e.closest('svg, mjx-assistive-mml') || !e.getClientRects().length) return false;
  const hides = !['visible', 'clip'].includes(getComputedStyle(e).overflowX);
  return e.getBoundingClientRect().right > width + 2 || hides && e.scrollWidth > e.clientWidth + 2;
}).map(e => e.outerHTML.slice(0, 160))"""
MISSING = "() => [...document.images].filter(e => !e.naturalWidth).map(e => e.src)"


def pages(root: Path = ROOT) -> list[str]:
    """The pages in the order of _toc.yml, as `book/05-sft`."""
    return list(_files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))))


def _files(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node[key] for key in ("root", "file") if key in node)
        yield from _files(list(node.values()))
    elif isinstance(node, list):
        for item in node:
            yield from _files(item)


def whole(html: Path, names: list[str]) -> str:
    """One page that holds the articles of all pages. Raises CourseError if one is not built."""
    missing = [name for name in names if not (html / f"{name}.html").is_file()]
    if missing:
        raise CourseError(f"{html} lacks {', '.join(missing)}. Build the book first: make book")
    soups = [BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser") for name in names]
    articles = [_article(soup, html / f"{name}.html", html) for name, soup in zip(names, soups, strict=True)]
    head = f"{_head(soups[0], html)}<style>{LOOK.read_text(encoding='utf-8')}</style>"
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{_title(soups[0])}</title>{head}</head><body>{_contents(articles)}"
        f"{''.join(map(str, articles))}</body></html>"
    )


def _title(soup: BeautifulSoup) -> str:
    return soup.title.get_text().split("—")[-1].strip() if soup.title else ""


def _head(soup: BeautifulSoup, html: Path) -> str:
    """Styles and MathJax of a page."""
    settings = [tag for tag in soup.select("script") if "window.MathJax" in tag.get_text()]
    wanted = [*soup.select("link[rel=stylesheet]"), *soup.select('script[src*="tex-svg"]')]
    for tag in wanted:
        name = "href" if tag.name == "link" else "src"
        tag[name] = (html / "book" / str(tag[name]).split("?")[0]).resolve().as_uri()
    return "".join(map(str, settings + wanted))


def _article(soup: BeautifulSoup, path: Path, html: Path) -> Tag:
    """The text of a page, with names that are its own, addresses that hold anywhere, and all that was folded open."""
    article = soup.select_one("article.bd-article")
    assert article, f"{path} has no article"
    left_out = NOT_PRINTED if path.stem == "claims" else f"{NOT_PRINTED}, {REPEAT}"
    for tag in article.select(left_out):
        tag.decompose()
    for tag in article.select("details"):
        tag["open"] = ""
    for tag in article.select("img[src]"):
        tag["src"] = (path.parent / str(tag["src"])).resolve().as_uri()
    for tag in article.select("[id]"):
        if not tag.find_parent("svg"):
            tag["id"] = f"{path.stem}--{tag['id']}"
    for tag in article.select("a[href]"):
        tag["href"] = _inside(str(tag["href"]), path.stem)
    article["id"] = path.stem
    return article


def _inside(address: str, page: str) -> str:
    """The address inside of the one page; an address on the web stays."""
    if re.match(r"\w+:", address):
        return address
    file, _, name = address.partition("#")
    target = Path(file).stem or page
    return f"#{target}--{name}" if name else f"#{target}"


def _contents(articles: list[Tag]) -> str:
    heads = [(article["id"], head.get_text()) for article in articles if (head := article.find("h1"))]
    lines = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in heads)
    return f'<nav class="ft-contents"><p>Contents</p><ul>{lines}</ul></nav>'


def write(html: Path, target: Path, names: list[str]) -> None:
    """Print these pages of a built book into `target`. Raises CourseError where something is cut or missing."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        source = Path(folder) / "book.html"
        source.write_text(whole(html, names), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.emulate_media(media="print")
        page.goto(source.as_uri())
        check(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.pdf(
            path=target, **PAPER, print_background=True, outline=True, tagged=True,
            display_header_footer=True, header_template="<span></span>", footer_template=FOOT,
        )  # fmt: skip
        browser.close()


def check(page: Page) -> None:
    """Wait until all is drawn. Raises CourseError where something would be cut or is missing."""
    page.wait_for_function("!document.querySelector('.math') || document.querySelector('mjx-container')")
    page.evaluate("() => window.MathJax && MathJax.startup.promise")
    if missing := page.evaluate(MISSING):
        raise CourseError(f"These pictures are missing: {', '.join(missing[:5])}. Build the book again: make book")
    if cut := page.evaluate(CUT, WIDTH):
        raise CourseError(f"{len(cut)} parts are wider than the paper; the first: {cut[0]}. See print.css.")
