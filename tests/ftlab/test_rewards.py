"""Reward models: they learn what is preferred, and how sure they are is measured as the literature does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_calibration_error

from ftlab import rewards
from ftlab.data import toy_reviews
from ftlab.errors import CourseError
from ftlab.hardware import Batches, Hardware
from ftlab.preferences import Pair
from ftlab.training import TrainingConfig


def pairs(count: int, seed: int) -> list[Pair]:
    """Of two toy reviews the good one is preferred."""
    rows = toy_reviews(2 * count, seed=seed)
    good, bad = ([row["text"] for row in rows if row["label"] == label] for label in (1, 0))
    return [Pair("I say :", f" {a}", f" {b}") for a, b in zip(good, bad, strict=True)]


def config(**given: object) -> TrainingConfig:
    values = {"epochs": 3, "learning_rate": 1e-2, "batch_size": 16, "max_length": 40}
    return TrainingConfig(**{**values, **given})  # type: ignore[arg-type]


def test_a_reward_model_learns_what_is_preferred(cpu: Hardware) -> None:
    reward, trained = rewards.fit("tiny-llama", pairs(96, 0), pairs(32, 1), config(), cpu)
    found = rewards.agreement(rewards.margins(reward, pairs(32, 1)))
    assert found["pair_accuracy"] > 0.9 and found["pair_loss"] < math.log(2)
    turned = rewards.agreement(rewards.margins(reward, [pair.turned() for pair in pairs(32, 1)]))
    assert turned["pair_accuracy"] == pytest.approx(1 - found["pair_accuracy"])
    assert any("validation_loss" in row for row in trained.history)


def test_trl_is_given_the_tokens_that_are_scored(cpu: Hardware) -> None:
    trainer = rewards._trainer("gpt-reviews", pairs(16, 0), pairs(4, 1), config(), cpu, Batches(4, 1))
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(4)])
    model = rewards.RewardModel(trainer.model.eval(), trainer.processing_class, 40)
    with torch.no_grad():
        loss = float(trainer.compute_loss(trainer.model, dict(batch)))
    found = rewards.margins(model, pairs(16, 0)[:4])
    assert loss == pytest.approx(float(np.logaddexp(0, -found).mean()), rel=1e-4), "as scored, so learned"


def test_padding_changes_no_reward(cpu: Hardware) -> None:
    trainer = rewards._trainer("gpt-reviews", pairs(16, 0), pairs(4, 1), config(), cpu, Batches(4, 1))
    model = rewards.RewardModel(trainer.model.eval(), trainer.processing_class, 40)
    texts = [" fine", " a film that is warm and fine and clever", "!"]
    together = model(["the film"] * 3, texts)
    alone = [model(["the film"], [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-4)


@given(margins=st.lists(st.floats(-8, 8).filter(lambda value: abs(value) > 1e-3), min_size=1, max_size=60))
def test_the_calibration_error_is_that_of_torchmetrics(margins: list[float]) -> None:
    found = rewards.agreement(np.array(margins))["calibration_error"]
    sure = torch.sigmoid(torch.tensor(margins, dtype=torch.float64).abs())
    # torchmetrics spreads its bins over 0 to 1, so twice as many are as wide as ours, which lie between 0.5 and 1.
    theirs = binary_calibration_error(sure, (torch.tensor(margins) > 0).int(), n_bins=2 * rewards.BINS)
    assert found == pytest.approx(float(theirs), abs=1e-4)


@given(margins=st.lists(st.floats(-30, 30), min_size=1, max_size=60))
def test_every_pair_is_in_one_bin(margins: list[float]) -> None:
    rows = rewards.reliability(np.array(margins))
    assert sum(row["pairs"] for row in rows) == len(margins)
    assert all(0.5 <= row["confidence"] <= 1 and 0 <= row["accuracy"] <= 1 for row in rows)


def test_a_reward_that_knows_its_chances_is_calibrated() -> None:
    draw = np.random.default_rng(0)
    strength = draw.normal(0, 2, 40_000)
    won = draw.random(40_000) < 1 / (1 + np.exp(-strength))
    found = np.where(won, strength, -strength)
    assert rewards.agreement(found)["calibration_error"] < 0.01
    assert rewards.agreement(4 * found)["calibration_error"] > 0.1, "too sure of itself"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([1.0], "gave 1 numbers for 2 completions. It must give one for each"),
        ([1.0, math.nan], "reward of a completion is nan.*'the film is dull'"),
        ([1.0, math.inf], "reward of a completion is inf"),
        ([None, 1.0], "reward of a completion is None"),
    ],
)
def test_a_wrong_answer_is_named(answer: list[float], problem: str) -> None:
    with pytest.raises(CourseError, match=problem):
        rewards.checked(lambda prompts, completions: answer)(["the film"] * 2, [" is fine", " is dull"])


def test_too_few_pairs_are_refused(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="4 pairs to train on and 4 to test on are too few for batches of 16"):
        rewards.fit("tiny-llama", pairs(4, 0), pairs(4, 1), config(), cpu)
