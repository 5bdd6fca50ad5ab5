"""The command line's verb `doctor`: is the sandbox tight on this machine?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.doctor import Examination
    from autograder.grading_cli import AddVerb, Masters

DOCTOR = (
    "Starts the sandbox in each of its two ways and tries to break out as a student might. `grade` uses bubblewrap "
    "where it is installed, and else, as root, the kernel's own namespaces with Landlock. Exit code 0: the way that "
    "`grade` would take is tight; 2: it is not, or there is none."
)
WAYS = ("bubblewrap", "namespaces")


def add_verbs(add: AddVerb, masters: Masters) -> None:
    """Add the verb to the command line."""
    add("doctor", _doctor, "try to break out of the sandbox", DOCTOR)


def _doctor(arguments: argparse.Namespace) -> int:
    from autograder.box import choose
    from autograder.doctor import examine

    found = {}
    for way in WAYS:
        print(f"{way}: trying (about half a minute)")
        found[way] = examine(way, arguments.course)
        _print(found[way])
    chosen = found[choose()]
    print(f"`autograder grade` uses {chosen.mode} here, which is {'tight' if chosen.tight else 'NOT TIGHT'}.")
    return 0 if chosen.tight else 2


def _print(found: Examination) -> None:
    if found.refused:
        print(f"  not to be had here: {found.refused}")
        return
    print(f"  ready in {found.start_seconds} s; a child for a submission in {1000 * found.child_seconds:.0f} ms")
    for finding in found.findings:
        print(f"  {'held' if finding.held else 'OPEN'}  {finding.attempt}: {finding.seen}")
