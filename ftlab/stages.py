"""The stages before people's feedback: a decoder reads unlabelled text, then imitates demonstrations.

Self-supervised: every next token of plain text is a question with its answer. Supervised: the same loss, but only on
what a person would want after a prompt. Ouyang et al. 2022 (InstructGPT), section 3.1; Gururangan et al. 2020 (Don't
Stop Pretraining), section 3.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftlab import adapters, data, language, policies, training
from ftlab.models import Loaded

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from ftlab.hardware import Hardware
    from ftlab.policies import Policy

IGNORED = -100  # the label of a token that is no target


def read(
    policy: Policy, blocks: Dataset, held_out: Dataset, config: training.TrainingConfig, hardware: Hardware
) -> Policy:
    """The policy that comes of learning every next token of `blocks` (rows of input_ids)."""
    return _learned(policy, blocks, held_out, language.Collator, config, hardware)


def imitate(
    policy: Policy, shown: Dataset, held_out: Dataset, config: training.TrainingConfig, hardware: Hardware
) -> Policy:
    """The policy that comes of learning to go on as `shown` (rows of `demonstrations`) does."""
    return _learned(policy, shown, held_out, Collator, config, hardware)


def _learned(
    policy: Policy, rows: Dataset, held_out: Dataset, collator: Any, config: training.TrainingConfig, hardware: Hardware
) -> Policy:
    """Where the training ends, the new policy begins: that is its reference. The old one stays as it is."""
    task = training.Task(prepare=lambda some, *_: some, collator=collator, metrics=None, shares_loss=True)
    before = Loaded(policy.model, policy.tokenizer)
    trained = training.fit(lambda: copy.deepcopy(before), rows, held_out, None, config, hardware, task)
    model = trained.trainer.model.eval()
    if policy.start is None:  # an adapter: what it learned goes into the weights, and a new one is put beside them
        return policies.begin(adapters.merged(model), policy.tokenizer, "lora")
    return policies.begin(model, policy.tokenizer, "full")


def demonstrations(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, prompt_tokens: int, max_length: int
) -> Dataset:
    """Texts as prompt and continuation: rows of input_ids and labels, as many of each, unpadded.

    The first `prompt_tokens` tokens are the prompt, which is not learned; an end token stands behind the text, and what
    is longer than `max_length` tokens is cut. Texts that end within the prompt are left out.
    """
    from datasets import Dataset

    found = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    rows = [[*row, tokenizer.eos_token_id][:max_length] for row in found if len(row) > prompt_tokens]
    labels = [[IGNORED] * prompt_tokens + row[prompt_tokens:] for row in rows]
    return Dataset.from_dict({"input_ids": rows, "labels": labels})


class Collator:
    """Demonstrations as a batch, padded at the right; padding is no target."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """input_ids, attention_mask and labels, each [batch, longest]."""
        import torch

        longest = max(len(row["input_ids"]) for row in rows)

        def padded(name: str, value: int) -> Tensor:
            return torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])

        ids = padded("input_ids", self.tokenizer.pad_token_id)
        lengths = torch.tensor([[len(row["input_ids"])] for row in rows])
        there = (torch.arange(longest)[None] < lengths).long()
        return {"input_ids": ids, "attention_mask": there, "labels": padded("labels", IGNORED)}


def liked(source: str, split: str, count: int, seed: int) -> list[str]:
    """The first `count` positive reviews of a split, in the order of the seed: what people would want to read."""
    rows = data.reviews(source, split)
    positive = data.LABELS.index("positive")
    found = [text for text, label in zip(rows["text"], rows["label"], strict=True) if label == positive]
    random.Random(seed).shuffle(found)
    return found[:count]
