"""From the ledger and the gradebook to files: pages for students, grades for other systems, a report to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autograder import export, gradescope, similarity
from autograder.feedback import page, write_page
from autograder.gradesheet import Sheet, build
from autograder.ledger import Ledger
from autograder.marks import ByHand
from autograder.policy_file import Policies
from autograder.release import write

if TYPE_CHECKING:
    from autograder.master import Master


def feedback(masters: Sequence[Master], folder: Path, by_hand: ByHand, *, with_hidden: bool = False) -> Iterator[Path]:
    """Write the page of every student who handed something in; yields its path.

    Pages with hidden tests lie in a folder of their own, so that nobody gives them out by mistake.
    """
    where = folder / ("feedback-for-instructors" if with_hidden else "feedback")
    with Ledger(folder) as ledger:
        for master in masters:
            for one in ledger.standings(master.name):
                text = page(
                    master,
                    one.student,
                    one.graded,
                    marks=by_hand.of(one.student, master.name),
                    received=f"{datetime.fromisoformat(one.received):%Y-%m-%d %H:%M} UTC",
                    stale=one.stale,
                    with_hidden=with_hidden,
                )
                yield write_page(where, master.name, one.student, text)


def grades(masters: Sequence[Master], folder: Path, by_hand: ByHand, policies: Policies) -> Sheet:
    """Write the grades of a class in all formats into `folder`/export, and return them."""
    with Ledger(folder) as ledger:
        attempts = [one for master in masters for one in ledger.attempts(master.name)]
    sheet = build(masters, attempts, by_hand, policies)
    for name, text in (
        ("grades.csv", export.grades(sheet)),
        ("canvas.csv", export.canvas(sheet)),
        ("moodle.csv", export.moodle(sheet)),
    ):
        write(folder / "export" / name, text)
    for master in masters:
        _gradescope(master, sheet, folder / "export" / "gradescope" / master.name, by_hand)
    return sheet


def _gradescope(master: Master, sheet: Sheet, folder: Path, by_hand: ByHand) -> None:
    for row in sheet.rows:
        cell = row.cells[master.name]
        if cell.standing is None:  # nothing was handed in
            continue
        path = folder / row.student / "results.json"
        text = gradescope.results(master, cell, by_hand.of(row.student, master.name))
        if text is None:
            path.unlink(missing_ok=True)  # an earlier export's score must not stay
        else:
            write(path, text)


def similar(masters: Sequence[Master], folder: Path) -> Iterator[tuple[Path, int]]:
    """Write the report on shared answers of each assignment; yields its path, and how many pairs are in it."""
    with Ledger(folder) as ledger:
        for master in masters:
            graded = [one.graded for one in ledger.standings(master.name) if one.graded is not None and one.scored]
            found = similarity.pairs(master, graded)
            path = folder / "similarity" / f"{master.name}.html"
            write(path, similarity.page(master, found, len(graded)))
            yield path, len(found)
