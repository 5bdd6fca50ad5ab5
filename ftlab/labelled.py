"""What the labels on a set say: how far the labellers agree, and the preferences to train on.

Every row says who gave it, and whether that was a person or a simulation.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.comparisons import Comparison
from ftlab.errors import CourseError
from ftlab.labels import Labels
from ftlab.preferences import Pair
from ftlab.results import write_whole

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two labellers on the pairs that both judged; answers are left, right, tie and both bad, told of the texts."""

    one: str
    other: str
    pairs: int
    share: float  # of the pairs, with the same answer
    kappa: float  # Cohen 1960: 1 is full agreement, 0 what chance gives; nan where all answers are one and the same


def agreement(labels: Labels) -> list[Agreement]:
    """Each two labellers who judged a pair in common, by name. No one there: an empty list."""
    names = sorted({label.who for label in labels.labels})
    found = [_agreement(labels, one, other) for one, other in itertools.combinations(names, 2)]
    return [some for some in found if some.pairs]


def _agreement(labels: Labels, one: str, other: str) -> Agreement:
    from sklearn.metrics import cohen_kappa_score

    ours, theirs = labels.by(one), labels.by(other)
    both = [(ours[name].verdict, theirs[name].verdict) for name in ours if name in theirs]
    varied = len({verdict for pair in both for verdict in pair}) > 1  # without variety, chance agrees fully too
    kappa = float(cohen_kappa_score(*zip(*both, strict=True))) if varied else math.nan
    share = sum(a == b for a, b in both) / len(both) if both else math.nan
    return Agreement(one=one, other=other, pairs=len(both), share=share, kappa=kappa)


@dataclass(frozen=True, kw_only=True)
class Preference(Pair):
    """One label that prefers a side, as a pair to train on, and where it comes from."""

    chosen_model: str
    rejected_model: str
    labeller: str
    simulated: bool
    label: str  # the name of its line in the label file


@dataclass(frozen=True)
class Preferences:
    """The labels that prefer a side, and how many did not make it: tie, both bad, of another set."""

    rows: tuple[Preference, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    def dataset(self) -> Dataset:
        """The rows for a trainer. Raises CourseError where there are none."""
        from datasets import Dataset

        if not self.rows:
            raise CourseError(f"No label prefers a side, so there is nothing to learn from. {self}")
        return Dataset.from_list([asdict(row) for row in self.rows])

    def save(self, path: Path | str) -> Path:
        """Write the rows, one line of JSON each. Raises CourseError when the disk refuses."""
        write_whole(Path(path), "".join(json.dumps(asdict(row)) + "\n" for row in self.rows))
        return Path(path)

    def __str__(self) -> str:
        people = sum(not row.simulated for row in self.rows)
        dropped = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items() if count) or "none"
        given = f"{len(self.rows)} preferences: {people} by people, {len(self.rows) - people} simulated."
        return " ".join([given, f"Left out: {dropped}.", *self.notes])


def preferences(comparisons: Iterable[Comparison], labels: Labels) -> Preferences:
    """Each label that prefers a side, as a row of its own: where two labellers differ, both are there."""
    known = {comparison.id: comparison for comparison in comparisons}
    ours = [label for label in labels.labels if label.comparison in known]
    rows = [
        Preference(
            prompt=known[label.comparison].prompt,
            chosen=known[label.comparison].completions[label.chosen],
            rejected=known[label.comparison].completions[1 - label.chosen],
            chosen_model=known[label.comparison].models[label.chosen],
            rejected_model=known[label.comparison].models[1 - label.chosen],
            labeller=label.labeller,
            simulated=label.simulated,
            label=label.label,
        )
        for label in ours
        if label.chosen is not None
    ]
    undecided = Counter(label.answer for label in ours if label.chosen is None)
    return Preferences(
        tuple(rows),
        {
            "tie": undecided["tie"],
            "both bad": undecided["both bad"],
            "of another set": len(labels.labels) - len(ours),
        },
        labels.notes,
    )
