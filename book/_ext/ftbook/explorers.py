"""`{explorer} leakage` shows book/explorers/leakage.yml: sliders, the words for their state, a mark in the picture.

Everything is in the page already; explorer.js only chooses. Without a script the first state is shown.
"""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from ftlab import explorers

from . import numbers, sources
from .diagrams import inline
from .directives import CourseDirective

STANDS_ON = (*sources.SHOWING, "ftlab/explorers.py", "ftlab/figures.py", "ftlab/costs.py", "ftlab/published.yml")


class ExplorerDirective(CourseDirective):
    """The explorer named in the argument."""

    kind = "explorer"
    required_arguments = 1

    def show(self) -> list[nodes.Node]:
        """The explorer as HTML. Other formats show its words in the first state."""
        name = self.arguments[0]
        path = explorers.FOLDER / f"{name}.yml"
        sources.stand_on(self.env, *STANDS_ON, str(path))
        description = explorers.load(Path(self.env.srcdir) / path)
        found = explorers.explore(name, description, partial(numbers.recorded, self.env))
        return [nodes.raw("", html(found), format="html")]


def html(found: explorers.Explored) -> str:
    """Title, sliders, picture and the words of every state, all but the first hidden."""
    sliders = "".join(_slider(found.name, control) for control in found.controls)
    said = "".join(
        f'<p data-state="{number}"{" hidden" if number else ""}>{escape(words)}</p>'
        for number, words in enumerate(found.words.values())
    )
    picture = inline(found.picture, found.title) if found.picture else ""
    return (
        f'<div class="ft-explorer" id="explorer-{found.name}" role="group" aria-labelledby="{found.name}-title">'
        f'<p class="ft-explorer-title" id="{found.name}-title">{escape(found.title)}</p>'
        f'<div class="ft-sliders" hidden>{sliders}</div><div aria-live="polite">{said}</div>{picture}</div>'
    )


def _slider(name: str, control: explorers.Control) -> str:
    said = [control.say(place) for place in range(len(control.values))]
    own = f"{name}-{control.name}"
    return (
        f'<p><label for="{own}">{escape(control.label)}:</label> <output for="{own}">{escape(said[0])}</output>'
        f'<input type="range" id="{own}" min="0" max="{len(said) - 1}" value="0" aria-valuetext="{escape(said[0])}" '
        f'data-said="{escape("|".join(said))}"></p>'
    )


def setup(app: Sphinx) -> None:
    """Register the directive, its look and its script."""
    app.add_css_file("explorer.css")
    app.add_js_file("explorer.js", loading_method="defer")
    app.add_directive("explorer", ExplorerDirective)
