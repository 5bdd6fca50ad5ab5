"""Planted leaks are found, and nothing else is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab import data, leaks
from ftlab.errors import CourseError

WORDS = [f"word{number}" for number in range(400)]


def texts(count: int, seed: int, length: int = 30) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=length)) for _ in range(count)]


def edited(text: str, changes: int, seed: int) -> str:
    """`text` with that many of its words replaced."""
    draw, words = random.Random(seed), text.split()
    for place in draw.sample(range(len(words)), changes):
        words[place] = "other"
    return " ".join(words)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet="ab .!", min_size=1, max_size=12), max_size=6), st.integers(0, 5))
def test_every_exact_repeat_is_found(train: list[str], which: int) -> None:
    test = [*train[which:], "something else altogether"]
    found = leaks.find_leaks(train, test)
    assert [leak.test for leak in found if leak.kind == "exact"] == list(range(len(train[which:])))
    assert all(train[leak.train] == test[leak.test] for leak in found if leak.kind == "exact")


def test_case_and_punctuation_do_not_hide_a_leak() -> None:
    (leak,) = leaks.find_leaks(["A fine film!"], ["something else", "a fine, FILM"])
    assert (leak.kind, leak.train, leak.test) == ("normalised", 0, 1)


def test_planted_near_duplicates_are_found_and_nothing_else() -> None:
    train = texts(300, seed=1)
    planted = [edited(text, changes=2, seed=i) for i, text in enumerate(train[:60])]
    found = leaks.find_leaks(train, [*planted, *texts(200, seed=2)])
    assert sum(leak.test < 60 and leak.train == leak.test for leak in found) >= 57, "recall of 95 %"
    assert not [leak for leak in found if leak.test >= 60], "no false alarm"
    assert all(leak.kind == "near" and leak.overlap >= 0.5 for leak in found)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_what_is_found_is_the_true_overlap(seed: int, changes: int) -> None:
    (text,) = texts(1, seed)
    other = edited(text, changes, seed)
    true = leaks.jaccard(leaks.shingles(text), leaks.shingles(other))
    found = leaks.find_leaks([text], [other])
    assert all(leak.overlap == pytest.approx(true) for leak in found)
    if true < 0.5:
        assert not found
    if true > 0.8:
        assert found


def test_the_closest_text_is_named() -> None:
    (text,) = texts(1, seed=3)
    (leak,) = leaks.find_leaks([edited(text, 4, 1), edited(text, 1, 2), edited(text, 3, 3)], [text])
    assert leak.train == 1


@pytest.mark.parametrize("train, test", [([], ["a"]), (["a"], []), ([], []), ([""], ["b"])])
def test_where_there_is_nothing_nothing_leaks(train: list[str], test: list[str]) -> None:
    assert leaks.find_leaks(train, test) == []


@given(st.integers(0, 30), st.integers(1, 30), st.floats(0, 1))
def test_the_asked_share_of_the_test_is_exchanged(train: int, test: int, overlap: float) -> None:
    mixed = leaks.inject(["train"] * train, ["test"] * test, overlap)
    assert len(mixed) == min(train, test)
    assert abs(mixed.count("train") - overlap * len(mixed)) <= 1


@pytest.mark.parametrize("overlap", [-0.1, 1.01, 50])
def test_an_overlap_outside_is_refused(overlap: float) -> None:
    with pytest.raises(CourseError, match="it is a share between 0"):
        leaks.inject(["a"], ["b"], overlap)


def test_texts_alike_are_in_one_group_also_over_others() -> None:
    (text,) = texts(1, seed=4, length=40)
    chain = [text]
    for step in range(3):
        chain.append(edited(chain[-1], 3, seed=step))
    far = leaks.jaccard(leaks.shingles(chain[0]), leaks.shingles(chain[-1]))
    found = leaks.groups([*chain, text.upper() + "!", *texts(5, seed=9)])
    assert far < 0.5, "the ends of the chain are not alike themselves"
    assert len(set(found[:5])) == 1
    assert len(set(found)) == 6, "each other text is alone"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["a b c d", "A b c d!", "e f g h", "i j k l"]), max_size=8))
def test_a_split_by_groups_leaves_no_leak(some: list[str]) -> None:
    groups = leaks.groups(some)
    assert len(groups) == len(some)
    for chosen in set(groups):
        train = [text for text, group in zip(some, groups, strict=True) if group != chosen]
        test = [text for text, group in zip(some, groups, strict=True) if group == chosen]
        assert leaks.find_leaks(train, test) == []


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_outside_is_refused(threshold: float) -> None:
    with pytest.raises(CourseError, match="between|more than"):
        leaks.find_leaks(["a"], ["b"], threshold)
    with pytest.raises(CourseError, match="between|more than"):
        leaks.groups(["a"], threshold)


@pytest.mark.assets
@pytest.mark.slow
def test_the_splits_of_the_course_share_no_text() -> None:
    train, test = (data.reviews("rotten_tomatoes", split)["text"] for split in ("train", "test"))
    assert not [leak for leak in leaks.find_leaks(train, test) if leak.kind != "near"]
