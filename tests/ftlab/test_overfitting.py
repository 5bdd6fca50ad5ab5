"""Few examples are learned by heart, labels by coin only so; what early stopping keeps is the best look."""

from __future__ import annotations

import pytest

from ftlab import data, training
from ftlab.hardware import Hardware
from ftlab.runners import overfitting


def smoke(cpu: Hardware, **given: object) -> overfitting.Result:
    return overfitting.run(overfitting.Config.make(overfitting.PROFILES, "smoke", {"seed": 1, **given}), cpu)


def test_labels_drawn_by_a_coin_can_be_learned_but_teach_nothing(cpu: Hardware) -> None:
    metrics = smoke(cpu, random_labels=1.0, train_examples=16, updates=150).metrics
    assert metrics["train_accuracy"] > 0.9
    assert metrics["accuracy"] < 0.75 and metrics["gap_accuracy"] > 0.2


def test_the_weights_of_the_lowest_validation_loss_are_kept(cpu: Hardware) -> None:
    result = smoke(cpu)
    looks = {row["step"]: row["validation_loss"] for row in result.history if "validation_loss" in row}
    assert len(looks) == 4
    assert result.metrics["updates_stopped"] == min(looks, key=lambda step: looks[step])


def test_stopping_early_gives_those_weights_back(cpu: Hardware) -> None:
    """At the best look the validation loss was what the restored weights give."""
    config = overfitting.Config.make(overfitting.PROFILES, "smoke", {"learning_rate": 5e-2, "seed": 2})
    train, validation = (data.reviews("toy", split, 32) for split in ("train", "validation"))
    best = training.Best()
    make = lambda: overfitting._model(config)  # noqa: E731
    trained = training.fit(make, train, validation, None, config, cpu, callbacks=[best])
    best.restore(trained.trainer)
    assert training.evaluate(trained.trainer, validation, 32)["loss"] == pytest.approx(best.loss, rel=1e-4)


def test_a_frozen_body_leaves_the_head_to_learn(cpu: Hardware) -> None:
    frozen, whole = smoke(cpu, trained="head", updates=2), smoke(cpu, updates=2)
    assert 0 < frozen.metrics["trainable_parameters"] < whole.metrics["trainable_parameters"] / 10


def test_dropout_reaches_the_model_and_changes_the_training(cpu: Hardware) -> None:
    with_it, without = smoke(cpu, dropout=0.5, updates=8), smoke(cpu, dropout=0.0, updates=8)
    assert with_it.metrics["loss"] != without.metrics["loss"]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_labels_is_drawn_by_a_coin(share: float) -> None:
    rows = data.toy_reviews(400)
    noisy = data.with_random_labels(rows, share, seed=3)
    assert noisy["text"] == rows["text"]
    changed = sum(a != b for a, b in zip(rows["label"], noisy["label"], strict=True)) / 400
    assert changed == pytest.approx(share / 2, abs=0.08)
    assert noisy["label"] == data.with_random_labels(rows, share, seed=3)["label"]
