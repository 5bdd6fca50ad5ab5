"""The rules of a class, read from its file policies.yml.

    deadlines: {05-sft: 2026-11-30T23:59:00+01:00}
    extensions: {ann: {05-sft: 2026-12-07T23:59:00+01:00}}
    late: {percent: 10, per: day, grace_minutes: 15, cap: 50, floor: 20}
    slip_days: 3
    drop_lowest: 1
    resubmission: best
    zero_for: [missing, rejected]

All of it may be left out. `autograder.policies` says what each rule does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Le
from pydantic import AwareDatetime, ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ftlab.checks import CourseError

Percent = Annotated[float, Ge(0), Le(100)]
Whole = Annotated[int, Ge(0)]
Unscored = Literal["missing", "rejected", "crashed", "timed out"]
STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Late:
    """What lateness costs. All percents are of the points that the assignment is worth."""

    percent: Percent  # for each started day or hour after the deadline
    per: Literal["day", "hour"] = "day"
    grace_minutes: Whole = 0  # so late is not late; later than that, the time counts from the deadline on
    cap: Percent = 100  # lateness costs at most so much
    floor: Percent = 0  # lateness takes nobody below this


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Policies:
    """The rules of a class. What is left out is not applied."""

    deadlines: Mapping[str, AwareDatetime] = field(default_factory=dict)  # by assignment
    extensions: Mapping[str, Mapping[str, AwareDatetime]] = field(default_factory=dict)  # by student and assignment
    late: Late | None = None
    slip_days: Whole = 0  # days that each student may be late in all, at no cost
    drop_lowest: Whole = 0  # so many assignments are left out of each student's total
    resubmission: Literal["latest", "best"] = "latest"  # which attempt counts
    zero_for: frozenset[Unscored] = frozenset()  # gets 0; otherwise the cell stays empty, for a person to decide

    def deadline(self, student: str, assignment: str) -> datetime | None:
        """Until when a student may hand in; None where there is no deadline."""
        return self.extensions.get(student, {}).get(assignment, self.deadlines.get(assignment))


class _Once(yaml.SafeLoader):
    """YAML in which no key stands twice: of two extensions of one student, one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands there twice", key.start_mark)
        return super().construct_mapping(node, deep)


def load(path: Path, assignments: Sequence[str]) -> Policies:
    """Read the rules of a class with these assignments; no rules where there is no file. Raises CourseError."""
    if not path.exists():
        return Policies()
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Once)
        policies = TypeAdapter(Policies).validate_python({} if found is None else found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CourseError(f"{path} cannot be read: {' '.join(str(error).split())}. Mend it.") from error
    except ValidationError as error:
        wrong = "\n".join(f"- {_sentence(one)}" for one in error.errors())
        raise CourseError(f"{path} does not say what it should. Mend these, and nothing is lost:\n{wrong}") from error
    for problem in _problems(policies, assignments):
        raise CourseError(f"{path}: {problem}")
    return policies


def _sentence(error: Any) -> str:
    """What is wrong, and where, in words."""
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    if error["type"] == "unexpected_keyword_argument":
        return f"{where} is no rule. Look for a misspelling."
    reason = error["msg"].removeprefix("Input ").removeprefix("should ")
    if error["type"] == "timezone_aware":
        reason = "name its time zone, such as 2026-11-30T23:59:00+01:00"
    return f"{where} should {reason}; it is {error['input']!r}."


def _problems(policies: Policies, assignments: Sequence[str]) -> Iterator[str]:
    """What fits the form and still cannot be meant."""
    given = [(student, name) for student, until in policies.extensions.items() for name in until]
    for name in [*policies.deadlines, *(name for _, name in given)]:
        if name not in assignments:
            yield f"there is no assignment {name!r}. The assignments are: {', '.join(assignments)}."
    for student, name in given:
        until, deadline = policies.extensions[student][name], policies.deadlines.get(name)
        if deadline is None or until < deadline:
            when = f"ends before the deadline, {deadline}" if deadline else "has no deadline to extend"
            yield f"the extension of {student} for {name} {when}. Mend one of the two."
    if policies.slip_days and policies.late is None:
        yield "slip_days do nothing where lateness costs nothing. Add the rule late, or take them out."
