"""The loop and trl's trainer agree, update by update; what they learn is what the pairs say; the reference stays."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ftlab import policies, preference_training
from ftlab.errors import CourseError
from ftlab.preference_training import PairsConfig
from ftlab.preferences import Pair

GOOD, BAD = ("warm", "fine", "clever", "fresh"), ("dull", "weak", "noisy", "stale")
PAIRS = [
    Pair(f"the {what} is", f" {good} and {GOOD[number]} .", f" {BAD[number]} .")
    for what in ("film", "story", "cast", "music")
    for number, good in enumerate(GOOD)
]


def config(**given: Any) -> PairsConfig:
    return PairsConfig(**{"learning_rate": 1e-2, "batch_size": 4, "epochs": 2, "seed": 1, **given})


def learned(**given: Any) -> tuple[policies.Policy, list[dict[str, float]]]:
    policy = policies.load("tiny-llama", given.pop("method", "full"), seed=1)
    return policy, preference_training.by_hand(policy, PAIRS, config(**given))


@pytest.mark.parametrize(
    "given",
    [{}, {"beta": 1.0, "seed": 3}, {"loss": "ipo", "beta": 1.0}, {"loss": "imitation"}, {"method": "lora"}],
    ids=str,
)
def test_the_loop_and_trl_agree_at_every_update(given: dict[str, Any]) -> None:
    policy, history = learned(**given)
    other = policies.load("tiny-llama", given.get("method", "full"), seed=1)
    losses = preference_training.with_trl(other, PAIRS, config(**{k: v for k, v in given.items() if k != "method"}))
    assert losses == pytest.approx([row["loss"] for row in history], rel=1e-5)
    start = policies.load("tiny-llama", given.get("method", "full"), seed=1)
    assert preference_training.apart(policy, other, start) <= 1e-3
    assert preference_training.apart(policy, start, start) == 1


def test_it_learns_the_order_of_the_pairs_and_leaves_the_reference_alone() -> None:
    start = [p.clone() for p in policies.load("tiny-llama", seed=1).model.parameters()]
    policy, history = learned(epochs=6)
    assert history[0]["loss"] == pytest.approx(math.log(2)) and history[0]["margin"] == 0
    assert history[-1]["pair_accuracy"] == 1 and history[-1]["loss"] < 0.3
    assert policy.start is not None
    assert all(torch.equal(a, b) for a, b in zip(policy.start.parameters(), start, strict=True))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_the_reference_thinks_is_asked_of_the_policy_as_it_was(method: str) -> None:
    fresh, (policy, _) = policies.load("tiny-llama", seed=1), learned(method=method)
    before = preference_training.log_probabilities(fresh.model, fresh, PAIRS)
    rows = preference_training.with_reference(policy, PAIRS)
    assert [row["chosen"] for row in rows] == pytest.approx(before.chosen.tolist(), rel=1e-5)
    assert [row["rejected"] for row in rows] == pytest.approx(before.rejected.tolist(), rel=1e-5)
    now = preference_training.log_probabilities(policy.model, policy, PAIRS)
    assert (now.difference - before.difference).mean() > 1


def test_it_is_watched_after_each_update() -> None:
    seen: list[int] = []
    preference_training.by_hand(policies.load("tiny-llama", seed=1), PAIRS, config(), seen.append)
    assert seen == list(range(1, 1 + preference_training.count(PAIRS, config()))) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_too_few_pairs_are_refused_and_an_incomplete_batch_is_left_out() -> None:
    policy = policies.load("tiny-llama", seed=1)
    with pytest.raises(CourseError, match=r"3 pairs do not fill one batch of 4.*--set batch_size=1"):
        preference_training.by_hand(policy, PAIRS[:3], config())
    assert len(preference_training.by_hand(policy, PAIRS[:7], config())) == 2


def test_a_pair_that_does_not_fit_the_context_is_refused() -> None:
    policy = policies.load("tiny-llama", seed=1)
    long = Pair("the film is", " warm" * 600, " dull")
    with pytest.raises(CourseError, match="reads 512 at most"):
        preference_training.by_hand(policy, [*PAIRS, long], config(batch_size=17))
