"""The file results.json that Gradescope's autograder reads, one for each student and assignment.

The fields are those of Gradescope's "Autograder Specifications"
(https://gradescope-autograders.readthedocs.io/en/latest/specs/). The score of the whole submission is the one after the
class's rules; it takes the place of the sum of the tests'.
"""

from __future__ import annotations

import json
from typing import Any

from autograder.feedback import words
from autograder.gradesheet import DECIMALS, Cell
from autograder.marks import Marks
from autograder.master import Exercise, Master
from autograder.pages import printable


def results(master: Master, cell: Cell, marks: Marks) -> str | None:
    """The text of results.json; None where there is nothing to score, for which Gradescope has no word but 0."""
    if cell.points is None or cell.standing is None or cell.standing.graded is None:
        return None
    found = {
        "score": cell.points,
        "output": printable("\n".join(cell.notes)),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(exercise, cell, marks) for exercise in master.exercises],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _test(exercise: Exercise, cell: Cell, marks: Marks) -> dict[str, Any]:
    assert cell.standing is not None and cell.standing.graded is not None and cell.by_exercise is not None
    scored = cell.by_exercise.get(exercise.name) or 0.0
    return {
        "score": round(scored, DECIMALS),
        "max_score": exercise.points,
        "name": exercise.title,
        "number": str(exercise.number),
        "output": printable("\n".join(filter(None, words(exercise, cell.standing.graded, scored, marks)))),
        "output_format": "text",
    }
