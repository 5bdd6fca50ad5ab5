"""Transfer learning: what pretrained weights are worth, counted in labels.

The same network learns the same task from few labels and from many, once from pretrained weights and once from random
ones. Every point gets the same number of weight updates, so the same amount of computing; only the labels differ.
Howard and Ruder 2018 (ULMFiT), section 4 and figure 3; Yosinski et al. 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftlab import classifier, provenance
from ftlab.config import Count, Positive
from ftlab.hardware import Hardware
from ftlab.results import Result

LABELS = (50, 100, 300, 1000, 3000)


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews; `train_examples` is the number of labels. See ReviewsConfig."""

    train_examples: Count | None = 300  # labelled reviews to learn from; None: all there are
    batch_size: Count = 16  # examples a weight update
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    updates: Count | None = 300  # weight updates; the same for few labels and for many
    test_examples: Count | None = 600  # reviews to test on; None: all there are
    validation_examples: Count | None = 200  # reviews to watch the training on; None: all there are


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 64,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 48,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "max_length": 32,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "updates": 1000,
        "test_examples": None,
        "learning_rate": 3e-5,
        "max_length": 256,
    },
}
RECORDED = tuple({"train_examples": n, "pretrained": pretrained} for n in LABELS for pretrained in (True, False))
data_version = classifier.data_version


def run(config: Config, hardware: Hardware) -> Result:
    """Learn the task from `train_examples` labels; measure on the test split before and after.

    On the validation split, `validation_accuracy_early` is that of the first look (after a quarter of the updates),
    `validation_accuracy` that of the last.
    """
    trained, metrics = classifier.train(config, hardware)
    looks = [row["validation_accuracy"] for row in trained.history if "validation_accuracy" in row]
    return Result(
        runner="transfer",
        config=config.as_dict(),
        metrics={**metrics, "validation_accuracy_early": looks[0], "validation_accuracy": looks[-1]},
        history=trained.history,
        provenance=provenance.of("transfer", config, PROFILES, hardware, data_version(config), trained.batches),
    )
