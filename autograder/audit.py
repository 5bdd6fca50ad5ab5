"""Is the grader itself right? The reference must earn everything, the stub nothing, and a wrong answer not all.

The reference and the stub go through the real nbgrader. The wrong answers (those that the master anticipates, and
the reference spoiled in the ways of `autograder.spoil`) run one after another in one kernel, each followed by its
exercise's visible and hidden tests. An anticipated mistake must also be told by name.

All code that runs here is the author's own: no student's notebook belongs into the audit.
"""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autograder.classroom import Classroom, error_of, surroundings
from autograder.master import Exercise, Master, is_answer, is_helper, is_test
from autograder.release import source_notebook, write
from autograder.spoil import SPOILERS
from ftlab import checks
from ftlab.checks import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

Tell = Callable[[str], None]  # is told, in a few words, what is being done


class Candidate(NamedTuple):
    """A wrong answer on trial; `mistake` holds the words that the visible test should say, if any."""

    exercise: str
    label: str
    code: str
    mistake: str = ""


@dataclass
class Row:
    """What the audit found for one exercise."""

    name: str
    points: int
    reference: float | None  # points of the model solution; None where a person marks it
    stub: float | None  # points of the notebook as released
    tried: int = 0  # wrong answers
    escaped: list[str] = field(default_factory=list)  # wrong answers that passed
    unnamed: list[str] = field(default_factory=list)  # anticipated mistakes that the visible test did not name
    faulty: list[str] = field(default_factory=list)  # wrong answers at which the test itself broke

    @property
    def right(self) -> bool:
        """Whether this exercise is graded as it should be."""
        marked = self.reference is None or self.reference == self.points
        return marked and self.stub == 0 and not (self.escaped or self.unnamed or self.faulty)


@dataclass
class Report:
    """The audit of one master, and the key of the contents that it holds for."""

    master: str
    key: str
    seconds: float
    rows: list[Row]

    @property
    def right(self) -> bool:
        """Whether every exercise is graded as it should be."""
        return all(row.right for row in self.rows)


def content_key(master: Master) -> str:
    """A key that changes with the master, the checks, the autograder, or the libraries that grade."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in [master.path, Path(checks.__file__), *sorted(package.glob("*.py"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for library in ("nbgrader", "torch", "numpy", "ipykernel"):
        digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()[:16]


def audit(master: Master, folder: Path, tell: Tell = lambda what: None) -> Report:
    """Audit one master; the record in `folder` is used instead if its contents are the same."""
    key = content_key(master)
    record = folder / f"{master.name}.json"
    kept = _read(record)
    if kept is not None and kept.key == key:
        return kept
    start = time.monotonic()
    rows = _grade_reference_and_stub(master, folder / f"{master.name}.course", tell)
    bank = [found for exercise in master.exercises for found in candidates(exercise)]
    tell(f"{master.name}: {len(bank)} wrong answers")
    for candidate, visible, full in trial(master, bank):
        judge(rows[candidate.exercise], candidate, visible, full)
    report = Report(master.name, key, round(time.monotonic() - start, 1), list(rows.values()))
    write(record, json.dumps(asdict(report), indent=1) + "\n")
    return report


def _read(path: Path) -> Report | None:
    """A report as written, or None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Report(**{**found, "rows": [Row(**row) for row in found["rows"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _grade_reference_and_stub(master: Master, folder: Path, tell: Tell) -> dict[str, Row]:
    shutil.rmtree(folder, ignore_errors=True)
    room = Classroom(folder, master)
    tell(f"{master.name}: release by nbgrader")
    room.release()
    room.submit("reference", {exercise.name: exercise.solution for exercise in master.exercises})
    room.submit("stub", {})
    tell(f"{master.name}: the reference, graded by nbgrader")
    reference = room.grade("reference")
    tell(f"{master.name}: the stub, graded by nbgrader")
    stub = room.grade("stub")
    shutil.rmtree(folder, ignore_errors=True)
    return {
        exercise.name: Row(exercise.name, exercise.points, reference[exercise.name].points, stub[exercise.name].points)
        for exercise in master.exercises
    }


# --- wrong answers -------------------------------------------------------------------------------------------


def candidates(exercise: Exercise) -> Iterator[Candidate]:
    """The wrong answers for one exercise: the anticipated ones, and the reference spoiled."""
    if exercise.manual:
        return
    for mistake, code in exercise.wrong:
        yield Candidate(exercise.name, mistake, code, mistake)
    name = _defined(exercise.solution)
    for label, spoiler in SPOILERS.items():
        if label == "detached" and "checks.grad(" not in exercise.hidden_tests:
            continue  # without a gradient in the tests it is the right answer
        lines = ["", "from autograder import spoil", f"{name} = spoil.{spoiler_name(spoiler)}({name})"]
        yield Candidate(exercise.name, label, exercise.solution + "\n".join(lines))


def spoiler_name(spoiler: Callable[..., Any]) -> str:
    """The name under which `autograder.spoil` holds a spoiler."""
    from autograder import spoil

    return next(name for name, value in vars(spoil).items() if value is spoiler)


def _defined(code: str) -> str:
    """The name of the first function that an answer defines."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef):
            return node.name
    raise CourseError("An answer cell should define a function at its top level; this one does not:\n" + code)


def trial(master: Master, bank: list[Candidate]) -> Iterator[tuple[Candidate, str, str]]:
    """Run each candidate with the visible tests and with all tests; yields the two errors, '' for a pass."""
    import nbformat
    from nbclient import NotebookClient

    source = source_notebook(master)
    given = [cell for cell in source.cells if is_helper(cell) or (is_answer(cell) and cell.cell_type == "code")]
    tests = {cell.id: cell.source for cell in source.cells if is_test(cell)}
    of = {exercise.name: exercise for exercise in master.exercises}
    code = [cell.source for cell in given]
    for candidate in bank:
        exercise = of[candidate.exercise]
        code += [candidate.code, exercise.visible_tests, candidate.code, tests[exercise.test_name]]
    cells = [nbformat.v4.new_code_cell(text, id=f"cell-{number}") for number, text in enumerate(code)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=source.metadata)
    extra = ["--IPKernelApp.log_level=ERROR"]
    with surroundings(master.path.parents[1]):
        NotebookClient(notebook, timeout=120, allow_errors=True, extra_arguments=extra).execute()
    _check_given(cells[: len(given)], master)
    for number, candidate in enumerate(bank):
        visible, full = (cells[len(given) + 4 * number + offset] for offset in (1, 3))
        yield candidate, error_of(visible), error_of(full)


def _check_given(cells: list[NotebookNode], master: Master) -> None:
    errors = [error for error in map(error_of, cells) if error]
    if errors:
        raise CourseError(f"A helper cell of {master.path} fails: {errors[0]}. Run the master as a notebook once.")


def judge(row: Row, candidate: Candidate, visible: str, full: str) -> None:
    """Note in `row` how the tests took a wrong answer: they should fail, and by a check."""
    row.tried += 1
    faults = [error for error in (visible, full) if error.startswith(("AuthorError", "CourseError"))]
    if faults:
        row.faulty.append(f"{candidate.label}: {faults[0]}")
    elif not full:
        row.escaped.append(candidate.label)
    elif candidate.mistake and candidate.mistake not in visible:
        row.unnamed.append(candidate.label)
