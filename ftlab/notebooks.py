"""Run the visible tests of an exercise notebook, and say in one sentence each what is wrong.

Only for a notebook of one's own: its code runs here, as the person who calls this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.errors import CourseError
from ftlab.exercises import Exercise, find
from ftlab.exercises import read as read

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_SECONDS = 180  # a cell that takes longer is stopped
STUB = "YOUR ANSWER HERE"  # what nbgrader puts into the cell of a free-text answer
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FILE = re.compile(r" \([^()]*, line (\d+)\)$")  # behind a syntax error: a file that only the kernel knows


@dataclass(frozen=True)
class Outcome:
    """What became of one exercise; `message` is empty when its visible tests passed."""

    name: str  # the exercise's title
    passed: bool
    message: str = ""


def check(path: Path) -> list[Outcome]:
    """Run the notebook from top to bottom in its own folder and judge each exercise.

    A cell that fails, or takes too long, does not stop the ones behind it. What stands behind the last test (the
    training to play with) decides nothing and is not run. Raises CourseError when `path` is not an exercise notebook.
    """
    notebook = read(path)
    exercises = find(notebook, path)
    last = max((exercise.test for exercise in exercises if exercise.test is not None), default=-1)
    del notebook.cells[last + 1 :]
    _execute(notebook, path)
    return [_outcome(exercise, notebook) for exercise in exercises]


def by_hand(exercise: Exercise) -> Outcome:
    """The outcome of a question that a person marks: whether there is an answer at all."""
    if STUB in exercise.source:
        return Outcome(exercise.title, False, "Not answered yet.")
    return Outcome(exercise.title, True, "answered in words; a person marks it")


def _execute(notebook: NotebookNode, path: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        interrupt_on_timeout=True,
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warning about TCP alarms, and is not for students
        resources={"metadata": {"path": str(path.parent.resolve())}},
    )
    try:
        client.execute()
    except DeadKernelError as error:
        raise CourseError(
            f"Python died while it ran {path}. Was there too little memory? Restart and run all."
        ) from error


def _outcome(exercise: Exercise, notebook: NotebookNode) -> Outcome:
    """A test that failed is told by its own error, unless the answer cell itself could not run."""
    if exercise.test is None:
        return by_hand(exercise)
    test = notebook.cells[exercise.test]
    if error := _error(test):
        own = _error(notebook.cells[exercise.answer]) if exercise.answer is not None else None
        message = f"Your cell cannot run. {sentence(*own)}" if own else sentence(*error)
        return Outcome(exercise.title, False, message)
    if test.execution_count is None:
        return Outcome(exercise.title, False, "It was not run.")
    return Outcome(exercise.title, True)


def _error(cell: NotebookNode) -> tuple[str, str] | None:
    """Kind and text of the error that a cell ended with."""
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    return (errors[0].ename, errors[0].evalue) if errors else None


def sentence(kind: str, value: str) -> str:
    """An error as a student should read it: a check's own words, or the kind and what Python said."""
    text = _FILE.sub(r", in line \1 of the cell", _COLOURS.sub("", value).strip())
    if kind == "NotImplementedError":
        return "Not answered yet, or the line 'raise NotImplementedError()' is still there."
    if kind == "KeyboardInterrupt":
        return f"It ran for more than {CELL_SECONDS} s and was stopped. Look for a loop that never ends."
    if kind == "CheckFailed":
        return text
    return f"{kind}: {text}" if text else f"{kind}, with no message."
