"""Mistakes that make a test too kind, each measured in seconds and without a network.

Kapoor and Narayanan 2023 (Leakage and the Reproducibility Crisis in Machine-Learning-Based Science), table 1; Ambroise
and McLachlan 2002 (selection of genes on all samples). Texts are classified by a logistic regression on hashed words:
hashing learns nothing from the texts, so it cannot leak itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftlab import data, leaks

if TYPE_CHECKING:
    import numpy as np

    from ftlab.data import Review

NEIGHBOURS = 20  # rows in a row that are kept together, as they may speak of one film
ENDINGS = ".,;:!?"


def selection(features: int, seed: int, rows: int = 100, kept: int = 20) -> dict[str, float]:
    """Accuracy on meaningless numbers with labels by a coin (the truth: 50 %), in five-fold cross-validation.

    The `kept` of the `features` that go best with the labels are chosen on all rows, or, properly, on training rows.
    """
    import numpy as np
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    draw = np.random.default_rng(seed)
    numbers, labels = draw.normal(size=(rows, features)), np.arange(rows) % 2
    choose, sort = SelectKBest(f_classif, k=min(kept, features)), LogisticRegression()
    everything = choose.fit_transform(numbers, labels)
    return {
        "selected_on_all_accuracy": float(cross_val_score(sort, everything, labels).mean()),
        "selected_in_training_accuracy": float(cross_val_score(make_pipeline(choose, sort), numbers, labels).mean()),
    }


def tuning(seed: int, models_tried: int = 100, rows: int = 100) -> dict[str, float]:
    """Of many models that only guess: the best on the test set, and the same one on fresh rows (the truth: 50 %)."""
    import numpy as np

    draw = np.random.default_rng(seed)
    test, fresh = draw.integers(2, size=(2, models_tried, rows)).mean(axis=2)  # the share each got right
    best = int(test.argmax())
    return {"tuned_on_test_accuracy": float(test[best]), "tuned_fresh_accuracy": float(fresh[best])}


def repeats(rows: Sequence[Review], seed: int) -> dict[str, float]:
    """The repeats that a file really has: rows split at random, and with equal texts kept on one side.

    `repeats_in_test` counts the test rows whose text was trained on; the accuracies are on all test rows, on those that
    are no repeats, and on the repeats alone.
    """
    import numpy as np
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

    texts = np.array([row.text for row in rows], dtype=object)
    words, labels = hashed(texts), np.array([row.label for row in rows])
    train, test = next(ShuffleSplit(1, test_size=0.2, random_state=seed).split(texts))
    right = _fitted(words[train], labels[train]).predict(words[test]) == labels[test]
    leaked = np.isin(texts[test], texts[train])
    apart = GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(texts, groups=list(map(data.normalise, texts)))
    kept_apart, other = next(apart)
    return {
        "repeats_in_test": float(leaked.sum()),
        "repeats_in_grouped_test": float(np.isin(texts[other], texts[kept_apart]).sum()),
        "careless_accuracy": float(right.mean()),
        "without_repeats_accuracy": float(right[~leaked].mean()),
        **({"on_repeats_accuracy": float(right[leaked].mean())} if leaked.any() else {}),
    }


def neighbours(rows: Sequence[Review], seed: int) -> dict[str, float]:
    """The same film on both sides: a test of rows whose neighbours in the file were trained on, or were not.

    Both trainings have equally many rows and the same test rows, every second one of some runs of NEIGHBOURS. The file
    names no film. That neighbours share one shows in how alike they are: the mean cosine of their words (common ones
    left out), beside that of two rows at random.
    """
    import numpy as np

    kept, _ = data.deduplicate(rows)
    words, labels = hashed([row.text for row in kept]), np.array([row.label for row in kept])
    draw, place = np.random.default_rng(seed), np.arange(len(kept))
    runs = draw.permutation(len(kept) // NEIGHBOURS)
    chosen = np.isin(place // NEIGHBOURS, runs[: len(runs) * 3 // 10])
    test, siblings, others = place[chosen][::2], place[chosen][1::2], draw.permutation(place[~chosen])
    both = np.concatenate([siblings, others[len(siblings) :]])
    content = hashed([row.text for row in kept], stop_words="english")
    return {
        "film_apart_accuracy": float(_fitted(words[others], labels[others]).score(words[test], labels[test])),
        "film_on_both_sides_accuracy": float(_fitted(words[both], labels[both]).score(words[test], labels[test])),
        "neighbour_similarity": _similarity(content[:-1], content[1:]),
        "stranger_similarity": _similarity(content, content[draw.permutation(len(kept))]),
    }


def planted(train: Sequence[str], test: Sequence[str], seed: int) -> dict[str, float]:
    """What find_leaks makes of copies of the training texts: the share that it names, by how much they were changed.

    `false_alarm_share` is the share of unseen texts that it names.
    """
    draw = random.Random(seed)
    copies = {
        "exact": list(train),
        "typing": [text.upper().rstrip(ENDINGS + " ") + "!" for text in train],
        "one_word": [_changed(text, draw, 1) for text in train],
        "tenth": [_changed(text, draw, max(1, len(text.split()) // 10)) for text in train],
        "third": [_changed(text, draw, max(1, len(text.split()) // 3)) for text in train],
    }
    found = {kind: len(leaks.find_leaks(train, some)) / len(some) for kind, some in copies.items()}
    alarms = len(leaks.find_leaks(train, test)) / len(test)
    return {**{f"found_{kind}_share": share for kind, share in found.items()}, "false_alarm_share": alarms}


def _changed(text: str, draw: random.Random, count: int) -> str:
    """`text` with that many of its words, at random, left out."""
    words = text.split()
    gone = set(draw.sample(range(len(words)), min(count, len(words) - 1)))
    return " ".join(word for place, word in enumerate(words) if place not in gone)


def hashed(texts: Iterable[str], stop_words: str | None = None) -> Any:
    """Counts of words, without the `stop_words` of a language: a sparse matrix [texts, 2**18], rows of length one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=2**18, alternate_sign=False, stop_words=stop_words).transform(texts)


def _fitted(words: Any, labels: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=30, solver="liblinear").fit(words, labels)


def _similarity(one: Any, other: Any) -> float:
    """The mean cosine of the rows, pair by pair."""
    return float(one.multiply(other).sum(axis=1).mean())
