"""Where students stand: of each the newest submission, and the one result that counts for it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from autograder.records import Graded, State

QUERY = """
SELECT s.*, r.record,
    EXISTS (SELECT 1 FROM results WHERE submission = s.id AND state IN ('graded', 'graded with flags')) AS was_graded
FROM (SELECT id, student, assignment, content, received, refused, notes, seed,
        ROW_NUMBER() OVER (PARTITION BY student, assignment ORDER BY received DESC, id DESC) AS place
      FROM submissions WHERE assignment = :assignment {which}) s
LEFT JOIN results r ON r.submission = s.id AND r.current
WHERE (s.place = 1 OR :all) ORDER BY s.student, s.place DESC
"""
OF_ALL, OF_ONE = QUERY.format(which=""), QUERY.format(which="AND student = :student")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a student stands in an assignment: the newest submission, and the result that counts for it."""

    student: str
    assignment: str
    content: str  # the hash of what was handed in
    received: str  # ISO 8601, UTC
    seed: int
    refused: str  # why intake refused it; "" if it did not
    notes: tuple[str, ...]  # what intake noticed
    graded: Graded | None  # None while it waits
    stale: bool  # it was graded before, but grading it anew failed: the old scores no longer count

    @property
    def state(self) -> State:
        """The one state it is in."""
        return self.graded.state if self.graded else State.WAITING

    @property
    def scored(self) -> bool:
        """Whether its outcomes may become points."""
        return self.state in (State.GRADED, State.FLAGGED)


def standing_of(row: sqlite3.Row) -> Standing:
    """A standing from a row of `QUERY`."""
    graded = Graded.from_dict(json.loads(row["record"])) if row["record"] else None
    broken = graded is not None and graded.state is State.BROKEN
    return Standing(
        student=row["student"],
        assignment=row["assignment"],
        content=row["content"],
        received=row["received"],
        seed=row["seed"],
        refused=row["refused"],
        notes=tuple(json.loads(row["notes"])),
        graded=graded,
        stale=bool(row["was_graded"]) and broken,
    )
