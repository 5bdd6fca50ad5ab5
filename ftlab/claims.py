"""What the course asserts, and whether the recorded runs bear it out.

A claim is a sentence as it is usually told. It has cases. Each compares two quantities over the same seeds
and asks whether the difference is at least so much. The 95 % interval is judged, never the mean alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from ftlab.errors import CourseError, unknown
from ftlab.results import Result, Summary, difference, select, summary

Outcome = Literal["holds", "fails", "undecided"]
Kind = Literal["holds", "holds only when", "holds when", "does not hold here", "undecided here"]
T = TypeVar("T")
NAMED = 3  # a verdict names its cases up to so many, and counts them beyond
ROUNDING = 1e-9  # 24 of 40 less 20 of 40 is a tenth, but not in floating point


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A metric of the runs whose config has these values."""

    metric: str
    config: Mapping[str, Any]

    def runs(self, runs: Sequence[Result]) -> list[Result]:
        """The runs it is measured on. Raises CourseError when there are none."""
        return select(runs, **self.config)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One circumstance: `value` minus `baseline`, paired by seed, should be `at_least` so much."""

    when: str
    value: Quantity
    baseline: Quantity
    at_least: float  # in the unit of the metric; chosen before the runs, from what would matter to a reader


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One assertion of the course, as a newcomer hears it, and the cases that try it."""

    id: str
    lesson: int  # row of the syllabus
    sentence: str
    runner: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class CaseVerdict:
    """What the runs say about one case."""

    case: Case
    value: Summary
    baseline: Summary
    difference: Summary
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the runs say about a claim."""

    claim: Claim
    cases: tuple[CaseVerdict, ...]
    kind: Kind

    @property
    def sentence(self) -> str:
        """In words: 'does not hold here', 'holds only when a; undecided when b', 'holds in 5 of 9 cases'."""
        if self.kind not in ("holds only when", "holds when"):
            return self.kind
        told = self._counted if len(self.cases) > NAMED else self._named
        holds, undecided = told("holds"), told("undecided")
        only = " only" if self.kind == "holds only when" else ""
        return f"holds{only} {holds}" + (f"; undecided {undecided}" if undecided else "")

    def _named(self, outcome: Outcome) -> str:
        return ", or ".join(f"when {case.when}" for case in self._those(outcome))

    def _counted(self, outcome: Outcome) -> str:
        many = len(self._those(outcome))
        return f"in {many} of {len(self.cases)} cases" if many else ""

    def _those(self, outcome: Outcome) -> list[Case]:
        return [found.case for found in self.cases if found.outcome == outcome]


def judge(claim: Claim, runs: Sequence[Result]) -> Verdict:
    """The verdict on `claim`, from `runs` of its runner. Raises CourseError where a run is missing."""
    cases = tuple(_judge_case(case, runs) for case in claim.cases)
    return Verdict(claim=claim, cases=cases, kind=combine([case.outcome for case in cases]))


def _judge_case(case: Case, runs: Sequence[Result]) -> CaseVerdict:
    ours, theirs = case.value.runs(runs), case.baseline.runs(runs)
    found = difference(ours, case.value.metric, theirs, case.baseline.metric)
    return CaseVerdict(
        case=case,
        value=summary(ours, case.value.metric),
        baseline=summary(theirs, case.baseline.metric),
        difference=found,
        outcome=outcome(found, case.at_least),
    )


def outcome(found: Summary, at_least: float) -> Outcome:
    """Holds if the whole 95 % interval reaches the bar, fails if it lies below; one seed decides nothing."""
    bar = at_least - ROUNDING
    if found.low >= bar:
        return "holds"
    return "fails" if found.high < bar else "undecided"


def combine(outcomes: Sequence[Outcome]) -> Kind:
    """All hold: holds. Some: holds only when, or just holds when where no other fails.

    None: does not hold here, or undecided here where no case failed.
    """
    if not outcomes:
        raise CourseError("A claim without cases has no verdict. Give it at least one case in claims.yml.")
    if all(outcome == "holds" for outcome in outcomes):
        return "holds"
    if "holds" in outcomes:
        return "holds only when" if "fails" in outcomes else "holds when"
    return "does not hold here" if "fails" in outcomes else "undecided here"


def commands(verdict: Verdict, runs: Sequence[Result]) -> list[str]:
    """What to type to repeat every run that the verdict rests on, each once."""
    sides = [side for found in verdict.cases for side in (found.case.value, found.case.baseline)]
    typed = [str(run.provenance["command"]) for side in sides for run in side.runs(runs)]
    return list(dict.fromkeys(typed))


def load(path: Path) -> dict[str, Claim]:
    """The claims of a claims.yml, by id, in its order. Raises CourseError where the file is malformed."""
    import yaml

    try:  # the loader in C is a dozen times faster, and every page with a claim reads the file
        entries = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise CourseError(f"{path} cannot be read: {error}. It should be a YAML list of claims.") from error
    if not isinstance(entries, list):
        raise CourseError(f"{path} is not a list of claims. Each claim starts with '- id: ...'.")
    found = [_claim(entry, f"{path.name}, claim {number}") for number, entry in enumerate(entries, 1)]
    if len({claim.id for claim in found}) < len(found):
        raise CourseError(f"{path} has two claims with the same id. Rename one of them.")
    return {claim.id: claim for claim in found}


def get(claims: Mapping[str, Claim], name: str) -> Claim:
    """The claim of that id. Raises CourseError, naming all claims, when there is none."""
    if name not in claims:
        raise unknown("claim", name, list(claims))
    return claims[name]


def _claim(entry: Any, where: str) -> Claim:
    values = _fields(Claim, entry, where)
    cases = values["cases"]
    if not isinstance(cases, list) or not cases:
        raise CourseError(f"{where}: 'cases' is a list of one case or more.")
    built = tuple(_case(case, f"{where}, case {number}") for number, case in enumerate(cases, 1))
    return Claim(**{**values, "cases": built})


def _case(entry: Any, where: str) -> Case:
    values = _fields(Case, entry, where)
    sides = {name: _quantity(values[name], f"{where}, {name}") for name in ("value", "baseline")}
    if not isinstance(values["at_least"], int | float):
        raise CourseError(f"{where}: 'at_least' is a number, not {values['at_least']!r}. Write, say, 0.05.")
    return Case(**{**values, **sides})


def _quantity(entry: Any, where: str) -> Quantity:
    return Quantity(**_fields(Quantity, entry, where))


def _fields(kind: type[T], entry: Any, where: str) -> dict[str, Any]:
    """`entry` as the fields of dataclass `kind`: all of them and no others."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(entry, dict) or set(entry) != set(names):
        there = ", ".join(map(str, entry)) if isinstance(entry, dict) else repr(entry)
        raise CourseError(f"{where} has {there}; it must have exactly: {', '.join(names)}.")
    return entry
