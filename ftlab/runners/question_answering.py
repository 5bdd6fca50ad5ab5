"""Supervised fine-tuning on questions: an encoder learns to point at the words of a passage that answer a question.

The passages and questions were written for this course; most people and places in them are invented, so an answer must
be found in the text and cannot be known. Measured as in SQuAD: exact match, and F1 over the words.
Rajpurkar et al. 2016 (SQuAD), section 6.1; Devlin et al. 2019 (BERT), section 4.2.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import data, models, passages, provenance, spans, training
from ftlab.config import Count, Positive
from ftlab.hardware import Hardware
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Config(training.TrainingConfig):
    """An encoder learns to find answers. See TrainingConfig for the fields of every training."""

    model: str = "minilm"  # minilm, tiny-bert, a folder, or a Hub id of an encoder
    pretrained: bool = True  # False: the same architecture from random weights
    train_examples: Count | None = None  # questions to learn from; None: all there are
    test_examples: Count | None = None  # questions to test on; None: all there are
    learning_rate: Positive = 2e-4  # the highest one, after the warm-up
    batch_size: Count = 16  # questions a weight update
    updates: Count | None = 90  # weight updates
    evaluations: Count = 3  # looks at the validation questions
    max_length: Count = 192  # tokens of a question and its passage


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "train_examples": 16,
        "test_examples": 8,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "updates": 8,
        "max_length": 512,
    },
    "cpu": {},
    "gpu": {"model": "google-bert/bert-base-uncased", "updates": 200, "learning_rate": 5e-5, "max_length": 256},
}
RECORDED: tuple[dict[str, Any], ...] = ({"pretrained": True}, {"pretrained": False})


def run(config: Config, hardware: Hardware) -> Result:
    """Answer, learn, answer again: metrics end in _before and _after, and some answers are kept to read."""
    train, validation, test = _splits(config)
    make = functools.partial(models.span_encoder, config.model, pretrained=config.pretrained, seed=config.seed)
    before, answers_before = _answers(make(), test, config)
    trained = training.fit(make, train, validation, None, config, hardware, _task())
    learned = models.Loaded(trained.trainer.model, trained.trainer.data_collator.tokenizer)
    after, answers_after = _answers(learned, test, config)
    return Result(
        runner="question_answering",
        config=config.as_dict(),
        metrics={
            **before_and_after(before, after),
            **trained.costs,
        },
        history=trained.history,
        provenance={
            **provenance.of("question_answering", config, PROFILES, hardware, data_version(config), trained.batches),
            "answers": [
                {"question": question, "right": right[0], "before": old, "after": new}
                for question, right, old, new in zip(
                    test["question"][:12], test["answers"][:12], answers_before, answers_after, strict=False
                )
            ],
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the questions and passages, and of a model in a folder."""
    rows = [row for split in _splits(config) for row in split]
    texts = [f"{row['context']}\t{row['question']}\t{row['answers']}" for row in rows]
    return data.text_fingerprint(texts) + models.version(config.model)


def _splits(config: Config) -> tuple[Dataset, Dataset, Dataset]:
    """Questions to learn from, to watch the training on, and to test on; no passage is in two of these."""
    train = passages.questions("train", config.train_examples, config.seed)
    return train, passages.questions("validation"), passages.questions("test", config.test_examples)


def _task() -> training.Task:
    from transformers import DataCollatorWithPadding

    return training.Task(prepare=spans.prepare, collator=DataCollatorWithPadding, metrics=None, shares_loss=False)


def _answers(loaded: models.Loaded, test: Dataset, config: Config) -> tuple[dict[str, float], list[str]]:
    """Exact match and F1 of the answers to the test questions, and the answers."""
    found = spans.answers(loaded.model, loaded.tokenizer, test, config.max_length)
    return passages.score(found, test["answers"]), found
