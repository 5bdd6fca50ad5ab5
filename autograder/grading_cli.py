"""The command line's verbs for a class: grade, status, regrade."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.grading import Plan, Summary
    from autograder.ledger import Standing
    from autograder.master import Master

Masters = Callable[[argparse.Namespace], "list[Master]"]
AddVerb = Callable[..., argparse.ArgumentParser]

GRADE = (
    "Everything lies in one folder, which is also an nbgrader course: the ledger with every submission and result, the "
    "gradebook, the graded notebooks for the formgrader, and log.jsonl. Run it again to go on after an interruption, "
    "or to grade what is new: nothing is graded twice. Exit code 0: all are graded; 1: some are not, `autograder "
    "status` says why; 2: the machine was at fault, and nobody lost anything."
)
REGRADE = (
    "Grades the newest submission of every student anew, with the same random inputs. `grade` does this by itself for "
    "results that a change of the master or the grader made outdated; --diff shows beforehand what would change."
)


def add_verbs(add: AddVerb, masters: Masters) -> None:
    """Add the verbs to the command line; `masters` reads the assignments that were named."""
    grade = add("grade", lambda arguments: _grade(arguments, masters), "grade what students handed in", GRADE)
    where = "a folder of notebooks, nbgrader's submitted/, or the zip of Moodle or Canvas"
    grade.add_argument("--from", dest="source", type=Path, metavar="SOURCE", help=f"take in first what lies in {where}")
    regrade = add("regrade", lambda arguments: _regrade(arguments, masters), "grade a class anew", REGRADE)
    regrade.add_argument("--diff", action="store_true", help="write nothing; show whose points would change")
    status = add(
        "status",
        lambda arguments: _status(arguments, masters),
        "say where every submission stands",
        "Reads the ledger; grades nothing.",
    )
    for verb in (grade, regrade, status):
        _add_folder(verb)
    for verb in (grade, regrade):
        _add_machines(verb)


def _add_folder(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--work", type=Path, metavar="FOLDER", help="where ledger and gradebook lie (grading)")


def _add_machines(verb: argparse.ArgumentParser) -> None:
    cores = len(os.sched_getaffinity(0))
    verb.add_argument("--jobs", type=int, default=cores, metavar="N", help=f"processes on this machine ({cores})")
    verb.add_argument(
        "--dask", default="", metavar="ADDRESS", help="grade on a Dask cluster instead, such as tcp://head:8786"
    )
    verb.add_argument(
        "--gradebook", default="", metavar="URL", help="another database, such as postgresql://user@host/name"
    )
    verb.add_argument(
        "--every-attempt",
        action="store_true",
        help="grade earlier attempts as well as the newest, for the rule `resubmission: best` of policies.yml",
    )
    verb.add_argument(
        "--zero",
        action="store_true",
        help="0 points for what was refused, crashed or ran out of time (a person decides)",
    )
    verb.add_argument(
        "--unsafe-no-sandbox",
        action="store_true",
        help="DANGER: run students' code as you, with your files and network; every result is marked",
    )


def folder(arguments: argparse.Namespace) -> Path:
    """Where the class's ledger lies."""
    chosen: Path = arguments.work or arguments.course / "grading"
    return chosen


def _plan(arguments: argparse.Namespace) -> Plan:
    from autograder.grading import Plan

    return Plan(
        folder=folder(arguments),
        jobs=arguments.jobs,
        dask=arguments.dask,
        gradebook=arguments.gradebook,
        unsafe=arguments.unsafe_no_sandbox,
        every_attempt=arguments.every_attempt,
        zero=arguments.zero,
    )


def _grade(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder import grading
    from autograder.progress import shown

    with shown() as step:
        summary = grading.grade(masters(arguments), _plan(arguments), arguments.source, step=step)
    return _report(summary)


def _regrade(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder import grading
    from autograder.progress import shown

    if arguments.diff:
        return _diff(masters(arguments), _plan(arguments))
    with shown() as step:
        summary = grading.grade(masters(arguments), _plan(arguments), again=True, step=step)
    return _report(summary)


def _status(arguments: argparse.Namespace, masters: Masters) -> int:
    from autograder.grading import status

    code = _report(status(folder(arguments), arguments.names))
    say_older(masters(arguments), folder(arguments))
    return code


def say_older(masters: Sequence[Master], folder: Path) -> None:
    """Print how many results are from before a change of what grades."""
    from autograder.changes import older

    for name, count in Counter(standing.assignment for standing in older(masters, folder)).items():
        what = "1 result is" if count == 1 else f"{count} results are"
        print(
            f"{name}  {what} of an earlier master or grader; `autograder regrade --diff` shows what has changed since.",
            file=sys.stderr,
        )


def _report(summary: Summary) -> int:
    """Print the counts, and every submission that is not graded or that a person should look at."""
    from autograder.records import State

    for standing in summary.standings:
        if standing.state is not State.GRADED:
            print(f"{standing.assignment}  {standing.student}: {_why(standing)}")
    counts = [f"{count} {state}" for state, count in summary.counts().items()]
    print(", ".join(counts) if counts else "Nothing was handed in yet. Give --from SOURCE.")
    return summary.exit_code


def _why(standing: Standing) -> str:
    parts = [str(standing.state) + (", and its earlier result no longer counts" if standing.stale else "")]
    if standing.graded is not None:
        parts += [standing.graded.error] if standing.graded.error else []
        parts += [f"{flag.where}: {flag.what}".strip(": ") for flag in standing.graded.flags]
    return ". ".join(part.rstrip(".") for part in parts) + "."


def _diff(masters: Sequence[Master], plan: Plan) -> int:
    """Print whose points would change; 1 if any would, as diff does."""
    from autograder.changes import changes
    from autograder.grading import trial
    from autograder.progress import shown

    of = {master.name: master for master in masters}
    with shown() as step:
        found = [change for pair in trial(masters, plan, step=step) for change in changes(of, *pair)]
    for change in sorted(found):
        print(change)
    print(f"{len(found)} changes; nothing is written" if found else "nothing would change", file=sys.stderr)
    return 1 if found else 0
