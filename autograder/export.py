"""Grades for other systems, as text: the same sheet gives the same bytes.

**grades.csv** is for people: points, total, and a note on everything that is empty or that a rule changed.

**canvas.csv** is what Canvas's gradebook imports: five columns on the student, of which the last is the section; a row
"Points Possible"; one column an assignment, matched by its exact title. Students are matched by ID, SIS User ID, SIS
Login ID, or name, in this order. Any other column would become a new assignment, so there are no notes here.
(https://community.canvaslms.com, "How do I import grades in the Gradebook?", and lib/gradebook_importer.rb of
instructure/canvas-lms)

**moodle.csv** is what Moodle's grade import reads. Map from "Username", or "Email address", to the same field of the
user; map the columns of points to grade items, and leave the others out or map them to feedback.
(https://docs.moodle.org/en/Grade_import, and grade/import/csv/classes/load_data.php of moodle/moodle)

An empty cell clears what is there, in Canvas as in Moodle. `autograder.gradescope` writes the files of Gradescope.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from autograder.gradesheet import Row, Sheet
from autograder.pages import points

# A spreadsheet takes a cell that begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def grades(sheet: Sheet) -> str:
    """The sheet for people. It begins with a byte order mark, without which Excel misreads names."""
    worth = [f"{name} (of {points(most)})" for name, most in sheet.assignments.items()]
    head = ["student", "last name", "first name", *worth, "total", "out of", "notes"]
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + table([head, *(_for_people(row) for row in sheet.rows)])


def _for_people(row: Row) -> list[str]:
    notes = [f"{name}: {note}" for name, cell in row.cells.items() for note in cell.notes]
    notes += [f"{name}: graded without a sandbox" for name, cell in row.cells.items() if cell.unsafe]
    names = [row.student, row.person.last_name, row.person.first_name]
    return [*names, *_points(row), _shown(row.total), _shown(row.out_of), "; ".join(notes)]


def canvas(sheet: Sheet) -> str:
    """Canvas's gradebook."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *sheet.assignments]
    worth = ["    Points Possible", "", "", "", "", *map(points, sheet.assignments.values())]
    rows = [[_listed(row), row.person.lms_id, "", row.student, "", *_points(row)] for row in sheet.rows]
    return table([head, worth, *rows])


def _listed(row: Row) -> str:
    """The name as Canvas sorts it, or the id where no name is known."""
    names = [name for name in (row.person.last_name, row.person.first_name) if name]
    return ", ".join(names) or row.student


def moodle(sheet: Sheet) -> str:
    """Moodle's grade import."""
    columns = [(f"Assignment: {name} (Real)", f"Assignment: {name} (Feedback)") for name in sheet.assignments]
    head = ["First name", "Last name", "Username", "Email address", *(one for pair in columns for one in pair)]
    return table([head, *(_for_moodle(row) for row in sheet.rows)])


def _for_moodle(row: Row) -> list[str]:
    pairs = [(_shown(cell.points), "; ".join(cell.notes)) for cell in row.cells.values()]
    who = [row.person.first_name, row.person.last_name, row.student, row.person.email]
    return [*who, *(one for pair in pairs for one in pair)]


def _points(row: Row) -> list[str]:
    return [_shown(cell.points) for cell in row.cells.values()]


def _shown(value: float | None) -> str:
    return "" if value is None else points(value)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180), every cell in quotes and none of them a formula."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [safe(cell) for cell in row] for row in rows
    )
    return text.getvalue()


def safe(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) or cell.lstrip().startswith(FORMULA) else cell
