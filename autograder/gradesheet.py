"""The grades of a class as they may leave the grader: how many points, by which rules, and what is open.

A cell is empty while any of its points is not known: while it waits, when the grader failed, after a failed regrade,
where free text is not marked yet. It is never 0 and never an older score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from autograder.marks import ByHand, Marks, Person, settled
from autograder.master import Master
from autograder.pages import points as shown
from autograder.policies import Attempt, Settled, Work, dropped, settle
from autograder.policy_file import Policies
from autograder.records import State

if TYPE_CHECKING:
    from autograder.ledger import Standing

DECIMALS = 2  # what Canvas keeps
# Nothing can be said of these yet, whatever a person entered for an earlier result.
OPEN = {
    State.WAITING: "it waits to be graded",
    State.BROKEN: "the grader failed, so grade it again",
}
ZERO = (State.REJECTED, State.CRASHED, State.TIMED_OUT)  # a person decides, or the rule zero_for


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One student's grade for one assignment."""

    points: float | None  # after the rules; None: leave it empty
    notes: tuple[str, ...] = ()  # why it is empty, or what the rules did
    standing: Standing | None = None  # the submission that counts
    by_exercise: Mapping[str, float | None] | None = None  # its points before the rules

    @property
    def unsafe(self) -> bool:
        """Whether it was graded without a sandbox, so that the student's code could have changed the result."""
        graded = self.standing.graded if self.standing else None
        return graded is not None and graded.box == "none"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One student."""

    student: str
    person: Person
    cells: Mapping[str, Cell]  # by assignment
    total: float | None  # of what is not dropped; None while a cell is empty
    out_of: float | None  # what these assignments are worth; None with it


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The class: rows by student, columns by assignment."""

    assignments: Mapping[str, float]  # the points that each is worth
    rows: tuple[Row, ...]

    def open(self) -> list[tuple[str, str, Cell]]:
        """Student, assignment and cell of everything that is empty."""
        cells = [(row.student, name, cell) for row in self.rows for name, cell in row.cells.items()]
        return [(student, name, cell) for student, name, cell in cells if cell.points is None]


def build(masters: Sequence[Master], attempts: Iterable[Standing], by_hand: ByHand, policies: Policies) -> Sheet:
    """The sheet of a class; `attempts` are all submissions of all students, of one time in the ledger's order."""
    of: dict[tuple[str, str], list[Standing]] = defaultdict(list)
    for one in sorted(attempts, key=lambda one: one.received):
        of[one.student, one.assignment].append(one)
    students = sorted({student for student, _ in of} | set(by_hand.people))
    worth = {master.name: float(sum(exercise.points for exercise in master.exercises)) for master in masters}
    rows = [_row(student, masters, worth, of, by_hand, policies) for student in students]
    return Sheet(assignments=worth, rows=tuple(rows))


def _row(
    student: str,
    masters: Sequence[Master],
    worth: Mapping[str, float],
    of: Mapping[tuple[str, str], list[Standing]],
    by_hand: ByHand,
    policies: Policies,
) -> Row:
    tried = {
        master.name: _tried(master, of.get((student, master.name), []), by_hand.of(student, master.name), policies)
        for master in masters
    }
    works = [
        Work(assignment=name, most=worth[name], attempts=tuple(one.attempt for one in found))
        for name, found in tried.items()
    ]
    counts = settle(policies, student, works)
    known = all(one.points is not None for one in counts.values())
    out = dropped(policies.drop_lowest, counts) if known else frozenset()
    cells = {name: _cell(counts[name], tried[name], policies, name in out) for name in counts}
    kept = [one for name, one in counts.items() if name not in out]
    return Row(
        student=student,
        person=by_hand.people.get(student, Person()),
        cells=cells,
        total=round(sum(cells[one.assignment].points or 0.0 for one in kept), DECIMALS) if known else None,
        out_of=sum(one.most for one in kept) if known else None,
    )


