"""The model solution inside the grading kernel: what the first two lines of a hidden part fetch.

This is the seam's simplest form. The student's code runs in the same process and could reach in, so it is for authors
and instructors on notebooks of their own; the judge will run the same hidden tests outside of the student's process.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograder.master import SOLUTION, is_answer, is_helper, read_cells, without_lines
from ftlab import checks
from ftlab.checks import CourseError

FOLDER_VARIABLE = "AUTOGRADER_SOLUTIONS"


def reference_for(name: str, seed: int) -> tuple[SimpleNamespace, Callable[[int], list[int]]]:
    """The model solution's names as `reference`, and `seeds(n)`, which follows from the recorded `seed`.

    Raises CourseError if the masters are not found.
    """
    return reference_of(solutions_folder() / name / f"{name}.md"), functools.partial(checks.seeds, base=seed)


def solutions_folder() -> Path:
    """The folder of the masters: AUTOGRADER_SOLUTIONS, or `solutions` beside this package."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[1] / "solutions"
    if not folder.is_dir():
        raise CourseError(
            f"The masters are not in {folder}. Install the course with `pip install -e .` from its folder, "
            f"or set {FOLDER_VARIABLE} to the folder `solutions`."
        )
    return folder


@functools.lru_cache(maxsize=4)
def reference_of(path: Path) -> SimpleNamespace:
    """Run the helper cells and the solutions of a master, and nothing else, in a namespace of their own."""
    names: dict[str, Any] = {"__name__": f"reference of {path.stem}"}
    for cell in read_cells(path)[0]:
        if is_helper(cell) or (is_answer(cell) and cell.cell_type == "code"):
            _run(without_lines(cell.source, SOLUTION), names, f"<reference of {path.stem}>")
    return SimpleNamespace(**names)


def _run(source: str, names: dict[str, Any], label: str) -> None:
    import contextlib
    import io

    # What the cells print is of no interest here, and nbgrader would read it as an output of the test.
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, label, "exec"), names)
