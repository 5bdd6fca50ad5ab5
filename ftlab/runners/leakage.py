"""Data leakage: a test that holds what was trained on flatters the model; how much, and how the truth comes back.

One training with partly wrong labels; then the same model is tested on reviews of which more and more stood in the
training data. A label drawn by a coin cannot be foreseen, only remembered, so what exceeds the honest accuracy was
learned by heart. Three smaller leaks beside it need no network: a preprocessing fitted on everything, a choice made on
the test set, and lightly edited copies. Kapoor and Narayanan 2023 (Leakage and the Reproducibility Crisis), table 1.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftlab import classifier, data, leaks, provenance, training
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
    noise_features: Count = 2000  # meaningless numbers a row in the two leaks without a network


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
data_version = classifier.data_version


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
    count = min(len(train), len(test))
    named = {leak.test for leak in leaks.find_leaks(train, [*train, *test])}
    seen = [place in named for place in range(len(train))]
    unseen = [len(train) + place in named for place in range(len(test))]
    honest = sum(test_right) / len(test_right)
    found = {"honest_accuracy": honest, "train_accuracy": sum(train_right) / len(train_right)}
    for overlap in OVERLAPS:
        leaked = count * overlap // 100
        marks = [*train_right[:leaked], *test_right[leaked:count]]
        leaks_there = [*seen[:leaked], *unseen[leaked:count]]
        kept = [mark for mark, leak in zip(marks, leaks_there, strict=True) if not leak]
        found[f"reported_{overlap}_accuracy"] = sum(marks) / count
        found[f"inflation_{overlap}_accuracy"] = sum(marks) / count - honest
        if kept:
            found[f"restored_{overlap}_accuracy"] = sum(kept) / len(kept)
    return found


def _without_a_network(config: Config) -> dict[str, float]:
    """Two leaks on meaningless numbers with labels drawn by a coin, where 50 % is the truth; and edited copies."""
    return {**_selection(config), **_tuning(config), **_edited(config)}


def _selection(config: Config, rows: int = 100, kept: int = 20) -> dict[str, float]:
    """The numbers that go best with the labels are chosen on all rows, or, properly, on the training rows alone."""
    import numpy as np
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    draw = np.random.default_rng(config.seed)
    numbers, labels = draw.normal(size=(rows, config.noise_features)), np.arange(rows) % 2
    choose, sort = SelectKBest(f_classif, k=kept), LogisticRegression()
    everything = choose.fit_transform(numbers, labels)
    return {
        "selected_on_all_accuracy": float(cross_val_score(sort, everything, labels).mean()),
        "selected_in_training_accuracy": float(cross_val_score(make_pipeline(choose, sort), numbers, labels).mean()),
    }


def _tuning(config: Config, models_tried: int = 100, rows: int = 100) -> dict[str, float]:
    """Of many models that only guess, the best on the test set; and the same one on fresh rows."""
    import numpy as np

    draw = np.random.default_rng(config.seed)
    test, fresh = draw.integers(2, size=(2, models_tried, rows)).mean(axis=2)  # the share each got right
    best = int(test.argmax())
    return {"tuned_on_test_accuracy": float(test[best]), "tuned_fresh_accuracy": float(fresh[best])}


def _edited(config: Config) -> dict[str, float]:
    """The share of lightly edited training texts that find_leaks names, and of unseen texts that it names wrongly."""
    train, _, test = (list(rows["text"]) for rows in classifier.splits(config))
    draw = random.Random(config.seed)
    copies = [_without_a_word(text, draw) for text in train]
    caught = {leak.test for leak in leaks.find_leaks(train, copies)}
    alarms = leaks.find_leaks(train, test)
    return {"edited_found_share": len(caught) / len(copies), "false_alarm_share": len(alarms) / len(test)}


def _without_a_word(text: str, draw: random.Random) -> str:
    words = text.split()
    words.pop(draw.randrange(len(words)))
    return " ".join(words)
