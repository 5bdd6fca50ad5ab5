"""A narrow format to follow: a verdict on a review and words that bear it out, in two lines and nothing else.

A program reads such an answer, so nearly right is wrong: the parser is strict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean as mean
from typing import NamedTuple

from ftlab.data import LABELS

LEAST, MOST = 3, 6  # words of a quotation
REQUEST = (
    "Judge this film review. Answer with two lines and nothing else. The first line is 'verdict: positive' or "
    f"'verdict: negative'. The second line is 'quote: ' and {LEAST} to {MOST} words in a row, copied from the review.\n"
    "\nReview: {review}"
)
ANSWER = re.compile(rf"verdict: ({'|'.join(LABELS)})\nquote: (\S.*)")


class Verdict(NamedTuple):
    """An answer in the right form: a label of ftlab.data.LABELS and the words that are quoted."""

    label: int
    quote: str


def request(review: str) -> str:
    """What a person asks about a review."""
    return REQUEST.format(review=review)


def answer(review: str, label: int) -> str:
    """The answer that is taught: the right verdict, and the first words of the review."""
    return f"verdict: {LABELS[label]}\nquote: {' '.join(review.split()[:MOST])}"


def parse(text: str) -> Verdict | None:
    """The verdict in `text`, or None where its form is not exactly that of two lines. Space at its ends is forgiven."""
    found = ANSWER.fullmatch(text.strip())
    return Verdict(LABELS.index(found[1]), found[2]) if found else None


def is_quoted(quote: str, review: str) -> bool:
    """Whether `quote` is LEAST to MOST whole words in a row of the review, to the letter."""
    words, wanted = review.split(), quote.split()
    places = range(len(words) - len(wanted) + 1)
    return LEAST <= len(wanted) <= MOST and any(words[at : at + len(wanted)] == wanted for at in places)


def score(answers: Sequence[str], reviews: Sequence[str], labels: Sequence[int]) -> dict[str, float]:
    """Shares of all answers: in the form, with a true quotation, with the right verdict, and all of these at once."""
    found = [(parse(text), review, label) for text, review, label in zip(answers, reviews, labels, strict=True)]
    quoted = [verdict is not None and is_quoted(verdict.quote, review) for verdict, review, _ in found]
    right = [verdict is not None and verdict.label == label for verdict, _, label in found]
    return {
        "format_share": mean(bool(verdict) for verdict, _, _ in found),
        "quoted_share": mean(quoted),
        "accuracy": mean(right),
        "perfect_share": mean(a and b for a, b in zip(quoted, right, strict=True)),
    }
