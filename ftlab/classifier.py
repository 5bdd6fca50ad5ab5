"""A classifier of reviews, from its config to its metrics: what several runners train and compare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftlab import data, models
from ftlab.config import Count
from ftlab.hardware import Hardware
from ftlab.training import Trained, TrainingConfig, evaluate, fit

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class ReviewsConfig(TrainingConfig):
    """Classification of reviews. See TrainingConfig for the fields of every training."""

    model: str = "minilm"  # minilm, tiny-bert, a folder, or a Hub id
    pretrained: bool = True  # False: the same architecture from random weights
    source: str = "rotten_tomatoes"  # rotten_tomatoes, imdb, toy, a folder, or a Hub id
    train_examples: Count | None = 2000  # labelled reviews to learn from; None: all there are
    validation_examples: Count | None = 400  # reviews to watch the training on; None: all there are
    test_examples: Count | None = None  # reviews to test on; None: all there are


def train(
    config: ReviewsConfig, hardware: Hardware, make: Callable[[], models.Loaded] | None = None
) -> tuple[Trained, dict[str, float]]:
    """Fine-tune the encoder of `config`, or what `make` makes; measure on the test split before and after."""
    train, validation, test = splits(config)
    make = make or functools.partial(model, config)
    trained = fit(make, train, validation, test, config, hardware)
    return trained, _measure(trained, train, test, config)


def data_version(config: ReviewsConfig) -> str:
    """A fingerprint of the three splits that a run with this config sees, and of a model in a folder."""
    return data.fingerprint(*splits(config)) + models.version(config.model)


@functools.lru_cache(maxsize=4)
def splits(config: ReviewsConfig) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and test reviews. The seed draws which training reviews are labelled."""
    train = data.reviews(config.source, "train", config.train_examples, config.seed)
    validation = data.reviews(config.source, "validation", config.validation_examples)
    test = data.reviews(config.source, "test", config.test_examples)
    data.require_classes(train, validation, test)
    return train, validation, test


def model(config: ReviewsConfig, layers: int | None = None) -> models.Loaded:
    """The encoder of `config`, pretrained or not, with a head that its seed draws; so many `layers`, or all."""
    labels = max(splits(config)[0]["label"]) + 1
    return models.encoder(config.model, labels=labels, pretrained=config.pretrained, seed=config.seed, layers=layers)


def _measure(trained: Trained, train: Dataset, test: Dataset, config: ReviewsConfig) -> dict[str, float]:
    """Every metric of the training; accuracies are shares of one, losses are in nats."""
    after = evaluate(trained.trainer, test, config.max_length)
    learned = train.select(range(min(len(train), 500)))  # enough to compare; all would take as long as an epoch
    on_train = evaluate(trained.trainer, learned, config.max_length)
    return {
        "accuracy": after["accuracy"],
        "accuracy_before": trained.before["accuracy"],
        "train_accuracy": on_train["accuracy"],
        "loss": after["loss"],
        "loss_before": trained.before["loss"],
        **trained.costs,
        "trainable_parameters": float(trained.trainer.model.num_parameters(only_trainable=True)),
    }
