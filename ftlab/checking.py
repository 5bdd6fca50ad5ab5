"""Check the exercises of a notebook in the kernel in which it runs: what `%check` does.

Nothing is run twice: the visible tests use the functions that are there. The notebook's file is only read, for its
tests and hints; there is no hidden test in it, and nothing is asked of a network.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftlab import notebooks
from ftlab.errors import CourseError
from ftlab.exercises import Exercise, find, numbered, read
from ftlab.notebooks import Outcome
from ftlab.progress import Found, Progress


def check(namespace: Mapping[str, Any], path: Path, number: int | None = None) -> tuple[Progress, Found]:
    """Judge all exercises of the notebook at `path`, or one, by what is in `namespace`, and keep how it went."""
    known = find(read(path), path)
    chosen = known if number is None else [numbered(known, number)]
    names = dict(namespace)  # the tests' own names do not spill into the notebook
    found = [(exercise, judge(exercise, names)) for exercise in chosen]
    kept = Progress(path)
    kept.note(found)
    return kept, found


def here(namespace: Mapping[str, Any], given: str = "") -> Path:
    """The file of the notebook that runs: as it was given, as Jupyter or VS Code say, or the only one in the folder."""
    if given:
        return Path(given)
    told = [os.environ.get("JPY_SESSION_NAME", ""), str(namespace.get("__vsc_ipynb_file__", ""))]
    there = [Path(name) for name in told if name.endswith(".ipynb") and Path(name).is_file()]
    there = there[:1] or sorted(Path().glob("*.ipynb"))
    if len(there) != 1:
        raise CourseError("Which notebook is this? Write its file, for example %check --notebook 05-sft.ipynb.")
    return there[0]


def judge(exercise: Exercise, names: dict[str, Any]) -> Outcome:
    """Run the visible test of one exercise with `names`, which it may add to."""
    if exercise.test is None:
        return notebooks.by_hand(exercise)
    label = f"<visible tests of {exercise.name}>"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(exercise.source, label, "exec", dont_inherit=True), names)
    except KeyboardInterrupt:
        return Outcome(exercise.title, False, "It was interrupted.")
    except BaseException as error:  # whatever a student's function raises, SystemExit included
        return Outcome(exercise.title, False, _told(error, label))
    return Outcome(exercise.title, True)


def _told(error: BaseException, label: str) -> str:
    """An error in one sentence: a check's own words, or what Python says and the student's own line."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, NameError) and frames[-1][0] == label:
        return f"There is no {error.name} yet. Run the cells above this check first."
    said = notebooks.sentence(type(error).__name__, str(error))
    own = list(_own_lines(frames))
    if not own or type(error).__name__ in ("CheckFailed", "NotImplementedError"):
        return said
    return f"{said.rstrip('.')}, in line {own[-1][1]}: {linecache.getline(*own[-1]).strip()}"


def _own_lines(frames: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Those of the frames that stand in a cell of the notebook."""
    return ((file, line) for file, line in frames if "ipykernel" in file or file.startswith("<ipython-input"))
