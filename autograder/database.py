"""The ledger's SQLite file: how it is made and opened, and what ails it, in a sentence."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from autograder.records import InfrastructureError

LOCKED_SECONDS = 60.0  # how long to wait for another program that holds the database

SCHEMA = """
CREATE TABLE IF NOT EXISTS class (secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS submissions (
    id INTEGER PRIMARY KEY, student TEXT NOT NULL, assignment TEXT NOT NULL, content TEXT NOT NULL,
    received TEXT NOT NULL, notebook TEXT NOT NULL, refused TEXT NOT NULL, notes TEXT NOT NULL, seed INTEGER NOT NULL,
    UNIQUE (student, assignment, content));
CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY, submission INTEGER NOT NULL REFERENCES submissions, state TEXT NOT NULL,
    record TEXT NOT NULL, recorded TEXT NOT NULL, current INTEGER NOT NULL CHECK (current IN (0, 1)));
CREATE UNIQUE INDEX IF NOT EXISTS one_current_result ON results (submission) WHERE current;
CREATE INDEX IF NOT EXISTS results_of ON results (submission);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that begins no transaction by itself, and whose commits are on the disk when they return."""
    database = sqlite3.connect(path, timeout=LOCKED_SECONDS, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA synchronous = FULL")
    return database


def make(path: Path) -> None:
    """The database with its tables and the class's secret, where they are not there yet."""
    with plainly(path), contextlib.closing(connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)
        # One statement, so that a kill leaves one secret or none.
        nothing = "WHERE NOT EXISTS (SELECT 1 FROM class)"
        database.execute(f"INSERT INTO class SELECT ? {nothing}", (secrets.token_hex(32),))
        path.chmod(0o600)


@contextlib.contextmanager
def plainly(place: Path) -> Iterator[None]:
    """Say in a sentence what ails the disk or the database."""
    advice = "Nothing that is recorded is lost: mend this and run it again."
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InfrastructureError(f"The ledger in {place} cannot be used: {error}. {advice}") from error
    except sqlite3.DatabaseError as error:
        raise InfrastructureError(f"The ledger in {place} is damaged: {error}. Bring it back from a backup.") from error
    except OSError as error:
        raise InfrastructureError(f"{error.filename or place} cannot be used: {error.strerror}. {advice}") from error
