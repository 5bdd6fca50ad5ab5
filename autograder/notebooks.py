"""A stranger's notebook, read with care: which files are one, and its cells as plain text.

Intake refuses what this module refuses, and rebuild reads with it again, so both agree on every file. All metadata but
a cell's two names is dropped here, and so are the outputs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ftlab.checks import CourseError

KINDS = ("code", "markdown", "raw")
AGAIN = "Open the notebook in Jupyter, save it, and hand it in again."


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What may come in. A course can change each of these."""

    notebook_bytes: int = 5_000_000
    depth: int = 100  # of brackets in brackets in the notebook's JSON
    cells: int = 500
    files: int = 1000  # of one student, folders included
    entries: int = 100_000  # of an archive


class Cell(NamedTuple):
    """One cell as the student handed it in."""

    number: int  # its place in the student's notebook, from 1
    kind: str  # one of KINDS
    id: str  # "" where there is none
    grade_id: str  # "" where there is none
    source: str  # with \n at the ends of lines


def accept(data: bytes, allowed: Allowed) -> str:
    """The text of a notebook of nbformat 4, from the bytes of a file. Raises CourseError with a reason for the student.

    A notebook of nbformat 3 is brought to 4 by nbformat itself.
    """
    if not data.strip():
        raise CourseError(f"The file is empty. {AGAIN}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CourseError(f"The file is not text in UTF-8, so it is no notebook. {AGAIN}") from None
    parsed = _parse(text, allowed)
    if parsed["nbformat"] == 3:
        text = _upgraded(text)
        parsed = _parse(text, allowed)
    list(_cells(parsed, allowed))
    return text


def read(text: str, allowed: Allowed | None = None) -> list[Cell]:
    """The cells of a notebook of nbformat 4. Raises CourseError where `accept` would have refused it."""
    allowed = allowed or Allowed()
    return list(_cells(_parse(text, allowed), allowed))


def _parse(text: str, allowed: Allowed) -> dict[str, Any]:
    """The notebook's JSON, with a version that is known. nbformat 3 passes: it still has to be upgraded."""
    too_deep = CourseError(f"Its JSON is nested more than {allowed.depth} deep, as in no real notebook. {AGAIN}")
    try:
        parsed = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise too_deep from None
    except ValueError as error:
        line = f" from line {error.lineno} on" if isinstance(error, json.JSONDecodeError) else ""
        raise CourseError(f"The file is no notebook, or only a part of one: it is no JSON{line}. {AGAIN}") from None
    if _deeper(parsed, allowed.depth):
        raise too_deep
    version = parsed.get("nbformat") if isinstance(parsed, dict) else None
    if version == 3 or (version == 4 and isinstance(parsed.get("cells"), list)):
        return parsed
    if isinstance(version, int) and 4 < version < 100:
        raise CourseError(f"The notebook is of the format {version}, and this course reads 4. Save it in that format.")
    raise CourseError(f"The file is JSON, but it is no notebook. {AGAIN}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. A key that stands twice is refused: programs differ in which of the two they believe."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise CourseError(f"The file is damaged: a key stands twice in one of its JSON objects. {AGAIN}")
    return found


def _deeper(value: Any, most: int) -> bool:
    """Whether `value` is nested more than `most` deep."""
    level = [value]
    for _ in range(most + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: dict[str, Any] | list[Any]) -> Iterator[Any]:
    return iter(item.values() if isinstance(item, dict) else item)


def _upgraded(text: str) -> str:
    """A notebook of nbformat 3 as one of 4, the same text each time: without the random ids of cells."""
    import nbformat

    try:
        notebook = nbformat.convert(nbformat.reader.reads(text), 4)
        for cell in notebook.cells:
            cell.pop("id", None)
        notebook.nbformat_minor = 4
        return json.dumps(notebook)
    except Exception as error:  # whatever nbformat raises at a damaged notebook
        raise CourseError(f"The notebook is of the old format 3 and cannot be brought to format 4. {AGAIN}") from error


def _cells(parsed: dict[str, Any], allowed: Allowed) -> Iterator[Cell]:
    cells = parsed.get("cells")
    if not isinstance(cells, list):
        raise CourseError(f"The notebook has no list of cells. {AGAIN}")
    if len(cells) > allowed.cells:
        raise CourseError(f"The notebook has {len(cells)} cells; at most {allowed.cells} are taken. Delete some.")
    for number, cell in enumerate(cells, start=1):
        yield _cell(number, cell)


def _cell(number: int, cell: Any) -> Cell:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if kind not in KINDS:
        raise CourseError(f"Cell {number} of the notebook is damaged: it is neither code nor text. {AGAIN}")
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise CourseError(f"Cell {number} of the notebook is damaged: what it holds is no text. {AGAIN}")
    marks = _mapping(_mapping(cell.get("metadata")).get("nbgrader"))
    return Cell(number, kind, _name(cell.get("id")), _name(marks.get("grade_id")), _text(source))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: Any) -> str:
    """A grade_id or a cell's id; what is no name is as good as none."""
    return _text(value) if isinstance(value, str) and len(value) <= 64 else ""


def _text(source: str) -> str:
    """Text that can be written as UTF-8: half an emoji, which some editors leave behind, becomes U+FFFD."""
    whole = source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\r\n", "\n").replace("\r", "\n")
