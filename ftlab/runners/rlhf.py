"""Reinforcement learning from human feedback: people compare, a reward model learns that, a policy learns from it.

A small GPT goes on with the first words of a review, and positive reviews are preferred. A hidden gold judge stands for
the people: it labels pairs, and it measures what came of them. The policy is optimised for the reward model alone, on a
leash to where it began. Where the leash is loose, the learned reward still rises while the gold reward falls.
Christiano et al. 2017; Ouyang et al. 2022, sections 3.4 and 3.5; Gao et al. 2023 (Scaling Laws for Reward Model
Overoptimization), section 3; the task is that of Rafailov et al. 2023, section 6.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, NamedTuple

from ftlab import data, feedback, gold, models, policies, ppo, provenance, rewards, rloo
from ftlab import hardware as hw
from ftlab.config import Count, Positive, Strength
from ftlab.preferences import Reward
from ftlab.results import Result, before_and_after

OPTIMISERS = {"ppo": ppo.train, "rloo": rloo.train}
CALIBRATED = 0.1  # confidence and accuracy of a reward model may lie so far apart: ten points


@dataclass(frozen=True, kw_only=True)
class TaughtConfig(rewards.RewardModelConfig):
    """A policy, the people, and a reward model (see RewardModelConfig): all that decides what rewards it gives."""

    policy: str = "gpt-reviews"  # a decoder that goes on with reviews
    method: Literal["full", "lora"] = "full"  # which of its weights are trained
    source: str = "imdb"  # reviews whose first words are prompts: imdb, rotten_tomatoes, toy
    prompt_tokens: Count = 8  # of a prompt
    completion_tokens: Count = 24  # of a completion at most
    judge: str = gold.NAME  # the hidden gold judge: gold-judge, tiny-bert, or a classifier of two labels by Hub id
    pairs: Count = 1000  # comparisons that the reward model learns from
    held_out_pairs: Count = 200  # comparisons that it is tested on
    label_noise: Strength = 0.5  # temperature of the labellers, in log-odds; 0: they never err


@dataclass(frozen=True, kw_only=True)
class Config(TaughtConfig):
    """The optimisation of the policy. See TaughtConfig for what it is optimised for."""

    algorithm: Literal["ppo", "rloo"] = "ppo"  # ours by hand, with a critic; or trl's, without
    beta: Strength = 0.1  # the leash: reward that a nat of divergence costs; higher stays closer, 0 is no leash
    batches: Count = 40  # times that the policy writes and learns
    batch_size: Count = 64  # completions a batch
    passes: Count = 2  # times that each batch is learned from
    parts: Count = 2  # weight updates a pass
    learning_rate: Positive = 1e-4  # of the policy; constant
    looks: Count = 5  # at the held-out prompts on the way, evenly spread
    test_prompts: Count = 128  # held-out prompts a look; no training prompt is among them


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "policy": "tiny-llama",
        "source": "toy",
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "judge": "tiny-bert",
        "pairs": 32,
        "held_out_pairs": 8,
        "label_noise": 0.0,
        "reward_model": "tiny-llama",
        "reward_epochs": 1,
        "reward_batch": 8,
        "batches": 2,
        "batch_size": 8,
        "looks": 1,
        "test_prompts": 4,
    },
    "cpu": {},
    "gpu": {
        "policy": "HuggingFaceTB/SmolLM2-1.7B",
        "method": "lora",
        "judge": "siebert/sentiment-roberta-large-english",
        "completion_tokens": 48,
        "pairs": 4000,
        "held_out_pairs": 400,
        "reward_model": "HuggingFaceTB/SmolLM2-360M",
        "reward_learning_rate": 2e-5,
        "batches": 200,
        "batch_size": 128,
        "learning_rate": 5e-5,
    },
}
# By hand and by trl on the same leash; a tighter one; none; and none with large steps, to see where that ends.
RECORDED: tuple[dict[str, Any], ...] = (
    {},
    {"algorithm": "rloo"},
    {"beta": 0.5},
    {"beta": 0.0},
    {"beta": 0.0, "learning_rate": 3e-4, "batches": 50},
)


class Taught(NamedTuple):
    """What people's comparisons led to: a reward model, how it did on pairs that it had not seen, and what it cost."""

    reward: rewards.RewardModel
    metrics: dict[str, float]
    reliability: list[dict[str, float]]


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Label, learn the reward, optimise; metrics of the policy end in _before, _halfway and _after."""
    hw.use(hardware)
    taught = _taught(config.part(TaughtConfig), hardware)
    policy, judge = _policy(config, hardware), feedback.judge(config.judge, hardware.device)
    test = _prompts(config, policy, "test", config.test_prompts)
    looks: dict[int, gold.Look] = {}

    def watch(step: int) -> None:
        if step % max(1, config.batches // config.looks) == 0 or step == config.batches:
            looks[step] = _look(policy, judge, taught.reward, test, config)

    watch(0)
    with hw.PeakMemory(hardware) as memory:
        watching = hw.Stopwatch()
        optimise = OPTIMISERS[config.algorithm]
        history = optimise(policy, _prompts(config, policy, "train"), taught.reward, _settings(config), watch)
        seconds = watching.seconds
    costs = {"seconds": seconds, "peak_memory_bytes": float(memory.bytes)}
    found = provenance.of("rlhf", config, PROFILES, hardware, data_version(config))
    return Result(
        runner="rlhf",
        config=config.as_dict(),
        metrics={**_moments(looks, config.batches), **taught.metrics, **costs},
        history=_history(history, looks),
        provenance={
            **found,
            "labels": "simulated",
            "samples": {"before": feedback.samples(looks[0]), "after": feedback.samples(looks[config.batches])},
            "reliability": taught.reliability,
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the prompts, of the judge, and of models in folders."""
    tokenizer = policies.load_tokenizer(config.policy)
    asked = [policies.prompts(config.source, split, tokenizer, config.prompt_tokens, None) for split in data.SPLITS]
    versions = gold.version(config.judge) + models.version(config.policy) + models.version(config.reward_model)
    return data.text_fingerprint(itertools.chain(*asked)) + versions


