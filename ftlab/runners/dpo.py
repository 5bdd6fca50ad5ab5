"""Direct preference optimisation: a policy learns from pairs of completions which ones people like, and directly.

No reward model stands between, and nothing is written while it learns. What it gains is judged by a hidden judge of
sentiment on held-out prompts; what it costs is the divergence from where it began. Labels are simulated.
Rafailov et al. 2023 (Direct Preference Optimization), sections 4 and 6; Azar et al. 2024 (IPO), section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import feedback, gold, preference_training, provenance, two_ways
from ftlab import hardware as hw
from ftlab.config import Count
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from ftlab.policies import Policy
    from ftlab.preference_losses import Sides
    from ftlab.preferences import Pair

LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-5, 1e-2  # of a loss, of the way of the weights: what counts as the same


@dataclass(frozen=True, kw_only=True)
class Config(preference_training.PairsConfig, feedback.FeedbackConfig):
    """Learning from pairs. See PairsConfig and TrainingConfig for the training, FeedbackConfig for what is learned."""

    evaluations: Count = 3  # looks at the validation pairs, and at what the policy writes
    trl: bool = False  # learn the same with trl's DPOTrainer too, and compare update by update


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        **feedback.SMOKE,
        "learning_rate": 1e-2,
        "batch_size": 4,
        "evaluations": 2,
    },
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B",
        "method": "lora",
        "train_prompts": 2000,
        "completion_tokens": 48,
        "batch_size": 64,
    },
}
# The usual pull, both ways; other strengths of it; IPO; and labels that are turned round, for both losses.
RECORDED: tuple[dict[str, Any], ...] = (
    {"trl": True},
    {"beta": 0.03},
    {"beta": 0.3},
    {"beta": 1.0},
    {"loss": "ipo", "beta": 1.0},
    {"turned": 0.2},
    {"turned": 0.4},
    {"loss": "ipo", "beta": 1.0, "turned": 0.4},
)
data_version = feedback.data_version


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Write, learn from pairs, write again; metrics end in _before and _after."""
    hw.use(hardware)
    train, validation = feedback.pairs(config, hardware.device)
    policy = feedback.policy(config, hardware.device)

    def look() -> gold.Look:
        found = feedback.look(policy, config, hardware.device)
        seen = preference_training.standing(policy, validation, config.beta)
        return found._replace(metrics=found.metrics | {f"validation_{name}": value for name, value in seen.items()})

    before, seen_before = feedback.look(policy, config, hardware.device), _seen(policy, train, validation)
    looks = feedback.Looks(look, preference_training.count(train, config), config.evaluations)
    with hw.PeakMemory(hardware) as memory:
        updates = preference_training.by_hand(policy, train, config, looks)
    costs = {"seconds": looks.seconds, "peak_memory_bytes": float(memory.bytes)}
    after, seen_after = looks.last, _seen(policy, train, validation)
    return Result(
        runner="dpo",
        config=config.as_dict(),
        metrics={
            **before_and_after(before.metrics | seen_before, after.metrics | seen_after),
            **costs,
            **(_beside_trl(config, hardware, train, policy, updates) if config.trl else {}),
        },
        history=[*updates, *looks.rows],
        provenance={
            **provenance.of("dpo", config, PROFILES, hardware, data_version(config)),
            "labels": "simulated",
            "samples": {"before": feedback.samples(before), "after": feedback.samples(after)},
        },
    )


def _seen(policy: Policy, train: list[Pair], validation: list[Pair]) -> dict[str, float]:
    """The mean log-probability (nats) of chosen and rejected completions, of pairs learned from and held out."""
    found: dict[str, float] = {}
    for name, pairs in (("train", train[:256]), ("validation", validation)):
        asked: Sides = preference_training.log_probabilities(policy.model, policy, pairs)
        found |= {f"{name}_{side}_log_probability": float(values.mean()) for side, values in asked._asdict().items()}
    return found


def _beside_trl(
    config: Config, hardware: hw.Hardware, pairs: list[Pair], ours: Policy, updates: list[dict[str, float]]
) -> dict[str, float]:
    """The same training by trl: the largest difference of a loss, how far the weights end apart, and what both cost."""
    theirs = feedback.policy(config, hardware.device)
    start = feedback.policy(config, hardware.device)
    watch = hw.Stopwatch()
    losses = preference_training.with_trl(theirs, pairs, config)
    seconds = watch.seconds
    return {
        "updates": float(len(losses)),
        "loss_difference": max(
            abs(loss - row["loss"]) / row["loss"] for loss, row in zip(losses, updates, strict=True)
        ),
        "loss_tolerance": LOSS_TOLERANCE,
        "weight_difference": preference_training.apart(ours, theirs, start),
        "weight_tolerance": WEIGHT_TOLERANCE,
        "seconds_trl": seconds,
        "lines_by_hand": float(two_ways.lines(*preference_training.LOOP)),
        "lines_trl": float(two_ways.lines(*preference_training.TRAINER)),
    }
