"""Small repairs of what Sphinx and its theme write, for readers with a screen reader or without a network."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def _without_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Jupyter Book adds the loader of thebe, twice over: an error in the console, and an address of a CDN."""
    scripts = context["script_files"]
    context["script_files"] = [s for s in scripts if "thebe" not in f"{s.filename} {s.attributes}".lower()]


def _with_list_items(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """docutils gives the entries of a list a role that is no list's item any more (ARIA 1.2 dropped it)."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> None:
    """Repair each page before it is written."""
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("html-page-context", _with_list_items, priority=900)
