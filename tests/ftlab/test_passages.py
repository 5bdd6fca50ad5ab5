"""The questions are what they claim to be, no passage is on two sides, and answers are scored as SQuAD does."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import data, passages
from ftlab.errors import CourseError

WORDS = st.lists(st.sampled_from(["the", "bridge", "a", "river", "seven", "old"]), min_size=1, max_size=6).map(" ".join)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [row for split in passages.SPLITS for row in passages.questions(split)]


def test_there_are_four_hundred_different_questions(rows: list[dict[str, Any]]) -> None:
    assert len({data.normalise(f"{row['title']} {row['question']}") for row in rows}) == len(rows) >= 400
    titles = {row["title"] for row in rows}
    assert len(titles) == len({row["context"] for row in rows}) == len(passages._passages())


def test_no_passage_is_in_two_splits() -> None:
    for one, other in combinations(passages.SPLITS, 2):
        assert not set(passages.questions(one)["context"]) & set(passages.questions(other)["context"])
    assert len(passages.questions("test")) >= 80


def test_every_answer_stands_in_its_passage_and_the_first_one_once(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        first = row["answers"][0]
        assert row["context"][row["answer_start"] :].startswith(first)
        assert len(re.findall(rf"(?<!\w){re.escape(first)}(?!\w)", row["context"])) == 1, row
        assert all(answer in row["context"] for answer in row["answers"]), row
        assert not re.search(rf"\b{re.escape(first)}\b", row["question"], re.IGNORECASE), row


def test_passages_are_like_long_and_end_as_sentences_do(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert 50 <= len(row["context"].split()) <= 125, row["title"]
        assert row["question"][0].isupper() and row["question"].endswith("?")


@pytest.mark.parametrize(
    ("text", "exact", "f1"),
    [
        ("The bridge", 1, 1),  # case and articles do not count
        ("bridge.", 1, 1),
        ("an old stone bridge", 1, 1),
        ("stone bridge of Tarn", 0, 4 / 7),  # two words of four in the answer, two of three in what was given
        ("river", 0, 0),
        ("", 0, 0),
    ],
)
def test_answers_worked_by_hand(text: str, exact: float, f1: float) -> None:
    score = passages.score([text], [["a bridge", "old stone bridge"]])
    assert score["exact_match"] == exact
    assert score["f1"] == pytest.approx(f1, abs=1e-6)


@given(text=WORDS, answer=WORDS, other=WORDS)
def test_more_accepted_answers_never_lower_a_score(text: str, answer: str, other: str) -> None:
    narrow, wide = passages.score([text], [[answer]]), passages.score([text], [[answer, other]])
    assert all(0 <= narrow[name] <= wide[name] <= 1 for name in narrow)
    assert narrow["exact_match"] <= narrow["f1"] + 1e-6
    assert passages.score([text], [[text]]) == {"exact_match": 1.0, "f1": 1.0}


def test_the_seed_draws_the_questions_and_a_wrong_number_is_said() -> None:
    assert passages.questions("train", 20, seed=1)["question"] == passages.questions("train", 20, seed=1)["question"]
    assert passages.questions("train", 20, seed=1)["question"] != passages.questions("train", 20, seed=2)["question"]
    with pytest.raises(CourseError, match=r"100000 questions were asked for; test has \d+"):
        passages.questions("test", 100_000)
    with pytest.raises(CourseError, match="train, validation or test|train, validation, test"):
        passages.questions("exam")
