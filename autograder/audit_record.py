"""What an audit found, as a record that is committed beside the master, and the key of the contents it holds for."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from autograder.equivalent import path_of
from autograder.keys import digest
from autograder.master import Master
from autograder.release import write
from ftlab import checks

FILE = "audit.json"
LEAST = 0.97  # of each exercise's mutants, without the equivalent ones
MOST_SECONDS = 180  # for a whole assignment, with its training and pictures
# What decides which wrong answer passes. The rest of the grader carries answers about and changes none.
MODULES = ("bank", "mutants", "spoil", "judge", "student", "score", "inprocess", "inside/runner", "inside/wire")
LIBRARIES = ("mutmut", "numpy", "torch")


@dataclass
class Row:
    """What the audit found for one exercise. Points are None where a person marks it."""

    name: str
    points: int
    reference: float | None = None  # of the model solutions, by the judge
    alone: float | None = None  # of this model solution when all other answers are empty: it leans on no other
    stub: float | None = None  # of the notebook as released
    nbgrader: tuple[float | None, float | None] = (None, None)  # reference and stub, by plain nbgrader
    wrong: int = 0  # wrong answers tried: the anticipated ones, and the reference spoiled
    escaped: list[str] = field(default_factory=list)  # of these, what earned all points
    unnamed: list[str] = field(default_factory=list)  # anticipated mistakes that the visible test did not name
    faulty: list[str] = field(default_factory=list)  # answers at which the test itself broke
    mutants: int = 0
    ends: dict[str, int] = field(default_factory=dict)  # how the mutants ended: failed, error, timeout, ...
    equivalent: int = 0  # mutants that are right answers too, says the list beside the master
    survivors: list[dict[str, str]] = field(default_factory=list)  # the others that earned all: {was, becomes}
    untrue: list[str] = field(default_factory=list)  # entries of the list that are caught, or match no mutant

    @property
    def by_hand(self) -> bool:
        """Whether a person marks it."""
        return self.mutants == 0 and self.reference is None

    @property
    def caught(self) -> int:
        """Mutants that earned less than all."""
        return self.mutants - self.equivalent - len(self.survivors)

    @property
    def score(self) -> float:
        """The mutation score: the share of the mutants that are no right answers, which was caught."""
        return self.caught / max(1, self.mutants - self.equivalent)

    def problems(self) -> Iterator[str]:
        """What is wrong with the grading of this exercise, one sentence each."""
        full = {self.nbgrader[0]} if self.by_hand else {self.reference, self.alone, self.nbgrader[0]}
        if full != ({None} if self.by_hand else {self.points}):
            all_points = f"{self.reference} (judge), {self.alone} (other answers empty), {self.nbgrader[0]} (nbgrader)"
            yield f"the reference earns {all_points} of {self.points}"
        if {self.stub or 0, self.nbgrader[1]} != {0}:
            yield f"the stub earns {self.stub} (judge), {self.nbgrader[1]} (nbgrader)"
        yield from (f"this wrong answer passes: {label}" for label in self.escaped)
        yield from (f"the visible test does not name this mistake: {label}" for label in self.unnamed)
        yield from (f"the test itself fails at: {label}" for label in self.faulty)
        yield from (f"equivalent.yml is not true any more: {label}" for label in self.untrue)
        if not self.by_hand and self.score < LEAST:
            yield f"only {self.score:.1%} of the mutants are caught, and {LEAST:.0%} is wanted"


@dataclass
class Report:
    """The audit of one master."""

    master: str
    key: str  # of the contents that it holds for
    seconds: float  # that the audit took
    assignment_seconds: float  # that the whole notebook took with all model solutions, run by nbgrader
    broken: list[str]  # cells of that notebook that fail, demonstrations included
    rows: list[Row]

    def problems(self) -> list[str]:
        """What is wrong with the grading of this assignment, one sentence each."""
        found = [f"{row.name}: {problem}" for row in self.rows for problem in row.problems()]
        found += [f"with all model solutions this cell fails: {cell}" for cell in self.broken]
        if self.assignment_seconds > MOST_SECONDS:
            found.append(f"the whole notebook takes {self.assignment_seconds:.0f} s; at most {MOST_SECONDS} are wanted")
        return found


def path_beside(master: Master) -> Path:
    """Where the record of a master lies."""
    return master.path.with_name(FILE)


def read(path: Path) -> Report | None:
    """A record as written, or None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = [Row(**{**row, "nbgrader": tuple(row["nbgrader"])}) for row in found["rows"]]
        return Report(**{**found, "rows": rows})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(report: Report, path: Path) -> None:
    """Write a record."""
    write(path, json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n")


def key_of(master: Master) -> str:
    """A key that changes with the code of the master, its list of equivalent mutants, the checks, and what judges.

    The words between the cells and the comments in our modules decide nothing, so a better sentence costs no audit.
    """
    own = [f"{cell.source}\n{cell.metadata.get('nbgrader')}" for cell in master.cells if cell.cell_type == "code"]
    own += [f"{wrong}" for exercise in master.exercises for wrong in exercise.wrong]
    listed = path_of(master)
    own += [listed.read_text(encoding="utf-8")] if listed.exists() else []
    package = Path(__file__).parent
    files = [Path(checks.__file__), *(package / f"{name}.py" for name in MODULES)]
    return digest(*own, *map(_code, files), *(f"{name}=={version(name)}" for name in LIBRARIES))[:16]


def _code(file: Path) -> str:
    """A module without comments and docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
