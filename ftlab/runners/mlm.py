"""Self-supervised fine-tuning: an encoder reads the texts of one domain and guesses hidden words; nobody labels.

What it gains is measured on held-out text of that domain, what it loses on text of another one, and what it is worth
on a task: reviews sorted into good and bad from few labels, from the encoder as it was and as it is.
Gururangan et al. 2020 (Don't Stop Pretraining), sections 3 and 4; Devlin et al. 2019 (BERT), section 3.1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ftlab import classifier, domains, language, masked, models, provenance
from ftlab.config import Count, Positive
from ftlab.hardware import Hardware
from ftlab.results import Result
from ftlab.training import Task, TrainingConfig, fit

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SENTENCES = ("The [MASK] was boring.", "The function returns a [MASK].", "I have never seen such a [MASK].")


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Continued pretraining by hidden words. See TrainingConfig for the fields of every training."""

    model: str = "minilm"  # minilm, tiny-bert, or a folder or Hub id of a BERT
    domain: Literal["reviews", "manual"] = "reviews"  # what it reads: film reviews, or Python's reference manual
    source: str = "rotten_tomatoes"  # where the reviews come from: rotten_tomatoes, imdb, toy, a folder, or a Hub id
    whole_words: bool = False  # hide all pieces of a word together, instead of any tokens
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    updates: Count | None = 100  # weight updates by hidden words
    held_out_blocks: Count = 150  # blocks of `max_length` tokens of each domain to measure on
    labels: Count = 100  # labelled reviews for the task afterwards
    task_updates: Count = 40  # weight updates of the task


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "learning_rate": 1e-2,
        "batch_size": 8,
        "max_length": 32,
        "updates": 20,
        "held_out_blocks": 16,
        "labels": 32,
        "task_updates": 4,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "max_length": 256,
        "updates": 2000,
        "held_out_blocks": 500,
        "task_updates": 200,
    },
}
RECORDED = ({"domain": "reviews"}, {"domain": "manual"}, {"domain": "reviews", "whole_words": True})


def run(config: Config, hardware: Hardware) -> Result:
    """Measure, read, measure again, on the text of both domains and on the task."""
    make = functools.partial(models.masked_encoder, config.model, seed=config.seed)
    before, tokenizer = make()
    train, asked = _blocks(config, tokenizer)
    found = _measure("before", before, tokenizer, asked, config, hardware)
    trained = fit(make, train, asked[config.domain], None, config, hardware, _task(config))
    after = trained.trainer.model
    found_after = _measure("after", after, tokenizer, asked, config, hardware)
    guesses = {"before": _guesses(before, tokenizer), "after": _guesses(after, tokenizer)}
    return Result(
        runner="mlm",
        config=config.as_dict(),
        metrics={**found, **found_after, **trained.costs},
        history=trained.history,
        provenance={
            **provenance.of("mlm", config, PROFILES, hardware, data_version(config), trained.batches),
            "guesses": guesses,
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the texts of both domains, of the task's reviews, and of a model in a folder."""
    texts = domains.fingerprint(domains.DOMAINS, config.source)
    return texts + classifier.data_version(_task_config(config)) + models.version(config.model)


def _blocks(config: Config, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, dict[str, Dataset]]:
    """Blocks of the domain to train on, in the order of the seed; held-out blocks of each domain, hidden once."""
    needed = config.batch_size * (config.updates or 1)
    train = domains.blocks(config.domain, config.source, "train", tokenizer, config.max_length, needed, config.seed)
    held_out = domains.held_out(domains.DOMAINS, config.source, tokenizer, config.max_length, config.held_out_blocks)
    hide = masked.Hide(tokenizer)
    return train, {kind: masked.hidden_once(rows, hide) for kind, rows in held_out.items()}


def _task(config: Config) -> Task:
    """Blocks are ready as they are; each time one is read, other words are hidden."""

    def collator(tokenizer: PreTrainedTokenizerBase) -> masked.Collator:
        return masked.Collator(masked.Hide(tokenizer, config.whole_words))

    return Task(prepare=lambda rows, *_: rows, collator=collator, metrics=None, shares_loss=True)


def _measure(
    when: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    asked: dict[str, Dataset],
    config: Config,
    hardware: Hardware,
) -> dict[str, float]:
    """Loss, perplexity and accuracy on the hidden words of each domain, and the accuracy on the task."""
    found: dict[str, float] = {}
    for domain, rows in asked.items():
        score = masked.score(model, rows)
        found[f"{domain}_loss_{when}"] = score["loss"]
        found[f"{domain}_perplexity_{when}"] = language.perplexity(score["loss"])
        found[f"{domain}_masked_accuracy_{when}"] = score["accuracy"]
    make = functools.partial(_classifier, config, model)
    metrics = classifier.train(_task_config(config), hardware, make)[1]
    return {**found, f"task_accuracy_{when}": metrics["accuracy"]}


def _task_config(config: Config) -> classifier.ReviewsConfig:
    small = config.profile == "smoke"
    return classifier.ReviewsConfig(
        profile=config.profile,
        seed=config.seed,
        model=config.model,
        source=config.source,
        train_examples=config.labels,
        validation_examples=32 if small else 100,
        test_examples=64 if small else 600,
        updates=config.task_updates,
        evaluations=1,
        batch_size=min(32, config.labels),
        max_length=config.max_length,
    )


def _classifier(config: Config, read: PreTrainedModel) -> models.Loaded:
    """A classifier on the encoder of `read`; its new head is drawn by the seed."""
    loaded = models.encoder(config.model, seed=config.seed)
    loaded.model.base_model.load_state_dict(read.base_model.state_dict(), strict=False)  # `read` has no pooling layer
    return loaded


def _guesses(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, list[tuple[str, float]]]:
    return {sentence: masked.fill(model, tokenizer, sentence) for sentence in SENTENCES}
