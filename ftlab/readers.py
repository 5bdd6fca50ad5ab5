"""Two kinds of language model behind one face: what is this text worth, and how does it go on?

A causal model (GPT, LLaMA) has seen only what stands before a token; a masked one (BERT) sees both sides of it.
Salazar et al. 2020 (Masked Language Model Scoring), section 2: the pseudo-log-likelihood of a masked model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from ftlab import models
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENS_AT_ONCE = 2048  # in one forward pass; more is no faster on a CPU and needs more memory
TOP = 50  # a token to write is drawn among so many


class Cloze(NamedTuple):
    """A text in three parts; the middle one is what is asked about."""

    before: str
    answer: str
    after: str = ""

    @property
    def text(self) -> str:
        """The parts together."""
        return self.before + self.answer + self.after


class Reader(Protocol):
    """What both kinds of model offer here."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def log_likelihood(self, clozes: Sequence[Cloze]) -> list[float]:
        """For each, the natural logarithm of the probability of its answer in its place; higher is likelier."""

    def write(self, beginnings: Sequence[str], tokens: int, sample: bool = False) -> list[str]:
        """What the model adds to each beginning: the likeliest token at a time, or, with `sample`, a drawn one."""


def reader(family: Literal["bert", "gpt", "llama"], name: str, device: str = "cpu", seed: int = 0) -> Reader:
    """Model `name` (of models.ENCODERS or DECODERS, a folder or a Hub id) as a member of its family."""
    loaded = models.masked_encoder(name, seed=seed) if family == "bert" else models.decoder(name, seed=seed)
    kind = Masked if family == "bert" else Causal
    return kind(loaded.model.to(device).eval(), loaded.tokenizer)


class _Loaded:
    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        self.model, self.tokenizer = model, tokenizer

    def _log_probabilities(self, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> list[Tensor]:
        """For each row of ids, float32 [its places, vocabulary]: the head runs at these places alone."""
        found: list[Tensor] = []
        for start, some in _batches(rows):
            length = max(map(len, some))
            ids = torch.tensor([[*row, *[self.tokenizer.pad_token_id] * (length - len(row))] for row in some])
            mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in some])
            asked = places[start : start + len(some)]
            with torch.no_grad():
                hidden = self.model.base_model(
                    ids.to(self.model.device), attention_mask=mask.to(self.model.device)
                ).last_hidden_state
                wanted = torch.cat([row[list(which)] for row, which in zip(hidden, asked, strict=True)])
                logits = self._head(wanted).float().cpu()
            found += logits.log_softmax(-1).split([len(which) for which in asked])
        return found

    def _head(self, hidden: Tensor) -> Tensor:
        """Logits [places, vocabulary] from hidden states [places, width]."""
        raise NotImplementedError

    def _tokens(self, cloze: Cloze, to_the_end: bool) -> tuple[list[int], list[int]]:
        """The ids of the text, and the places of the answer's tokens (or of all from the answer on).

        Raises CourseError when the text is longer than the model can read.
        """
        found = self.tokenizer(cloze.text, return_offsets_mapping=True)
        count, most = len(found["input_ids"]) + 1, self.model.config.max_position_embeddings
        if count > most:
            raise CourseError(f"A text has {count} tokens, but this model reads {most} at most: {cloze.text[:60]!r}...")
        start = len(cloze.before.rstrip())  # a byte-level token holds the space before its word
        end = len(cloze.text) if to_the_end else len(cloze.before) + len(cloze.answer)
        spans = enumerate(found["offset_mapping"])
        return found["input_ids"], [place for place, (a, b) in spans if a < b and b > start and a < end]


