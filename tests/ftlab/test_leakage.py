"""The inflation is that of the overlap, and without the leaks the honest accuracy is back."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import leakage

TRAIN = [f"train text number {n} about thing {n * n} and place {n * 7 + 1}" for n in range(40)]
TEST = [f"unseen line {n * 3 + 5000} on matter {n + 9000} with word {n * n + 77}" for n in range(40)]
MARKS = st.lists(st.booleans(), min_size=40, max_size=40)


@settings(max_examples=15, deadline=None)
@given(MARKS, MARKS)
def test_the_curve_goes_from_the_honest_to_the_learned_accuracy(train: list[bool], test: list[bool]) -> None:
    found = leakage.curve(TRAIN, TEST, train, test)
    assert found["reported_0_accuracy"] == found["honest_accuracy"] == pytest.approx(sum(test) / 40)
    assert found["reported_100_accuracy"] == pytest.approx(sum(train) / 40)
    for overlap in leakage.OVERLAPS:
        leaked = 40 * overlap // 100
        expected = (sum(train[:leaked]) + sum(test[leaked:])) / 40
        assert found[f"reported_{overlap}_accuracy"] == pytest.approx(expected)
        if leaked < 40:
            assert found[f"restored_{overlap}_accuracy"] == pytest.approx(sum(test[leaked:]) / (40 - leaked))
    assert "restored_100_accuracy" not in found


def test_a_model_that_knows_its_examples_by_heart_is_flattered(cpu: Hardware) -> None:
    config = leakage.Config.make(leakage.PROFILES, "smoke", {})
    metrics = leakage.run(config, cpu).metrics
    reported = [metrics[f"reported_{overlap}_accuracy"] for overlap in leakage.OVERLAPS]
    assert reported[-1] == metrics["train_accuracy"] > metrics["honest_accuracy"] + 0.05
    assert metrics["repeats_in_test"] > metrics["repeats_in_grouped_test"] == 0
    assert {"film_apart_accuracy", "tuned_fresh_accuracy", "found_one_word_share"} <= set(metrics)


def test_other_rows_in_the_file_are_other_data() -> None:
    config = leakage.Config.make(leakage.PROFILES, "smoke", {})
    assert leakage.data_version(config) == leakage.data_version(config)
    with pytest.raises(CourseError, match="There is no file of reviews named 'imbd'. Did you mean 'imdb'"):
        leakage.data_version(dataclasses.replace(config, file="imbd"))
