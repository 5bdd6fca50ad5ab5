"""Supervised fine-tuning: a pretrained encoder learns to tell good reviews from bad ones, from labelled examples.

The encoder turns a text into one vector; a new linear layer (the head) turns the vector into one score a class,
the logits; the loss is the cross entropy between these and the label. All weights are trained.
Devlin et al. 2019 (BERT), sections 3.2 and 4.1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import data, models, provenance
from ftlab.config import Count
from ftlab.hardware import Hardware
from ftlab.results import Result
from ftlab.training import Trained, TrainingConfig, evaluate, fit

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import EvalPrediction


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Classification of reviews. See TrainingConfig for the fields of every training."""

    model: str = "minilm"  # minilm, tiny-bert, a folder, or a Hub id
    pretrained: bool = True  # False: the same architecture from random weights
    source: str = "rotten_tomatoes"  # rotten_tomatoes, imdb, toy, a folder, or a Hub id
    train_examples: Count | None = 2000  # labelled reviews to learn from; None: all there are
    validation_examples: Count | None = 400  # reviews to watch the training on; None: all there are
    test_examples: Count | None = None  # reviews to test on; None: all there are


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 256,
        "validation_examples": 64,
        "test_examples": 64,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "max_length": 32,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "train_examples": None,
        "validation_examples": 1000,
        "batch_size": 64,
        "learning_rate": 3e-5,
        "max_length": 256,
    },
}
RECORDED = ({"pretrained": True}, {"pretrained": False})


def run(config: Config, hardware: Hardware) -> Result:
    """Fine-tune, and measure on the test split before and after."""
    train, validation, test = _splits(config)
    make = functools.partial(_model, config, labels=max(train["label"]) + 1)
    trained = fit(make, train, validation, test, config, hardware, _accuracy)
    defaults = Config.make(PROFILES, config.profile, {}).as_dict()
    return Result(
        runner="sft",
        config=config.as_dict(),
        metrics=_measure(trained, train, test, config),
        history=trained.history,
        provenance={
            **provenance.circumstances("sft", config.as_dict(), defaults, hardware, data_version(config)),
            "batch": {"micro": trained.batches.micro, "accumulation": trained.batches.accumulation},
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the three splits that a run with this config sees, and of a model in a folder."""
    return data.fingerprint(*_splits(config)) + models.version(config.model)


@functools.lru_cache(maxsize=4)
def _splits(config: Config) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and test reviews. The seed draws which training reviews are labelled."""
    train = data.reviews(config.source, "train", config.train_examples, config.seed)
    validation = data.reviews(config.source, "validation", config.validation_examples)
    return train, validation, data.reviews(config.source, "test", config.test_examples)


def _model(config: Config, labels: int) -> models.Loaded:
    return models.encoder(config.model, labels=labels, pretrained=config.pretrained, seed=config.seed)


def _accuracy(predictions: EvalPrediction) -> dict[str, float]:
    """The share of reviews whose largest logit ([n, labels]) is that of their label ([n])."""
    right = predictions.predictions.argmax(axis=-1) == predictions.label_ids
    return {"accuracy": float(right.mean())}


def _measure(trained: Trained, train: Dataset, test: Dataset, config: Config) -> dict[str, float]:
    """Every metric of the run; accuracies are shares of one, losses are in nats."""
    after = evaluate(trained.trainer, test, config.max_length)
    learned = train.select(range(min(len(train), 500)))  # enough to compare; all would take as long as an epoch
    on_train = evaluate(trained.trainer, learned, config.max_length)
    return {
        "accuracy": after["accuracy"],
        "accuracy_before": trained.before["accuracy"],
        "train_accuracy": on_train["accuracy"],
        "loss": after["loss"],
        "loss_before": trained.before["loss"],
        "seconds": trained.seconds,
        "peak_memory_bytes": float(trained.peak_memory_bytes),
        "trainable_parameters": float(trained.trainer.model.num_parameters(only_trainable=True)),
    }
