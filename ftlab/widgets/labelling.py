"""The labeller's desk in a notebook. What it shows and keeps is decided by a Sitting; the page itself is labelling.js.

The browser is told texts and counts, never the models. It sends what was pressed, with the turn that it was pressed in:
a press that comes twice, or late, is no answer to the next pair.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ftlab.errors import CourseError
from ftlab.sittings import Sitting

HERE = Path(__file__).parent
SAID = {"left": "left is better", "right": "right is better", "tie": "a tie", "both bad": "both are bad"}


class Labelling(anywidget.AnyWidget):
    """Two completions side by side, buttons and keys. `view` is all that the browser knows."""

    _esm = HERE / "labelling.js"
    _css = HERE / "labelling.css"
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, sitting: Sitting) -> None:
        """Show where `sitting` stands. Raises CourseError where its file cannot be read."""
        self.sitting = sitting
        super().__init__(view={"turn": 0, "said": "", "problem": "", **self._looked()})
        self.on_msg(self._heard)

    def press(self, pressed: str) -> None:
        """Do what a button does: left, right, tie, both bad or undo. A problem is shown, and nothing moves on."""
        try:
            said, problem = self._done(pressed), ""
            looked = self._looked()
        except CourseError as error:
            said, problem, looked = "", str(error), {}
        self.view = {**self.view, **looked, "said": said, "problem": problem, "turn": self.view["turn"] + 1}

    def _done(self, pressed: str) -> str:
        """Answer or take back; what to tell the labeller."""
        if pressed == "undo":
            return "Taken back: judge this pair again." if self.sitting.undo() else "There is nothing to take back."
        kept = self.sitting.answer(pressed, self.view["shown"])  # type: ignore[arg-type]  # it refuses what is no answer
        return f"Saved: {SAID[pressed]}." if kept else "Not saved: that pair had an answer already. Here is the next."

    def _looked(self) -> dict[str, Any]:
        return {**asdict(self.sitting.view()), "labeller": self.sitting.labeller}

    def _heard(self, _: object, message: dict[str, Any], __: object) -> None:
        """A message of the page; one of an earlier turn is answered with the view as it is."""
        if message.get("turn") == self.view["turn"]:
            self.press(str(message.get("pressed")))
        else:
            self.view = {**self.view, "turn": self.view["turn"] + 1}
