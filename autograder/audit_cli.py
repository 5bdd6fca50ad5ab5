"""The command line's verb `audit`: are the tests themselves right?"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from autograder.audit_record import Report, Row
    from autograder.grading_cli import AddVerb, Masters
    from autograder.master import Master

AUDIT = (
    "The model solutions must earn all points and the empty notebook none; anticipated mistakes, spoiled solutions and "
    "mutants must earn less. The record lies beside each master; only what has changed since is audited, which takes "
    "about two minutes an assignment. All code that runs is the authors' own. Exit code 1: a test is not right."
)
PARTS = 10


def add_verbs(add: AddVerb, masters: Masters) -> None:
    """Add the verb to the command line; `masters` reads the assignments that were named."""
    verb = add("audit", lambda arguments: _audit(arguments, masters), "prove that the tests catch wrong answers", AUDIT)
    verb.add_argument("--again", action="store_true", help="audit also what has not changed")
    verb.add_argument("--jobs", type=int, default=1, metavar="N", help="assignments at a time (1)")
    verb.add_argument(
        "--check",
        action="store_true",
        help="write nothing: exit 1 where a record is out of date, and judge a tenth of the wrong answers again",
    )
    verb.add_argument("--tenth", type=int, choices=range(PARTS), help="which tenth (another one at each commit)")


def _audit(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder.audit import outdated

    found = masters(arguments)
    if arguments.check:
        return _check(found, arguments.course, arguments.tenth)
    due = [master for master in found if arguments.again or outdated(master)]
    if len(due) > 1 and arguments.jobs > 1:
        _side_by_side(due, arguments.jobs)
    else:
        for master in due:
            _one(master.path)
    return _show(found)


def _one(path: Path) -> None:
    """Audit one master and keep the record."""
    from autograder.audit import audit
    from autograder.audit_record import keep, path_beside
    from autograder.master import load
    from autograder.progress import shown

    master = load(path)
    with shown() as step:
        keep(audit(master, step), path_beside(master))


def _side_by_side(masters: Sequence[Master], jobs: int) -> None:
    """One process a master at a time: they share nothing."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(jobs, len(masters)), get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_one, master.path) for master in masters]):
            done.result()


def _show(masters: Sequence[Master]) -> int:
    """Print the records; 1 where one is not right."""
    from autograder.audit_record import path_beside, read

    reports = [report for master in masters if (report := read(path_beside(master))) is not None]
    for report in reports:
        _print(report)
    problems = [f"{report.master}: {problem}" for report in reports for problem in report.problems()]
    print("\n".join(problems) if problems else "Every test does what it should.")
    return 1 if problems else 0


def _check(masters: Sequence[Master], course: Path, tenth: int | None) -> int:
    from autograder.audit import again, outdated, part_of
    from autograder.progress import shown

    late = [
        f"{master.name}: {why}. Run: autograder audit {master.name}" for master in masters if (why := outdated(master))
    ]
    if late:
        print("\n".join(late))
        return 1
    code = _show(masters)
    tenth = _turn(course) if tenth is None else tenth
    by_name = {master.name: master for master in masters}
    with shown() as step:
        found = [
            f"{name}: {problem}"
            for name, places in part_of(masters, tenth, PARTS).items()
            for problem in again(by_name[name], places, step)
        ]
    print("\n".join([*found, f"Judged again: --tenth {tenth}. {len(found)} differences from the record."]))
    return 1 if found else code


def _turn(course: Path) -> int:
    """Another tenth at each commit; where that cannot be known (no git, a shallow clone), another one each day."""
    command = ["git", "-C", str(course), "rev-list", "--count", "HEAD"]
    try:
        count = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        count = 0
    return (count if count > 1 else int(time.time() // 86_400)) % PARTS


def _print(report: Report) -> None:
    import yaml
    from rich.console import Console
    from rich.table import Table

    caption = f"the audit took {report.seconds:.0f} s; the whole notebook {report.assignment_seconds:.0f} s in nbgrader"
    table = Table(title=f"audit of {report.master}", caption=caption, title_justify="left", caption_justify="left")
    table.add_column("exercise")
    headings = ("points", "reference", "stub", "wrong answers caught", "mutants caught", "equivalent", "score", "")
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in report.rows:
        table.add_row(row.name, str(row.points), *_cells(row))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    for row in report.rows:
        if row.survivors:
            print(
                f"Mutants of {row.name} that pass. Sharpen the test; or, if one is right too, list it with the reason:"
            )
            entries = [survivor | {"why": ""} for survivor in row.survivors]
            print(yaml.safe_dump({row.name: entries}, sort_keys=False, allow_unicode=True, width=1000))


def _cells(row: Row) -> list[str]:
    verdict = "[red]WRONG[/]" if any(True for _ in row.problems()) else "[green]right[/]"
    if row.by_hand:
        return ["by hand", "0", "", "", "", "", verdict]
    caught = f"{row.wrong - len(row.escaped)} / {row.wrong}"
    mutants = f"{row.caught} / {row.mutants - row.equivalent}"
    return [f"{row.reference:g}", f"{row.stub:g}", caught, mutants, str(row.equivalent), f"{row.score:.1%}", verdict]
