"""Blocks of text: nothing is lost but the end, nothing is added but end tokens, and the frame fits the model."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import language, models, pretraining
from ftlab.errors import CourseError

WORDS = st.lists(st.sampled_from(["film", "story", "dull", "zebra", "x"]), max_size=12).map(" ".join)


@pytest.fixture(scope="module")
def encoder():  # type: ignore[no-untyped-def]
    return models.load_tokenizer("tiny-bert")


@pytest.fixture(scope="module")
def causal():  # type: ignore[no-untyped-def]
    recipe = pretraining.get("gpt")
    config = recipe.Config.make(recipe.PROFILES, "smoke", {})
    return recipe.learn_vocabulary(["the film is dull", "the story is fine"] * 50, config)  # type: ignore[attr-defined]


@given(texts=st.lists(WORDS, min_size=1, max_size=6), length=st.integers(3, 9))
def test_an_encoders_blocks_hold_the_texts_in_order_in_frames(encoder, texts: list[str], length: int) -> None:  # type: ignore[no-untyped-def]
    stream = [
        i for text in texts for i in [*encoder(text, add_special_tokens=False)["input_ids"], encoder.sep_token_id]
    ]
    if len(stream) < length - 2:
        with pytest.raises(CourseError, match="shorter than one block"):
            language.blocks(texts, encoder, length)
        return
    rows = language.blocks(texts, encoder, length)["input_ids"]
    assert all(len(row) == length for row in rows)
    assert all(row[0] == encoder.cls_token_id and row[-1] == encoder.sep_token_id for row in rows)
    kept = [i for row in rows for i in row[1:-1]]
    assert kept == stream[: len(kept)]
    assert len(stream) - len(kept) < length - 2


def test_a_causal_models_blocks_have_an_end_token_between_texts_and_no_frame(causal) -> None:  # type: ignore[no-untyped-def]
    rows = language.blocks(["the film", "is dull"] * 20, causal, 8)["input_ids"]
    stream = [i for row in rows for i in row]
    assert causal.decode(stream).startswith("the film<|endoftext|>is dull<|endoftext|>the film")


@pytest.mark.parametrize("count", [1, 5, 10**6])
def test_a_limit_leaves_the_first_blocks_and_reads_no_text_for_others(causal, count: int) -> None:  # type: ignore[no-untyped-def]
    texts, read = ["the film is dull"] * 2000, []
    everything = language.blocks(texts, causal, 8)["input_ids"]
    some = language.blocks((read.append(text) or text for text in texts), causal, 8, count)["input_ids"]
    assert some == everything[:count]
    assert len(read) <= (language.TEXTS_AT_ONCE if count <= 5 else len(texts))


def test_perplexity_of_a_fair_choice_is_the_number_of_choices() -> None:
    assert language.perplexity(math.log(8192)) == pytest.approx(8192)
