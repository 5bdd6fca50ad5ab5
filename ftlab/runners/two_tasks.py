"""Forgetting in under a minute: an encoder learns task A, then task B, and is asked about A again.

A: is a film review negative (0) or positive (1)? B: is a text from Python's manual (2) or from a story or a letter (3)?
One head has all four answers. `told` judges among the answers of the right task alone: what is left of the skill.
McCloskey and Cohen 1989; van de Ven and Tolias 2019 (Three Scenarios for Continual Learning), section 2.
"""

from __future__ import annotations

import copy
import functools
import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import anchors, classifier, data, domains, models, provenance, training
from ftlab.config import Count, Positive, Share
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from datasets import Dataset

SECOND = ("manual", "own")  # the kinds of text that task B tells apart, by label: 2 and 3
MOST = 2000  # examples of task B
WORDS = 15  # of a piece of them: it has about as many tokens as a review


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Two tasks, one after the other, each with as many updates. See ReviewsConfig."""

    train_examples: Count | None = 600  # examples of each task to learn from
    validation_examples: Count | None = 100  # of task A, to watch the training on
    test_examples: Count | None = 300  # examples of each task to test on
    batch_size: Count = 16  # examples a weight update
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    updates: Count | None = 60  # weight updates of each task
    max_length: Count = 48  # tokens; longer texts are cut
    replay: Share = 0.0  # part of the examples of B's training that are examples of A
    pull: Share = 0.0  # in B's training: part of the way back to the weights after A, at full learning rate


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 256,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 60,
        "learning_rate": 1e-2,
        "max_length": 64,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "train_examples": 3000,
        "test_examples": 1000,
        "updates": 300,
        "learning_rate": 3e-5,
        "max_length": 256,
    },
}
RECORDED: tuple[dict[str, Any], ...] = ({}, {"replay": 0.1}, {"pull": 0.1}, {"learning_rate": 2e-5})


def run(config: Config, hardware: Hardware) -> Result:
    """Learn A, learn B; accuracies on A end in _before and _after B, those on B in _after."""
    train, validation, test = classifier.splits(config)
    other, other_test = _second(config, "train"), _second(config, "test")
    make = functools.partial(models.encoder, config.model, labels=4, pretrained=config.pretrained, seed=config.seed)
    first = training.fit(make, train, validation, None, config, hardware)
    before = _scores(first, test, config)
    learned = models.Loaded(first.trainer.model.cpu(), first.trainer.data_collator.tokenizer)
    pull = [anchors.Pull(anchors.weights(learned.model), config.pull)] if config.pull else []
    again = functools.partial(copy.deepcopy, learned)
    second = training.fit(again, _mixed(other, train, config), validation, None, config, hardware, callbacks=pull)
    after = _scores(second, test, config)
    return Result(
        runner="two_tasks",
        config=config.as_dict(),
        metrics={
            **{f"{name}_before": value for name, value in before.items()},
            **{f"{name}_after": value for name, value in after.items()},
            "b_accuracy_after": training.evaluate(second.trainer, other_test, config.max_length)["accuracy"],
            "seconds": first.seconds + second.seconds,
            "peak_memory_bytes": float(max(first.peak_memory_bytes, second.peak_memory_bytes)),
        },
        history=[*first.history, *({**row, "step": row["step"] + _last(first)} for row in second.history)],
        provenance=provenance.of("two_tasks", config, PROFILES, hardware, data_version(config), second.batches),
    )


def data_version(config: Config) -> str:
    """A fingerprint of the examples of both tasks, and of a model in a folder."""
    seconds = data.fingerprint(*(_second(config, split) for split in ("train", "test")))
    return classifier.data_version(config) + seconds


def _second(config: Config, split: str) -> Dataset:
    """Task B in a split, in the order of the seed: as many examples as A has, half of them of each kind of text."""
    from datasets import Dataset

    count = (config.train_examples if split == "train" else config.test_examples) or MOST
    pieces = {kind: _pieces(kind, split, count // 2, config.seed) for kind in SECOND}
    labels = [2 + SECOND.index(kind) for kind, some in pieces.items() for _ in some]
    found = Dataset.from_dict({"text": [*itertools.chain.from_iterable(pieces.values())], "label": labels})
    return found.shuffle(seed=config.seed)


def _pieces(kind: str, split: str, count: int, seed: int) -> list[str]:
    """Some pieces of WORDS words of a kind of text, drawn by the seed."""
    words = " ".join(domains.texts(kind, "", split)).split()
    places = range(0, len(words) - WORDS, WORDS)
    return [" ".join(words[at : at + WORDS]) for at in random.Random(seed).sample(places, min(count, len(places)))]


def _mixed(second: Dataset, first: Dataset, config: Config) -> Dataset:
    """Examples of B, of which the part `replay` is exchanged for examples of A."""
    from datasets import Dataset

    kept = round(len(second) * config.replay)
    texts, labels = (first[name][:kept] + second[name][kept:] for name in ("text", "label"))
    return Dataset.from_dict({"text": texts, "label": labels})


def _scores(trained: training.Trained, test: Dataset, config: Config) -> dict[str, float]:
    """Accuracies on A: among all four answers, and `told` among A's two."""
    found = trained.trainer.predict(
        training.tokenised(test, trained.trainer.data_collator.tokenizer, config.max_length)
    )
    everything, told = (found.predictions[:, :answers].argmax(axis=-1) == found.label_ids for answers in (4, 2))
    return {"a_accuracy": float(everything.mean()), "a_told_accuracy": float(told.mean())}


def _last(trained: training.Trained) -> float:
    return max(row["step"] for row in trained.history)
