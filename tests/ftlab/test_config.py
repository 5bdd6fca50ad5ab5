"""Configs take text or values, check both, and say what they want."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import runners
from ftlab.config import Count, Positive, RunConfig, Share
from ftlab.errors import CourseError


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    count: Count = 3
    rate: Positive = 0.1
    share: Share = 0.5
    some: Count | None = None
    flag: bool = True


PRESETS = {"smoke": {"count": 1}, "cpu": {}}


def test_order_of_precedence() -> None:
    assert Config.make(PRESETS, "cpu", {}).count == 3
    assert Config.make(PRESETS, "smoke", {}).count == 1
    assert Config.make(PRESETS, "smoke", {"count": "7"}).count == 7


@given(st.integers(1, 9), st.booleans(), st.integers(0, 9))
def test_a_part_knows_nothing_of_what_its_base_class_lacks(count: int, flag: bool, seed: int) -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(Config):
        more: Count = 1

    one, other = (More(count=count, flag=flag, seed=seed, more=more) for more in (1, 2))
    assert one.part(Config) == other.part(Config) == Config(count=count, flag=flag, seed=seed)


@given(st.floats(min_value=1e-9, max_value=1e9), st.integers(0, 2**32 - 1), st.booleans())
def test_text_and_values_mean_the_same(rate: float, seed: int, flag: bool) -> None:
    values = {"rate": rate, "seed": seed, "flag": flag}
    text = {name: str(value) for name, value in values.items()}
    assert Config.make(PRESETS, "cpu", text) == Config.make(PRESETS, "cpu", values)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cuont": 1}, "Did you mean 'count'"),
        ({"count": "many"}, "valid integer"),
        ({"count": 0}, "greater than 0"),
        ({"count": 1.5}, "'count' cannot take 1.5"),
        ({"rate": "nan"}, "'rate' cannot take 'nan'"),
        ({"rate": "inf"}, "'rate' cannot take 'inf'"),
        ({"rate": "-1"}, "greater than 0"),
        ({"share": "1.1"}, "less than or equal to 1"),
        ({"flag": "maybe"}, "valid boolean"),
        ({"seed": -1}, "--seed 0"),
        ({"seed": 2**32}, "less than or equal"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(given: dict[str, object], says: str) -> None:
    with pytest.raises(CourseError) as caught:
        Config.make(PRESETS, "cpu", given)
    assert says in str(caught.value)


def test_none_can_be_typed_where_it_is_allowed() -> None:
    assert Config.make(PRESETS, "cpu", {"some": "None"}).some is None
    assert Config.make(PRESETS, "cpu", {"some": "4"}).some == 4
    with pytest.raises(CourseError, match="'count' cannot take 'None'"):
        Config.make(PRESETS, "cpu", {"count": "None"})


def test_unknown_profile_lists_the_profiles() -> None:
    with pytest.raises(CourseError, match="smoke, cpu"):
        Config.make(PRESETS, "smok", {})


@pytest.mark.parametrize("name", runners.NAMES)
def test_every_runner_keeps_the_contract(name: str) -> None:
    runner = runners.get(name)
    assert set(runner.PROFILES) == {"smoke", "cpu", "gpu"}
    for profile in runner.PROFILES:
        config = runner.Config.make(runner.PROFILES, profile, {})
        assert config.profile == profile
    assert runner.PROFILES["cpu"] == {}, "the cpu profile is the Config's own defaults"
    for variation in runner.RECORDED:
        assert set(variation) <= {field.name for field in fields(runner.Config)}
    with pytest.raises(CourseError, match="The runners are: " + ", ".join(runners.NAMES)):
        runners.get(name + "x")
