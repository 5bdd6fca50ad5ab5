"""Diagrams of our own, put into the page as SVG, so that their colours follow the theme, light or dark.

```{diagram} figures/story.svg
:alt: What a reader who cannot see it should know.
The caption.
```
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


class DiagramDirective(SphinxDirective):
    """An SVG file beside the page, with a description (required) and a caption (the content)."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 - docutils declares it so

    def run(self) -> list[nodes.Node]:
        """A figure, or a warning that says what to do."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        if "alt" not in self.options or not Path(path).is_file():
            problem = f"The diagram {name} needs an :alt: text, and the file has to exist."
            LOGGER.warning("%s", problem, location=self.get_location(), type="ftbook", subtype="diagram")
            return []
        figure = nodes.figure("", classes=["ft-diagram"])
        figure += nodes.raw("", inline(Path(path).read_text(encoding="utf-8"), self.options["alt"]), format="html")
        return [figure, *self._caption(figure)]

    def _caption(self, figure: nodes.figure) -> list[nodes.system_message]:
        found, messages = self.parse_inline(" ".join(self.content)) if self.content else ([], [])
        if found:
            figure += nodes.caption("", "", *found)
        return list(messages)


def inline(svg: str, alt: str) -> str:
    """The drawing without its XML header, with `alt` as its name for screen readers."""
    body = re.sub(r"^.*?(?=<svg)", "", svg, flags=re.DOTALL)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("diagram", DiagramDirective)
