"""Full against parameter-efficient fine-tuning: what a few trained weights give, and what they save.

Every method looks for its own learning rate first, in short trainings judged on validation data, so that none loses by
a bad setting. Then it trains once at that rate. The methods are in ftlab/adapters.py, with their papers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftlab import adapters, classifier, models, provenance, training
from ftlab.adapters import Method, Targets
from ftlab.config import Count, Share
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from datasets import Dataset

# Three learning rates a method, each three times the last; the middle one is what its paper or peft's manual suggests.
RATES: dict[str, tuple[float, float, float]] = {
    "full": (3e-5, 1e-4, 3e-4),
    "head": (3e-3, 1e-2, 3e-2),
    "bitfit": (3e-4, 1e-3, 3e-3),
    "lora": (3e-4, 1e-3, 3e-3),
    "rslora": (3e-4, 1e-3, 3e-3),
    "dora": (3e-4, 1e-3, 3e-3),
    "ia3": (3e-3, 1e-2, 3e-2),
    "prompt": (3e-3, 1e-2, 3e-2),
}


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews by one method. `learning_rate` is not used: the method finds its own."""

    method: Method = "full"  # which weights are trained
    rank: Count = 8  # of lora, rslora and dora: more can learn more
    targets: Targets = "attention"  # of lora, rslora and dora: the matrices of queries and values, or all of a layer
    train_examples: Count | None = 1000  # labelled reviews to learn from
    validation_examples: Count | None = 200  # reviews to choose the learning rate on
    test_examples: Count | None = 600  # reviews to test on
    batch_size: Count = 16  # examples a weight update
    updates: Count | None = 150  # weight updates of the training
    tuning_updates: Count = 30  # weight updates of each of the three short trainings
    quality: Share = 0.7  # validation accuracy whose time is taken


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 64,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 12,
        "tuning_updates": 4,
        "max_length": 32,
        "rank": 4,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "train_examples": 10000,
        "test_examples": None,
        "updates": 1000,
        "tuning_updates": 200,
        "max_length": 256,
    },
}
RECORDED: tuple[dict[str, Any], ...] = (
    *({"method": method} for method in adapters.METHODS),
    {"method": "lora", "rank": 1},
    {"method": "lora", "rank": 64},
    {"method": "lora", "targets": "all"},
)
data_version = classifier.data_version


def run(config: Config, hardware: Hardware) -> Result:
    """Find the learning rate, train with it, measure; `tuning_..._loss` are the validation losses of the rates."""
    splits = classifier.splits(config)
    tuned = {rate: _tuning_loss(config, rate, splits, hardware) for rate in RATES[config.method]}
    best = replace(config, learning_rate=min(tuned, key=lambda rate: tuned[rate]))
    train, validation, test = splits
    trained = training.fit(functools.partial(_model, config), train, validation, test, best, hardware)
    scores = training.evaluate(trained.trainer, test, config.max_length)
    return Result(
        runner="full_vs_peft",
        config=config.as_dict(),
        metrics={
            "accuracy": scores["accuracy"],
            "loss": scores["loss"],
            "best_rate": best.learning_rate,
            **{f"tuning_{place}_loss": loss for place, loss in enumerate(tuned.values(), start=1)},
            **_memory(trained),
            **_time(trained, config),
            **_merging(trained.trainer.model, config),
        },
        history=trained.history,
        provenance=provenance.of("full_vs_peft", config, PROFILES, hardware, data_version(config), trained.batches),
    )


def _model(config: Config) -> models.Loaded:
    model, tokenizer = classifier.model(config)
    return models.Loaded(adapters.adapt(model, config.method, config.rank, config.targets), tokenizer)


def _tuning_loss(config: Config, rate: float, splits: tuple[Dataset, ...], hardware: Hardware) -> float:
    """The validation loss (nats) after a short training at this learning rate; infinite where it diverged."""
    short = replace(config, learning_rate=rate, updates=config.tuning_updates, evaluations=1)
    trained = training.fit(functools.partial(_model, config), splits[0], splits[1], None, short, hardware)
    (look,) = (row["validation_loss"] for row in trained.history if "validation_loss" in row)
    return look if math.isfinite(look) else math.inf


def _memory(trained: training.Trained) -> dict[str, float]:
    """Bytes by what holds them. Activations are what the measured growth leaves over, with the libraries' own needs."""
    model = trained.trainer.model
    kept = adapters.saved_bytes(model)
    return {
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "trainable_parameters": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "weights_bytes": float(sum(parameter.nbytes for parameter in model.parameters())),
        "gradients_bytes": float(kept),
        "optimiser_bytes": float(2 * kept),  # AdamW's two moments
        "saved_bytes": float(kept),
        "peak_memory_bytes": float(trained.peak_memory_bytes),
    }


def _time(trained: training.Trained, config: Config) -> dict[str, float]:
    """Seconds of the training and of an update; and until the validation accuracy reached `quality`, if it did."""
    updates = max(row["step"] for row in trained.history)
    looks = [row for row in trained.history if row.get("validation_accuracy", -1.0) >= config.quality]
    reached = {"seconds_to_quality": trained.seconds * looks[0]["step"] / updates} if looks else {}
    return {"seconds": trained.seconds, "update_seconds": trained.seconds / updates, **reached}


def _merging(model: Any, config: Config) -> dict[str, float]:
    """The largest difference of a logit between the adapted model and the merged one, on a few texts; last of all."""
    import torch

    if config.method not in adapters.MERGED:
        return {}
    texts = classifier.splits(config)[2]["text"][:16]
    tokenizer = models.load_tokenizer(config.model)
    batch = tokenizer(texts, padding=True, truncation=True, max_length=config.max_length, return_tensors="pt")
    inputs = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask")}
    model.eval()
    with torch.no_grad():
        apart = model(**inputs).logits
        together = adapters.merged(model)(**inputs).logits
    return {"merge_difference": float((apart - together).abs().max())}
