"""Sets of pairs: kept as they are, refused with a sentence, dealt by chance that can be repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import comparisons
from ftlab.comparisons import Comparison
from ftlab.errors import CourseError

TEXTS = st.text().filter(str.strip)
PAIRS = st.builds(
    Comparison,
    prompt=TEXTS,
    completions=st.tuples(TEXTS, TEXTS).filter(lambda both: both[0] != both[1]),
    models=st.tuples(TEXTS, TEXTS),
)


def make(count: int) -> list[Comparison]:
    numbers = range(count)
    ones, others = [f"fine {n}" for n in numbers], [f"dull {n}" for n in numbers]
    return comparisons.paired([f"It was {n}" for n in numbers], ones, others, ("sft", "dpo"))


@given(st.lists(PAIRS, min_size=1, unique_by=lambda each: each.id))
def test_a_set_is_read_as_it_was_saved(tmp_path_factory: pytest.TempPathFactory, pairs: list[Comparison]) -> None:
    path = comparisons.save(pairs, tmp_path_factory.mktemp("set") / "pairs.jsonl")
    assert comparisons.load(path) == pairs


@pytest.mark.parametrize(
    ("ones", "others", "said"),
    [
        (["good", " \n"], ["bad", "bad"], "Pair 2 of the set .* has an empty completion"),
        (["good", "fine"], ["bad", "fine"], "Pair 2 of the set .* has the same completion twice"),
        (["good"], ["bad", "bad"], "2 prompts have 1 and 2 completions"),
        (["good", "good"], ["bad", "bad"], "The pairs 1 and 2 of the set have the same texts"),
    ],
)
def test_what_cannot_be_judged_is_refused(ones: list[str], others: list[str], said: str) -> None:
    with pytest.raises(CourseError, match=said):
        comparisons.paired(["It was", "It was"], ones, others, ("a", "b"))


def test_an_empty_set_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="nothing to compare"):
        comparisons.checked([])
    path = comparisons.save(make(2), tmp_path / "pairs.jsonl")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(CourseError, match="line 2 is no pair to compare"):
        comparisons.load(path)
    with pytest.raises(CourseError, match="cannot be read"):
        comparisons.load(tmp_path / "none.jsonl")


def test_the_order_is_shuffled_and_does_not_depend_on_the_order_of_the_file() -> None:
    pairs = make(50)
    dealt = comparisons.dealt(pairs)
    assert dealt != pairs and comparisons.dealt(reversed(pairs)) == dealt
    assert comparisons.dealt(pairs, seed=1) != dealt


def test_sides_are_fair_and_differ_between_people() -> None:
    pairs = make(2000)
    ada, bob = [[comparisons.left_of(pair, name) for pair in pairs] for name in ("ada", "bob")]
    alike = sum(one == other for one, other in zip(ada, bob, strict=True))
    for count in (sum(ada), sum(bob), alike):
        assert abs(count - 1000) < 112  # five standard deviations of 2000 coins
