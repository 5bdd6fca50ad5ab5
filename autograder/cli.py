"""The command line: release, demo; and the verbs for a class, from the modules ending in _cli."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import audit_cli, doctor_cli, grading_cli, publishing_cli
from autograder.records import InfrastructureError
from ftlab.checks import CourseError

if TYPE_CHECKING:
    from autograder.demo import Graded, Tell
    from autograder.master import Master

OWN_PROCESS = (
    "It runs the notebooks in your own process, without a sandbox: use it only for notebooks you wrote yourself. "
    "Grade students' notebooks with `autograder grade`."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 1 if something is wrong, or 2 if the machine is; bad usage exits with 2."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        return code
    except InfrastructureError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 2
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
    demo = _verb(verbs, "demo", _demo, "grade a demo class of three by nbgrader", OWN_PROCESS)
    demo.add_argument("--work", type=Path, metavar="FOLDER", help="the nbgrader courses (_build/demo)")
    for more in (audit_cli, doctor_cli, grading_cli, publishing_cli):
        more.add_verbs(functools.partial(_verb, verbs), _masters)
    return parser


def _verb(verbs: Any, name: str, run: Any, about: str, more: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=f"{about}. {more}".strip(), allow_abbrev=False
    )
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
