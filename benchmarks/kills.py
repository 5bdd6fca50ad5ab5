"""The head of a class is killed at random moments, again and again: does it end where an undisturbed one does?

    python benchmarks/kills.py [submissions] [kills]

The real judge, the sandbox, two workers. Compared are, byte for byte, all exports, nbgrader's own export, and the
graded notebooks.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from grading import BENCH, command, course, grade, hand_in

from autograder.ledger import Ledger


def recorded(work: Path) -> int:
    """Results so far."""
    with contextlib.suppress(OSError):
        return (work / "log.jsonl").read_text().count('"recorded"')
    return 0


def same_secret(one: Path, other: Path) -> None:
    """Give the second class the secret of the first, so that its random inputs are the same."""
    with contextlib.closing(sqlite3.connect(one / "ledger.db")) as database:
        secret = database.execute("SELECT secret FROM class").fetchone()
    with Ledger.writing(other), contextlib.closing(sqlite3.connect(other / "ledger.db")) as database, database:
        database.execute("UPDATE class SET secret = ?", secret)


def killed(folder: Path, work: Path, moments: list[int]) -> Iterator[int]:
    """Grade, and kill the head once so many results are there, or somewhat later; yields how many there were."""
    for moment in moments:
        head = subprocess.Popen(grade(folder, work), stdout=-3, stderr=-3)
        while recorded(work) < moment and head.poll() is None:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        head.send_signal(signal.SIGKILL)
        assert head.wait() == -9, "it was done before it was killed"
        yield recorded(work)


def exports(folder: Path, work: Path) -> dict[str, bytes]:
    """Every file that leaves the class, by its name."""
    subprocess.run(command(folder, work, "export"), check=True, capture_output=True)
    found = {str(path.relative_to(work)): path.read_bytes() for path in (work / "export").rglob("*.*")}
    out = ["nbgrader", "export", f"--CsvExportPlugin.to={work / 'all.csv'}", "--log-level=ERROR"]
    subprocess.run(out, cwd=work, check=True, capture_output=True)
    head, *rows = (work / "all.csv").read_bytes().splitlines(keepends=True)
    found["nbgrader's export"] = b"".join([head, *sorted(rows)])  # it lists rows in the order in which they were made
    notebooks = (work / "autograded").rglob("*.ipynb")
    return found | {str(path.relative_to(work)): path.read_bytes() for path in notebooks}


def main(submissions: int = 1000, kills: int = 20) -> None:
    random.seed(1)
    with tempfile.TemporaryDirectory() as place:
        folder, calm, wild = Path(place), Path(place, "calm"), Path(place, "wild")
        hand_in(course(folder, BENCH), folder / "submitted", submissions)
        assert subprocess.run(grade(folder, calm), stdout=-3, stderr=-3).returncode == 0
        same_secret(calm, wild)
        for count in killed(folder, wild, sorted(random.sample(range(submissions - 10), kills))):
            print(f"killed after {count} results", flush=True)
        assert subprocess.run(grade(folder, wild), stdout=-3, stderr=-3).returncode == 0
        mine, theirs = exports(folder, wild), exports(folder, calm)
        different = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        print(f"{submissions} submissions, {kills} kills: {len(theirs)} files compared, {len(different)} differ")
        print(f"{recorded(wild)} results were recorded; an undisturbed run records {recorded(calm)}")
        assert not different, different[:5]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
