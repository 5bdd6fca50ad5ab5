"""Trainer and loop agree, dropout included, at every update; and the comparison notices when they do not."""

from __future__ import annotations

import pytest
import torch
from transformers import BertForSequenceClassification, DataCollatorWithPadding

from ftlab import data, models, training, two_ways
from ftlab.runners import hf_vs_pytorch as runner

LOSS, WEIGHT = runner.LOSS_TOLERANCE, runner.WEIGHT_TOLERANCE


def both(**given: object):  # type: ignore[no-untyped-def]
    config = runner.Config.make(runner.PROFILES, "smoke", {"weight_decay": 0.1, "train_examples": 96, **given})
    sides = []
    for way in (two_ways.with_trainer, two_ways.by_hand):
        loaded = models.encoder("tiny-bert", seed=config.seed)
        loaded.model.config.hidden_dropout_prob = loaded.model.config.attention_probs_dropout_prob = 0.1
        torch.manual_seed(config.seed)
        model = BertForSequenceClassification(loaded.model.config)
        rows = training.tokenised(data.reviews("toy", "train", 96), loaded.tokenizer, 32)
        rows = rows.rename_column("label", "labels").to_list()
        losses = way(model, rows, DataCollatorWithPadding(loaded.tokenizer), config, config.accumulation, config.bf16)
        sides.append((losses, list(model.parameters())))
    return sides


def apart(sides) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    (losses, weights), (others, other_weights) = sides
    assert len(losses) == len(others) == 12
    loss = max(abs(a - b) / b for a, b in zip(losses, others, strict=True))
    return loss, max(float((a - b).abs().max().detach()) for a, b in zip(weights, other_weights, strict=True))


@pytest.mark.parametrize("given", [{"seed": 1}, {"seed": 2}, {"accumulation": 4}, {"warmup": 0.0}], ids=str)
def test_losses_and_weights_agree_at_every_update(given: dict[str, object]) -> None:
    loss, weight = apart(both(**given))
    assert loss <= LOSS and weight <= WEIGHT


def test_in_bfloat16_they_agree_as_closely_as_it_allows() -> None:
    loss, _ = apart(both(bf16=True))
    assert loss <= 1e-2


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("groups", lambda model, decay: [{"params": list(model.parameters()), "weight_decay": 10 * decay}]),
        ("climb_and_fall", lambda warmup, updates: lambda step: 1.0),
        ("CLIP", 1e-3),
    ],
)
def test_a_mistake_in_the_loop_shows(name: str, mistake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_ways, name, mistake)
    loss, weight = apart(both(learning_rate=1e-3))
    assert loss > LOSS or weight > WEIGHT


def test_lines_are_counted_without_comments_docstrings_and_wrapping() -> None:
    def example(
        first: int,
        second: int,
    ) -> int:
        """Add."""
        # a comment

        return (
            first
            + second
        )  # fmt: skip

    assert two_ways.lines(example) == 2
    assert two_ways.lines(example, example) == 4


@pytest.mark.slow
def test_the_runner_reports_the_agreement_and_the_prices(cpu) -> None:  # type: ignore[no-untyped-def]
    metrics = runner.run(runner.Config.make(runner.PROFILES, "smoke", {}), cpu).metrics
    assert metrics["loss_difference"] <= LOSS and metrics["weight_difference"] <= WEIGHT
    assert metrics["accuracy_trainer"] == metrics["accuracy_by_hand"]
    assert metrics["lines_trainer"] < metrics["lines_by_hand"]


@pytest.mark.assets
@pytest.mark.slow
def test_the_real_encoder_agrees_too(cpu) -> None:  # type: ignore[no-untyped-def]
    fields = {"train_examples": 32, "batch_size": 8, "test_examples": 16, "validation_examples": 16, "max_length": 24}
    metrics = runner.run(runner.Config.make(runner.PROFILES, "cpu", {**fields, "epochs": 1}), cpu).metrics
    assert metrics["loss_difference"] <= LOSS and metrics["weight_difference"] <= WEIGHT
