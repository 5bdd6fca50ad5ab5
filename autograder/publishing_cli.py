"""The command line's verbs that give results out: feedback, export, similarity."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.grading_cli import AddVerb, Masters, folder, say_older

if TYPE_CHECKING:
    from autograder.gradesheet import Sheet
    from autograder.marks import ByHand
    from autograder.master import Master
    from autograder.policy_file import Policies

FEEDBACK = (
    "Writes one HTML page for each student and assignment into feedback/, in the folder of the ledger, as "
    "STUDENT/ASSIGNMENT/ASSIGNMENT.html. Give each student their own, and nobody the whole folder. A page "
    "needs no network, runs no script, and shows no test. Marks and comments from the formgrader are in it."
)
EXPORT = (
    "Writes grades.csv, canvas.csv, moodle.csv and Gradescope's results.json files into export/, in the folder of the "
    "ledger. The rules in policies.yml (late work, slip days, extensions, drops, resubmission) are applied here and "
    "nowhere else. What is not scored yet stays empty, never 0; then the exit code is 1."
)
SIMILARITY = (
    "Writes a page for instructors that shows answers side by side which share rare lines. It is something to read, no "
    "verdict, and it changes no points."
)


def add_verbs(add: AddVerb, masters: Masters) -> None:
    """Add the verbs to the command line; `masters` reads the assignments that were named."""
    feedback = add("feedback", lambda arguments: _feedback(arguments, masters), "write pages for students", FEEDBACK)
    feedback.add_argument("--with-hidden", action="store_true", help="for instructors: with all tests and mark schemes")
    export = add("export", lambda arguments: _export(arguments, masters), "write the grades for other systems", EXPORT)
    export.add_argument("--policies", type=Path, metavar="FILE", help="the class's rules (policies.yml)")
    similar = add("similarity", lambda arguments: _similarity(arguments, masters), "compare answers", SIMILARITY)
    for verb in (feedback, export, similar):
        verb.add_argument("--work", type=Path, metavar="FOLDER", help="where ledger and gradebook lie (grading)")
    for verb in (feedback, export):
        verb.add_argument("--gradebook", default="", metavar="URL", help="the database that grade was given, if any")


def _by_hand(arguments: argparse.Namespace, masters: list[Master]) -> ByHand:
    from autograder.marks import read

    return read(masters, folder(arguments), arguments.gradebook)


def _feedback(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder.publishing import feedback

    chosen = masters(arguments)
    say_older(chosen, folder(arguments))
    by_hand = _by_hand(arguments, chosen)
    paths = list(feedback(chosen, folder(arguments), by_hand, with_hidden=arguments.with_hidden))
    where = paths[0].parents[2] if paths else folder(arguments)
    print(f"{len(paths)} pages in {where}" if paths else "Nothing was handed in yet, so there are no pages.")
    return 0


def _export(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder.publishing import grades

    chosen = masters(arguments)
    say_older(chosen, folder(arguments))
    policies = _policies(arguments)
    sheet = grades(chosen, folder(arguments), _by_hand(arguments, chosen), policies)
    for student in sorted(set(policies.extensions) - {row.student for row in sheet.rows}):
        print(f"policies: there is an extension for {student}, who is not in this class so far", file=sys.stderr)
    print(f"{len(sheet.rows)} students in {folder(arguments) / 'export'}")
    return _report(sheet)


def _policies(arguments: argparse.Namespace) -> Policies:
    """The rules; the file has to be there if it was named."""
    from autograder.master import load_all
    from autograder.policy_file import load
    from ftlab.checks import CourseError

    path = arguments.policies or arguments.course / "policies.yml"
    if arguments.policies and not path.is_file():
        raise CourseError(f"There is no file {path}. Leave --policies out to export without rules.")
    return load(path, [master.name for master in load_all(arguments.course / "solutions")])


def _report(sheet: Sheet) -> int:
    """Print every empty cell with its reason; 1 if there are any."""
    found = sheet.open()
    for student, assignment, cell in found:
        print(f"{assignment}  {student}: empty, because {'; '.join(cell.notes)}", file=sys.stderr)
    return 1 if found else 0


def _similarity(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder.publishing import similar

    for path, count in similar(masters(arguments), folder(arguments)):
        print(f"{path}: {count} pairs to read")
    return 0
