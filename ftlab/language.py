"""Text as a language model sees it: blocks of tokens, and how unsure a model is of the next one.

A causal model (GPT, LLaMA) predicts each next token, a masked one (BERT) the hidden ones. Either is measured on
held-out text by its loss in nats a predicted token; perplexity is the exponential of that loss.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS_AT_ONCE = 256  # that are turned into tokens; more is no faster


def blocks(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, length: int, count: int | None = None) -> Dataset:
    """The texts one after another, an end token behind each, cut into rows of exactly `length` token ids.

    The column is input_ids. Where the tokenizer has the frame of an encoder ([CLS] ... [SEP]), every row has it. The
    last, shorter piece is left out, and what comes after `count` rows. Raises CourseError when no row is full.
    """
    from datasets import Dataset

    before = [tokenizer.cls_token_id] if tokenizer.cls_token_id is not None else []
    end = tokenizer.eos_token_id if not before else tokenizer.sep_token_id
    after = [end] if before else []
    room = length - len(before) - len(after)
    ids = itertools.chain.from_iterable([*row, end] for row in _encoded(texts, tokenizer))
    full = (row for row in iter(lambda: list(itertools.islice(ids, room)), []) if len(row) == room)
    rows = [before + row + after for row in itertools.islice(full, count)]
    if not rows:
        raise CourseError(f"The texts together are shorter than one block of {length} tokens. Give more text.")
    return Dataset.from_dict({"input_ids": rows})


def _encoded(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    """The ids of each text, some texts at a time, so that nobody waits for those that no block needs."""
    rest = iter(texts)
    while some := list(itertools.islice(rest, TEXTS_AT_ONCE)):
        yield from tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]


def perplexity(loss: float) -> float:
    """e to the loss (nats a token): as unsure as a choice among so many equally likely tokens."""
    return math.exp(loss)


class Collator:
    """Blocks as a batch for a causal model: its labels are its inputs, and it shifts them by one itself."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """input_ids, attention_mask and labels, each [batch, length]."""
        import torch

        ids = torch.tensor([row["input_ids"] for row in rows])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.clone()}


def loss(model: PreTrainedModel, rows: Dataset, batch_size: int = 8) -> float:
    """The mean loss (nats a token) of a causal model on blocks, each token predicted from those before it."""
    import torch

    total = 0.0
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            ids = torch.tensor(rows[start : start + batch_size]["input_ids"], device=model.device)
            total += float(model(input_ids=ids, labels=ids).loss) * len(ids)
    return total / len(rows)
