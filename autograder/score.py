"""From outcomes to points: pure functions, the only place where points are given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from autograder.records import Outcome


def points(most: float, outcome: Outcome) -> float | None:
    """The points of one exercise that is worth `most`; None while a person has to look.

    Only tests that ran to their end without an error give points: all of them, or the partial credit that the test
    cell ended in, if that is a finite number from 0 to `most`; any other number gives nothing.
    """
    if outcome.result in ("by hand", "faulty"):
        return None
    if outcome.result != "passed":
        return 0.0
    if outcome.credit is None:
        return float(most)
    return outcome.credit if math.isfinite(outcome.credit) and 0 <= outcome.credit <= most else 0.0


def scores(most: Mapping[str, int], outcomes: Iterable[Outcome]) -> dict[str, float | None]:
    """The points of every exercise in `most` (its points, by name); one without an outcome was not run and gets 0."""
    found = {outcome.exercise: outcome for outcome in outcomes}
    missing = Outcome(exercise="", result="not run")
    return {name: points(worth, found.get(name, missing)) for name, worth in most.items()}


def total(scored: Mapping[str, float | None]) -> float:
    """The sum of what is known; what a person has to mark counts as nothing until then."""
    return sum(value for value in scored.values() if value is not None)
