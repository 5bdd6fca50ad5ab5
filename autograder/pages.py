"""Pages that people read: one HTML file each, which asks for nothing else and runs nothing.

Whatever a student wrote is escaped by Jinja2, or by Pygments where it is code. The page's content-security policy
allows its one style sheet, by its hash, and nothing else: no script, no image, no font, no form.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
# They reorder what is shown, so that code reads otherwise than it runs (Boucher and Anderson, "Trojan Source", 2021).
_REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
LIGHT, DARK = "a11y-high-contrast-light", "a11y-high-contrast-dark"


def render(template: str, **values: Any) -> str:
    """A page from a template of this package."""
    style = _style()
    return _environment().get_template(template).render(style=Markup(style), policy=_policy(style), **values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters.update(points=points, code=code, markdown=markdown)
    return environment


def printable(text: str) -> str:
    """The text with a replacement character for what no page can hold or what would reorder it."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _odd(letter) else letter for letter in text)


def _odd(letter: str) -> bool:
    if letter in "\n\t":
        return False
    return unicodedata.category(letter) in ("Cc", "Cs") or unicodedata.bidirectional(letter) in _REORDERING


def points(value: float) -> str:
    """Points with two decimals at most, and none where there are none."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def code(text: str) -> Markup:
    """Python, highlighted. Pygments escapes all of it."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(highlight(printable(text), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)))


def markdown(text: str) -> Markup:
    """Markdown of the course's authors; HTML in it is shown as text."""
    from markdown_it import MarkdownIt

    return Markup(MarkdownIt("commonmark", {"html": False}).render(printable(text)))


def _policy(style: str) -> str:
    """The content-security policy of a page with this style sheet (https://www.w3.org/TR/CSP3/)."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.cache
def _style() -> str:
    """The style sheet, with the colours of code for light and for dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=style).get_token_style_defs(".code") for style in (LIGHT, DARK))
    rules = [(TEMPLATES / "page.css").read_text(encoding="utf-8"), *light]
    return "\n".join([*rules, "@media screen and (prefers-color-scheme: dark) {", *dark, "}", ""])
