"""Markdown made by our directives, and its way into a page."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def fence(head: str, body: str, options: str = "", *, depth: int) -> str:
    """`body` in a fenced block; a block that holds others needs a larger `depth` than they have.

    A `head` with code in it is fenced by tildes: after backticks Markdown allows none.
    """
    marks = ("~" if "`" in head else "`") * (6 + 2 * depth)
    start = f"{marks}{head}\n{options}\n\n" if options else f"{marks}{head}\n"
    return f"{start}{body}\n{marks}"


def code(text: str, language: str = "python") -> str:
    """A block of code, shown and not run."""
    return fence(language, text.strip("\n"), depth=0)


def dropdown(title: str, body: str, css: str = "ft-dropdown") -> str:
    """A block that opens when its title is clicked."""
    return fence(f"{{dropdown}} {title}", body, f":class-container: {css}", depth=1)


def parse(directive: SphinxDirective, text: str) -> list[nodes.Node]:
    """`text` as nodes of the page in which `directive` stands."""
    box = nodes.container()
    lines = StringList(text.splitlines(), source=directive.get_source_info()[0])
    directive.state.nested_parse(lines, directive.content_offset, box)
    return box.children
