"""Passages and questions whose answer stands in the passage, written for this course, and how answers are scored.

Most people and places are invented, so that an answer must be read in the text and cannot be known before.
Rajpurkar et al. 2016 (SQuAD), section 6.1: exact match and F1, as kept by the library torchmetrics.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.data import SPLITS
from ftlab.errors import CourseError, unknown

if TYPE_CHECKING:
    from datasets import Dataset

FOLDER = Path(__file__).parent / "qa_sets"
TEST_EVERY, VALIDATION_EVERY = 5, 15  # passages: each fifth is for testing, and one of each fifteen for watching


def questions(split: str = "train", limit: int | None = None, seed: int = 0) -> Dataset:
    """Questions with the columns title, context, question (str), answers (list[str]) and answer_start (int).

    `answer_start` is where the first of the accepted answers begins in the context. `limit` takes that many questions
    at random (by `seed`). No passage is in two splits. Raises CourseError for a split that is none, or a limit above
    what there is.
    """
    from datasets import Dataset

    if split not in SPLITS:
        raise unknown("split", split, list(SPLITS))
    rows = [row for place, passage in enumerate(_passages()) if _split(place) == split for row in _rows(passage)]
    if limit is None:
        return Dataset.from_list(rows)
    if not 1 <= limit <= len(rows):
        raise CourseError(f"{limit} questions were asked for; {split} has {len(rows)}. Ask for 1 to {len(rows)}.")
    return Dataset.from_list(random.Random(seed).sample(rows, limit))


def score(texts: Sequence[str], answers: Sequence[Sequence[str]]) -> dict[str, float]:
    """Shares from 0 to 1: of `texts` that are one of the `answers` to their question, and their mean F1 over words.

    Case, punctuation and articles do not count; of several accepted answers the nearest does.
    """
    from torchmetrics.functional.text import squad

    given = [{"id": str(n), "prediction_text": text} for n, text in enumerate(texts)]
    wanted: Any = [
        {"id": str(n), "answers": {"text": list(some), "answer_start": []}} for n, some in enumerate(answers)
    ]
    found = squad(given, wanted)
    return {"exact_match": float(found["exact_match"]) / 100, "f1": float(found["f1"]) / 100}


@functools.lru_cache(maxsize=1)
def _passages() -> list[dict[str, Any]]:
    """All passages, in the order of their files: its genres come to every split."""
    import yaml

    return [entry for file in sorted(FOLDER.glob("*.yml")) for entry in yaml.safe_load(file.read_text("utf-8"))]


def _split(place: int) -> str:
    if place % TEST_EVERY == TEST_EVERY - 1:
        return "test"
    return "validation" if place % VALIDATION_EVERY == VALIDATION_EVERY // 2 else "train"


def _rows(passage: dict[str, Any]) -> list[dict[str, Any]]:
    context = passage["text"]
    return [
        {"title": passage["title"], "context": context, **entry, "answer_start": _start(entry["answers"][0], context)}
        for entry in passage["questions"]
    ]


def _start(answer: str, text: str) -> int:
    """Where `answer` begins in `text`, as whole words: 'four' is not in 'fourth'."""
    found = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text)
    assert found, f"{answer!r} does not stand in {text[:60]!r}"
    return found.start()
