"""Labels for labels: where one learning curve reaches another, and what is said when it never does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import recording, results, savings
from ftlab.errors import CourseError
from ftlab.results import Result

LABELS = (50, 100, 300)
shares = st.floats(0, 1)
curves = st.lists(shares, min_size=3, max_size=3).map(lambda ys: dict(zip(LABELS, ys, strict=True)))


def runs(pretrained: dict[int, float], random: dict[int, float], seed: int = 0) -> list[Result]:
    return [
        Result(
            runner="transfer",
            config={"profile": "cpu", "seed": seed, "pretrained": start, "train_examples": labels},
            metrics={"accuracy": accuracy},
        )
        for start, curve in ((True, pretrained), (False, random))
        for labels, accuracy in curve.items()
    ]


@given(curves)
def test_every_point_of_a_curve_is_reached_at_its_labels_or_before(curve: dict[int, float]) -> None:
    for labels, accuracy in curve.items():
        assert LABELS[0] <= savings.first_reached(curve, accuracy) <= labels


@given(curves, shares, shares)
def test_more_accuracy_never_takes_fewer_labels(curve: dict[int, float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert savings.first_reached(curve, low) <= savings.first_reached(curve, high) * (1 + 1e-12)


@given(curves, shares)
def test_only_what_a_curve_never_reaches_is_infinite(curve: dict[int, float], accuracy: float) -> None:
    assert math.isinf(savings.first_reached(curve, accuracy)) == (accuracy > max(curve.values()))


def test_between_two_points_labels_are_read_over_their_logarithm() -> None:
    assert savings.first_reached({100: 0.5, 10000: 0.7}, 0.6) == pytest.approx(1000)


def test_a_curve_that_falls_again_is_reached_where_it_first_rose() -> None:
    assert savings.first_reached({50: 0.5, 100: 0.6, 300: 0.5}, 0.55) == pytest.approx(math.sqrt(50 * 100))


def test_three_seeds_of_which_one_never_gets_there() -> None:
    good = {50: 0.6, 100: 0.7, 300: 0.8}
    found = [
        *runs(good, {50: 0.5, 100: 0.6, 300: 0.7}, seed=0),
        *runs(good, {50: 0.6, 100: 0.6, 300: 0.6}, seed=1),
        *runs(good, {50: 0.5, 100: 0.5, 300: 0.5}, seed=2),
    ]
    first, *_, last = savings.needs(found)
    assert first.needed == pytest.approx((100, 50, math.inf))
    assert (first.median, first.reached, first.times()) == (pytest.approx(100), 2, "2")
    assert [first.show(number) for number in sorted(first.needed)] == ["at most 50", "100", "more than 300"]
    assert (last.reached, last.times()) == (0, "more than 1")
    row = savings.table(found).iloc[0]
    assert row["over the seeds"] == "at most 50 to more than 300" and row["seeds that get there"] == "2 of 3"


def test_one_curve_alone_compares_nothing() -> None:
    one_sided = [run for run in runs({50: 0.6}, {50: 0.5}) if run.config["pretrained"]]
    for some in ([], one_sided, [*one_sided, *runs({50: 0.6}, {50: 0.5}, seed=1)]):
        with pytest.raises(CourseError, match="--only transfer"):
            savings.needs(some)


def test_the_recorded_runs_answer_for_every_number_of_labels() -> None:
    found = savings.needs(results.load_all(recording.RECORDED / "transfer"))
    assert [need.labels for need in found] == [50, 100, 300, 1000, 3000]
    assert all(len(need.needed) == recording.SEEDS for need in found)
