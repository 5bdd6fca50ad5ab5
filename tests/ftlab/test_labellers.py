"""Simulated labellers: as noisy and as careless as they were asked to be, and marked for what they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import comparisons, labellers, labels
from ftlab.errors import CourseError
from ftlab.labellers import Simulated, bradley_terry

REWARD = st.floats(-50, 50)
COUNT = 4000
NUMBERS = range(COUNT)
PAIRS = comparisons.paired(
    [f"It was {n}" for n in NUMBERS], [f"good {n}" for n in NUMBERS], [f"bad {n}" for n in NUMBERS], ("a", "b")
)


@pytest.mark.parametrize(("difference", "temperature"), [(0.0, 1.0), (1.0, 1.0), (-2.0, 1.0), (1.0, 0.5), (1.0, 4.0)])
def test_the_chance_is_a_sigmoid_of_the_difference(difference: float, temperature: float) -> None:
    n = 20_000
    won = bradley_terry(np.full(n, 3.0 + difference), np.full(n, 3.0), temperature, np.random.default_rng(0))
    chance = 1 / (1 + math.exp(-difference / temperature))
    assert won.mean() == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / n))


@given(left=st.lists(REWARD, min_size=1, max_size=8), seed=st.integers(0, 99), shift=st.floats(-5, 5))
def test_without_noise_the_larger_wins_and_equals_are_drawn(left: list[float], seed: int, shift: float) -> None:
    right = [value - shift for value in left]
    won = bradley_terry(left, right, 0.0, np.random.default_rng(seed))
    assert all(w == (a > b) for w, a, b in zip(won, left, right, strict=True) if a != b)
    coins = bradley_terry([1.0] * 200, [1.0] * 200, 0.0, np.random.default_rng(seed))
    assert 50 < coins.sum() < 150


@given(
    rewards=st.lists(st.tuples(REWARD, REWARD), min_size=1, max_size=8),
    seed=st.integers(0, 99),
    temperature=st.floats(0.01, 10),
)
def test_only_the_difference_counts(rewards: list[tuple[float, float]], seed: int, temperature: float) -> None:
    left, right = map(np.asarray, zip(*rewards, strict=True))
    here = bradley_terry(left, right, temperature, np.random.default_rng(seed))
    scaled = bradley_terry(left * 4, right * 4, temperature * 4, np.random.default_rng(seed))
    assert (here == scaled).all()


@pytest.mark.parametrize(
    ("left", "right", "temperature", "problem"),
    [
        ([1.0], [1.0, 2.0], 1.0, "as many rewards on the left"),
        ([math.nan], [1.0], 1.0, "not a finite number"),
        ([1.0], [math.inf], 1.0, "not a finite number"),
        ([1.0], [1.0], -1.0, "zero or more, not -1.0"),
        ([1.0], [1.0], math.nan, "zero or more, not nan"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    left: list[float], right: list[float], temperature: float, problem: str
) -> None:
    with pytest.raises(CourseError, match=problem):
        bradley_terry(left, right, temperature, np.random.default_rng(0))


def goodness(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """A reward of 1 for what is good, else 0."""
    return [float(text.startswith("good")) for text in completions]


def chosen(path: Path, **how: float) -> list[int | None]:
    labellers.label_all(PAIRS, path, Simulated(name="robot", **how), goodness)  # type: ignore[arg-type]
    return [label.chosen for label in labels.read(path).labels]


@pytest.mark.parametrize(
    ("how", "share"),
    [
        ({"temperature": 1.0}, 1 / (1 + math.exp(-1))),
        ({"temperature": 0.5}, 1 / (1 + math.exp(-2))),
        ({"temperature": 0.0}, 1.0),
        ({"temperature": 0.0, "careless": 0.4}, 0.8),
        ({"temperature": 0.0, "careless": 1.0}, 0.5),
    ],
)
def test_they_err_as_often_as_bradley_and_terry_say_and_as_coins_do(
    tmp_path: Path, how: dict[str, float], share: float
) -> None:
    right = chosen(tmp_path / "labels.jsonl", **how).count(0) / COUNT
    assert abs(right - share) <= 5 * math.sqrt(share * (1 - share) / COUNT)


def test_a_whole_set_is_labelled_unattended_and_goes_on_with_the_same_answers(tmp_path: Path) -> None:
    whole, halved, robot = tmp_path / "whole.jsonl", tmp_path / "halved.jsonl", Simulated(name="robot", careless=0.2)
    some = PAIRS[:100]
    assert labellers.label_all(some, whole, robot, goodness) == 100
    lines = whole.read_text().splitlines(keepends=True)
    halved.write_text("".join(lines[:40]) + lines[40][:25])
    assert labellers.label_all(some, halved, robot, goodness) == 60
    assert labellers.label_all(some, halved, robot, goodness) == 0
    before, after = [labels.read(path).labels for path in (whole, halved)]
    assert [(each.comparison, each.answer) for each in before] == [(each.comparison, each.answer) for each in after]
    assert all(label.simulated and label.who == "robot (simulated)" for label in after)


@pytest.mark.parametrize(("broken", "said"), [([math.nan, 1.0], "came out as nan"), ([1.0], "came out as 1 numbers")])
def test_a_reward_that_is_none_labels_nothing(tmp_path: Path, broken: list[float], said: str) -> None:
    with pytest.raises(CourseError, match=f"The reward of 2 texts {said}"):
        labellers.label_all(PAIRS[:2], tmp_path / "labels.jsonl", Simulated(name="robot"), lambda *_: broken)
    assert labels.read(tmp_path / "labels.jsonl").labels == ()


@pytest.mark.parametrize("how", [{"careless": 1.5}, {"careless": -0.1}, {"temperature": -1.0}])
def test_settings_that_make_no_sense_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(CourseError, match="robot"):
        Simulated(name="robot", **how)  # type: ignore[arg-type]
