"""The frontier: how much better a policy becomes for how far it goes from where it began, by each way to learn.

All ways learn from the same pairs and write after the same held-out prompts; a hidden judge knows how good that is.
Each run is one way at one strength of the pull, and its looks are a path of gold reward against divergence. The usual
claims for DPO are measured beside: models in memory, lines of code, seconds to the same gain.
Rafailov et al. 2023 (Direct Preference Optimization), section 6.1 and figure 2; Gao et al. 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftlab import feedback, frontiers, gold, provenance, two_ways
from ftlab import hardware as hw
from ftlab.results import Result

BUDGETS = (1, 2, 5, 10)  # nats of divergence within which ways are compared
GAIN = 1.0  # of gold reward, in log-odds: from even odds to 73 in 100. How soon is it there?


@dataclass(frozen=True, kw_only=True)
class Config(frontiers.WayConfig):
    """One way to learn from pairs, as WayConfig has it."""


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        **feedback.SMOKE,
        "reward_model": "tiny-llama",
        "reward_batch": 4,
        "learning_rate": 1e-2,
        "batch_size": 4,
        "evaluations": 2,
        "most": 4,
        "batches": 4,
        "completions": 8,
    },
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B",
        "method": "lora",
        "reward_model": "HuggingFaceTB/SmolLM2-360M",
        "train_prompts": 2000,
        "completion_tokens": 48,
        "batch_size": 64,
        "batches": 200,
        "completions": 128,
    },
}
RECORDED: tuple[dict[str, Any], ...] = (
    {"way": "best_of_n"},
    *({"way": "ppo", "beta": beta} for beta in (0.03, 0.1, 0.3)),  # those by a reward model in a row: they share it
    {"way": "rloo", "beta": 0.1},
    *({"way": "dpo", "beta": beta} for beta in (0.03, 0.1, 0.3, 1.0)),
    {"way": "ipo", "beta": 1.0},
    {"way": "imitation"},
)
data_version = feedback.data_version


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Learn in one way, with looks at gold reward and divergence; the path they make is in the history."""
    hw.use(hardware)
    pairs = feedback.pairs(config, hardware.device)
    policy = feedback.policy(config, hardware.device)

    def measure() -> gold.Look:
        return feedback.look(policy, config, hardware.device)

    before = measure()
    with hw.PeakMemory(hardware) as memory:
        learned = frontiers.WAYS[config.way](frontiers.Contest(config, hardware, policy, pairs, measure))
    start, last = before.metrics["gold_reward"], learned.looks[-1]
    reached = frontiers.seconds_to(learned.looks, start + GAIN)
    return Result(
        runner="frontier",
        config=config.as_dict(),
        metrics={
            "gold_reward_before": start,
            "gold_reward": last["gold_reward"],
            "kl": last["kl"],
            **{f"reward_within_kl_{kl}": frontiers.reward_at(learned.looks, start, kl) for kl in BUDGETS},
            "distinct_share_before": before.metrics["distinct_share"],
            "distinct_share": learned.last.metrics["distinct_share"],
            "gained_share": float(reached is not None),
            "seconds_to_gain": learned.seconds if reached is None else reached,  # at least, where it was never there
            "seconds": learned.seconds,
            "models_in_memory": float(learned.models),
            "models_bytes": float(learned.models_bytes),
            "peak_memory_bytes": float(max(memory.bytes, learned.peak_bytes)),
            "lines": float(two_ways.lines(*frontiers.CODE[config.way])),
            "labels": float(len(pairs.train)),
            "judged_share": float(learned.judged),  # of the texts it learned from, those that a labeller has seen
        },
        history=learned.looks,
        provenance={
            **provenance.of("frontier", config, PROFILES, hardware, data_version(config)),
            "labels": "simulated",
            "samples": {"before": feedback.samples(before), "after": feedback.samples(learned.last)},
        },
    )
