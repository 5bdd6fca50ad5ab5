"""What a regrade would change: whose results are from before a change, and whose points would be others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.grading import JUDGE
from autograder.keys import Grader
from autograder.ledger import Ledger, Standing
from autograder.master import Master
from autograder.records import Graded, State
from autograder.score import scores


@dataclass(frozen=True, order=True)
class Change:
    """One exercise of one student; the points, or in words why there are none."""

    assignment: str
    student: str
    exercise: str
    before: str
    after: str
    why: str  # what the test says now

    def __str__(self) -> str:
        return f"{self.assignment}  {self.student}  {self.exercise}: {self.before} -> {self.after}  {self.why}".rstrip()


def older(masters: Iterable[Master], folder: Path, judge: str = JUDGE) -> Iterator[Standing]:
    """Those whose result was made by an earlier master, grader or library than there is now."""
    with Ledger(folder) as ledger:
        for master in masters:
            graders = [Grader(master, judge, boxed) for boxed in (True, False)]
            for standing in ledger.standings(master.name):
                keys = [grader.key(standing.content, standing.seed) for grader in graders]
                if standing.scored and standing.graded is not None and standing.graded.key not in keys:
                    yield standing


def changes(masters: Mapping[str, Master], standing: Standing, after: Graded) -> list[Change]:
    """Every exercise that would get other points; nothing where only words would change."""
    master = masters[standing.assignment]
    old, new = _points(master, standing.graded), _points(master, after)
    said = {outcome.exercise: outcome.message for outcome in after.outcomes}
    return [
        Change(master.name, standing.student, name, old[name], new[name], said.get(name, after.error))
        for name in new
        if old[name] != new[name]
    ]


def _points(master: Master, graded: Graded | None) -> dict[str, str]:
    """The points of every exercise, as they are shown."""
    most = {exercise.name: exercise.points for exercise in master.exercises}
    if graded is None or graded.state not in (State.GRADED, State.FLAGGED):
        return dict.fromkeys(most, str(graded.state if graded else State.WAITING))
    found = scores(most, graded.outcomes)
    return {name: "by hand" if points is None else f"{points:g}" for name, points in found.items()}
