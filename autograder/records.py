"""What the parts of the grader hand to one another: plain records that become JSON and come back the same.

A submission goes from intake to rebuild to the judge to the ledger; each step adds a record and changes none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ftlab.checks import CourseError


class InfrastructureError(CourseError):
    """Our fault, or the machine's, and no submission's; the command line exits with 2."""


class State(enum.StrEnum):
    """Where a submission stands. It is in exactly one of these at any time."""

    WAITING = "waiting"  # taken in, not graded yet
    GRADED = "graded"
    FLAGGED = "graded with flags"  # graded; a person should look at what is flagged
    REJECTED = "rejected"  # refused at the border, with the reason
    CRASHED = "crashed"  # no answer could be graded, because running the notebook failed as a whole
    TIMED_OUT = "timed out"  # the time for the whole submission was used up
    BROKEN = "infrastructure error"  # our fault: it is tried again, and never scored


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What one student handed in for one assignment, as intake took it."""

    student: str  # letters, digits and . _ @ -, at most 64
    assignment: str  # the name of a master
    notebook: str  # the text of the notebook's file; "" where it was refused
    received: str  # when the collector got it, ISO 8601 with UTC; never a time that the student wrote
    refused: str = ""  # why it was refused, in a sentence; "" if it was not
    notes: tuple[str, ...] = ()  # what intake noticed and tolerated (files left out, a name that was mended)


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Something about a submission that a person should know."""

    kind: str  # "tampered": a cell that students must leave alone was changed; "note": honest noise
    where: str  # the grade_id or the place of the cell
    what: str  # a sentence


@dataclass(frozen=True, kw_only=True)
class Part:
    """One code cell that runs in the box, in the master's order."""

    kind: str  # "given": a locked cell of the master; "answer": the student's; "extra": a cell the student added
    name: str  # the grade_id, or the place in the student's notebook ("cell 7")
    source: str
    place: int = -1  # the index of the master's cell that it is, or that an extra follows; -1: before all cells


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """The notebook to run: the master's cells with only the student's answers in it."""

    parts: tuple[Part, ...]
    written: Mapping[str, str]  # the student's text of each free-text answer, by grade_id
    untouched: frozenset[str]  # the answer cells (grade_ids) that are as they were released
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the tests of one exercise went."""

    exercise: str  # the grade_id of its answer cell
    # passed, failed (a check said no), error (the student's code raised), timeout, died, by hand, not run, or
    # faulty: the test itself broke, which no student is charged for before a person has looked.
    result: str
    credit: float | None = None  # the number that the test cell ended in, if it did: partial credit in points
    message: str = ""  # the check's own words, for the student
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Graded:
    """The whole result of grading one submission; what a worker sends home."""

    student: str
    assignment: str
    key: str  # hash of everything that decides the result: master, checks, grader, submission, seed
    seed: int  # of the random inputs; a regrade repeats them
    state: State
    outcomes: tuple[Outcome, ...] = ()
    flags: tuple[Flag, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)  # free-text answers, for a person to mark
    answers: Mapping[str, str] = field(default_factory=dict)  # the code of each answer cell, for feedback
    error: str = ""  # what went wrong as a whole, for the instructor
    box: str = ""  # how the student's code was confined: bubblewrap, namespaces, or none
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Graded:
        """The record again. Raises TypeError, KeyError or ValueError where `found` is not one."""
        fixed = {
            **found,
            "state": State(found["state"]),
            "outcomes": tuple(Outcome(**outcome) for outcome in found["outcomes"]),
            "flags": tuple(Flag(**flag) for flag in found["flags"]),
        }
        return cls(**fixed)