class Causal(_Loaded):
    """GPT and LLaMA: each token from those before it."""

    def log_likelihood(self, clozes: Sequence[Cloze]) -> list[float]:
        """log P(answer and all that follows it | what stands before); so a clue behind the gap counts too."""
        rows, places = zip(*(self._tokens(cloze, to_the_end=True) for cloze in clozes), strict=True)
        # With the start token in front, what is at place i predicts token i.
        scored = self._log_probabilities([[self._start(), *row] for row in rows], places)
        return [
            float(scores[range(len(asked)), [row[place] for place in asked]].sum())
            for scores, row, asked in zip(scored, rows, places, strict=True)
        ]

    def _head(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.model.get_output_embeddings()(hidden)
        return logits

    def _start(self) -> int:
        """The token that a text of this model begins with, or else the one that ends the text before it."""
        known = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.cls_token_id)
        return int(next(token for token in known if token is not None))

    def write(self, beginnings: Sequence[str], tokens: int, sample: bool = False) -> list[str]:
        """See Reader. All beginnings are continued side by side; each text ends where its model ends it."""
        self.tokenizer.padding_side = "left"  # so that all continuations begin at the same place
        batch = self.tokenizer(list(beginnings), padding=True, return_tensors="pt", return_token_type_ids=False)
        drawn = self.model.generate(
            **batch.to(self.model.device),
            max_new_tokens=tokens,
            do_sample=sample,
            top_k=TOP if sample else None,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        new = drawn[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in self.tokenizer.batch_decode(new, skip_special_tokens=True)]


class Masked(_Loaded):
    """BERT: a hidden token from everything around it."""

    def log_likelihood(self, clozes: Sequence[Cloze]) -> list[float]:
        """The pseudo-log-likelihood: each token of the answer is hidden in turn, and their logarithms are added."""
        asked = [
            (owner, row, place)
            for owner, cloze in enumerate(clozes)
            for row, places in [self._tokens(cloze, to_the_end=False)]
            for place in places
        ]
        hidden = [[*row[:place], self.tokenizer.mask_token_id, *row[place + 1 :]] for _, row, place in asked]
        found = [0.0] * len(clozes)
        scored = self._log_probabilities(hidden, [[place] for _, _, place in asked])
        for scores, (owner, row, place) in zip(scored, asked, strict=True):
            found[owner] += float(scores[0, row[place]])
        return found

    def _head(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.model.cls(hidden)
        return logits

    def write(self, beginnings: Sequence[str], tokens: int, sample: bool = False) -> list[str]:
        """See Reader. Not what it was made for: a hidden word is put at the end, guessed, and so on."""
        rows = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in beginnings]
        begun = [len(row) for row in rows]
        head, tail = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        never = self.tokenizer.all_special_ids
        for _ in range(tokens):
            asked = [[head, *row, self.tokenizer.mask_token_id, tail] for row in rows]
            guesses = self._log_probabilities(asked, [[len(row) - 2] for row in asked])
            for row, scores in zip(rows, guesses, strict=True):
                scores[0, never] = -torch.inf
                row.append(_pick(scores[0], sample))
        return [self.tokenizer.decode(row[start:]).strip() for row, start in zip(rows, begun, strict=True)]


def attention(reader: Reader, text: str) -> Tensor:
    """How much each token looks at each other: float32 [tokens, tokens], rows add up to 1; all layers and heads."""
    ids = torch.tensor([reader.tokenizer(text)["input_ids"]], device=reader.model.device)
    usual = reader.model.config._attn_implementation
    reader.model.set_attn_implementation("eager")  # the only one that gives its weights away
    with torch.no_grad():
        layers = reader.model.base_model(ids, output_attentions=True).attentions
    reader.model.set_attn_implementation(usual)
    return torch.stack(layers).float().mean(dim=(0, 1, 2)).cpu()


def _batches(rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, Sequence[Sequence[int]]]]:
    """Where a batch begins and its rows: neighbours, so many that they have about TOKENS_AT_ONCE tokens, padded."""
    size = max(1, TOKENS_AT_ONCE // max(map(len, rows), default=1))
    for start in range(0, len(rows), size):
        yield start, rows[start : start + size]


def _pick(scores: Tensor, sample: bool) -> int:
    """The likeliest token, or one drawn among the TOP likeliest."""
    best = scores.topk(TOP if sample else 1)
    return int(best.indices[torch.multinomial(best.values.softmax(-1), 1)])
