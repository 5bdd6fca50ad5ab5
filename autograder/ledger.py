"""The class's ledger: every submission and every result, in one SQLite file that survives whatever stops the grader.

A submission's state follows from its current result, of which the database allows at most one: so it is in exactly
one state. A new result takes the place of the old one in one transaction; nothing is ever deleted. Many may read;
one writes, and a lock held by the operating system, which a killed process cannot leave behind, sees to that.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from autograder import keys
from autograder.database import connect, make, plainly
from autograder.records import Graded, InfrastructureError, State, Submission
from autograder.standings import OF_ALL, OF_ONE, standing_of
from autograder.standings import Standing as Standing
from ftlab.checks import CourseError


class Ledger:
    """The ledger in a folder, for reading; `writing` opens it for the one that grades. Use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "ledger.db"
        if not path.is_file():
            raise CourseError(f"There is no ledger in {folder}. Begin with `autograder grade --from FOLDER`.")
        with plainly(path):
            self._database = connect(path)

    @classmethod
    @contextlib.contextmanager
    def writing(cls, folder: Path) -> Iterator[Ledger]:
        """Open the ledger to write, and make it if there is none. Raises InfrastructureError if another one writes."""
        with plainly(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / "ledger.lock", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                raise InfrastructureError(f"Another autograder is at work in {folder}. Wait until it ends.") from None
        try:
            make(folder / "ledger.db")
            with cls(folder) as ledger:
                yield ledger
        finally:
            lock.release()

    def take(self, submission: Submission) -> bool:
        """Write a submission down; whether it is new. One that was refused gets its result at once.

        The same text again is no new submission and keeps its time, unless the student handed in another one since.
        """
        _check(submission)
        content, received = keys.content(submission), _time(submission.received)
        who = (submission.student, submission.assignment)
        with self._writes() as database:
            newest = database.execute(
                "SELECT content FROM submissions WHERE student = ? AND assignment = ? ORDER BY received DESC, id DESC",
                who,
            ).fetchone()
            if newest is not None and newest["content"] == content:
                return False
            seed = keys.seed(database.execute("SELECT secret FROM class").fetchone()[0], submission)
            made = database.execute(
                "INSERT INTO submissions (student, assignment, content, received, notebook, refused, notes, seed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (student, assignment, content) "
                "DO UPDATE SET received = max(received, excluded.received) RETURNING id",
                (*who, content, received, submission.notebook, submission.refused, json.dumps(submission.notes), seed),
            ).fetchone()["id"]
            if submission.refused:
                _supersede(database, made, _refusal(submission, content, seed))
        return True

    def record(self, graded: Graded, content: str) -> None:
        """Make this the current result of a submission, in place of the one before."""
        with self._writes() as database:
            _supersede(database, self._id(graded.student, graded.assignment, content), graded)

    def standings(self, assignment: str, student: str = "") -> list[Standing]:
        """Every student (or one) who handed in something for an assignment, by name."""
        with plainly(self.folder):
            which = {"assignment": assignment, "student": student, "all": False}
            return [standing_of(row) for row in self._database.execute(OF_ONE if student else OF_ALL, which)]

    def attempts(self, assignment: str) -> list[Standing]:
        """Every submission of every student, the oldest first, each with the result that counts for it."""
        with plainly(self.folder):
            which = {"assignment": assignment, "all": True}
            return [standing_of(row) for row in self._database.execute(OF_ALL, which)]

    def assignments(self) -> list[str]:
        """The assignments for which something was handed in."""
        with plainly(self.folder):
            found = self._database.execute("SELECT DISTINCT assignment FROM submissions ORDER BY assignment")
            return [row["assignment"] for row in found]

    def submission(self, standing: Standing) -> Submission:
        """What was handed in, with the text of its notebook."""
        with plainly(self.folder):
            number = self._id(standing.student, standing.assignment, standing.content)
            row = self._database.execute("SELECT * FROM submissions WHERE id = ?", (number,)).fetchone()
        return Submission(
            student=row["student"],
            assignment=row["assignment"],
            notebook=row["notebook"],
            received=row["received"],
            refused=row["refused"],
            notes=tuple(json.loads(row["notes"])),
        )

    def history(self, student: str, assignment: str) -> list[tuple[str, Graded]]:
        """Every result a student ever got for an assignment, of all submissions, oldest first, with its time."""
        with plainly(self.folder):
            found = self._database.execute(
                "SELECT r.recorded, r.record FROM results r JOIN submissions s ON s.id = r.submission "
                "WHERE s.student = ? AND s.assignment = ? ORDER BY r.id",
                (student, assignment),
            )
            return [(row["recorded"], Graded.from_dict(json.loads(row["record"]))) for row in found]

    def _id(self, student: str, assignment: str, content: str) -> int:
        row = self._database.execute(
            "SELECT id FROM submissions WHERE student = ? AND assignment = ? AND content = ?",
            (student, assignment, content),
        ).fetchone()
        if row is None:
            raise CourseError(f"The ledger knows no such submission of {student} for {assignment}. Take it in first.")
        return int(row["id"])

    @contextlib.contextmanager
    def _writes(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when it ends."""
        with plainly(self.folder):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._database.execute("ROLLBACK")
                raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _supersede(database: sqlite3.Connection, submission: int, graded: Graded) -> None:
    database.execute("UPDATE results SET current = 0 WHERE submission = ? AND current", (submission,))
    database.execute(
        "INSERT INTO results (submission, state, record, recorded, current) VALUES (?, ?, ?, ?, 1)",
        (submission, graded.state, json.dumps(graded.as_dict()), datetime.now(UTC).isoformat(timespec="seconds")),
    )


def _refusal(submission: Submission, content: str, seed: int) -> Graded:
    return Graded(
        student=submission.student,
        assignment=submission.assignment,
        key=content,
        seed=seed,
        state=State.REJECTED,
        error=submission.refused,
    )


def _check(submission: Submission) -> None:
    """Refuse names that lead out of a folder and text that is none. Intake makes all safe; this is the last door."""
    for name in (submission.student, submission.assignment):
        if not re.fullmatch(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,63}", name):
            raise CourseError(f"{name!r} cannot be the name of a student or an assignment. Use letters and digits.")
    try:
        (submission.notebook + submission.refused).encode()
    except UnicodeEncodeError:
        raise CourseError(f"The notebook of {submission.student} holds characters that are none.") from None


def _time(received: str) -> str:
    """A time as ISO 8601 in UTC, so that the order of the texts is the order of the times."""
    try:
        found = datetime.fromisoformat(received)
    except ValueError:
        raise CourseError(f"{received!r} is no time of receipt. Give it as 2026-11-25T15:00:00+00:00.") from None
    return found.astimezone(UTC).isoformat(timespec="seconds")
