"""How far a student is with a notebook: kept in a small file beside it, so that the next sitting goes on from there.

It is the student's own note. Nobody grades by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ftlab.errors import CourseError
from ftlab.exercises import Exercise, find, numbered, read
from ftlab.notebooks import Outcome
from ftlab.results import write_whole

Found = Sequence[tuple[Exercise, Outcome]]  # what a check found


@dataclass
class Standing:
    """What is kept of one exercise."""

    passed: bool = False  # at the last check
    once: bool = False  # at any check so far
    checks: int = 0  # how often it was checked
    hints: int = 0  # how many hints were asked for


class Progress:
    """What is kept of one notebook. A file that is missing or damaged counts as empty."""

    def __init__(self, notebook: Path) -> None:
        self.path = notebook.with_name(f".{notebook.stem}.progress.json")
        self.problem = ""  # why the last change was not kept, in a sentence
        self._standings = _read(self.path)

    def of(self, exercise: Exercise) -> Standing:
        """What is known of an exercise."""
        return self._standings.setdefault(exercise.name, Standing())

    def note(self, found: Found) -> None:
        """Keep the outcomes of a check."""
        for exercise, outcome in found:
            standing = self.of(exercise)
            standing.passed = outcome.passed
            standing.once = standing.once or outcome.passed
            standing.checks += 1
        self._save()

    def next_hint(self, exercise: Exercise) -> str:
        """The next hint, larger than the one before; the last one again where there is none. '' without any hint."""
        standing = self.of(exercise)
        standing.hints = min(standing.hints + 1, len(exercise.hints))
        self._save()
        return exercise.hints[standing.hints - 1] if exercise.hints else ""

    def _save(self) -> None:
        """Where it cannot be written (a read-only folder), it is not kept."""
        text = json.dumps({name: asdict(standing) for name, standing in self._standings.items()}, indent=1)
        try:
            write_whole(self.path, text + "\n")
        except CourseError as error:
            reason = getattr(error.__cause__, "strerror", error)
            self.problem = f"Your progress cannot be kept in {self.path.parent} ({reason})."


def _read(path: Path) -> dict[str, Standing]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: _standing(kept) for name, kept in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _standing(kept: dict[str, object]) -> Standing:
    wanted = {name: type(value) for name, value in asdict(Standing()).items()}
    if {name: type(value) for name, value in kept.items()} != wanted:
        raise ValueError("another version wrote it")
    return Standing(**kept)  # type: ignore[arg-type]


# --- in words ------------------------------------------------------------------------------------------------


def count(found: Found) -> tuple[int, int]:
    """How many exercises pass their visible tests, of how many that have some."""
    tested = [outcome.passed for exercise, outcome in found if exercise.test is not None]
    return sum(tested), len(tested)


def summary(found: Found) -> str:
    """The count as a sentence."""
    passed, total = count(found)
    return f"{passed} of {total} exercises pass their visible tests."


def sentence(kept: Progress, exercise: Exercise, outcome: Outcome) -> str:
    """What is wrong with one exercise, or that it passes."""
    if outcome.passed:
        return outcome.message or "passes"
    told = outcome.message if outcome.message.endswith((".", "!", "?")) else f"{outcome.message}."
    return told + (" It has passed before." if kept.of(exercise).once else "")


def to_try(kept: Progress, exercise: Exercise, outcome: Outcome, ask: str) -> str:
    """How to get the next hint: `ask` is the command, with {number} in it. '' where there is nothing to try."""
    seen, most = kept.of(exercise).hints, len(exercise.hints)
    if outcome.passed or not most or not exercise.number:
        return ""
    if seen == most:
        return "You have seen all hints. Read the statement again, and print what each line makes."
    return f"Hint {seen + 1} of {most}: {ask.format(number=exercise.number)}"


def lines(kept: Progress, found: Found, ask: str) -> Iterator[str]:
    """The outcomes of a check as plain lines."""
    yield summary(found)
    for exercise, outcome in found:
        yield f"{'✓' if outcome.passed else '✗'} {exercise.title}: {sentence(kept, exercise, outcome)}"
        if hint := to_try(kept, exercise, outcome, ask):
            yield f"    {hint}"
    if kept.problem:
        yield kept.problem


def hint(path: Path, number: int) -> str:
    """The next hint for exercise `number` of the notebook at `path`, as Markdown; that it was given is kept."""
    exercise = numbered(find(read(path), path), number)
    kept = Progress(path)
    text = kept.next_hint(exercise)
    if not text:
        return f"There is no hint for {exercise.title}."
    return f"**Hint {kept.of(exercise).hints} of {len(exercise.hints)}.** {text}"
