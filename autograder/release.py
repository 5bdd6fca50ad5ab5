"""From a master: the notebook students get, and the source notebook that plain nbgrader grades with.

The student notebook is made by nbgrader's own preprocessors, in memory, and is the same byte for byte each time. The
source notebook still has the model solutions, so it lies in a work folder and is never published. Each of its hidden
parts begins by fetching the model solution from the master (`autograder.inprocess`), so that the text of a solution
stands in no hidden test and in no feedback.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.master import HIDDEN, Master, is_test
from ftlab.checks import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode


def base_seed(name: str) -> int:
    """The seed that an assignment's random inputs follow from, unless another one is given."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def source_notebook(master: Master, seed: int | None = None) -> NotebookNode:
    """The notebook for nbgrader's source folder; `seed` is recorded in its hidden parts."""
    import nbformat

    seed = base_seed(master.name) if seed is None else seed
    cells = [copy.deepcopy(cell) for cell in master.cells]
    for cell in cells:
        if is_test(cell):
            cell.source = _with_prelude(cell.source, master.name, seed)
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(master.metadata))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise CourseError(f"{master.path} does not give a valid notebook: {str(error).splitlines()[0]}") from error
    return notebook


def _with_prelude(source: str, name: str, seed: int) -> str:
    prelude = [
        "from autograder.inprocess import reference_for",
        f'reference, seeds = reference_for("{name}", seed={seed})',
    ]
    lines = source.split("\n")
    begin = next(i for i, line in enumerate(lines) if line.strip() == HIDDEN[0])
    return "\n".join([*lines[: begin + 1], *prelude, *lines[begin + 1 :]])


def student_text(master: Master) -> str:
    """The student notebook, as `nbgrader generate_assignment` would write it."""
    from nbconvert.exporters import NotebookExporter
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import SaveCells

    from autograder.nbgrader_config import settings

    config = settings()
    config.Exporter.default_preprocessors = []
    exporter = NotebookExporter(config=config)
    for preprocessor in GenerateAssignment.preprocessors.default_args[0]:
        if preprocessor is not SaveCells:  # the one that needs a database
            exporter.register_preprocessor(preprocessor, enabled=True)
    resources = {"unique_key": master.name, "nbgrader": {"notebook": master.name, "assignment": master.name}}
    text, _ = exporter.from_notebook_node(source_notebook(master), resources=resources)
    return text


def notebook_text(notebook: NotebookNode) -> str:
    """A notebook as the text of its file."""
    import nbformat

    return nbformat.writes(notebook) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all: first beside it, then moved to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def target(master: Master, exercises: Path) -> Path:
    """Where a master's student notebook lies."""
    return exercises / master.name / f"{master.name}.ipynb"


def release(masters: Iterable[Master], exercises: Path) -> Iterator[tuple[Path, str]]:
    """Write every student notebook that is missing or old; yields its path and what was done.

    A notebook in which somebody has written answers is never touched.
    """
    for master in masters:
        path, text = target(master, exercises), student_text(master)
        current = _current(path)
        if current == text:
            yield path, "unchanged"
        elif _answered(current):
            yield path, "left alone, because it holds answers; move it elsewhere to get a new one:"
        else:
            write(path, text)
            yield path, "written"


def _answered(text: str) -> bool:
    """Whether an answer cell of this notebook is not as nbgrader released it (it keeps a checksum of each)."""
    import nbformat
    from nbgrader.utils import compute_checksum

    try:
        cells = nbformat.reads(text, as_version=4).cells
    except Exception:  # no notebook any more: somebody's, so it stays
        return bool(text)
    marks = [(cell, cell.metadata.get("nbgrader", {})) for cell in cells]
    answers = [(cell, mark["checksum"]) for cell, mark in marks if mark.get("solution") and "checksum" in mark]
    return any(compute_checksum(cell) != checksum for cell, checksum in answers)


def stale(masters: Iterable[Master], exercises: Path) -> Iterator[tuple[Path, str]]:
    """Every student notebook that is not what its master gives, with the difference as text."""
    expected = {target(master, exercises): student_text(master) for master in masters}
    for path, text in expected.items():
        current = _current(path)
        if current != text:
            yield path, _difference(current, text)


def orphans(masters: Iterable[Master], exercises: Path) -> list[Path]:
    """Student notebooks that have no master any more; a copy beside one, under another name, is somebody's own."""
    expected = {target(master, exercises) for master in masters}
    there = {path for path in exercises.glob("*/*.ipynb") if path.stem == path.parent.name}
    return sorted(there - expected)


def _current(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read ({error}). Delete it and release again.") from error


def _difference(current: str, text: str, most: int = 20) -> str:
    if not current:
        return "it is missing"
    lines = list(difflib.unified_diff(current.splitlines(), text.splitlines(), "committed", "generated", "", "", 0))
    rest = [f"... and {len(lines) - most} lines more"] if len(lines) > most else []
    return "\n".join([line.rstrip("\n")[:160] for line in lines[:most]] + rest)
