"""Masked words: hide some tokens of a text, and let an encoder predict them from both sides.

15 % of the tokens are chosen. Of these, 80 % become [MASK], 10 % a random token, 10 % stay as they are: the model
must look at every token, because it cannot know which ones will be asked. Devlin et al. 2019 (BERT), section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import BertForMaskedLM
from transformers.modeling_outputs import MaskedLMOutput

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IGNORED = -100  # a label that counts for nothing, in torch and transformers alike
CHOSEN, MASKED, RANDOM = 0.15, 0.8, 0.1  # shares: of all tokens, and of the chosen ones


class BertForMaskedWords(BertForMaskedLM):
    """BertForMaskedLM whose head runs on the asked positions only: one in seven, and the head is the costly part."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
    ) -> MaskedLMOutput:
        """Logits [batch, length, vocabulary] without `labels` [batch, length]; with them [asked, vocabulary].

        The loss is the sum over the asked positions, divided by `num_items_in_batch` (of the whole global batch), or
        by their number here.
        """
        hidden = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state
        if labels is None:
            return MaskedLMOutput(logits=self.cls(hidden))
        asked = labels != IGNORED
        logits = self.cls(hidden[asked])
        total = cross_entropy(logits, labels[asked], reduction="sum")
        return MaskedLMOutput(loss=total / (num_items_in_batch or max(1, int(asked.sum()))), logits=logits)


@dataclass(frozen=True)
class Hide:
    """Choose tokens, or whole words (all pieces of a word or none), and hide them."""

    tokenizer: PreTrainedTokenizerBase
    whole_words: bool = False

    def __call__(self, ids: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """`ids` [batch, length] with some hidden, and the labels: the true id where asked, IGNORED elsewhere."""
        unit = self._units(ids)
        chance, fate = (torch.rand(ids.shape, generator=generator).gather(1, unit) for _ in range(2))
        special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
        asked = (chance < CHOSEN) & ~special
        other = torch.randint(len(self.tokenizer), ids.shape, generator=generator)
        hidden = torch.where(asked & (fate < MASKED), self.tokenizer.mask_token_id, ids)
        hidden = torch.where(asked & (fate >= MASKED) & (fate < MASKED + RANDOM), other, hidden)
        return hidden, torch.where(asked, ids, IGNORED)

    def _units(self, ids: Tensor) -> Tensor:
        """For every position, the number of the word (or of the token) that shares one draw with it."""
        if not self.whole_words:
            return torch.arange(ids.shape[1]).expand_as(ids)
        pieces = self.tokenizer.convert_ids_to_tokens(ids.flatten().tolist())
        starts = torch.tensor([not piece.startswith("##") for piece in pieces]).view_as(ids)
        return (starts.cumsum(1) - 1).clamp(min=0)


@dataclass(frozen=True)
class Collator:
    """Rows of input_ids as a batch, hidden anew each time; rows that have labels were hidden before and stay so."""

    hide: Hide

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the rows."""
        return self.hide.tokenizer

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """input_ids, attention_mask and labels, each [batch, length]."""
        batch = {name: torch.tensor([row[name] for row in rows]) for name in ("input_ids", "labels") if name in rows[0]}
        if "labels" not in batch:
            batch["input_ids"], batch["labels"] = self.hide(batch["input_ids"])
        return {**batch, "attention_mask": torch.ones_like(batch["input_ids"])}


def hidden_once(rows: Dataset, hide: Hide, seed: int = 0) -> Dataset:
    """`rows` (input_ids of one length) hidden by `seed`, with labels: the same questions each time they are asked."""
    from datasets import Dataset

    generator = torch.Generator().manual_seed(seed)
    ids, labels = hide(torch.tensor(rows["input_ids"]), generator)
    return Dataset.from_dict({"input_ids": ids.tolist(), "labels": labels.tolist()})


def score(model: PreTrainedModel, rows: Dataset, batch_size: int = 32) -> dict[str, float]:
    """Loss (nats an asked token) and accuracy (share guessed right) on `rows` from hidden_once."""
    collate = Collator(None)  # type: ignore[arg-type]  # nothing is left to hide
    loss, right, asked = 0.0, 0, 0
    for start in range(0, len(rows), batch_size):
        batch = collate(rows.select(range(start, min(start + batch_size, len(rows)))).to_list())
        found = _predicted(model, batch)
        truth = batch["labels"][batch["labels"] != IGNORED]
        loss += float(cross_entropy(found, truth, reduction="sum"))
        right += int((found.argmax(dim=-1) == truth).sum())
        asked += len(truth)
    return {"loss": loss / asked, "accuracy": right / asked}


def _predicted(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Logits [asked, vocabulary] on the CPU, without dropout; the model stays in the mode it was in."""
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).logits.float().cpu()
    model.train(training)
    return logits


def fill(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, top: int = 5
) -> list[tuple[str, float]]:
    """The `top` likeliest words for the first [MASK] in `text`, with their probabilities.

    Raises CourseError when there is none.
    """
    if tokenizer.mask_token not in text:
        raise CourseError(f"There is no {tokenizer.mask_token} in {text!r}. Write it where a word is missing.")
    batch = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
    logits = _predicted(model, batch)
    (place,) = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0].tolist()
    best = logits[0, place].softmax(-1).topk(top)
    words = tokenizer.convert_ids_to_tokens(best.indices.tolist())
    return list(zip(words, best.values.tolist(), strict=True))
