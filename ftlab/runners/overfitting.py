"""Overfitting and underfitting: what is learned by heart, what is not learned at all, and what helps against each.

The gap between the accuracy on the training examples and on new ones is measured while one setting changes at a time:
the amount of data, the capacity, the number of updates, the learning rate, dropout, weight decay. Early stopping is
measured in every run: the weights of the look with the lowest validation loss are tested too.
Zhang et al. 2017 (Understanding Deep Learning Requires Rethinking Generalization), section 2; Prechelt 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ftlab import adapters, classifier, data, models, provenance, training
from ftlab.config import Count, Positive, Share
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews, with what tempts a model to learn by heart or keeps it from learning."""

    train_examples: Count | None = 100  # labelled reviews to learn from; few are soon known by heart
    validation_examples: Count | None = 200  # reviews to watch the training on
    test_examples: Count | None = 600  # reviews to test on
    batch_size: Count = 16  # examples a weight update
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    updates: Count | None = 200  # weight updates; with 100 examples each is seen 32 times
    evaluations: Count = 10  # looks at the validation set
    dropout: Share | None = None  # numbers that are left out at random in training; None: as the model has it
    trained: Literal["all", "head"] = "all"  # weights that change: all, or those of the new head alone
    layers: Count | None = None  # of the encoder, from the bottom; None: all it has; fewer can learn less
    random_labels: Share = 0.0  # part of the training labels that is drawn by a coin


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 32,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 40,
        "evaluations": 4,
        "learning_rate": 1e-2,
        "max_length": 32,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "updates": 1000,
        "learning_rate": 3e-5,
        "test_examples": None,
        "max_length": 256,
    },
}
# The first one overfits. Then cures of it, each alone; what underfits, with the cures of that; and labels by a coin.
RECORDED: tuple[dict[str, Any], ...] = (
    {},
    {"train_examples": 1000},
    {"updates": 12},
    {"trained": "head"},
    {"learning_rate": 1e-6},
    {"learning_rate": 1e-6, "train_examples": 1000},
    {"random_labels": 1.0},
    {"random_labels": 1.0, "trained": "head"},
    {"dropout": 0.3},
    {"weight_decay": 10.0},
    {"layers": 1},
    {"train_examples": 300},
    {"layers": 3},
    {"learning_rate": 1e-3},
)
data_version = classifier.data_version


def run(config: Config, hardware: Hardware) -> Result:
    """Train; measure on training and test examples at the end, and with the weights that early stopping would keep."""
    train, validation, test = classifier.splits(config)
    train = data.with_random_labels(train, config.random_labels, config.seed)
    best = training.Best()
    trained = training.fit(lambda: _model(config), train, validation, test, config, hardware, callbacks=[best])
    metrics = _measure(trained, train, test, config)
    best.restore(trained.trainer)
    stopped = _measure(trained, train, test, config)
    return Result(
        runner="overfitting",
        config=config.as_dict(),
        metrics={
            **metrics,
            **{f"{name}_stopped": value for name, value in stopped.items()},
            "updates_stopped": float(best.update),
            "accuracy_before": trained.before["accuracy"],
            "trainable_parameters": float(trained.trainer.model.num_parameters(only_trainable=True)),
            **trained.costs,
        },
        history=trained.history,
        provenance=provenance.of("overfitting", config, PROFILES, hardware, data_version(config), trained.batches),
    )


def _model(config: Config) -> models.Loaded:
    from torch.nn import Dropout

    loaded = classifier.model(config, config.layers)
    if config.trained == "head":
        adapters.adapt(loaded.model, "head")
    for module in loaded.model.modules():
        if isinstance(module, Dropout) and config.dropout is not None:
            module.p = config.dropout
    return loaded


def _measure(trained: training.Trained, train: Dataset, test: Dataset, config: Config) -> dict[str, float]:
    """Accuracy and loss on what was learned (500 examples at most) and on what is new; `gap_accuracy` lies between."""
    learned = train.select(range(min(len(train), 500)))
    on_train, on_test = (training.evaluate(trained.trainer, rows, config.max_length) for rows in (learned, test))
    return {
        "train_accuracy": on_train["accuracy"],
        "train_loss": on_train["loss"],
        "accuracy": on_test["accuracy"],
        "loss": on_test["loss"],
        "gap_accuracy": on_train["accuracy"] - on_test["accuracy"],
    }
