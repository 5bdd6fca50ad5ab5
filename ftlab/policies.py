"""A policy: a decoder that goes on with the first words of a review; what it writes, and how likely that was.

A completion is what the policy adds to a prompt, as token ids; its log-probability is the sum over its tokens. Our GPT
has read reviews and nothing else, so it is what others call the SFT model: learning from preferences starts from it,
and it stays the reference from which divergence is measured.
"""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ftlab import adapters, completions, data, models
from ftlab.completions import Tokens
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS_AT_ONCE = 256  # completions that are drawn side by side
RANK = 16  # of a LoRA policy
UNREAD = ("validation", "test")  # splits of the reviews that our GPT and the gold judge have never seen


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A decoder to train, its tokenizer, and how it was at the start."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    start: PreTrainedModel | None  # a frozen copy; None where the model can put its adapter aside instead

    @contextmanager
    def reference(self) -> Iterator[PreTrainedModel]:
        """The policy as it was before any training."""
        if self.start is not None:
            yield self.start
        else:
            with self.model.disable_adapter():
                yield self.model


class Written(NamedTuple):
    """What a policy wrote: a prompt's completions stand one after another."""

    prompts: list[str]
    completions: list[str]  # each with its own leading space; '' where the policy ended at once
    tokens: Tokens

    @property
    def texts(self) -> list[str]:
        """Prompt and completion together, as a reader sees them."""
        return [prompt + completion for prompt, completion in zip(self.prompts, self.completions, strict=True)]


def load(name: str = "gpt-reviews", method: str = "full", seed: int = 0, device: str = "cpu") -> Policy:
    """The policy of that model: all its weights to train (method full), or an adapter beside them (lora)."""
    model, tokenizer = models.decoder(name, seed=seed)
    prepare(tokenizer)
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return begin(model.to(device).eval(), tokenizer, method)


def begin(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, method: str) -> Policy:
    """A policy that begins where `model` is now, which is its reference from then on; `method` is as in `load`."""
    if method == "lora":
        return Policy(
            model=adapters.adapt(model, "lora", rank=RANK, targets="all", task="CAUSAL_LM"),
            tokenizer=tokenizer,
            start=None,
        )
    return Policy(model=model, tokenizer=tokenizer, start=copy.deepcopy(model).requires_grad_(False))


def prepare(tokenizer: Any) -> None:
    """Give the tokenizer an end and a padding token, and take from a tiny BERT's the frame of [CLS] and [SEP]."""
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.sep_token
        tokenizer.backend_tokenizer.post_processor = None
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "left"


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of that model's policy, without the model."""
    tokenizer = models.load_tokenizer(name)
    prepare(tokenizer)
    return tokenizer


def prompts(
    source: str, split: str, tokenizer: PreTrainedTokenizerBase, tokens: int, count: int | None, seed: int = 0
) -> list[str]:
    """The first words of `count` reviews (None: all there are), in the order of the seed, of exactly `tokens` tokens.

    They come from reviews that the policy has never read. The split (train 80 %, validation and test 10 % each) follows
    from the prompt itself, so no prompt is in two. All have one length, so none needs padding: trl forgets to tell
    GPT-2 where padded ones begin. Raises CourseError where there are fewer.
    """
    found = [text for text in _beginnings(source, tokenizer, tokens) if data.split_of(text) == split]
    random.Random(seed).shuffle(found)
    if len(found) < (needed := 1 if count is None else count):
        raise CourseError(
            f"{needed} prompts of {tokens} tokens were asked for, and {source} has {len(found)} for {split!r}. "
            "Ask for fewer, or for several completions a prompt."
        )
    return found[:count]


@functools.lru_cache(maxsize=2)
def _beginnings(source: str, tokenizer: PreTrainedTokenizerBase, tokens: int) -> tuple[str, ...]:
    """The first `tokens` tokens of each unread review, where a word ends there; each once.

    Kept for as long as the same tokenizer asks, since every split and every count needs all of them.
    """
    short = [text[: 20 * tokens] for part in UNREAD for text in data.reviews(source, part)["text"]]
    offsets = tokenizer(short, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [spans[tokens - 1][1] if len(spans) > tokens else 0 for spans in offsets]
    cut = [text[:end] for text, end in zip(short, ends, strict=True) if end and text[end : end + 1] == " "]
    lengths = map(len, tokenizer(cut, add_special_tokens=False)["input_ids"]) if cut else ()
    return tuple(dict.fromkeys(text for text, length in zip(cut, lengths, strict=True) if length == tokens))


def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    tokens: int,
    n: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
) -> Written:
    """`n` completions of each prompt, of at most `tokens` tokens, drawn from the model's own distribution.

    Nothing is cut from that distribution, so log-probabilities are those of the drawing (at temperature 1). Other
    random draws are left alone. Raises CourseError for an empty prompt, or one that leaves no room in the model's
    context.
    """
    asked = [prompt for prompt in prompts for _ in range(n)]
    ids = completions.ids_of(tokenizer, asked, "prompt")
    completions.require_room(model, asked, [len(row) + tokens for row in ids])
    begun = completions.padded(ids, tokenizer.pad_token_id, left=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        parts = zip(*(tensor.split(ROWS_AT_ONCE) for tensor in begun), strict=True)
        drawn = torch.cat([_drawn(model, tokenizer, part, tokens, temperature) for part in parts])
    found = completions.behind(*begun, drawn, tokenizer.eos_token_id)
    return Written(asked, completions.texts(tokenizer, found), Tokens(*(tensor.to(model.device) for tensor in found)))


def _drawn(
    model: Any, tokenizer: PreTrainedTokenizerBase, begun: tuple[Tensor, Tensor], tokens: int, temperature: float
) -> Tensor:
    """What the model adds: int64 [rows, tokens], on the CPU, padded behind the end token."""
    ids, seen = (tensor.to(model.device) for tensor in begun)
    drawn = model.generate(
        input_ids=ids,
        attention_mask=seen,
        max_new_tokens=tokens,
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        use_cache=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )[:, ids.shape[1] :].cpu()
    missing = tokens - drawn.shape[1]  # where every row ended early
    return torch.nn.functional.pad(drawn, (0, missing), value=tokenizer.pad_token_id)
