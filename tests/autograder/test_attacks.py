"""Every row of the attack suite: the fair score, the right state, in time, the next student unharmed, nothing left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from attacks import ATTACKS, LIMIT, MEAN, SLOPE, Attack, handed_in
from writing import write_master

from autograder import master as masters
from autograder.box import Limits
from autograder.judge import Judge
from autograder.records import Graded, State, Submission
from autograder.release import student_text
from autograder.score import scores, total

TESTS = {
    "mean": (
        MEAN,
        "for seed in seeds(5):\n    case = {'numbers': [seed % 100 + 1.0, 2.0, 3.5]}\n"
        "    checks.close(mean(**case), reference.mean(**case), name=f'The mean of {case}')",
    ),
    "slope": (
        SLOPE,
        "for seed in seeds(5):\n"
        "    case = {'x': torch.randn(4, generator=torch.Generator().manual_seed(seed))}\n"
        "    checks.close(checks.grad(slope, case, wrt='x'), checks.grad(reference.slope, case, wrt='x'))",
    ),
}
LIMITS = Limits(
    cell_seconds=LIMIT, call_seconds=LIMIT, total_seconds=30, memory_bytes=700 * 1024**2, output_bytes=30 * 1024**2
)


@dataclass
class Room:
    """A judge, the released notebook, and how to grade in it."""

    judge: Judge
    released: str
    most: dict[str, int]

    def grade(self, text: str) -> Graded:
        found = Submission(student="eve", assignment="92-two", notebook=text, received="2026-11-25T12:00:00+00:00")
        return self.judge.grade(found, seed=1, key="k")

    def points(self, graded: Graded) -> float:
        return total(scores(self.most, graded.outcomes))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Room]:
    """A room over a course in this folder."""
    path = write_master(folder, "92-two", TESTS, points=5)
    master = masters.load(path)
    judge = Judge(master, limits=LIMITS)
    yield Room(judge, student_text(master), {exercise.name: exercise.points for exercise in master.exercises})
    judge.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with opened(tmp_path_factory.mktemp("course")) as found:
        yield found


def belongings() -> set[int]:
    """The processes of the slots' users; and those with the marks that attacks give to what they leave behind."""
    found = psutil.process_iter(["uids", "cmdline"])
    return {
        p.pid
        for p in found
        if (p.info["uids"] and p.info["uids"].real >= 64000) or "86397.5" in (p.info["cmdline"] or [])
    }


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row}-{attack.what}".replace(" ", "_"))
def test_an_attack_gets_what_is_fair_and_harms_nobody(room: Room, attack: Attack) -> None:
    graded = room.grade(handed_in(attack, room.released))
    assert (room.points(graded), graded.state) == (attack.fair, attack.state), (graded.outcomes, graded.flags)
    assert graded.seconds < attack.seconds
    neighbour = room.grade(handed_in(ATTACKS[0], room.released))
    assert (room.points(neighbour), neighbour.state, neighbour.flags) == (10, State.GRADED, ())
    assert not belongings()
