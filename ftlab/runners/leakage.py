"""Data leakage: a test that holds what was trained on flatters the model; how much, and how the truth comes back.

One training with partly wrong labels; then the same model is tested on reviews of which more and more stood in the
training data. A label drawn by a coin cannot be foreseen, only remembered, so what exceeds the honest accuracy was
learned by heart. Leaks that are real or of another kind are beside it and need no network: ftlab/careless.py.
Kapoor and Narayanan 2023 (Leakage and the Reproducibility Crisis in Machine-Learning-Based Science), table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftlab import careless, classifier, data, leaks, provenance, training
from ftlab.config import Count, Positive, Share
from ftlab.hardware import Hardware
from ftlab.results import Result

OVERLAPS = (0, 5, 10, 25, 50, 100)  # per cent of the test set that stood in the training data


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews with partly wrong labels."""

    train_examples: Count | None = 300  # labelled reviews to learn from
    validation_examples: Count | None = 100  # reviews to watch the training on
    test_examples: Count | None = 300  # reviews to test on, before any are exchanged
    batch_size: Count = 16  # examples a weight update
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    updates: Count | None = 300  # weight updates: with 300 examples each is seen 16 times
    random_labels: Share = 0.4  # part of all labels, of the test set too, that is drawn by a coin
    file: str = "imdb"  # whose rows are studied as they stand: imdb, rotten_tomatoes or toy
    noise_features: Count = 2000  # meaningless numbers a row, of which some are chosen on all rows


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 64,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 60,
        "learning_rate": 1e-2,
        "max_length": 32,
        "file": "toy",
        "noise_features": 200,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "train_examples": 3000,
        "test_examples": 3000,
        "updates": 3000,
        "learning_rate": 3e-5,
        "max_length": 256,
    },
}
RECORDED: tuple[dict[str, Any], ...] = ({},)


def data_version(config: Config) -> str:
    """A fingerprint of the splits, and of the rows that are studied as they stand."""
    return classifier.data_version(config) + data.text_fingerprint(row.text for row in data.rows(config.file))


def run(config: Config, hardware: Hardware) -> Result:
    """Train once; report for each overlap what a careless tester would, and what is left without the leaks."""
    splits = classifier.splits(config)
    train, validation, test = (
        data.with_random_labels(rows, config.random_labels, config.seed + place) for place, rows in enumerate(splits)
    )
    trained = training.fit(lambda: classifier.model(config), train, validation, None, config, hardware)
    right = {
        "train": training.are_right(trained.trainer, train, config.max_length),
        "test": training.are_right(trained.trainer, test, config.max_length),
    }
    return Result(
        runner="leakage",
        config=config.as_dict(),
        metrics={
            **curve(train["text"], test["text"], right["train"], right["test"]),
            **_without_a_network(config),
            **trained.costs,
        },
        history=trained.history,
        provenance=provenance.of("leakage", config, PROFILES, hardware, data_version(config), trained.batches),
    )


def curve(
    train: Sequence[str], test: Sequence[str], train_right: Sequence[bool], test_right: Sequence[bool]
) -> dict[str, float]:
    """Reported, honest and restored accuracy for each of OVERLAPS, from what the model got right on either side.

    The leaked part of a test set of the usual size are training texts. `restored`: what find_leaks names is left out;
    it is missing where nothing remains.
    """
    named = {leak.test for leak in leaks.find_leaks(train, [*train, *test])}
    seen = [place in named for place in range(len(train))]
    unseen = [len(train) + place in named for place in range(len(test))]
    honest = sum(test_right) / len(test_right)
    found = {"honest_accuracy": honest, "train_accuracy": sum(train_right) / len(train_right)}
    for overlap in OVERLAPS:
        marks = leaks.inject(train_right, test_right, overlap / 100)
        leaks_there = leaks.inject(seen, unseen, overlap / 100)
        kept = [mark for mark, leak in zip(marks, leaks_there, strict=True) if not leak]
        found[f"reported_{overlap}_accuracy"] = sum(marks) / len(marks)
        found[f"inflation_{overlap}_accuracy"] = sum(marks) / len(marks) - honest
        if kept:
            found[f"restored_{overlap}_accuracy"] = sum(kept) / len(kept)
    return found


def _without_a_network(config: Config) -> dict[str, float]:
    """The other leaks: real repeats, one film on both sides, a choice made on everything; and what find_leaks finds."""
    train, _, test = (list(rows["text"]) for rows in classifier.splits(config))
    rows = data.rows(config.file)
    return {
        **careless.repeats(rows, config.seed),
        **careless.neighbours(rows, config.seed),
        **careless.selection(config.noise_features, config.seed),
        **careless.tuning(config.seed),
        **careless.planted(train, test, config.seed),
    }
