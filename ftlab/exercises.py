"""The exercises of a student notebook, as it lies on the disk: heading, visible test, hints.

Everything is read from the notebook itself, so that a check needs no master, no hidden test and no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

_HEADING = re.compile(r"^## (Exercise (\d+): .+)$", re.MULTILINE)
_HINT = re.compile(r"<details>\s*<summary>Hint \d: [^<]*</summary>\s*(.*?)\s*</details>", re.DOTALL)


@dataclass(frozen=True)
class Exercise:
    """One exercise: `answer` and `test` are the places of its cells; `test` is None where a person marks it."""

    name: str  # the grade_id of its answer cell, or of its test where it has no such cell
    number: int  # as in its heading; 0 where there is none
    title: str
    answer: int | None
    test: int | None
    source: str  # of the visible test; of a question that a person marks, the student's text
    hints: tuple[str, ...]  # Markdown, from the smallest to the largest


def read(path: Path) -> NotebookNode:
    """The notebook at `path`. Raises CourseError when it is not one."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:120]
        raise CourseError(
            f"{path} is not a notebook that can be read ({reason}). Save it again in Jupyter as .ipynb."
        ) from error
    return notebook


def find(notebook: NotebookNode, path: Path) -> list[Exercise]:
    """The exercises in their order. Raises CourseError where there is none; `path` is for the message."""
    found = list(_exercises(notebook))
    if not found:
        raise CourseError(f"{path} has no exercises in it. Give a notebook of exercises/, or your copy of one.")
    return found


def numbered(exercises: list[Exercise], number: int) -> Exercise:
    """The exercise of this number. Raises CourseError where there is none."""
    for exercise in exercises:
        if exercise.number == number:
            return exercise
    known = ", ".join(str(exercise.number) for exercise in exercises if exercise.number)
    raise CourseError(f"There is no exercise {number}. The exercises are {known or 'not numbered in this notebook'}.")


def _exercises(notebook: NotebookNode) -> Iterator[Exercise]:
    number, title, text, answer = 0, "", "", None
    for place, cell in enumerate(notebook.cells):
        marks: dict[str, Any] = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and not marks.get("solution"):
            if heading := _HEADING.search(cell.source):
                number, title, text, answer = int(heading[2]), heading[1], cell.source[heading.end() :], None
            else:
                text += "\n\n" + cell.source
        if marks.get("solution"):
            answer = place
        if not marks.get("grade"):
            continue
        by_hand = bool(marks.get("solution"))
        if by_hand or cell.cell_type == "code":
            own = marks if by_hand or answer is None else notebook.cells[answer].metadata["nbgrader"]
            yield Exercise(
                name=own["grade_id"],
                number=number,
                title=title or marks["grade_id"],
                answer=answer,
                test=None if by_hand else place,
                source=cell.source,
                hints=tuple(_HINT.findall(text)),
            )
            answer, text = None, ""
