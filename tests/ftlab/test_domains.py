"""Kinds of text: the same blocks for the same seed, held-out ones for all seeds, and no text on two sides."""

from __future__ import annotations

import pytest

from ftlab import data, domains, models

KINDS = (*domains.DOMAINS, "own")


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_on_two_sides(kind: str) -> None:
    parts = [set(domains.texts(kind, "rotten_tomatoes", split)) for split in data.SPLITS]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_the_seed_draws_the_order_and_the_count_is_kept() -> None:
    tokenizer = models.load_tokenizer("tiny-llama")

    def drawn(seed: int) -> list[list[int]]:
        return list(domains.blocks("manual", "toy", "train", tokenizer, 32, 10, seed)["input_ids"])

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(drawn(1)) == 10


def test_what_is_held_out_comes_from_test_texts() -> None:
    tokenizer = models.load_tokenizer("tiny-llama")
    found = domains.held_out(KINDS, "toy", tokenizer, 32, 4)
    assert set(found) == set(KINDS) and all(len(rows) == 4 for rows in found.values())
    assert found["own"]["input_ids"] == domains.blocks("own", "toy", "test", tokenizer, 32, 4, 0)["input_ids"]


def test_another_source_of_reviews_is_another_fingerprint() -> None:
    assert domains.fingerprint(KINDS, "toy") != domains.fingerprint(KINDS, "rotten_tomatoes")
    assert domains.fingerprint(["manual"], "toy") == domains.fingerprint(["manual"], "rotten_tomatoes")
