"""Run the visible tests of an exercise notebook, and say in one sentence each what is wrong.

Only for a notebook of one's own: its code runs here, as the person who calls this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_SECONDS = 180  # a cell that takes longer is stopped
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Outcome:
    """What became of one test cell; `message` is empty when it passed."""

    name: str
    passed: bool
    message: str = ""


def check(path: Path) -> list[Outcome]:
    """Run the notebook from top to bottom in its own folder and judge each test cell.

    A cell that fails does not stop the ones behind it. Raises CourseError when `path` is not an exercise notebook.
    """
    notebook = read(path)
    tests = [cell for cell in notebook.cells if _is_test(cell)]
    if not tests:
        raise CourseError(f"{path} has no exercises in it. Give a notebook of exercises/, or your copy of one.")
    _execute(notebook, path)
    return [_outcome(cell) for cell in tests]


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


def _outcome(cell: NotebookNode) -> Outcome:
    name = cell.metadata.nbgrader.grade_id
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            return Outcome(name, False, _sentence(output.ename, output.evalue))
    if cell.execution_count is None:
        return Outcome(name, False, "It was not run.")
    return Outcome(name, True)


def _sentence(kind: str, value: str) -> str:
    """An error as a student should read it: a check's own words, or the kind and what Python said."""
    text = _COLOURS.sub("", value).strip()
    if kind == "NotImplementedError":
        return "Not answered yet."
    if kind == "CheckFailed":
        return text
    return f"{kind}: {text}" if text else f"{kind}, with no message."
