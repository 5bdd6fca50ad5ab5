"""The ground that runs on preferences share: a policy, prompts, pairs of its completions with labels, and a judge.

The labels are always simulated here: the gold judge takes the place of people and chooses as Bradley and Terry's model
says (ftlab/gold.py), and some labels can be turned round on purpose. What people chose can be learned from too: see
ftlab/preferences.py.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from ftlab import data, gold, models, policies
from ftlab.config import Count, RunConfig, Share, Strength
from ftlab.hardware import Stopwatch
from ftlab.policies import Policy
from ftlab.preferences import Pair

SHOWN = 8  # completions that are kept to be read
SMOKE: Mapping[str, Any] = {  # of FeedbackConfig, in the smoke profile of every runner that has it
    "model": "tiny-llama",
    "judge": "tiny-bert",
    "source": "toy",
    "prompt_tokens": 5,
    "completion_tokens": 6,
    "train_prompts": 16,
    "validation_prompts": 4,
    "test_prompts": 4,
}


@dataclass(frozen=True, kw_only=True)
class PromptsConfig(RunConfig):
    """What is written about and who judges: all that texts and labels depend on."""

    model: str = "gpt-reviews"  # the policy: a decoder
    judge: str = gold.NAME  # who labels and measures: gold-judge, or a classifier of two labels by folder or Hub id
    source: str = "imdb"  # where the first words come from: imdb, rotten_tomatoes, toy, a folder, or a Hub id
    prompt_tokens: Count = 8  # tokens of a prompt, the first ones of a review
    completion_tokens: Count = 24  # tokens that are written after it, at most
    train_prompts: Count = 1536  # prompts with a pair to learn from
    validation_prompts: Count = 128  # prompts with a pair to watch the training on
    temperature: Strength = 0.5  # of the simulated labeller, in log-odds; higher misses more, 0 nothing


@dataclass(frozen=True, kw_only=True)
class FeedbackConfig(PromptsConfig):
    """Pairs to learn from, and how what was learned is measured. See PromptsConfig for the other fields."""

    method: Literal["full", "lora"] = "full"  # which of the policy's weights are trained
    turned: Share = 0.0  # part of the training pairs whose label is turned round
    test_prompts: Count = 256  # held-out prompts on which the policy writes and is judged


class Pairs(NamedTuple):
    """Pairs to learn from, and others to watch the learning on."""

    train: list[Pair]
    validation: list[Pair]


def policy(config: FeedbackConfig, device: str) -> Policy:
    """The policy before any feedback."""
    return policies.load(config.model, config.method, config.seed, device)


@functools.lru_cache(maxsize=1)
def judge(name: str, device: str) -> gold.Judge:
    """The judge of that name: read once for all runs of a process."""
    return gold.judge(name, device)


def pairs(config: FeedbackConfig, device: str) -> Pairs:
    """One pair a prompt that the model itself wrote; a share `turned` of the training labels is wrong on purpose.

    With another `turned`, or other settings of the training, only that differs: texts and choices stay the same.
    """
    shared = {field.name: getattr(config, field.name) for field in fields(PromptsConfig)}
    train, validation = _simulated(PromptsConfig(**shared), device)
    wrong = set(random.Random(config.seed).sample(range(len(train)), round(config.turned * len(train))))
    turned = [pair.turned() if number in wrong else pair for number, pair in enumerate(train)]
    return Pairs(turned, list(validation))


@functools.lru_cache(maxsize=1)
def _simulated(config: PromptsConfig, device: str) -> Pairs:
    """The pairs with no label turned; those of the run before serve again where nothing in them changed."""
    writer = policies.load(config.model, seed=config.seed, device=device)
    counts = {"train": config.train_prompts, "validation": config.validation_prompts}
    return Pairs(*(labelled(writer, config, split, count, device) for split, count in counts.items()))


def labelled(policy: Policy, config: PromptsConfig, split: str, count: int, device: str) -> list[Pair]:
    """Two completions of each of `count` prompts of the split, drawn from the policy as it is now, and which of them a
    labeller of this temperature likes better."""
    asked = policies.prompts(config.source, split, policy.tokenizer, config.prompt_tokens, count, config.seed)
    written = policies.sample(policy.model, policy.tokenizer, asked, config.completion_tokens, n=2, seed=config.seed)
    rewards = judge(config.judge, device).score(written.texts)
    return gold.preferences(written, rewards, config.temperature, config.seed)


def look(policy: Policy, config: FeedbackConfig, device: str) -> gold.Look:
    """How good the policy is on the held-out prompts, which are the same for all seeds: see gold.look."""
    asked = test_prompts(config.model, config.source, config.prompt_tokens, config.test_prompts)
    return gold.look(policy, judge(config.judge, device), asked, config.completion_tokens, config.seed)


@functools.lru_cache(maxsize=1)
def test_prompts(model: str, source: str, tokens: int, count: int) -> list[str]:
    """The held-out prompts, as `model` counts tokens: found once, since all reviews are cut into tokens for it."""
    return policies.prompts(source, "test", policies.load_tokenizer(model), tokens, count)


class Looks:
    """Looks at a policy on its way: a row for each, with the seconds of learning until then and what was measured.

    Learning begins when this is made. The looks themselves take no time from it. There are `count` of them in `steps`
    steps, evenly spread; the last one, at the last step, is kept whole.
    """

    last: gold.Look

    def __init__(self, measure: Callable[[], gold.Look], steps: int, count: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._measure, self._clock, self._looking = measure, Stopwatch(), 0.0
        self._at = {math.ceil(steps * number / count) for number in range(1, count + 1)}

    def __call__(self, step: int) -> None:
        """Look, if it is time to."""
        if step in self._at:
            seconds, began = self.seconds, self._clock.seconds
            self.last = self._measure()
            self.rows.append({"step": step, "seconds": seconds, **self.last.metrics})
            self._looking += self._clock.seconds - began

    @property
    def seconds(self) -> float:
        """Seconds of learning so far."""
        return self._clock.seconds - self._looking


def samples(look: gold.Look) -> list[dict[str, str]]:
    """Some of what was written, to be kept with a result and read."""
    rows = zip(look.written.prompts[:SHOWN], look.written.completions[:SHOWN], strict=True)
    return [{"prompt": prompt, "completion": completion} for prompt, completion in rows]


def data_version(config: PromptsConfig) -> str:
    """A fingerprint of the reviews that the prompts come from, of the judge, and of a model in a folder."""
    reviews = [data.reviews(config.source, split) for split in policies.UNREAD]
    return data.fingerprint(*reviews) + gold.version(config.judge) + models.version(config.model)