@dataclass(frozen=True)
class _Scored:
    """A submission with its points, and why they are not known if they are not."""

    standing: Standing
    attempt: Attempt
    by_exercise: Mapping[str, float | None]
    notes: tuple[str, ...]


def _tried(master: Master, standings: Sequence[Standing], marks: Marks, policies: Policies) -> list[_Scored]:
    """All submissions of a student for an assignment, scored, the oldest first."""
    return [_scored(master, one, _marks(marks, one, standings[-1]), policies) for one in standings]


def _marks(marks: Marks, standing: Standing, newest: Standing) -> Marks:
    """Marks are for the newest submission, and for an older one where the answer is the same."""
    return {name: mark for name, mark in marks.items() if standing is newest or _same(standing, newest, name)}


def _scored(master: Master, standing: Standing, marks: Marks, policies: Policies) -> _Scored:
    state = standing.state
    found = settled(master, standing.graded if standing.scored else None, marks)
    notes = tuple(_why(master, standing, found))
    total = None if notes else round(sum(value or 0.0 for value in found.values()), 9)
    if total is None and state.value in policies.zero_for:
        total, notes = 0.0, (f"{state.value}, which counts as 0 here",)
    return _Scored(standing, Attempt(received=datetime.fromisoformat(standing.received), points=total), found, notes)


def _same(one: Standing, other: Standing, name: str) -> bool:
    """Whether two submissions hold the same answer to an exercise."""
    texts = [{**found.answers, **found.written}.get(name) for found in (one.graded, other.graded) if found]
    return len(texts) == 2 and texts[0] == texts[1] is not None


def _why(master: Master, standing: Standing, found: Mapping[str, float | None]) -> Iterator[str]:
    """Why the points of a submission are not known; nothing where they are."""
    if standing.stale:
        yield "grading it again failed, so its earlier score does not count"
    elif standing.state in OPEN:
        yield OPEN[standing.state]
    elif all(value is None for value in found.values()) and not standing.scored:
        yield f"{standing.state.value}, so a person has to decide"
    else:
        for exercise in master.exercises:
            if found[exercise.name] is None:
                yield f"exercise {exercise.number}: {_open(standing, exercise.name)}"


def _open(standing: Standing, name: str) -> str:
    outcomes = standing.graded.outcomes if standing.graded else ()
    faulty = any(one.exercise == name and one.result == "faulty" for one in outcomes)
    return "our test failed, so a person has to look" if faulty else "a person has to mark it"


def _cell(counts: Settled, tried: Sequence[_Scored], policies: Policies, out: bool) -> Cell:
    left_out = ["not in the total"] if out else []
    if not tried:
        note = "nothing was handed in" if counts.points is None else "nothing was handed in, which counts as 0 here"
        return Cell(points=counts.points, notes=(note, *left_out))
    if counts.points is None:
        return Cell(points=None, notes=tried[-1].notes, standing=tried[-1].standing, by_exercise=tried[-1].by_exercise)
    chosen = next(one for one in tried if one.attempt is counts.attempt)
    return Cell(
        points=round(counts.points, DECIMALS),
        notes=(*chosen.notes, *_rules(counts, tried, chosen, policies), *left_out),
        standing=chosen.standing,
        by_exercise=chosen.by_exercise,
    )


def _rules(counts: Settled, tried: Sequence[_Scored], chosen: _Scored, policies: Policies) -> Iterator[str]:
    """What the rules did, in words."""
    if counts.slip_days:
        yield f"{_many(counts.slip_days, 'slip day')} spent"
    if counts.units and policies.late:
        yield f"{_many(counts.units, policies.late.per)} late, {shown(counts.lost)} points less"
    if chosen is not tried[-1]:
        yield f"the attempt of {chosen.attempt.received:%Y-%m-%d %H:%M} counts"
    unknown = [one for one in tried if one.attempt.points is None and one.standing.state not in ZERO]
    if policies.resubmission == "best" and unknown:
        yield "an earlier attempt is not scored (grade --every-attempt)"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")