@functools.lru_cache(maxsize=1)
def _taught(config: TaughtConfig, hardware: hw.Hardware) -> Taught:
    """Let the judge label pairs, and train the reward model on them; runs that differ in the optimisation share it."""
    policy, judge = _policy(config, hardware), feedback.judge(config.judge, hardware.device)
    noise = config.label_noise
    pairs, held_out = (
        gold.ask(policy, judge, _prompts(config, policy, split), config.completion_tokens, count, noise, config.seed)
        for split, count in (("train", config.pairs), ("validation", config.held_out_pairs))
    )
    longest = 2 * (config.prompt_tokens + config.completion_tokens)  # its tokens may be shorter than the policy's
    reward, trained = rewards.learn(config, pairs, held_out, longest, hardware)
    margins = rewards.margins(reward, held_out)
    metrics = {
        **rewards.agreement(margins),
        "gold_pair_accuracy": rewards.agreement(rewards.margins(judge, held_out))["pair_accuracy"],
        "train_pair_accuracy": rewards.agreement(rewards.margins(reward, pairs))["pair_accuracy"],
        "chance_pair_accuracy": 0.5,
        "calibration_tolerance": CALIBRATED,
        "reward_seconds": trained.seconds,
    }
    return Taught(reward, metrics, rewards.reliability(margins))


def _settings(config: Config) -> ppo.Settings:
    return ppo.Settings(
        batches=config.batches,
        batch_size=config.batch_size,
        passes=config.passes,
        parts=config.parts,
        tokens=config.completion_tokens,
        beta=config.beta,
        learning_rate=config.learning_rate,
        seed=config.seed,
    )


def _policy(config: TaughtConfig, hardware: hw.Hardware) -> policies.Policy:
    return policies.load(config.policy, config.method, config.seed, hardware.device)


def _prompts(config: TaughtConfig, policy: policies.Policy, split: str, count: int | None = None) -> list[str]:
    return policies.prompts(config.source, split, policy.tokenizer, config.prompt_tokens, count, config.seed)


def _look(policy: policies.Policy, judge: gold.Judge, reward: Reward, test: Sequence[str], config: Config) -> gold.Look:
    """The gold look at the held-out prompts, with the learned reward of the same completions."""
    look = gold.look(policy, judge, test, config.completion_tokens, config.seed)
    learned = fmean(rewards.checked(reward)(look.written.prompts, look.written.completions))
    return look._replace(metrics={**look.metrics, "reward": learned})


def _moments(looks: Mapping[int, gold.Look], batches: int) -> dict[str, float]:
    """The metrics before, at the look that is nearest to the middle, and after."""
    middle = min(looks, key=lambda step: abs(step - batches / 2))
    halfway = {f"{name}_halfway": value for name, value in looks[middle].metrics.items()}
    return before_and_after(looks[0].metrics, looks[batches].metrics) | halfway


def _history(history: Sequence[Mapping[str, float]], looks: Mapping[int, gold.Look]) -> list[dict[str, float]]:
    """One row a batch, and one a look."""
    rows = [{f"batch_{name}" if name != "step" else name: value for name, value in row.items()} for row in history]
    return rows + [{"step": float(step), **look.metrics} for step, look in looks.items()]
