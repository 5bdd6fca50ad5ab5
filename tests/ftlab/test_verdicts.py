"""A strict form: what is taught fits it, what a chatty model says does not, and a quotation is words of the review."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import data, verdicts

REVIEWS = st.lists(
    st.sampled_from(["a", "film", "that", "is", "warm", ",", "and", "clever", "."]), min_size=3, max_size=30
).map(" ".join)


@given(review=REVIEWS, label=st.integers(0, 1))
def test_what_is_taught_is_a_perfect_answer(review: str, label: int) -> None:
    taught = verdicts.answer(review, label)
    assert verdicts.score([taught], [review], [label]) == {
        "format_share": 1.0,
        "quoted_share": 1.0,
        "accuracy": 1.0,
        "perfect_share": 1.0,
    }
    assert verdicts.score([taught], [review], [1 - label])["perfect_share"] == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "positive",
        "Verdict: positive\nquote: a warm film",
        "verdict: good\nquote: a warm film",
        "verdict: positive",
        "verdict: positive\nquote: ",
        "verdict: positive\n\nquote: a warm film",
        "Sure. verdict: positive\nquote: a warm film",
        "verdict: positive\nquote: a warm film\nI hope this helps.",
    ],
)
def test_nearly_right_is_wrong(text: str) -> None:
    assert verdicts.parse(text) is None


def test_space_around_an_answer_is_forgiven() -> None:
    assert verdicts.parse("\n verdict: negative\nquote: dull and long \n") == (0, "dull and long")


@pytest.mark.parametrize(
    ("quote", "is_one"),
    [
        ("a warm film", True),
        ("a warm film that moves us", True),
        ("warm film", False),
        ("a warm film that moves us all", False),
        ("A warm film", False),
        ("a warm fil", False),
        ("a film that", False),
    ],
)
def test_a_quotation_is_three_to_six_words_in_a_row_to_the_letter(quote: str, is_one: bool) -> None:
    assert verdicts.is_quoted(quote, "a warm film that moves us all .") is is_one


def test_shares_are_of_all_answers() -> None:
    review = "a warm film that moves us all ."
    answers = [verdicts.answer(review, 1), verdicts.answer(review, 0), "verdict: positive\nquote: not a quotation", "?"]
    found = verdicts.score(answers, [review] * 4, [1] * 4)
    assert found == {"format_share": 0.75, "quoted_share": 0.5, "accuracy": 0.5, "perfect_share": 0.25}


@pytest.mark.assets
def test_nearly_every_review_can_be_quoted() -> None:
    reviews = data.reviews("rotten_tomatoes", "train")["text"]
    assert sum(len(review.split()) >= verdicts.LEAST for review in reviews) / len(reviews) > 0.99
