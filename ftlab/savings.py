"""What pretraining saves: how many labels random weights need to do what a pretrained model does with few.

Each seed of `transfer` gives two learning curves, accuracy against labels: one from pretrained weights, one from random
ones. Read across, they give labels for labels. Howard and Ruder 2018 (ULMFiT), abstract and figure 3, count this way.
Every point had the same number of weight updates, so the answer is about labels and not about patience: with many more
updates, random weights might need fewer.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftlab.errors import CourseError
from ftlab.results import Result, Summary, show_summary, summarise

if TYPE_CHECKING:
    import pandas as pd

Curve = Mapping[int, float]  # accuracy (a share) by number of labels


@dataclass(frozen=True, kw_only=True)
class Need:
    """What random weights need to match a pretrained model that had `labels`.

    `needed` has a number of labels for each seed: infinite where no recorded number was enough, and the smallest
    recorded one where that was enough already.
    """

    labels: int
    accuracy: Summary  # of the pretrained model
    needed: tuple[float, ...]
    tried: tuple[int, ...]  # numbers of labels that random weights were given, rising

    @property
    def median(self) -> float:
        """Of the seeds. A mean would not do: some seeds never get there, so their number is only known to be large."""
        return statistics.median(self.needed)

    @property
    def reached(self) -> int:
        """Seeds in which random weights get there."""
        return sum(map(math.isfinite, self.needed))

    def show(self, number: float) -> str:
        """A number of labels for a reader: '650', 'at most 50', 'more than 3,000'."""
        if math.isinf(number):
            return f"more than {self.tried[-1]:,}"
        return f"at most {number:,.0f}" if number <= self.tried[0] else f"{number:,.0f}"

    def times(self) -> str:
        """The median as a multiple of the pretrained model's labels, for a reader."""
        if math.isinf(self.median):
            return f"more than {self.tried[-1] / self.labels:.3g}"
        return f"{self.median / self.labels:.2g}"


def needs(runs: Sequence[Result]) -> list[Need]:
    """For each number of labels, what random weights need; from `runs` of transfer in both starts and several seeds.

    Raises CourseError where a seed has only one of the two curves, or they have other numbers of labels.
    """
    pretrained, random = (_curves(runs, start) for start in (True, False))
    if not pretrained or _points(pretrained) != _points(random):
        raise CourseError(
            "Labels are compared seed by seed, from pretrained and from random weights, with the same numbers of "
            "labels. Some of these runs are missing. Record them: ftlab results --record --only transfer."
        )
    tried = tuple(sorted(next(iter(random.values()))))
    return [
        Need(
            labels=labels,
            accuracy=summarise([curve[labels] for curve in pretrained.values()]),
            needed=tuple(first_reached(random[seed], curve[labels]) for seed, curve in pretrained.items()),
            tried=tried,
        )
        for labels in tried
    ]


def first_reached(curve: Curve, accuracy: float) -> float:
    """The fewest labels with which `curve` has that accuracy; infinite where it never has.

    Between two points it is a straight line over the logarithm of the labels. Nothing is known below the first one.
    """
    points = sorted(curve.items())
    if points[0][1] >= accuracy:
        return float(points[0][0])
    for (fewer, low), (more, high) in itertools.pairwise(points):
        if high >= accuracy:
            return float(fewer * (more / fewer) ** ((accuracy - low) / (high - low)))
    return math.inf


def table(runs: Sequence[Result]) -> pd.DataFrame:
    """The needs, a row for each number of labels, ready to read. The range is that of the seeds."""
    import pandas as pd

    return pd.DataFrame(
        {
            "pretrained, with labels": f"{need.labels:,}",
            "accuracy": show_summary("accuracy", need.accuracy),
            "random weights need": need.show(need.median),
            "over the seeds": f"{need.show(min(need.needed))} to {need.show(max(need.needed))}",
            "times as many": need.times(),
            "seeds that get there": f"{need.reached} of {len(need.needed)}",
        }
        for need in needs(runs)
    )


def _curves(runs: Sequence[Result], pretrained: bool) -> dict[int, dict[int, float]]:
    """The learning curve of each seed, in the order of the seeds."""
    found: dict[int, dict[int, float]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        if run.config["pretrained"] is pretrained:
            found.setdefault(run.seed, {})[run.config["train_examples"]] = run.metrics["accuracy"]
    return found


def _points(curves: Mapping[int, Curve]) -> set[tuple[int, int]]:
    return {(seed, labels) for seed, curve in curves.items() for labels in curve}
