"""A demo class of three, graded by the real nbgrader: all solved, every second exercise solved, untouched.

It grades in the instructor's own process, so it is for notebooks you wrote yourself. Students' notebooks have to wait
for the sandboxed grader.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from autograder.classroom import Classroom, Score
from autograder.master import Master
from autograder.release import write
from ftlab import checks

Tell = Callable[[str], None]  # is told, in a few words, what is being done
STUDENTS = ("right", "half-right", "untouched")


@dataclass(frozen=True)
class Graded:
    """The scores of one student, by exercise."""

    student: str
    scores: dict[str, Score]


def answers(master: Master, student: str) -> dict[str, str]:
    """The answer cells that a student of the demo class hands in."""
    solved = {
        "right": master.exercises,
        "half-right": [exercise for exercise in master.exercises if exercise.number % 2 == 0],
        "untouched": [],
    }
    return {exercise.name: exercise.solution for exercise in solved[student]}


def grade_class(master: Master, work: Path, tell: Tell = lambda what: None) -> list[Graded]:
    """Grade the class in `work`/<name>. What is already graded, with the same contents, is not graded again."""
    folder, key = work / master.name, content_key(master)
    kept = {student: _read(folder / f"{student}.json", key) for student in STUDENTS}
    if None in kept.values():
        room = _prepare(folder / "course", master, key, tell)
        for number, student in enumerate(STUDENTS, start=1):
            if kept[student] is None:
                tell(f"{master.name}: grading {student} ({number} of {len(STUDENTS)})")
                room.submit(student, answers(master, student))
                kept[student] = room.grade(student)
                _write(folder / f"{student}.json", key, kept[student] or {})
    return [Graded(student, scores) for student, scores in kept.items() if scores is not None]


def content_key(master: Master) -> str:
    """A key that changes with the master, the checks, the autograder, or the libraries that grade."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in [master.path, Path(checks.__file__), *sorted(package.glob("*.py"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for library in ("nbgrader", "torch", "numpy", "ipykernel"):
        digest.update(f"{library}=={version(library)}".encode())
    return digest.hexdigest()[:16]


def _prepare(folder: Path, master: Master, key: str, tell: Tell) -> Classroom:
    """The course folder for these contents: the one that an interrupted run left, or a new one."""
    room, ready = Classroom(folder, master), folder / "key.txt"
    if not ready.is_file() or ready.read_text(encoding="utf-8") != key:
        shutil.rmtree(folder, ignore_errors=True)
        tell(f"{master.name}: release by nbgrader")
        room.release()
        write(ready, key)
    return room


def _read(path: Path, key: str) -> dict[str, Score] | None:
    """The recorded scores, or None where there are none for these contents."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: Score(*score) for name, score in found["scores"].items()} if found["key"] == key else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, key: str, scores: dict[str, Score]) -> None:
    write(path, json.dumps({"key": key, "scores": scores}, indent=1) + "\n")
