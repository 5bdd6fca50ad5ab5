"""What is seen of a run: a bar in a terminal or plain lines elsewhere, and a log with one JSON event a line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from autograder.database import plainly

Step = Callable[[int, int, str], None]  # how many are done, of how many, and what is going on
QUIET_SECONDS = 10.0  # between two plain lines


class Tell(Protocol):
    """Is told of the events of a run."""

    def __call__(self, event: str, **about: Any) -> None:
        """Take note of an event."""


class Log:
    """A file to which every event of a run is added as it happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: str, **about: Any) -> None:
        """Add an event."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **about})
        with plainly(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")


@contextmanager
def shown() -> Iterator[Step]:
    """A bar with the time that is left, on standard error; plain lines, not too many, where that is no terminal."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))
        return
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda done, total, what: progress.update(task, completed=done, total=total or None, description=what)


def _plain(say: Callable[[str], None]) -> Step:
    start = said = time.monotonic()
    last = ""

    def step(done: int, total: int, what: str) -> None:
        nonlocal start, said, last
        now = time.monotonic()
        start = start if what == last else now
        if what == last and done < total and now - said < QUIET_SECONDS:
            return
        left = (now - start) / done * (total - done) if done else None
        say(what + (f": {done} of {total}" if total else "") + (f", {_span(left)} left" if left else ""))
        said, last = now, what

    return step


def _span(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
