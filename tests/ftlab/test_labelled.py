"""Agreement as the textbook has it, and preferences that say where they come from."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ftlab import comparisons, labelled, labels
from ftlab.errors import CourseError
from ftlab.labels import Answer, Label, Labels

PAIRS = comparisons.paired(
    [f"It was {n}" for n in range(50)], [f"fine {n}" for n in range(50)], [f"dull {n}" for n in range(50)], ("a", "b")
)


def by(labeller: str, answers: list[Answer], simulated: bool = False, left: int = 0) -> list[Label]:
    rows = zip(PAIRS, answers, strict=False)
    return [
        Label(comparison=pair.id, answer=answer, left=left, labeller=labeller, simulated=simulated)  # type: ignore[arg-type]
        for pair, answer in rows
    ]


def test_kappa_is_that_of_the_worked_example() -> None:
    """Fifty proposals, yes and no: 20 both yes, 15 both no, 5 and 10 differ: raw 0.7, kappa 0.4."""
    ada: list[Answer] = ["left"] * 25 + ["right"] * 25
    bob: list[Answer] = ["left"] * 20 + ["right"] * 5 + ["left"] * 10 + ["right"] * 15
    (found,) = labelled.agreement(Labels((*by("ada", ada), *by("bob", bob)), ()))
    assert (found.one, found.other, found.pairs) == ("ada", "bob", 50)
    assert (found.share, found.kappa) == pytest.approx((0.7, 0.4))


def test_agreement_is_about_texts_and_not_about_sides() -> None:
    ours, theirs = by("ada", ["left", "right", "tie"]), by("bob", ["right", "left", "tie"], left=1)
    (found,) = labelled.agreement(Labels((*ours, *theirs), ()))
    assert (found.share, found.kappa) == (1, 1)


def test_agreement_without_variety_or_without_common_pairs_claims_nothing() -> None:
    ours, theirs = by("ada", ["tie"] * 5), by("bob", ["tie"] * 3)
    (found,) = labelled.agreement(Labels((*ours, *theirs), ()))
    assert (found.pairs, found.share) == (3, 1) and math.isnan(found.kappa)
    assert labelled.agreement(Labels((*ours[:1], *theirs[2:]), ())) == []


def test_preferences_have_the_chosen_text_and_its_whole_origin(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    stranger = Label(comparison="of another set", answer="left", left=0, labeller="ada", simulated=False)
    labels.append(path, *by("ada", ["left", "right", "tie", "both bad"], left=1), stranger)
    labels.append(path, *by("robot", ["left"], simulated=True))
    found = labelled.preferences(PAIRS, labels.read(path))
    assert [(row.chosen, row.chosen_model, row.labeller, row.simulated) for row in found.rows] == [
        ("dull 0", "b", "ada", False),
        ("fine 1", "a", "ada", False),
        ("fine 0", "a", "robot", True),
    ]
    assert found.left_out == {"tie": 1, "both bad": 1, "of another set": 1}
    assert str(found) == ("3 preferences: 2 by people, 1 simulated. Left out: 1 tie, 1 both bad, 1 of another set.")
    rows = [json.loads(line) for line in found.save(tmp_path / "preferences.jsonl").read_text().splitlines()]
    assert rows == found.dataset().to_list()
    assert {"prompt", "chosen", "rejected", "labeller", "simulated"} < set(rows[0])


def test_where_nobody_prefers_anything_there_is_no_data_set() -> None:
    with pytest.raises(CourseError, match=r"No label prefers a side.*Left out: 2 tie\."):
        labelled.preferences(PAIRS, Labels(tuple(by("ada", ["tie", "tie"])), ())).dataset()
