"""Where an answer starts and ends: the places taught are those of the answer, and the best pair is the best of all."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import one_hot

from ftlab import models, passages, spans
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import question_answering as runner

SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=24)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return models.load_tokenizer("minilm")


@pytest.mark.parametrize("split", passages.SPLITS)
def test_the_tokens_taught_are_those_of_the_answer(tokenizer: Any, split: str) -> None:
    rows = passages.questions(split)
    for row, ready in zip(rows, spans.prepare(rows, tokenizer, 512), strict=True):
        taught = tokenizer.decode(ready["input_ids"][ready["start_positions"] : ready["end_positions"] + 1])
        answer = tokenizer.decode(tokenizer(row["answers"][0], add_special_tokens=False)["input_ids"])
        assert taught.replace(" ", "") == answer.replace(" ", "")
        assert ready["end_positions"] - ready["start_positions"] < spans.MOST


def test_an_answer_that_is_cut_off_is_said(tokenizer: Any) -> None:
    rows = passages.questions("validation")
    with pytest.raises(CourseError, match=r"is cut off: question and passage have more than 80 tokens"):
        spans.prepare(rows, tokenizer, 80)
    with pytest.raises(CourseError, match="A question alone has more than 9 tokens. Allow more"):
        spans.prepare(rows, tokenizer, 9)


@given(starts=SCORES, seed=st.integers(0, 99))
def test_the_best_pair_is_the_best_of_all_that_are_allowed(starts: list[float], seed: int) -> None:
    ends = torch.rand(len(starts), generator=torch.Generator().manual_seed(seed))
    scores = torch.tensor(starts)
    first, last = spans.best(scores, ends)
    assert 0 <= last - first < spans.MOST
    pairs = itertools.combinations_with_replacement(range(len(starts)), 2)
    most = max(float(scores[a] + ends[b]) for a, b in pairs if b - a < spans.MOST)
    assert float(scores[first] + ends[last]) == pytest.approx(most)


def test_a_model_that_knows_is_right_about_every_question(tokenizer: Any) -> None:
    """Scores that point at the taught places give back the answers, letter by letter."""
    rows = passages.questions("test")
    ready = spans.prepare(rows, tokenizer, 512)
    places = iter(zip(ready["start_positions"], ready["end_positions"], strict=True))

    class Knowing(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
            starts, ends = zip(*itertools.islice(places, len(input_ids)), strict=True)
            width = input_ids.shape[1]
            first, last = (one_hot(torch.tensor(some), width).float() for some in (starts, ends))
            return SimpleNamespace(start_logits=first, end_logits=last)

    found = spans.answers(Knowing(), tokenizer, rows, 512)  # type: ignore[arg-type]
    assert found == [answers[0] for answers in rows["answers"]]


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


def test_it_learns_to_point_and_says_what_it_answered(cpu: Hardware) -> None:
    result = runner.run(smoke(), cpu)
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses[-1] < losses[0] - 0.2
    assert {"exact_match_before", "exact_match_after", "f1_before", "f1_after"} <= set(result.metrics)
    assert all(0 <= result.metrics[name] <= 1 for name in ("exact_match_after", "f1_after"))
    kept = result.provenance["answers"]
    contexts = passages.questions("test", 8)["context"]
    assert len(kept) == 8 and all(any(entry["after"] in text for text in contexts) for entry in kept)
