"""Full against parameter-efficient fine-tuning: what a few trained weights give, and what they save.

Every method looks for its own learning rate first, in short trainings judged on validation data, so that none loses by
a bad setting. Then it trains once at that rate. Time is taken in turns with full fine-tuning, inside the same run. The
methods are in ftlab/adapters.py, with their papers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftlab import adapters, classifier, footprint, models, provenance, training
from ftlab import hardware as hw
from ftlab.adapters import Method, Targets
from ftlab.config import Count, Share
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from datasets import Dataset

DIVERGED = 1e6  # stands for a loss that is no number
MERGING = 1e-3  # a logit may differ by so much after merging: rounding, and no more
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
    updates: Count | None = 100  # weight updates of the training
    evaluations: Count = 10  # looks at the validation set
    tuning_updates: Count = 20  # weight updates of each of the three short trainings
    quality: Share = 0.7  # validation accuracy, the way to which is measured


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
# SmolLM2 has fewer and smaller updates, so that a run stays below five minutes. It has no biases for bitfit to train.
SMOLLM2 = {"model": "smollm2", "train_examples": 400, "validation_examples": 100, "test_examples": 300}
SMOLLM2 |= {"batch_size": 8, "updates": 40, "evaluations": 5, "tuning_updates": 16}
RECORDED: tuple[dict[str, Any], ...] = (
    *({"method": method} for method in adapters.METHODS),
    *({"method": method, **SMOLLM2} for method in adapters.METHODS if method != "bitfit"),
    {"method": "lora", "rank": 1},
    {"method": "lora", "rank": 64},
    {"method": "lora", "targets": "all"},
)
data_version = classifier.data_version


def run(config: Config, hardware: Hardware) -> Result:
    """Find the learning rate, train with it, measure; `tuning_..._loss` are the validation losses of the rates."""
    splits = classifier.splits(config)
    spent = _footprint(config, splits[0], hardware)
    tuned = {rate: _tuning_loss(config, rate, splits, hardware) for rate in RATES[config.method]}
    best = replace(config, learning_rate=min(tuned, key=lambda rate: tuned[rate]))
    train, validation, test = splits
    trained = training.fit(functools.partial(_model, config), train, validation, None, best, hardware)
    scores = training.evaluate(trained.trainer, test, config.max_length)
    return Result(
        runner="full_vs_peft",
        config=config.as_dict(),
        metrics={
            "accuracy": scores["accuracy"],
            "loss": scores["loss"],
            "best_rate": best.learning_rate,
            **{f"tuning_{place}_loss": loss for place, loss in enumerate(tuned.values(), start=1)},
            **_sizes(trained.trainer.model),
            **spent,
            **_effort(trained, spent["relative_time"], config.quality),
            **trained.costs,
            **_merging(trained, config, test, hardware),
        },
        history=trained.history,
        provenance=provenance.of("full_vs_peft", config, PROFILES, hardware, data_version(config), trained.batches),
    )


def _model(config: Config) -> models.Loaded:
    model, tokenizer = classifier.model(config)
    return models.Loaded(adapters.adapt(model, config.method, config.rank, config.targets), tokenizer)


def _footprint(config: Config, train: Dataset, hardware: Hardware) -> dict[str, float]:
    """Bytes by part on one batch, and `relative_time`: that of an update, as a multiple of full fine-tuning's.

    For full fine-tuning itself it says how exact the measuring is.
    """
    hw.use(hardware)
    loaded, full = _model(config), _model(replace(config, method="full"))
    batch = _batch(loaded, train, config, hardware)
    ours, theirs = loaded.model.to(hardware.device), full.model.to(hardware.device)
    spent = footprint.bytes_by_part(ours, batch)
    return {**spent, "relative_time": footprint.relative_time(ours, theirs, batch)}


def _batch(loaded: models.Loaded, rows: Dataset, config: Config, hardware: Hardware) -> dict[str, Any]:
    """The first rows as one batch, on the device."""
    some = rows.select(range(min(len(rows), config.batch_size)))
    ready = training.tokenised(some, loaded.tokenizer, config.max_length)
    batch = training.CLASSIFICATION.collator(loaded.tokenizer)(list(ready))
    return {name: tensor.to(hardware.device) for name, tensor in batch.items()}


def _tuning_loss(config: Config, rate: float, splits: tuple[Dataset, ...], hardware: Hardware) -> float:
    """The validation loss (nats) after a short training at this learning rate; a huge one where it diverged."""
    short = replace(config, learning_rate=rate, updates=config.tuning_updates, evaluations=1)
    trained = training.fit(functools.partial(_model, config), splits[0], splits[1], None, short, hardware)
    (look,) = (row["validation_loss"] for row in trained.history if "validation_loss" in row)
    return look if math.isfinite(look) else DIVERGED


def _sizes(model: Any) -> dict[str, float]:
    """Parameters, those that were trained, and the bytes that must be kept of the training."""
    return {
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "trainable_parameters": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "saved_bytes": float(adapters.saved_bytes(model)),
    }


def _effort(trained: training.Trained, relative_time: float, quality: float) -> dict[str, float]:
    """Updates until the validation accuracy reached `quality`, and the time of so many in updates of full fine-tuning.

    Empty where it was never reached.
    """
    looks = [row["step"] for row in trained.history if row.get("validation_accuracy", -1.0) >= quality]
    return {"updates_to_quality": looks[0], "effort_to_quality": looks[0] * relative_time} if looks else {}


def _merging(trained: training.Trained, config: Config, test: Dataset, hardware: Hardware) -> dict[str, float]:
    """The largest difference of a logit between the adapted model and the merged one, on a few texts; last of all.

    Raises CourseError when they are not the same model.
    """
    if config.method not in adapters.MERGED:
        return {}
    model = trained.trainer.model
    batch = _batch(models.Loaded(model, trained.trainer.data_collator.tokenizer), test, config, hardware)
    difference = adapters.merging_difference(model, batch)
    if difference > MERGING:
        raise CourseError(f"Merging {config.method} changed a logit by {difference:.2g}. Please report this.")
    return {"merge_difference": difference}
