"""The files in a folder of submissions, as they lie there.

Nothing here follows a link, opens what is no ordinary file, or writes. What cannot be taken is listed with the reason.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from autograder.notebooks import Allowed
from ftlab.checks import CourseError

DEPTH = 4  # folders in folders that are looked into
FOLDER = "It is a folder."
LINK = "It is a link, and links are not followed. Hand in the file itself."
HARD_LINK = "It is a hard link: the file has a second name elsewhere. Hand in a copy."
TOO_MANY = "It holds more files than are taken. Hand in the notebook alone."
ODD = "It is no ordinary file. Hand in the notebook itself."


@dataclass(frozen=True)
class File:
    """One file of a source. `read(n)` gives its first n bytes and raises CourseError with a reason for the student."""

    path: tuple[str, ...]  # the names from the source down, as they are
    received: datetime  # when the collector got it
    size: int  # bytes, as the source says; it may lie
    read: Callable[[int], bytes]
    problem: str = ""  # why it must not be read, in a sentence


@contextlib.contextmanager
def opened_folder(source: Path, allowed: Allowed) -> Iterator[Iterator[File]]:
    """The files and folders in the folder `source`."""
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _students(folder, allowed)
    finally:
        os.close(folder)


def _students(root: int, allowed: Allowed) -> Iterator[File]:
    """Every file and folder, by name; a folder that holds too many files is one that cannot be taken."""
    for name in sorted(os.listdir(root)):
        found = list(islice(_walk(root, (name,), allowed), allowed.files + 1))
        if len(found) > allowed.files:
            found = [replace(found[0], problem=TOO_MANY)]
        yield from found


def _walk(root: int, path: tuple[str, ...], allowed: Allowed) -> Iterator[File]:
    try:
        with _open(root, path[:-1], os.O_RDONLY | os.O_DIRECTORY) as folder:
            info = os.stat(path[-1], dir_fd=folder, follow_symlinks=False)
        yield File(path, moment(info.st_mtime), info.st_size, functools.partial(_read, root, path), _problem(info))
        if stat.S_ISDIR(info.st_mode) and len(path) < DEPTH:
            with _open(root, path, os.O_RDONLY | os.O_DIRECTORY) as folder, os.scandir(folder) as entries:
                names = sorted(entry.name for entry in islice(entries, allowed.files + 1))
            for name in names:
                yield from _walk(root, (*path, name), allowed)
    except OSError as error:
        yield File(path, datetime.now(UTC), 0, functools.partial(_read, root, path), _unreadable(error))


@contextlib.contextmanager
def _open(root: int, path: tuple[str, ...], flags: int) -> Iterator[int]:
    """A descriptor of what lies at `path` below `root`. A link anywhere on the way is an OSError."""
    here = os.dup(root)
    try:
        for number, name in enumerate(path, start=1):
            last = number == len(path)
            # O_NONBLOCK: opening a pipe must not wait for somebody who writes.
            how = flags if last else os.O_RDONLY | os.O_DIRECTORY
            inner = os.open(name, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def _read(root: int, path: tuple[str, ...], most: int) -> bytes:
    try:
        with _open(root, path, os.O_RDONLY) as descriptor:
            if problem := _problem(os.fstat(descriptor)):  # it may have been exchanged since it was listed
                raise CourseError(problem)
            with os.fdopen(os.dup(descriptor), "rb") as stream:
                return stream.read(most)
    except OSError as error:
        raise CourseError(_unreadable(error)) from error


def _problem(info: os.stat_result) -> str:
    if stat.S_ISLNK(info.st_mode):
        return LINK
    if stat.S_ISDIR(info.st_mode):
        return FOLDER
    if not stat.S_ISREG(info.st_mode):
        return ODD
    # A second name may lie in a folder that the student had no right to read.
    return HARD_LINK if info.st_nlink > 1 else ""


def _unreadable(error: OSError) -> str:
    return f"It could not be read where it was collected ({error.strerror}). Ask for it to be collected again."


def moment(seconds: float) -> datetime:
    """A time stamp as UTC; one that no calendar has is taken as now."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.now(UTC)
