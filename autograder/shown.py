"""What each student's rows in nbgrader's gradebook show now: a small table of ours beside nbgrader's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Shown:
    """One JSON object a student's notebook: `basis`, what its scores are for, and `settled`, what a person scored.

    It is part of the transaction in which the scores are written. nbgrader does not look at it.
    """

    def __init__(self, book: Any) -> None:
        from sqlalchemy import Column, MetaData, String, Table, Text

        columns = (Column("notebook_id", String(32), primary_key=True), Column("shown", Text, nullable=False))
        self._book, self._table = book, Table("autograder_shown", MetaData(), *columns)
        self._table.create(book.engine, checkfirst=True)

    def read(self, number: str) -> dict[str, Any]:
        """What a notebook's rows show; {} where nothing was written yet."""
        found = self._book.db.execute(self._table.select().where(self._table.c.notebook_id == number)).first()
        return json.loads(found.shown) if found else {}

    def write(self, number: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Note what they show now, in place of what `read` gave."""
        values = {"shown": json.dumps(now)}
        if not before:
            self._book.db.execute(self._table.insert().values(notebook_id=number, **values))
        elif before != now:
            self._book.db.execute(self._table.update().where(self._table.c.notebook_id == number).values(**values))
