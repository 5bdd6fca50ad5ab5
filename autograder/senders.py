"""Whose file is it, and for which assignment: by the names that nbgrader, Moodle, Canvas or a collector gave.

Moodle (mod/assign/classes/downloader.php) makes a folder "Full Name_12345_assignsubmission_file" for each student, with
an underscore at its end in older versions, or puts that name before each file's. It turns underscores in names into
spaces; 12345 is the number that its grading worksheet calls the participant's.

Canvas (lib/content_zipper.rb) puts all files side by side: "namewithoutspaces_LATE_USER_ATTACHMENT_file.ipynb", with
LATE only where the file came late; anonymously "anon_abc12_ATTACHMENT_file.ipynb". It adds "-1" to a file's name when
the student has handed in that name before. A larger attachment number is newer.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

MOODLE = re.compile(r"(.+?)(?:_(\d+))?_assignsubmission_(?:file|onlinetext)(?:_(.*))?", re.DOTALL | re.ASCII)
CANVAS = re.compile(r"(.+?)_(LATE_)?(\d+)_(?:(\d+)_(.+)|(?:text|link)\.html)", re.DOTALL | re.ASCII)
CANVAS_ANONYMOUS = re.compile(r"(LATE_)?(anon_[A-Za-z0-9]+)_(?:(\d+)_(.+)|(?:text|link)\.html)", re.DOTALL | re.ASCII)
_SAFE = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]{0,63}")
TWO_WAYS = "Its name begins with a number and an underscore, which hides who sent it. Rename it and hand it in again."


class Place(NamedTuple):
    """Where a file belongs."""

    student: str  # safe as the name of a file
    origin: str  # what the sender's name was read from: two origins of one student are two people, or a mistake
    file: tuple[str, ...] = ()  # the file's path in what this student handed in; empty for the folder itself
    attachment: int = 0  # Canvas's number: larger is newer
    late: bool = False  # Canvas says so
    problem: str = ""  # why the file cannot be taken


def place(path: tuple[str, ...], assignment: str, *, alone: bool) -> Place | None:
    """Where the file or folder at `path` of a source belongs; None where it is nobody's submission for `assignment`.

    Only nbgrader's tree tells assignments apart: any other source is for the one that is collected `alone`.
    """
    if path[0].startswith((".", "__MACOSX")) and path[0] not in ("..", "."):
        return None
    if alone and (found := MOODLE.fullmatch(path[0])):
        return _moodle(found, path)
    if alone and len(path) == 1 and (found := CANVAS_ANONYMOUS.fullmatch(path[0])):
        return _canvas(found[2], found[4], found[3], bool(found[1]), assignment)
    if alone and len(path) == 1 and (found := CANVAS.fullmatch(path[0])):
        return _canvas(safe(found[1], found[3]), found[5], found[4], bool(found[2]), assignment)
    if len(path) > 1 and path[1] == assignment:
        return Place(safe(path[0]), path[0], path[2:])
    return _collected(path, assignment) if alone else None


def _moodle(found: re.Match[str], path: tuple[str, ...]) -> Place:
    name, number, flat = found.groups()
    origin = f"{name}_{number}" if number else name
    file = (flat,) if flat and len(path) == 1 else path[1:]
    return Place(safe(name, number), origin, file)


def _canvas(student: str, file: str | None, attachment: str | None, late: bool, assignment: str) -> Place:
    """A file from Canvas; `file` is None for a text or a link that was typed in instead."""
    if file is None:
        return Place(student, student, ("a text typed into Canvas",), late=late)
    if re.match(r"\d+_", file):
        # Groups choose their own names: "ann_7" with the user 8 must not pass for Ann, whose number is 7.
        return Place(safe(f"{student}_{attachment}"), student, (file,), late=late, problem=TWO_WAYS)
    first = re.sub(r"-\d+\.ipynb$", ".ipynb", file)
    name = first if first == f"{assignment}.ipynb" else file
    return Place(student, student, (name,), int(attachment or 0) if len(attachment or "") < 20 else 0, late)


def _collected(path: tuple[str, ...], assignment: str) -> Place | None:
    """A file in a folder a student, or one notebook a student; `file` is empty for anything else that lies on top."""
    if len(path) == 1 and path[0].endswith(".ipynb"):
        return Place(safe(path[0].removesuffix(".ipynb")), path[0], (f"{assignment}.ipynb",))
    # Deeper down lie other assignments of nbgrader's tree, and at times the right notebook.
    if len(path) > 2 and path[-1] != f"{assignment}.ipynb":
        return None
    return Place(safe(path[0]), path[0], path[1:])


def safe(name: str, number: str | None = None) -> str:
    """A student's name as an id: ASCII letters, digits and . _ @ -, at most 64, never the same for two names.

    A name that is one already stays. Any other is mended, and `number`, or else a hash of the name, tells it apart.
    """
    if number is None and _SAFE.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    mended = re.sub(r"[^A-Za-z0-9._@-]+", "-", plain).strip("-.")[:40] or "student"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    mark = number if number and len(number) <= 20 else digest
    return f"{mended}_{mark}"
