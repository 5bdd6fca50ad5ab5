"""Completions as token ids: what a policy added to a prompt, and how likely each of its tokens was.

The log-probability of a completion is the sum over its tokens, each given the prompt and all tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Tokens(NamedTuple):
    """Prompts and completions as ids, [rows, P + C]: prompts are padded at the left, completions at the right.

    So every completion begins in the same column. A completion ends with its end token, or where it was cut.
    """

    ids: Tensor  # int64 [rows, P + C]
    seen: Tensor  # int64 [rows, P + C]: 1 where there is a token, 0 where there is padding
    mask: Tensor  # bool [rows, C]: true at the tokens of the completion, its end token included

    def rows(self, which: slice | Tensor) -> Tokens:
        """Some of the rows."""
        return Tokens(self.ids[which], self.seen[which], self.mask[which])

    @property
    def completions(self) -> Tensor:
        """The completions alone: int64 [rows, C]."""
        return self.ids[:, -self.mask.shape[1] :]


def encode(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    completions: Sequence[str],
    end: bool = False,
) -> Tokens:
    """Texts as tokens, an end token behind each completion where `end` says so.

    Raises CourseError for an empty prompt or completion, or where both together do not fit the model's context.
    """
    before, after = ids_of(tokenizer, prompts, "prompt"), ids_of(tokenizer, completions, "completion")
    if end:
        after = [[*row, tokenizer.eos_token_id] for row in after]
    require_room(model, prompts, [len(a) + len(b) for a, b in zip(before, after, strict=True)])
    (ids, seen), (new, there) = (
        padded(rows, tokenizer.pad_token_id, left) for rows, left in ((before, True), (after, False))
    )
    found = Tokens(torch.cat([ids, new], dim=1), torch.cat([seen, there], dim=1), there.bool())
    return Tokens(*(tensor.to(model.device) for tensor in found))


def ids_of(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], what: str) -> list[list[int]]:
    """The ids of each text. Raises CourseError where one has none."""
    found = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    if empty := [number for number, row in enumerate(found, 1) if not row]:
        raise CourseError(f"{what.capitalize()} {empty[0]} of {len(texts)} is empty. Leave it out, or write something.")
    return found


def require_room(model: PreTrainedModel, prompts: Sequence[str], lengths: Sequence[int]) -> None:
    """Raise CourseError where a prompt and its completion are longer than what the model can read."""
    most = getattr(model.config, "max_position_embeddings", None)
    if most and lengths and max(lengths) > most:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        raise CourseError(
            f"A prompt and its completion have {lengths[longest]} tokens, and this model reads {most} at most. Shorten "
            f"the prompt or ask for fewer tokens: {prompts[longest][:60]!r}..."
        )


def padded(rows: Sequence[Sequence[int]], pad: int, left: bool) -> tuple[Tensor, Tensor]:
    """Ids and ones where there is one: int64 [rows, longest] each."""
    longest = max(map(len, rows), default=0)

    def filled(row: Sequence[int], value: int) -> list[int]:
        padding = [value] * (longest - len(row))
        return [*padding, *row] if left else [*row, *padding]

    ids = torch.tensor([filled(row, pad) for row in rows], dtype=torch.long)
    return ids, torch.tensor([filled([1] * len(row), 0) for row in rows], dtype=torch.long)


def behind(prompt_ids: Tensor, prompt_seen: Tensor, drawn: Tensor, end: int) -> Tokens:
    """Prompts and what was drawn behind them; a completion's first end token is its last."""
    ends = drawn == end
    mask = ends.cumsum(dim=1) - ends.long() == 0
    return Tokens(torch.cat([prompt_ids, drawn], dim=1), torch.cat([prompt_seen, mask.long()], dim=1), mask)


def texts(tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> list[str]:
    """The completions as text: what the ids add to the text of the prompt, spaces included."""
    width = tokens.mask.shape[1]
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    rows = [row[seen.bool()].tolist() for row, seen in zip(tokens.ids, tokens.seen, strict=True)]
    counts = tokens.seen[:, :-width].sum(dim=1).tolist()
    heads = tokenizer.batch_decode([row[:count] for row, count in zip(rows, counts, strict=True)], **options)
    whole = tokenizer.batch_decode(rows, **options)
    return [text[len(head) :] for head, text in zip(heads, whole, strict=True)]


def logits(model: PreTrainedModel, tokens: Tokens) -> Tensor:
    """The logits that predict each token of the completions: float32 [rows, C, vocabulary]."""
    found = model(**inputs(tokens), logits_to_keep=tokens.mask.shape[1] + 1).logits
    return found[:, :-1].float()


def inputs(tokens: Tokens) -> dict[str, Tensor]:
    """What the model is called with. Positions count from a prompt's first token, padding aside."""
    positions = (tokens.seen.cumsum(dim=1) - 1).clamp(min=0)
    return {"input_ids": tokens.ids, "attention_mask": tokens.seen, "position_ids": positions}


def picked(logits: Tensor, tokens: Tokens) -> Tensor:
    """From logits [rows, C, vocabulary] the log-probability of each completion's tokens, 0 at padding: [rows, C]."""
    chosen = logits.log_softmax(dim=-1).gather(-1, tokens.completions.unsqueeze(-1)).squeeze(-1)
    return chosen.masked_fill(~tokens.mask, 0.0)


def log_probs(model: PreTrainedModel, tokens: Tokens) -> Tensor:
    """The log-probability (nats) of each token of the completions, 0 at padding: float32 [rows, C], with gradient.

    Its sum over a row is the log-probability of that completion, given its prompt.
    """
    return picked(logits(model, tokens), tokens)
