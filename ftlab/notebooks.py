"""Run the visible tests of an exercise notebook, and say in one sentence each what is wrong.

Only for a notebook of one's own: its code runs here, as the person who calls this.
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

CELL_SECONDS = 180  # a cell that takes longer is stopped
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_HEADING = re.compile(r"^## (Exercise \d+: .+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What became of one exercise; `message` is empty when its visible tests passed."""

    name: str
    passed: bool
    message: str = ""


def check(path: Path) -> list[Outcome]:
    """Run the notebook from top to bottom in its own folder and judge each exercise.

    A cell that fails does not stop the ones behind it. Raises CourseError when `path` is not an exercise notebook.
    """
    notebook = read(path)
    if not any(_is_test(cell) for cell in notebook.cells):
        raise CourseError(f"{path} has no exercises in it. Give a notebook of exercises/, or your copy of one.")
    _execute(notebook, path)
    return list(_outcomes(notebook))


def _outcomes(notebook: NotebookNode) -> Iterator[Outcome]:
    """One outcome an exercise, under the exercise's own heading."""
    heading, answer = "", None
    for cell in notebook.cells:
        if found := _HEADING.search(cell.source if cell.cell_type == "markdown" else ""):
            heading = found[1]
        marks: dict[str, Any] = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            answer = cell
        if marks.get("solution") and marks.get("grade"):
            yield Outcome(heading or marks["grade_id"], True, "answered in words; a person marks it")
        elif _is_test(cell):
            yield _outcome(heading or marks["grade_id"], cell, answer)


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


def _is_test(cell: NotebookNode) -> bool:
    marks: dict[str, Any] = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(marks.get("grade")) and not marks.get("solution")


def _execute(notebook: NotebookNode, path: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warning about TCP alarms, and is not for students
        resources={"metadata": {"path": str(path.parent.resolve())}},
    )
    try:
        client.execute()
    except CellTimeoutError as error:
        raise CourseError(
            f"A cell of {path} ran for more than {CELL_SECONDS} s and was stopped. Look for a loop that never ends."
        ) from error
    except DeadKernelError as error:
        raise CourseError(
            f"Python died while it ran {path}. Was there too little memory? Restart and run all."
        ) from error


def _outcome(name: str, test: NotebookNode, answer: NotebookNode | None) -> Outcome:
    """A test that failed is told by its own error, unless the answer cell itself could not run."""
    error = _error(test)
    if error:
        own = _error(answer) if answer is not None else None
        return Outcome(name, False, f"Your cell cannot run. {_sentence(*own)}" if own else _sentence(*error))
    if test.execution_count is None:
        return Outcome(name, False, "It was not run.")
    return Outcome(name, True)


def _error(cell: NotebookNode) -> tuple[str, str] | None:
    """Kind and text of the error that a cell ended with."""
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    return (errors[0].ename, errors[0].evalue) if errors else None


def _sentence(kind: str, value: str) -> str:
    """An error as a student should read it: a check's own words, or the kind and what Python said."""
    text = _COLOURS.sub("", value).strip()
    if kind == "NotImplementedError":
        return "Not answered yet, or the line 'raise NotImplementedError()' is still there."
    if kind == "CheckFailed":
        return text
    return f"{kind}: {text}" if text else f"{kind}, with no message."
