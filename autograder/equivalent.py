"""Mutants that are right answers too: the list beside a master, one by one with the reason.

Nobody can decide by machine whether two programs do the same, so a person says it, and the audit holds the list true:
an entry that a test catches after all, or that no mutant matches any more, is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from autograder.master import Master
from ftlab.checks import CourseError

FILE = "equivalent.yml"
FIELDS = {"was", "becomes", "why"}
EXAMPLE = "Write entries such as {was: 'return x * 1', becomes: 'return x', why: 'One is the neutral factor.'}."


class Equivalent(NamedTuple):
    """A mutant by its lines, and why it is right."""

    was: str
    becomes: str
    why: str


def path_of(master: Master) -> Path:
    """Where the list of a master lies, if it has one."""
    return master.path.with_name(FILE)


def load(master: Master) -> dict[str, list[Equivalent]]:
    """The equivalent mutants by exercise. Raises CourseError where the list is none."""
    import yaml

    path = path_of(master)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is no YAML: {' '.join(str(error).split())[:200]}. Mend it.") from None
    known = {exercise.name for exercise in master.exercises if not exercise.manual}
    if not isinstance(found, dict) or not set(found) <= known:
        raise CourseError(f"{path} should be a list for each of these exercises at most: {', '.join(sorted(known))}.")
    return {name: [_entry(path, name, entry) for entry in entries or ()] for name, entries in found.items()}


def _entry(path: Path, name: str, entry: Any) -> Equivalent:
    whole = isinstance(entry, dict) and set(entry) == FIELDS and all(isinstance(v, str) for v in entry.values())
    if not whole or not entry["why"].strip():
        raise CourseError(f"{path}, {name}: {entry!r} is no entry. {EXAMPLE}")
    return Equivalent(*(_stripped(entry[field]) for field in ("was", "becomes", "why")))


def _stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().split("\n"))
