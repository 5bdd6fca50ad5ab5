"""The whole book, as a reader gets it: nothing secret in it, nothing fetched, legible in light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from books import OPEN_ALL, ROOT, Build, address, pages
from bs4 import BeautifulSoup, Tag
from ftbook.claims import REPEAT
from leaks import found_in, secrets, squeeze

from ftlab import claims

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.assets]
PAGES = pages()
EXPLORER = re.compile(r"^`{3}\{explorer\} (\S+)$", re.M)
EXPLORERS = {name: page for page in PAGES for name in EXPLORER.findall((ROOT / f"book/{page}.md").read_text())}
VIEWS = [("light", 1400), ("dark", 1400), ("dark", 360)]


def test_it_holds_the_pages_of_the_contents_and_no_others(site: Build) -> None:
    assert {path.stem for path in (site.html / "book").glob("*.html")} == set(PAGES)
    others = {path.name for path in site.html.rglob("*.html") if "_static" not in path.parts}
    assert others == {*(f"{page}.html" for page in PAGES), "genindex.html", "search.html"}


def test_no_secret_of_the_masters_is_in_it(site: Build) -> None:
    held = secrets(ROOT / "solutions")
    assert len(held.solutions) > 10 and len(held.tests) > 10
    assert found_in(site.html, held.all) == []
    assert found_in(site.html, [squeeze("### BEGIN HIDDEN TESTS"), squeeze("### BEGIN MARK SCHEME")]) == []


def test_no_word_of_the_model_answers_alone_can_be_searched(site: Build) -> None:
    index = set(re.findall(r'[a-z0-9_]+(?=":)', (site.html / "searchindex.js").read_text()))
    assert "supervis" in index
    pages = squeeze(" ".join(path.read_text() for path in (site.html / "book").glob("*.html")))
    words = [word for word in secrets(ROOT / "solutions").words if word[:6] not in pages]
    assert len(words) > 5
    assert [word for word in words if any(len(term) >= 6 and word.startswith(term) for term in index)] == []


def test_numbers_and_verdicts_come_from_the_recorded_runs(site: Build) -> None:
    chapter = (site.html / "book" / "05-sft.html").read_text()
    assert "5 seeds" in chapter and "no result" not in chapter
    for claim in claims.load(ROOT / "book" / "claims.yml").values():
        page = (site.html / "book" / "claims.html").read_text()
        assert f'id="claim-{claim.id}"' in page
    assert page.count("Verdict: ") == page.count(REPEAT) == page.count('id="claim-')


def test_no_table_is_left_as_text(site: Build) -> None:
    chapters = "".join(path.read_text() for path in (site.html / "book").glob("*.html"))
    assert chapters.count("<table") > 5 and "<p>|" not in chapters


def article(site: Build, name: str) -> Tag:
    """What a page says, without the theme's bars."""
    soup = BeautifulSoup((site.html / "book" / f"{name}.html").read_text(), "html.parser")
    found = soup.select_one("article.bd-article")
    assert found
    return found


APART = ".admonition, .cell, .ft-buttons, .ft-choices, .ft-explorer, .ft-number, .math, details, figure, table"


def prose(found: Tag) -> Tag:
    """The article without what stands apart from its running text."""
    for tag in found.select(APART):
        tag.extract()
    return found


@pytest.mark.parametrize("name", [page for page in PAGES if page[:2].isdigit() and page != "00-start"])
def test_a_chapter_is_as_long_as_one_sitting(site: Build, name: str) -> None:
    """1,500 to 3,000 words of prose; code, boxes, quizzes, exercises, numbers and formulas are not counted."""
    said = " ".join(text.get_text(" ") for text in prose(article(site, name)).select("p"))
    words = [word for word in said.split() if re.search("[A-Za-z]", word)]
    assert 1500 <= len(words) <= 3000


def test_every_plot_says_what_it_shows(site: Build) -> None:
    plots = [plot for name in PAGES for plot in article(site, name).select(".cell_output img")]
    assert len(plots) > 30
    assert [plot for plot in plots if not 80 < len(plot["alt"]) < 300 or "_images/" in plot["alt"]] == []


# Words of everyday speech that look like a term: a network that one is connected to, a letter of reference, ...
EVERYDAY = {
    "00-start": {"network"},
    "02-cost": {"head"},
    "04-self-supervised": {"gap", "reference"},
    "07-overfitting": {"label"},
    "11-dpo": {"peak"},
    "12-hybrid": {"overlap"},
    "13-families": {"gap", "head", "reference"},
}


@pytest.mark.parametrize("name", [page for page in PAGES if page[:2].isdigit()])
def test_the_first_use_of_a_term_leads_to_the_glossary(site: Build, name: str) -> None:
    terms = [term.get_text().rstrip("#\uf0c1").strip() for term in article(site, "glossary").select("dl.glossary dt")]
    text = "".join(_words(found) for found in prose(article(site, name)).select("p"))
    assert len(terms) > 80
    assert {term for term in terms if _begins_plain(term, text)} == EVERYDAY.get(name, set())


