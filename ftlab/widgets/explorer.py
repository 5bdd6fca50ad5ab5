"""An explorer in Jupyter: sliders of ipywidgets, and below them what ftlab/explorers.py worked out for their state."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from ftlab.explorers import Control, Explored


def panel(found: Explored) -> ipywidgets.VBox:
    """The sliders, the words and the picture; the last slider moves fastest through `found.words`."""
    sliders = [_slider(control) for control in found.controls]
    words, picture = ipywidgets.HTML(), ipywidgets.HTML()

    def show(_: Any = None) -> None:
        choice = tuple(slider.value for slider in sliders)
        words.value = f"<p>{escape(found.words[choice])}</p>"
        picture.value = _marked(found, choice)

    for slider in sliders:
        slider.observe(show, "value")
    show()
    title = ipywidgets.HTML(f"<b>{escape(found.title)}</b>")
    return ipywidgets.VBox([title, *sliders, words, picture])


def _slider(control: Control) -> ipywidgets.SelectionSlider:
    options = [(control.say(place), place) for place in range(len(control.values))]
    return ipywidgets.SelectionSlider(
        options=options,
        value=0,
        description=control.label,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="40rem", max_width="100%"),
    )


def _marked(found: Explored, choice: tuple[int, ...]) -> str:
    """The picture with the mark of this state alone."""
    if found.picture is None:
        return ""
    hide = f"[id^={found.name}-mark-] {{display: none}} #{found.mark(choice)} {{display: inline !important}}"
    return f"<style>{hide}</style>{found.picture}"
