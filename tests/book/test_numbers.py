"""The roles that put measured numbers into prose."""

from __future__ import annotations

import pytest
from books import fake_run
from ftbook import numbers

from ftlab.errors import CourseError
from ftlab.results import Summary


def test_a_quantity_is_parsed() -> None:
    runner, value, minus = numbers.parse("sft accuracy pretrained=true learning_rate=3e-5 model=minilm")
    assert (runner, minus) == ("sft", None)
    assert value == numbers.Quantity("accuracy", {"pretrained": True, "learning_rate": "3e-5", "model": "minilm"})


def test_a_difference_is_parsed() -> None:
    _, value, minus = numbers.parse("sft accuracy pretrained=true - accuracy_before pretrained=false")
    assert (value.metric, minus.metric, minus.config) == ("accuracy", "accuracy_before", {"pretrained": False})


@pytest.mark.parametrize("text", ["", "sft", "sft pretrained=true", "sft accuracy before", "sft a - b - c"])
def test_what_is_not_a_quantity_is_explained(text: str) -> None:
    with pytest.raises(CourseError, match="Write `runner metric"):
        numbers.parse(text)


def test_numbers_have_units() -> None:
    assert numbers.show("accuracy", 0.8312) == "83.1\N{NO-BREAK SPACE}%"
    assert numbers.show("accuracy", -0.0312, change=True) == "\N{MINUS SIGN}3.1\N{NO-BREAK SPACE}points"
    assert numbers.show("loss", -0.5, change=True) == "\N{MINUS SIGN}0.500"
    found = Summary(0.1, 0.05, 0.15, 5, ())
    assert numbers.show_range("accuracy", found, change=True) == "5.0 to 15.0\N{NO-BREAK SPACE}points, 5 seeds"
    assert numbers.show_range("accuracy", found) == "5.0\N{NO-BREAK SPACE}% to 15.0\N{NO-BREAK SPACE}%, 5 seeds"
    assert numbers.show_range("accuracy", Summary(0.1, 0.1, 0.1, 5, (0.1,) * 5)) == "in all 5 seeds"
    assert numbers.show_range("accuracy", Summary(0.1, float("nan"), float("nan"), 1, ())) == "1 seed"


def test_numbers_side_by_side_are_rounded_alike() -> None:
    found = Summary(-0.048, -0.0967, 0.000642, 5, ())
    assert numbers.show_interval("relative_time", found) == "\N{MINUS SIGN}0.097 to 0.001"
    assert numbers.show_interval("kl", Summary(10.0, 9.6, 10.4, 5, ())) == "9.6 to 10.4"
    assert numbers.show_interval("kl", Summary(2e-6, 1e-6, 3e-6, 5, ())).startswith("1.00e")


def test_the_interval_of_a_share_ends_at_nothing_and_at_all() -> None:
    high, low = Summary(0.99, 0.975, 1.005, 3, (0.98, 0.99, 1.0)), Summary(0.01, -0.005, 0.025, 3, (0.0, 0.01, 0.02))
    assert numbers.show_interval("accuracy", high).replace("\N{NO-BREAK SPACE}", " ") == "97.5 % to 100.0 %"
    assert numbers.show_interval("accuracy", low).replace("\N{NO-BREAK SPACE}", " ") == "0.0 % to 2.5 %"
    assert numbers.show_interval("accuracy", low, change=True).startswith("\N{MINUS SIGN}0.5")
    assert numbers.show_interval("gap_accuracy", Summary(0, -0.1, 0.1, 2, (-0.1, 0.1))).startswith("\N{MINUS SIGN}10")


def test_a_missing_setting_says_how_to_record_it() -> None:
    with pytest.raises(CourseError) as caught:
        numbers.Quantity("accuracy", {"pretrained": False}).runs("sft", [fake_run(0, True)])
    assert "ftlab run sft --seed 0 --set pretrained=False --out book/results" in str(caught.value)


def test_two_settings_are_not_averaged() -> None:
    with pytest.raises(CourseError, match=r"differ in more than the seed: pretrained\..*pretrained=True"):
        numbers.Quantity("accuracy", {}).runs("sft", [fake_run(0, True), fake_run(0, False)])


def test_a_difference_of_nothing_has_no_minus() -> None:
    assert numbers.show("accuracy", -0.0001, change=True).startswith("0.0")
    assert numbers.show("accuracy", -0.02, change=True).startswith("\N{MINUS SIGN}2.0")
