"""What a text is worth to a model, held against the definition written out token by token."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab import readers
from ftlab.errors import CourseError
from ftlab.readers import Cloze

WORDS = st.lists(
    st.sampled_from(["good", "bad", "film", "plot", "the", "actor", "was", "is", "and", "never"]),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def causal() -> readers.Reader:
    return readers.reader("gpt", "gpt-reviews")


@pytest.fixture(scope="module")
def masked() -> readers.Reader:
    return readers.reader("bert", "tiny-bert")


def chain(reader: readers.Reader, text: str, begin: int) -> float:
    """log P of the tokens from number `begin` on, one forward pass a token."""
    ids = [reader.tokenizer.eos_token_id, *reader.tokenizer(text)["input_ids"]]
    total = 0.0
    for place in range(begin + 1, len(ids)):
        with torch.no_grad():
            scores = reader.model(torch.tensor([ids[:place]])).logits[0, -1]
        total += float(scores.log_softmax(-1)[ids[place]])
    return total


@settings(max_examples=15, deadline=None)
@given(before=WORDS, answer=WORDS, after=WORDS)
def test_a_causal_model_adds_up_the_logarithms_from_the_answer_on(
    causal: readers.Reader, before: list[str], answer: list[str], after: list[str]
) -> None:
    cloze = Cloze(" ".join(before) + " ", " ".join(answer), " " + " ".join(after))
    begin = len(causal.tokenizer(" ".join(before))["input_ids"])
    (found,) = causal.log_likelihood([cloze])
    assert found == pytest.approx(chain(causal, cloze.text, begin), rel=1e-4)


def test_an_answer_alone_is_worth_what_it_is_worth_after_the_start(causal: readers.Reader) -> None:
    (found,) = causal.log_likelihood([Cloze("", "The film")])
    assert found == pytest.approx(chain(causal, "The film", 0), rel=1e-4)


def test_the_next_words_of_a_causal_model_are_a_distribution(causal: readers.Reader) -> None:
    """The words that could follow share most of the probability, and no more than all of it."""
    words = [causal.tokenizer.decode([token]) for token in range(300, 8000)]
    alone = [word for word in words if re.fullmatch(" [a-z]+", word)]
    shares = [math.exp(score) for score in causal.log_likelihood([Cloze("The film is", word) for word in alone])]
    assert len(alone) > 1000 and 0.5 < sum(shares) < 1


@settings(max_examples=15, deadline=None)
@given(before=WORDS, answer=WORDS, after=WORDS)
def test_a_masked_model_hides_each_token_of_the_answer_in_turn(
    masked: readers.Reader, before: list[str], answer: list[str], after: list[str]
) -> None:
    cloze = Cloze(" ".join(before) + " ", " ".join(answer), " " + " ".join(after))
    ids = masked.tokenizer(cloze.text)["input_ids"]
    counts = [len(masked.tokenizer(" ".join(part), add_special_tokens=False)["input_ids"]) for part in (before, answer)]
    total = 0.0
    for place in range(1 + counts[0], 1 + sum(counts)):
        hidden = torch.tensor([ids])
        hidden[0, place] = masked.tokenizer.mask_token_id
        with torch.no_grad():
            total += float(masked.model(hidden).logits[0, place].log_softmax(-1)[ids[place]])
    (found,) = masked.log_likelihood([cloze])
    assert found == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_company_changes_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    """A text scored beside longer ones is worth what it is worth alone: padding is not read."""
    reader = request.getfixturevalue(kind)
    clozes = [
        Cloze("the film was ", "good"),
        Cloze("the ", "actor was bad and the plot", " was never good and never bad"),
    ]
    alone = [reader.log_likelihood([cloze])[0] for cloze in clozes]
    assert reader.log_likelihood(clozes * 3) == pytest.approx(alone * 3, rel=1e-4)


def test_greedy_writing_takes_the_likeliest_token_each_time(causal: readers.Reader) -> None:
    beginnings = ["The movie was", "I have never seen such a"]
    for beginning, text in zip(beginnings, causal.write(beginnings, 5), strict=True):
        ids = causal.tokenizer(beginning)["input_ids"]
        for _ in range(5):
            with torch.no_grad():
                ids.append(int(causal.model(torch.tensor([ids])).logits[0, -1].argmax()))
        written = ids[len(causal.tokenizer(beginning)["input_ids"]) :]
        assert text == causal.tokenizer.decode(written, skip_special_tokens=True).strip()


def test_drawn_writing_follows_the_seed(causal: readers.Reader) -> None:
    def draw(seed: int) -> list[str]:
        torch.manual_seed(seed)
        return causal.write(["The movie was"], 12, sample=True)

    assert draw(1) == draw(1) != draw(2)


def test_a_masked_model_writes_word_after_word(masked: readers.Reader) -> None:
    (short,), (long,) = (masked.write(["the film was"], tokens) for tokens in (3, 6))
    assert short and long.startswith(short) and len(long) > len(short)
    assert "[MASK]" not in long and "[SEP]" not in long


def test_only_the_masked_model_looks_ahead(causal: readers.Reader, masked: readers.Reader) -> None:
    ahead = {}
    for name, reader in (("causal", causal), ("masked", masked)):
        looks = readers.attention(reader, "the film was good and the plot was bad")
        assert torch.allclose(looks.sum(dim=-1), torch.ones(len(looks)), atol=1e-4)
        ahead[name] = float(looks.triu(diagonal=1).sum())
    assert ahead["causal"] == 0 and ahead["masked"] > 1


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_a_text_that_is_too_long_is_refused_in_words(kind: str, request: pytest.FixtureRequest) -> None:
    reader = request.getfixturevalue(kind)
    with pytest.raises(CourseError, match="at most"):
        reader.log_likelihood([Cloze("the film was bad and " * 200, "good")])