def _begins_plain(term: str, text: str) -> bool:
    """Whether the first use of the term, in one or in many, is no link. PEFT is a term, and peft a library."""
    link = re.sub(r"\W+", "-", term)
    case = 0 if term.isupper() else re.I
    use = re.search(rf"(?<![\w-]){term}(s|es)?(?![\w-])|(?i:\[{link}\])", text, case)
    return bool(use) and not use[0].startswith("[")


def _words(paragraph: Tag) -> str:
    """Its text; in the place of a link to the glossary stands the term that it leads to, in brackets."""
    for link in paragraph.select('a[href*="glossary.html#term-"]'):
        link.replace_with(f"[{link['href'].partition('#term-')[2]}]")
    return " ".join(paragraph.get_text().split()) + "\n"


def test_every_exercise_stands_in_its_chapter(site: Build) -> None:
    chapter = (site.html / "book" / "05-sft.html").read_text()
    assert chapter.count("Hint 3: almost the line") == len(re.findall(r'id="exercise-05-sft-', chapter)) >= 4


CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b };
  const under = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return c }
      return 'rgb(255,255,255)' };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x+.05) / (y+.05) };
  const said = 'article :is(p, li, a:not(.headerlink), td, th, summary, figcaption, pre, pre span), .ft-number';
  const text = [...document.querySelectorAll(said)]
      .filter(e => e.textContent.trim() && e.offsetParent)
      .map(e => [ratio(getComputedStyle(e).color, under(e)), e.textContent.trim().slice(0, 40)]);
  const drawn = [...document.querySelectorAll('.ft-diagram text')].map(e =>
      [ratio(getComputedStyle(e).fill, under(e.closest('figure'))), e.textContent]);
  return {seen: text.length, drawn: drawn.length, bad: [...text, ...drawn].filter(([r]) => r < 4.5)};
}"""


@pytest.mark.parametrize("page", [("light", 1400), ("dark", 360)], indirect=True, ids=str)
def test_pages_ask_nothing_of_the_network_and_fit_and_can_be_read(site: Build, page: Page) -> None:
    for name in (*PAGES, "../search", "../genindex"):
        page.goto(address(site, name))
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(300)
        too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert (page.outside, page.complaints) == ([], [])
        assert too_wide <= 0, f"{name} is {too_wide} pixels wider than its window"
        assert page.evaluate(CONTRAST)["bad"] == [], name


@pytest.mark.parametrize("page", VIEWS, indirect=True, ids=str)
def test_the_chapter_is_legible_and_works(site: Build, page: Page) -> None:
    page.goto(address(site, "05-sft"))
    page.wait_for_selector("mjx-container svg")
    theme = page.evaluate("document.documentElement.dataset.theme")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (theme, background == "rgb(255, 255, 255)") in {("light", True), ("dark", False)}
    contrast = page.evaluate(CONTRAST)
    assert contrast["seen"] > 300 and contrast["drawn"] > 10
    assert contrast["bad"] == []
    plot = page.locator(".cell_output img").first
    assert plot.evaluate("e => e.naturalWidth") > 100
    if theme == "dark":
        assert plot.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    hint = page.locator("details.ft-hint").first
    body = hint.locator(".sd-summary-content")
    assert not body.is_visible()
    hint.locator("summary").click()
    assert body.is_visible()


@pytest.mark.parametrize("page", [("light", 1400)], indirect=True, ids=str)
def test_a_reader_can_switch_to_dark(site: Build, page: Page) -> None:
    page.goto(address(site, "05-sft"))
    before = page.evaluate("getComputedStyle(document.querySelector('.ft-diagram .ft-box')).fill")
    for _ in range(3):
        page.locator("button.theme-switch-button").first.click()
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.querySelector('.ft-diagram .ft-box')).fill") != before


@pytest.mark.parametrize("page", [("light", 1400)], indirect=True, ids=str)
@pytest.mark.parametrize("explorer", sorted(EXPLORERS))
def test_every_explorer_shows_another_state_for_each_place_of_a_slider(site: Build, page: Page, explorer: str) -> None:
    page.goto(address(site, EXPLORERS[explorer]))
    found = page.locator(f"#explorer-{explorer}")
    said = found.locator("[data-state]:visible")
    for slider in found.get_by_role("slider").all():
        slider.focus()
        seen = set()
        for key in ("Home", *["ArrowRight"] * int(slider.get_attribute("max") or 0)):
            page.keyboard.press(key)
            assert said.count() == 1
            seen.add(said.inner_text())
        assert len(seen) == 1 + int(slider.get_attribute("max") or 0) > 1
    assert found.locator("g.ft-shown").count() == found.locator("svg").count()


@pytest.mark.parametrize("page", [("light", 1400)], indirect=True, ids=str)
def test_an_explorer_follows_the_keyboard(site: Build, page: Page) -> None:
    page.goto(address(site, "03-transfer"))
    explorer = page.locator("#explorer-transfer")
    slider = explorer.get_by_role("slider")
    slider.focus()
    for key, labels in (("ArrowRight", "100"), ("End", "3,000"), ("Home", "50")):
        page.keyboard.press(key)
        said = explorer.locator("[data-state]:visible")
        assert said.count() == 1 and said.inner_text().startswith(f"With {labels} labelled reviews")
        assert slider.get_attribute("aria-valuetext") == labels
        assert explorer.locator("g.ft-shown").count() == 1
