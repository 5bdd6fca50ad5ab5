"""The hybrid: one policy learns from plain text, then from demonstrations, then from people's preferences.

Our GPT has read long reviews and is to finish short ones, and kindly. Self-supervised: it reads unlabelled short
reviews. Supervised: it imitates a few that people would want. Human feedback: it writes two completions and learns
directly which one is preferred (the labels are simulated). Each stage can be left out: what does each buy?
Ouyang et al. 2022 (InstructGPT), section 3.1 and figure 2; Gururangan et al. 2020 (Don't Stop Pretraining), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import domains, feedback, gold, language, preference_training, provenance, stages, training
from ftlab import hardware as hw
from ftlab.config import Count, Positive
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from datasets import Dataset

    from ftlab.policies import Policy

STAGES = ("self_supervised", "supervised", "human_feedback")


@dataclass(frozen=True, kw_only=True)
class Config(preference_training.PairsConfig, feedback.FeedbackConfig):
    """Three stages. The fields of PairsConfig and FeedbackConfig are those of the last one, human feedback."""

    source: str = "rotten_tomatoes"  # reviews to finish, and to read before: rotten_tomatoes, imdb, toy, or a folder
    self_supervised: bool = True  # read unlabelled reviews first
    supervised: bool = True  # imitate demonstrations
    human_feedback: bool = True  # learn from preferences
    prompt_tokens: Count = 6  # tokens of a prompt, the first ones of a review
    train_prompts: Count = 768  # prompts with a pair to learn from
    test_prompts: Count = 128  # held-out prompts; there are hardly more
    max_length: Count = 64  # tokens of a block to read, or of a demonstration at most
    read_updates: Count = 100  # weight updates of the self-supervised stage, of `batch_size` blocks each
    read_rate: Positive = 5e-4  # its highest learning rate
    demonstrations: Count = 256  # positive reviews to imitate
    shown_updates: Count = 24  # weight updates of the supervised stage, of `batch_size` demonstrations each
    shown_rate: Positive = 2e-4  # its highest learning rate
    held_out_blocks: Count = 64  # blocks of unread reviews that the loss is measured on


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        **feedback.SMOKE,
        "learning_rate": 1e-2,
        "batch_size": 4,
        "evaluations": 1,
        "max_length": 16,
        "read_updates": 8,
        "read_rate": 1e-2,
        "demonstrations": 8,
        "shown_updates": 4,
        "shown_rate": 1e-2,
        "held_out_blocks": 8,
    },
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B",
        "method": "lora",
        "batch_size": 64,
        "read_updates": 500,
        "demonstrations": 1000,
        "shown_updates": 100,
    },
}
# All stages, each left out in turn, each alone, and none.
RECORDED: tuple[dict[str, Any], ...] = (
    {},
    *({stage: False} for stage in STAGES),
    *({other: False for other in STAGES if other != stage} for stage in STAGES),
    dict.fromkeys(STAGES, False),
)


data_version = feedback.data_version


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Stage after stage, with a look before the first and after each: the rows of the history, in this order.

    gold_reward is what people would say; read_loss (nats a token) how well the policy knows this kind of text.
    """
    hw.use(hardware)
    policy = feedback.policy(config, hardware.device)
    looks, seconds = {"start": _look(policy, config, hardware)}, {}
    for stage, teach in zip(STAGES, (_read, _imitate, _prefer), strict=True):
        clock = hw.Stopwatch()
        if getattr(config, stage):
            policy = teach(policy, config, hardware)
            looks[stage] = _look(policy, config, hardware)
            seconds[f"{stage}_seconds"] = clock.seconds
    last = list(looks.values())[-1]
    return Result(
        runner="hybrid",
        config=config.as_dict(),
        metrics={
            **before_and_after(looks["start"].metrics, last.metrics),
            **seconds,
            "seconds": sum(seconds.values()),
        },
        history=[{"step": (*looks,).index(stage), **look.metrics} for stage, look in looks.items()],
        provenance={
            **provenance.of("hybrid", config, PROFILES, hardware, data_version(config)),
            "labels": "simulated",
            "samples": {stage: feedback.samples(look) for stage, look in looks.items()},
        },
    )


def _look(policy: Policy, config: Config, hardware: hw.Hardware) -> gold.Look:
    """What the policy writes, judged, and its loss on unread reviews."""
    found = feedback.look(policy, config, hardware.device)
    loss = language.loss(policy.model, _blocks(config, policy, "test", config.held_out_blocks))
    return found._replace(metrics=found.metrics | {"read_loss": loss})


def _read(policy: Policy, config: Config, hardware: hw.Hardware) -> Policy:
    """Self-supervised: every next token of unlabelled reviews."""
    rows = _blocks(config, policy, "train", config.read_updates * config.batch_size)
    settings = _settings(config, updates=config.read_updates, learning_rate=config.read_rate)
    return stages.read(policy, rows, _blocks(config, policy, "validation", 8), settings, hardware)


def _imitate(policy: Policy, config: Config, hardware: hw.Hardware) -> Policy:
    """Supervised: how positive reviews go on after their first words."""
    shown = stages.liked(config.source, "train", config.demonstrations, config.seed)
    held_out = stages.liked(config.source, "validation", config.validation_prompts, seed=0)
    rows, others = (
        stages.demonstrations(texts, policy.tokenizer, config.prompt_tokens, config.max_length)
        for texts in (shown, held_out)
    )
    settings = _settings(config, updates=config.shown_updates, learning_rate=config.shown_rate)
    return stages.imitate(policy, rows, others, settings, hardware)


def _prefer(policy: Policy, config: Config, hardware: hw.Hardware) -> Policy:
    """Human feedback: the policy as it has become writes two completions of each prompt, and learns which is better."""
    pairs = feedback.labelled(policy, config, "train", config.train_prompts, hardware.device)
    preference_training.by_hand(policy, pairs, config)
    return policy


def _blocks(config: Config, policy: Policy, split: str, count: int) -> Dataset:
    """Blocks of a split; those to train on in the order of the seed."""
    seed = config.seed if split == "train" else 0
    return domains.blocks("reviews", config.source, split, policy.tokenizer, config.max_length, count, seed)


def _settings(config: Config, **stage: Any) -> training.TrainingConfig:
    """The training of a stage that is not the last."""
    return training.TrainingConfig(
        profile=config.profile,
        seed=config.seed,
        batch_size=config.batch_size,
        max_length=config.max_length,
        evaluations=1,
        **stage,
    )
