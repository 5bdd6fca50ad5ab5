"""The book in the hands of a reader: searched, copied from, used by keyboard, on a phone, and without good eyes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from books import OPEN_ALL, Build, address, pages

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.slow, pytest.mark.assets]
PHONE = ("light", 390)


@pytest.fixture
def chapter(site: Build, page: Page) -> Page:
    """Chapter 5, opened from the disk."""
    page.goto(address(site, "05-sft"))
    return page


def visible(page: Page, selector: str) -> Locator:
    """The first of these that is seen: the theme has some buttons twice, for wide and narrow."""
    return page.locator(f"{selector}:visible").first


def test_search_finds_a_word_from_the_disk(chapter: Page) -> None:
    chapter.keyboard.press("Control+k")
    chapter.keyboard.type("logit")
    chapter.keyboard.press("Enter")
    chapter.wait_for_url("**/search.html?q=logit")
    chapter.locator("#search-results").get_by_text("Search finished").wait_for()  # results come one by one
    chapter.locator("#search-results li a").filter(has_text=re.compile(r"\b5\. Supervised fine-tuning")).first.click()
    chapter.wait_for_url("**/05-sft.html*")


def test_search_says_so_where_there_is_nothing(site: Build, page: Page) -> None:
    page.goto((site.html / "search.html").as_uri() + "?q=xylophone")
    page.get_by_text("did not match any documents").wait_for()


def test_a_quiz_answers_by_mouse_and_by_keyboard(chapter: Page) -> None:
    right, wrong = chapter.locator("details.ft-right").first, chapter.locator("details.ft-wrong").first
    right.locator("summary").click()
    assert right.get_by_text("Right.").is_visible()
    wrong.locator("summary").focus()
    assert not wrong.get_by_text("Not so.").is_visible()
    chapter.keyboard.press("Enter")
    assert wrong.get_by_text("Not so.").is_visible()
    chapter.keyboard.press("Space")
    assert not wrong.get_by_text("Not so.").is_visible()


def test_a_cell_can_be_copied(chapter: Page) -> None:
    cell = chapter.locator(".cell_input").filter(has_text="AutoTokenizer").first
    cell.hover()
    cell.locator("button.copybtn").click()
    box = chapter.locator("body").evaluate_handle("e => e.appendChild(document.createElement('textarea'))")
    box.as_element().focus()
    chapter.keyboard.press("Control+v")
    assert box.evaluate("e => e.value.trim()") == cell.locator("pre").inner_text().strip()


OUTLINED = """() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
  return {what: e.outerHTML.slice(0, 120), main: !!e.closest('main'), seen: ring && box.width > 0};
}"""


def test_the_keyboard_skips_to_the_text_and_sees_where_it_is(chapter: Page) -> None:
    chapter.keyboard.press("Tab")
    assert chapter.evaluate("document.activeElement.textContent").strip() == "Skip to main content"
    chapter.keyboard.press("Enter")
    places = []
    for _ in range(60):
        chapter.keyboard.press("Tab")
        places.append(chapter.evaluate(OUTLINED))
    assert any(place["main"] for place in places)
    assert [place["what"] for place in places if not place["seen"]] == []


@pytest.mark.parametrize("page", [PHONE], indirect=True, ids=str)
def test_the_contents_open_on_a_phone(chapter: Page) -> None:
    link = chapter.locator(".bd-sidebar-primary, dialog").get_by_role("link", name="Glossary").first
    assert not link.is_visible()
    visible(chapter, "button.primary-toggle").click()
    chapter.locator("a:visible", has_text="Glossary").first.click()
    chapter.wait_for_url("**/glossary.html")


# One page of each kind, for axe's rule on colours, which takes most of its time. test_site.py has one for all pages.
COLOURED = {"index", "05-sft", "11-dpo", "glossary", "../search"}


@pytest.mark.parametrize("page", [("light", 1400), ("dark", 390)], indirect=True, ids=str)
def test_axe_finds_nothing_serious(site: Build, page: Page) -> None:
    for name in (*pages(), "../search"):
        page.goto(address(site, name))
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(1000 if name in COLOURED else 300)  # mathematics is drawn, what was opened has faded in
        assert _serious(page, colours=name in COLOURED) == [], name


def test_axe_would_find_something(page: Page) -> None:
    page.set_content("<html><body><p style='color: #ccc'>pale</p><img src='data:,'></body></html>")
    assert {"color-contrast", "image-alt"} <= {fault["rule"] for fault in _serious(page, colours=True)}
    assert "color-contrast" not in {fault["rule"] for fault in _serious(page, colours=False)}


def _serious(page: Page, *, colours: bool) -> list[dict[str, object]]:
    """What axe-core calls serious or critical: the rule, and where."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)
    rules = {"color-contrast": {"enabled": colours}}
    found = page.evaluate("rules => axe.run({resultTypes: ['violations'], rules})", rules)
    return [
        {"rule": fault["id"], "where": [(node["target"], node["html"][:150]) for node in fault["nodes"][:5]]}
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def test_the_first_page_is_readable_in_under_a_second(site: Build, page: Page) -> None:
    def milliseconds() -> float:
        page.goto(address(site, "index"))
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return max(paint, page.evaluate("performance.timing.domInteractive - performance.timing.navigationStart"))

    assert min(milliseconds() for _ in range(5)) < 1000  # the fastest: a busy machine slows single ones
