"""The hidden gold judge: what people would say, in a world small enough to know it.

A classifier of reviews stands for the people. It labels the pairs, and it measures what came of them; between the two,
nothing that learns may ask it. So learning to please a reward model can be told from writing what is better (Gao et al.
2023, Scaling Laws for Reward Model Overoptimization, section 2). It learned from the training split of the reviews,
with their labels; no prompt is cut from that split. (Our GPT has read the same reviews, without labels.)

Its reward is the log-odds of 'positive', log p/(1-p), and not p. Bradley and Terry's model of a choice adds and
subtracts on that scale, so the reward that a model can learn from choices is this one, up to a constant; and p comes so
close to 1 that among good texts nothing would be left to gain.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ftlab import divergence, models, policies
from ftlab.labellers import bradley_terry
from ftlab.preferences import Pair

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ftlab.policies import Policy, Written

NAME = "gold-judge"  # in ftlab/pretrained; made by `ftlab pretrain gold-judge`
TEXTS_AT_ONCE = 64
LONGEST = 64  # tokens of a text that it reads


@dataclass(frozen=True)
class Judge:
    """A classifier of two labels, 1 for positive, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def score(self, texts: Sequence[str]) -> list[float]:
        """For each text (prompt and completion together) the log-odds that it is positive; 0 is undecided."""
        found: list[float] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = list(texts[start : start + TEXTS_AT_ONCE])
            batch = self.tokenizer(some, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
            with torch.no_grad():
                logits = self.model(**batch.to(self.model.device)).logits.float()
            found += (logits[:, 1] - logits[:, 0]).tolist()  # log p1/p0: what a softmax divides by cancels out
        return found

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """The same, called as a reward model is (ftlab/rewards.py)."""
        return self.score([prompt + completion for prompt, completion in zip(prompts, completions, strict=True)])


class Look(NamedTuple):
    """What was measured at one moment, and the completions that it was measured on."""

    metrics: dict[str, float]
    written: Written


def judge(name: str = NAME, device: str = "cpu") -> Judge:
    """The gold judge; or another classifier of two labels: tiny-bert (random weights), a folder, or a Hub id."""
    model, tokenizer = models.encoder("minilm" if name == NAME else name, labels=2)
    if name == NAME:
        model = _with_adapter(model)
    return Judge(model.to(device).eval(), tokenizer)


def _with_adapter(model: PreTrainedModel) -> PreTrainedModel:
    """`model` with the judge's adapter merged into its weights, and its head on top."""
    from peft import PeftModel
    from safetensors.torch import load_file

    folder = models.PRETRAINED / NAME
    merged: Any = PeftModel.from_pretrained(model, folder).merge_and_unload()
    head = {name: tensor.float() for name, tensor in load_file(folder / "head.safetensors").items()}
    assert not merged.load_state_dict(head, strict=False).unexpected_keys
    return merged


def version(name: str = NAME) -> str:
    """A short hash of the judge's own weights, so that a run knows whom it asked; for others, models.version."""
    if name != NAME:
        return models.version(name)
    files = sorted((models.PRETRAINED / NAME).glob("*.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def ask(
    policy: Policy, judge: Judge, prompts: Sequence[str], tokens: int, count: int, temperature: float, seed: int
) -> list[Pair]:
    """`count` pairs of completions that the policy wrote as it was at the start, labelled by the judge.

    Every prompt is used before one is used again. A few pairs less come back where both completions were the same.
    """
    rounds = math.ceil(count / len(prompts))
    with policy.reference() as reference:
        written = policies.sample(reference, policy.tokenizer, prompts[:count], tokens, n=2 * rounds, seed=seed)
    return preferences(written, judge.score(written.texts), temperature, seed)[:count]


def preferences(written: Written, rewards: Sequence[float], temperature: float, seed: int) -> list[Pair]:
    """Completions as pairs, the first two of a prompt, the next two, and so on, with labels drawn from their rewards.

    `written` has an even number of completions a prompt. The labels are those of labellers.bradley_terry at that
    `temperature` (log-odds). A pair that says twice the same or has an empty side is left out: nobody could compare it.
    """
    left = bradley_terry(rewards[::2], rewards[1::2], temperature, np.random.default_rng(seed))
    rows = zip(written.prompts[::2], written.completions[::2], written.completions[1::2], left, strict=True)
    return [
        Pair(prompt, *((one, other) if first else (other, one)))
        for prompt, one, other, first in rows
        if one != other and one.strip() and other.strip()
    ]


def look(policy: Policy, judge: Judge, prompts: Sequence[str], tokens: int, seed: int) -> Look:
    """One completion of each prompt, judged and compared with what the reference would have written.

    gold_reward is a mean log-odds, positive_share the part above 0, kl the divergence in nats a completion (see
    ftlab/divergence.py; kl_k1 is the noisier estimate that training uses), distinct_share how many pairs of
    neighbouring words are not repeats (Li et al. 2016, section 5.1), completion_tokens a mean.
    """
    written = policies.sample(policy.model, policy.tokenizer, prompts, tokens, seed=seed)
    rewards = judge.score(written.texts)
    whole, drawn = divergence.whole_and_k1(policy, written.tokens)
    metrics = {
        "gold_reward": fmean(rewards),
        "positive_share": fmean(reward > 0 for reward in rewards),
        "kl": float(whole.mean()),
        "kl_k1": float(drawn.mean()),
        "distinct_share": distinct(written.completions),
        "completion_tokens": float(written.tokens.mask.sum(dim=1).float().mean()),
    }
    return Look(metrics, written)


def distinct(texts: Sequence[str]) -> float:
    """The part of all pairs of neighbouring words in these texts that is no repeat; 0 where there is no pair."""
    words = [text.split() for text in texts]
    pairs = [pair for row in words for pair in itertools.pairwise(row)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0
