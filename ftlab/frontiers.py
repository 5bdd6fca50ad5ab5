"""Ways to learn from the same pairs, and how good each makes a policy for how far it goes.

Pairs can be learned from directly (DPO, IPO), by imitation of what was chosen, or by way of a reward model, which then
chooses among completions (best of n) or teaches the policy (PPO, RLOO). The same beta stands in the loss of DPO and
before the divergence in PPO and RLOO, since DPO's loss has the optimum of the objective that these climb (Rafailov et
al. 2023, sections 3 and 4; the shape of their figure 2 is asked for here).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from ftlab import best_of, feedback, gold, policies, ppo, preference_training, rewards, rloo
from ftlab import hardware as hw
from ftlab.config import Count, Positive
from ftlab.feedback import FeedbackConfig, Looks, Pairs
from ftlab.policies import Policy

Name = Literal["dpo", "ipo", "imitation", "best_of_n", "ppo", "rloo"]


@dataclass(frozen=True, kw_only=True)
class PairsRewardConfig(FeedbackConfig, rewards.RewardModelConfig):
    """The pairs, and the reward model that some ways learn from them: see FeedbackConfig and RewardModelConfig."""


@dataclass(frozen=True, kw_only=True)
class WayConfig(PairsRewardConfig):
    """One way to learn from pairs. See PairsRewardConfig for what all ways share."""

    way: Name = "dpo"  # how the pairs are learned from
    beta: Positive = 0.1  # pull towards the reference; higher stays closer. No part of imitation and best_of_n
    evaluations: Count = 6  # looks at what the policy writes while it learns
    epochs: Count = 1  # dpo, ipo, imitation: passes over the pairs
    learning_rate: Positive = 3e-4  # the same: the highest one, after the warm-up
    batch_size: Count = 32  # the same: pairs a weight update
    most: Count = 16  # best_of_n: completions to choose among
    batches: Count = 40  # ppo, rloo: times that the policy writes and learns
    completions: Count = 64  # the same: completions a batch
    policy_rate: Positive = 1e-4  # the same: learning rate


class Contest(NamedTuple):
    """What a way to learn is given: a policy to change in place, pairs, and someone who looks at it on the way."""

    config: WayConfig
    hardware: hw.Hardware
    policy: Policy
    pairs: Pairs
    measure: Callable[[], gold.Look]

    def looks(self, steps: int) -> Looks:
        """The looks at a training of so many steps, which begins now."""
        return Looks(self.measure, steps, self.config.evaluations)


class Learned(NamedTuple):
    """What came of it: the looks, each with step, seconds, kl and gold_reward; and what had to be in memory for it."""

    looks: list[dict[str, float]]
    last: gold.Look  # what the policy writes in the end
    seconds: float
    models: int  # that a weight update needs (for best_of_n, an answer)
    models_bytes: int
    judged: bool  # whether a labeller has seen the texts that the policy learned from
    peak_bytes: int = 0  # at most in memory while the reward model learned; it may have served an earlier run


def directly(contest: Contest) -> Learned:
    """DPO, IPO or imitation, by hand; the reference was asked before the first update and is not needed again."""
    config = contest.config
    loss: Any = config.way
    settings = preference_training.PairsConfig(
        profile=config.profile,
        seed=config.seed,
        loss=loss,
        beta=config.beta,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
    )
    looks = contest.looks(preference_training.count(contest.pairs.train, settings))
    preference_training.by_hand(contest.policy, contest.pairs.train, settings, looks)
    return Learned(looks.rows, looks.last, looks.seconds, 1, _bytes(contest.policy.model), judged=True)


def by_reward(contest: Contest) -> Learned:
    """PPO or RLOO: a reward model learns from the pairs, then the policy from it. The time is that of both."""
    config = contest.config
    scored = _scored(contest)
    looks = contest.looks(config.batches)
    settings = ppo.Settings(
        batches=config.batches,
        batch_size=config.completions,
        passes=2,
        parts=2,
        tokens=config.completion_tokens,
        beta=config.beta,
        learning_rate=config.policy_rate,
        seed=config.seed,
    )
    asked = policies.prompts(
        config.source, "train", contest.policy.tokenizer, config.prompt_tokens, config.train_prompts, config.seed
    )
    train = ppo.train if config.way == "ppo" else rloo.train
    train(contest.policy, asked, scored.model, settings, looks)
    rows = [{**row, "seconds": row["seconds"] + scored.seconds} for row in looks.rows]
    held = 2 * _bytes(contest.policy.model) + _bytes(scored.model.model)
    seconds = looks.seconds + scored.seconds
    return Learned(rows, looks.last, seconds, 3, held, judged=False, peak_bytes=scored.peak_bytes)


def choosing(contest: Contest) -> Learned:
    """Best of n, for n = 1, 2, 4 and so on: nothing is trained but the reward model. A row's step is its n.

    Its divergence is the bound log n - (n-1)/n, not a measurement; seconds count the writing of all n.
    """
    config = contest.config
    model, learning, peak_bytes = _scored(contest)
    clock = hw.Stopwatch()
    asked = feedback.test_prompts(config.model, config.source, config.prompt_tokens, config.test_prompts)
    drawn = policies.sample(
        contest.policy.model, contest.policy.tokenizer, asked, config.completion_tokens, n=config.most, seed=config.seed
    )
    shape = (len(asked), config.most)
    judged = np.reshape(model(drawn.prompts, drawn.completions), shape)
    writing = clock.seconds
    judges = np.reshape(feedback.judge(config.judge, contest.hardware.device).score(drawn.texts), shape)
    rows = [
        {
            "step": float(n),
            "seconds": learning + writing * n / config.most,
            "kl": best_of.divergence_bound(n),
            "gold_reward": best_of.expected(judged, judges, n),
            "gold_reward_by_gold": best_of.expected(judges, judges, n),  # were the judge itself to choose
        }
        for n in best_of.powers_of_two(config.most)
    ]
    held = _bytes(contest.policy.model) + _bytes(model.model)
    best = judged.argmax(axis=1) + config.most * np.arange(len(asked))
    given = policies.Written(asked, [drawn.completions[row] for row in best], drawn.tokens.rows(torch.from_numpy(best)))
    last = gold.Look({"distinct_share": gold.distinct(given.completions)}, given)
    return Learned(rows, last, learning + writing, 2, held, judged=False, peak_bytes=peak_bytes)


class Scored(NamedTuple):
    """A reward model that has learned, and what that took."""

    model: rewards.RewardModel
    seconds: float
    peak_bytes: int


def _scored(contest: Contest) -> Scored:
    return _learned(contest.config.part(PairsRewardConfig), contest.hardware)


@functools.lru_cache(maxsize=1)
def _learned(config: PairsRewardConfig, hardware: hw.Hardware) -> Scored:
    """The reward model that learned from the pairs: runs that differ in what follows share it, with its time."""
    pairs = feedback.pairs(config, hardware.device)
    longest = 2 * (config.prompt_tokens + config.completion_tokens)  # its tokens may be shorter than the policy's
    model, trained = rewards.learn(config, pairs.train, pairs.validation, longest, hardware)
    return Scored(model, trained.seconds, trained.peak_memory_bytes)


def _bytes(model: Any) -> int:
    return sum(parameter.nbytes for parameter in model.parameters())


WAYS: Mapping[str, Callable[[Contest], Learned]] = {
    "dpo": directly,
    "ipo": directly,
    "imitation": directly,
    "best_of_n": choosing,
    "ppo": by_reward,
    "rloo": by_reward,
}
# The code behind each, to be counted with two_ways.lines; what samples and what encodes is on both sides.
REWARD_CODE = (rewards.RewardModel.__call__, rewards.RewardModel.ids, rewards.fit, rewards._trainer, rewards._tokens)
CODE: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "dpo": preference_training.LOOP,
    "ipo": preference_training.LOOP,
    "imitation": preference_training.LOOP,
    "best_of_n": (*REWARD_CODE, best_of.expected),
    "ppo": (*REWARD_CODE, *ppo.CODE),
    "rloo": (*REWARD_CODE, *rloo.CODE),
}


def reward_at(looks: Sequence[Mapping[str, float]], start: float, budget: float) -> float:
    """The most gold reward on the way within a divergence of `budget` (nats), the start among it.

    Between two looks a straight line is taken, so a way that leaps over the budget is judged by where it crossed it.
    """
    path = [(0.0, start), *((look["kl"], look["gold_reward"]) for look in looks)]
    within = [reward for kl, reward in path if kl <= budget]
    for (before, low), (after, high) in itertools.pairwise(path):
        if min(before, after) <= budget < max(before, after):
            within.append(low + (high - low) * (budget - before) / (after - before))
    return max(within)


def seconds_to(looks: Sequence[Mapping[str, float]], reward: float) -> float | None:
    """The seconds of learning at the first look with at least that gold reward; None where there is none."""
    return next((look["seconds"] for look in looks if look["gold_reward"] >= reward), None)
