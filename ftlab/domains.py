"""Kinds of text that a language model reads or is measured on: film reviews, a manual, and what it wrote itself."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ftlab import data, language, models

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

DOMAINS = ("reviews", "manual")
OWN = models.PRETRAINED / "general-english.jsonl"  # what SmolLM2 wrote: see ftlab/pretraining/english.py


def texts(kind: str, source: str, split: str) -> list[str]:
    """The texts of a kind in a split: 'reviews' (of `source`), 'manual' (of Python), or 'own' (written by SmolLM2)."""
    if kind == "manual":
        return data.manual(split)
    if kind == "own":
        return _own(split)
    return list(data.reviews(source, split)["text"])


def _own(split: str) -> list[str]:
    written = [json.loads(line)["text"] for line in OWN.read_text(encoding="utf-8").splitlines()]
    return [text for text in written if data.split_of(text) == split]


def blocks(
    kind: str, source: str, split: str, tokenizer: PreTrainedTokenizerBase, length: int, count: int, seed: int
) -> Dataset:
    """The first `count` blocks (or fewer, where the texts end) of the texts in the order that `seed` draws."""
    found = texts(kind, source, split)
    random.Random(seed).shuffle(found)
    return language.blocks(found, tokenizer, length, count)


def held_out(
    kinds: Iterable[str], source: str, tokenizer: PreTrainedTokenizerBase, length: int, count: int
) -> dict[str, Dataset]:
    """`count` blocks of test texts of each kind: the same for all seeds."""
    return {kind: blocks(kind, source, "test", tokenizer, length, count, seed=0) for kind in kinds}


def fingerprint(kinds: Iterable[str], source: str) -> str:
    """A short hash of the training and test texts of these kinds."""
    return data.text_fingerprint(
        text for kind in kinds for split in ("train", "test") for text in texts(kind, source, split)
    )
