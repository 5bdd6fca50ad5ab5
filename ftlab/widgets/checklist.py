"""The widget of `%check`: a bar, each exercise with its sentence, and a button for the next hint of what fails."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from ftlab import progress

if TYPE_CHECKING:
    from ftlab.exercises import Exercise
    from ftlab.notebooks import Outcome
    from ftlab.progress import Found, Progress


def checklist(kept: Progress, found: Found) -> ipywidgets.VBox:
    """The outcomes of a check. A hint that was asked for stays; `kept` remembers how many there were."""
    passed, total = progress.count(found)
    bar = ipywidgets.IntProgress(value=passed, max=max(total, 1), bar_style="success" if passed == total else "info")
    head = ipywidgets.HBox([bar, ipywidgets.Label(progress.summary(found))])
    problem = [ipywidgets.Label(kept.problem)] if kept.problem else []
    return ipywidgets.VBox([head, *problem, *(_row(kept, exercise, outcome) for exercise, outcome in found)])


def _row(kept: Progress, exercise: Exercise, outcome: Outcome) -> ipywidgets.VBox:
    mark = "✓" if outcome.passed else "✗"
    message = progress.sentence(kept, exercise, outcome)
    text = ipywidgets.HTML(f"<b>{mark} {escape(exercise.title)}</b><br>{escape(message)}")
    hints = [] if outcome.passed or not exercise.hints else _hints(kept, exercise)
    return ipywidgets.VBox([text, *hints])


def _hints(kept: Progress, exercise: Exercise) -> list[Any]:
    """The button for the next hint, and the place where hints appear; those of earlier sittings are there already."""
    shown = ipywidgets.Output()
    button = ipywidgets.Button(layout=ipywidgets.Layout(width="auto"))

    def label() -> None:
        seen, all_of_them = kept.of(exercise).hints, len(exercise.hints)
        button.description = f"Hint {seen + 1} of {all_of_them}" if seen < all_of_them else "No more hints"
        button.disabled = seen >= all_of_them

    def more(_: Any) -> None:
        _append(shown, kept.next_hint(exercise))
        label()

    for text in exercise.hints[: kept.of(exercise).hints]:
        _append(shown, text)
    button.on_click(more)
    label()
    return [button, shown]


def _append(shown: ipywidgets.Output, text: str) -> None:
    from IPython.display import Markdown

    shown.append_display_data(Markdown(text))
