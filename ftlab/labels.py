"""A file of labels: one line of JSON a click, appended, and on the disk before anything goes on.

Nothing is ever taken out: taking a label back is a line too. Several people and programs may write to one file, or to
one each. Whatever stops a writer in the middle (a killed kernel, a full disk) costs at most the click it was saving.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from filelock import FileLock, Timeout

from ftlab.errors import CourseError

Answer = Literal["left", "right", "tie", "both bad"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
SIMULATED = " (simulated)"
PATIENCE = 20.0  # seconds to wait for another writer, who needs a few thousandths


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Label:
    """One click of one labeller on one comparison; `left` is the completion (0 or 1) that stood on the left."""

    comparison: str  # its id
    answer: Answer  # what was pressed
    left: Literal[0, 1]
    labeller: str
    simulated: bool
    label: str = field(default_factory=lambda: uuid.uuid4().hex)  # its own name, by which it can be taken back
    at: str = field(default_factory=_now)

    @property
    def chosen(self) -> int | None:
        """The better completion, 0 or 1, whichever side it stood on; None for a tie or both bad."""
        return {"left": self.left, "right": 1 - self.left}.get(self.answer)

    @property
    def verdict(self) -> str:
        """What was said of the texts, whichever side they stood on: 'first', 'second', 'tie' or 'both bad'."""
        return self.answer if self.chosen is None else ("first", "second")[self.chosen]

    @property
    def who(self) -> str:
        """The labeller, as `who` names one."""
        return who(self.labeller, self.simulated)


@dataclass(frozen=True, kw_only=True)
class TakenBack:
    """A label that does not count any more. Its line stays."""

    takes_back: str  # the label's own name
    labeller: str
    simulated: bool
    at: str = field(default_factory=_now)


Event = Label | TakenBack


@dataclass(frozen=True)
class Labels:
    """The labels that count: at most one for each labeller and comparison, the latest at the end."""

    labels: tuple[Label, ...]
    notes: tuple[str, ...]  # sentences on lines that could not be read and on changed minds

    def by(self, who: str) -> dict[str, Label]:
        """The labels of one labeller, by comparison."""
        return {label.comparison: label for label in self.labels if label.who == who}


def who(labeller: str, simulated: bool) -> str:
    """A labeller's name, always marked where no person is behind it."""
    return labeller + SIMULATED * simulated


def append(path: Path | str, *events: Event) -> None:
    """Add lines to a file (made if there is none) and return when they are on the disk.

    After a line that was cut off, a new one begins. Raises CourseError when the disk refuses or another writer hangs.
    """
    path, lines = Path(path), "".join(json.dumps(asdict(event)) + "\n" for event in events)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=PATIENCE), path.open("a+b") as stream:
            stream.write(b"" if _ends_with_a_line(stream) else b"\n")
            stream.write(lines.encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:  # Timeout is one
        reason = "another program holds it" if isinstance(error, Timeout) else error.strerror or str(error)
        raise CourseError(f"Not saved: {path} cannot be written ({reason}). Mend that and answer again.") from error


def _ends_with_a_line(stream: BinaryIO) -> bool:
    """Whether the file is empty or its last line is whole."""
    if stream.seek(0, os.SEEK_END) == 0:
        return True
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def read(*paths: Path | str) -> Labels:
    """The labels of one file or several, in the order of their lines; damaged lines are left out and named.

    Raises CourseError for a file that is not there.
    """
    events: dict[str, Event] = {}  # by name, so that a file given twice counts once
    notes: list[str] = []
    for path in map(Path, paths):
        found, damaged = _parsed(path)
        events |= {event.label if isinstance(event, Label) else f"back {event.takes_back}": event for event in found}
        notes += [_damage(path, damaged)] if damaged else []
    gone = {event.takes_back for event in events.values() if isinstance(event, TakenBack)}
    standing = [event for event in events.values() if isinstance(event, Label) and event.label not in gone]
    counted: dict[tuple[str, str], Label] = {}
    for label in standing:
        counted.pop((label.who, label.comparison), None)
        counted[label.who, label.comparison] = label
    return Labels(tuple(counted.values()), (*notes, *_changed_minds(standing, counted)))


def _parsed(path: Path) -> tuple[list[Event], list[int]]:
    """The events of a file, and the numbers of the lines that are none. A line without its end may still be whole."""
    from pydantic import TypeAdapter, ValidationError

    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CourseError(f"No labels can be read from {path} ({error.strerror}). Is that its name?") from error
    events, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            events += [adapter.validate_json(line, strict=True)] if line.strip() else []
        except ValidationError:
            damaged.append(number)
    return events, damaged


def _damage(path: Path, lines: list[int]) -> str:
    which = f"line {lines[0]} is" if len(lines) == 1 else f"lines {', '.join(map(str, lines))} are"
    return f"{path.name}: {which} cut off or damaged, and left out. All other labels count."


def _changed_minds(standing: Iterable[Label], counted: Mapping[tuple[str, str], Label]) -> list[str]:
    """A sentence on each labeller who judged a comparison twice and not alike."""
    changed: dict[str, set[str]] = {}
    for label in standing:
        if label.verdict != counted[label.who, label.comparison].verdict:
            changed.setdefault(label.who, set()).add(label.comparison)
    return [
        f"{who} labelled {len(ids)} pair{'s' * (len(ids) > 1)} more than once, and differently: "
        f"{', '.join(sorted(ids))}. The last answer counts."
        for who, ids in changed.items()
    ]
