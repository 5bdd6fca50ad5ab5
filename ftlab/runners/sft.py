"""Supervised fine-tuning: a pretrained encoder learns to tell good reviews from bad ones, from labelled examples.

The encoder turns a text into one vector; a new linear layer (the head) turns the vector into one score a class,
the logits; the loss is the cross entropy between these and the label. All weights are trained.
Devlin et al. 2019 (BERT), sections 3.2 and 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftlab import classifier, provenance
from ftlab.hardware import Hardware
from ftlab.results import Result


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews, as ReviewsConfig has it."""


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


data_version = classifier.data_version


def run(config: Config, hardware: Hardware) -> Result:
    """Fine-tune, and measure on the test split before and after."""
    trained, metrics = classifier.train(config, hardware)
    return Result(
        runner="sft",
        config=config.as_dict(),
        metrics=metrics,
        history=trained.history,
        provenance=provenance.of("sft", config, PROFILES, hardware, data_version(config), trained.batches),
    )
