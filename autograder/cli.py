"""The command line: release, audit, demo."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.checks import CourseError

if TYPE_CHECKING:
    from autograder.audit import Report, Row, Tell
    from autograder.demo import Graded
    from autograder.master import Master

OWN_PROCESS = (
    "It runs the notebooks in your own process, without a sandbox: use it only for notebooks you wrote yourself. "
    "Students' notebooks have to wait for the sandboxed grader."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, or 1 if something is wrong; bad usage exits with 2."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        return code
    except CourseError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(f"autograder: cannot use{where}: {error.strerror or error}. Mend this and run it again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("autograder: interrupted; what is finished is kept, so run it again to go on.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description="Make and grade the course's exercises.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    release = _verb(verbs, "release", _release, "write the student notebooks from the masters")
    release.add_argument("--check", action="store_true", help="write nothing; exit 1 and show what is out of date")
    audit = _verb(verbs, "audit", _audit, "prove that the reference earns all, the stub nothing", OWN_PROCESS)
    audit.add_argument("--work", type=Path, metavar="FOLDER", help="keeps the records (_build/audit)")
    demo = _verb(verbs, "demo", _demo, "grade a demo class of three by nbgrader", OWN_PROCESS)
    demo.add_argument("--work", type=Path, metavar="FOLDER", help="the nbgrader courses (_build/demo)")
    return parser


def _verb(verbs: Any, name: str, run: Any, about: str, more: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=f"{about}. {more}".strip())
    parser.add_argument("--course", type=Path, default=Path(), metavar="FOLDER", help="holds solutions/ (here)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="an assignment, such as 05-sft (all)")
    parser.set_defaults(run=run)
    return parser


def _masters(arguments: argparse.Namespace) -> list[Master]:
    from autograder.master import load_all

    masters = load_all(arguments.course / "solutions")
    known = [master.name for master in masters]
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        raise CourseError(f"There is no assignment {unknown[0]!r}. The assignments are: {', '.join(known)}.")
    return [master for master in masters if not arguments.names or master.name in arguments.names]


def _release(arguments: argparse.Namespace) -> int:
    from autograder import release

    exercises = arguments.course / "exercises"
    masters = _masters(arguments)
    if arguments.check:
        found = list(release.stale(masters, exercises))
        if not arguments.names:
            found += [(path, "it has no master: delete it") for path in release.orphans(masters, exercises)]
        for path, difference in found:
            print(f"{path} is not what its master gives:\n{difference}\n")
        print(f"{len(found)} to mend, with: autograder release" if found else f"{len(masters)} up to date")
        return 1 if found else 0
    for path, done in release.release(masters, exercises):
        print(f"{done}  {path}")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    from autograder.audit import audit

    work = arguments.work or arguments.course / "_build" / "audit"
    with _telling() as tell:
        reports = [audit(master, work, tell) for master in _masters(arguments)]
    for report in reports:
        _print_report(report)
    return 0 if all(report.right for report in reports) else 1


def _demo(arguments: argparse.Namespace) -> int:
    from autograder.demo import grade_class

    work = arguments.work or arguments.course / "_build" / "demo"
    with _telling() as tell:
        classes = [(master, grade_class(master, work, tell)) for master in _masters(arguments)]
    for master, graded in classes:
        _print_class(master, graded)
    return 0


@contextmanager
def _telling() -> Iterator[Tell]:
    """A line that says what is being done: a spinner in a terminal, plain lines in a log."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: console.print(what, highlight=False)
        return
    with console.status("starting") as status:
        yield status.update


def _print_report(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"audit of {report.master}", caption=f"measured in {report.seconds} s", title_justify="left")
    for heading in ("exercise", "points", "reference", "stub", "wrong answers caught", ""):
        table.add_column(heading, justify="left" if heading in ("exercise", "") else "right")
    for row in report.rows:
        caught = f"{row.tried - len(row.escaped) - len(row.faulty)} / {row.tried}" if row.tried else "by hand"
        verdict = "[green]right[/]" if row.right else "[red]WRONG[/]"
        table.add_row(row.name, str(row.points), _show(row.reference), _show(row.stub), caught, verdict)
    Console().print(table)
    for row in report.rows:
        _print_faults(row)


def _print_faults(row: Row) -> None:
    for label in row.escaped:
        print(f"{row.name}: this wrong answer passes: {label}")
    for label in row.unnamed:
        print(f"{row.name}: the visible test does not name this mistake: {label}")
    for label in row.faulty:
        print(f"{row.name}: the test itself fails at: {label}")


def _print_class(master: Master, graded: list[Graded]) -> None:
    from rich.console import Console
    from rich.table import Table

    most = {exercise.name: exercise.points for exercise in master.exercises}
    by_hand = {exercise.name for exercise in master.exercises if exercise.manual}
    table = Table(title=f"{master.name}: {master.title}", title_justify="left", caption_justify="left")
    table.caption = "? is marked by a person and not in the total" if by_hand else None
    table.add_column("exercise")
    for student in graded:
        table.add_column(student.student, justify="right")
    table.add_column("of", justify="right")
    for exercise in master.exercises:
        cells = [_show(student.scores[exercise.name].points) for student in graded]
        table.add_row(f"{exercise.number}  {exercise.name}", *cells, str(exercise.points), end_section=False)
    table.add_section()
    totals = [sum(score.points or 0 for name, score in student.scores.items()) for student in graded]
    table.add_row("total", *map(_show, totals), str(sum(p for name, p in most.items() if name not in by_hand)))
    Console().print(table)


def _show(points: float | None) -> str:
    return "?" if points is None else f"{points:g}"


if __name__ == "__main__":
    sys.exit(main())
