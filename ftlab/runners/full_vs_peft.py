"""Full against parameter-efficient fine-tuning: what a few trained weights give, and what they save.

Every method trains at three learning rates of its own, and beyond them for as long as the best lies at an end. The one
that validation data like best is kept, so that none loses by a bad setting. Time is taken in turns with full
fine-tuning, inside the same run. The methods are in ftlab/adapters.py, with their papers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab import adapters, classifier, footprint, models, provenance, training
from ftlab import hardware as hw
from ftlab.adapters import Method, Targets
from ftlab.config import Count, Share
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from datasets import Dataset

    from ftlab.hardware import Batches

DIVERGED = 1e6  # stands for a loss that is no number
MERGING = 1e-3  # a logit may differ by so much after merging: rounding, and no more
# Each learning rate is about three times the last. A method begins with the best of one trial on MiniLM (seed 0, 60
# updates) and its two neighbours: at 0.03 LoRA, at 0.001 full fine-tuning learned nothing.
GRID = tuple(float(f"{digit}e{power}") for power in range(-6, 1) for digit in (1, 3))
BEGIN: dict[str, float] = {
    "full": 1e-4,
    "head": 3e-2,
    "bitfit": 3e-3,
    "lora": 3e-3,
    "rslora": 1e-3,
    "dora": 3e-3,
    "ia3": 3e-2,
    "prompt": 1e-1,
}
MOST = 6  # trainings of one run, so that a method that learns nowhere comes to an end


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
    updates: Count | None = 60  # weight updates of each training
    evaluations: Count = 5  # looks at the validation set in each
    quality: Share = 0.7  # validation accuracy, the way to which is measured


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 64,
        "validation_examples": 32,
        "test_examples": 64,
        "updates": 12,
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
        "max_length": 256,
    },
}
# The encoder by every method, and LoRA by rank and by targets; then SmolLM2, with fewer and smaller updates, so that a
# run stays below five minutes. It has no biases for bitfit. rslora is lora at another rate, and here every method finds
# its own.
METHODS = [method for method in adapters.METHODS if method != "rslora"]
SMOLLM2 = {"model": "smollm2", "train_examples": 400, "validation_examples": 100, "test_examples": 300}
SMOLLM2 |= {"batch_size": 8, "updates": 30, "evaluations": 3}
RECORDED: tuple[dict[str, Any], ...] = (
    *({"method": method} for method in METHODS),
    {"method": "lora", "rank": 1},
    {"method": "lora", "rank": 64},
    {"method": "lora", "targets": "all"},
    *({"method": method, **SMOLLM2} for method in METHODS if method != "bitfit"),
)
data_version = classifier.data_version


class Attempt(NamedTuple):
    """A training at one learning rate: what validation data say of it (nats), and what came of it."""

    validation_loss: float
    metrics: dict[str, float]
    history: list[dict[str, float]]
    batches: Batches


def run(config: Config, hardware: Hardware) -> Result:
    """Train at each rate, keep the best; `rate_1_loss` and so on are the validation losses, from the lowest rate up."""
    splits = classifier.splits(config)
    spent = _footprint(config, splits[0], hardware)
    tried = _sweep(config, splits, hardware)
    rate = _best(tried)
    best = tried[rate]
    _require_merged(config.method, best.metrics)
    return Result(
        runner="full_vs_peft",
        config=config.as_dict(),
        metrics={
            **best.metrics,
            "best_rate": rate,
            "lowest_rate": min(tried),
            "highest_rate": max(tried),
            **{f"rate_{place}_loss": one.validation_loss for place, one in enumerate(tried.values(), start=1)},
            **spent,
            **_effort(best.history, spent["relative_time"], config.quality),
        },
        history=best.history,
        provenance=provenance.of("full_vs_peft", config, PROFILES, hardware, data_version(config), best.batches),
    )


def _sweep(config: Config, splits: tuple[Dataset, ...], hardware: Hardware) -> dict[float, Attempt]:
    """Train at three rates, then beside the best one until it stands between two others; from the lowest rate up."""
    tried: dict[float, Attempt] = {}
    wanted = _neighbours(BEGIN[config.method])
    while wanted and len(tried) < MOST:
        tried |= {rate: _attempt(replace(config, learning_rate=rate), splits, hardware) for rate in wanted}
        tried = dict(sorted(tried.items()))
        wanted = tuple(rate for rate in _neighbours(_best(tried)) if rate not in tried)
    return tried


def _neighbours(rate: float) -> tuple[float, ...]:
    """The rate and what stands beside it in the grid."""
    place = GRID.index(rate)
    return GRID[max(place - 1, 0) : place + 2]


def _best(tried: dict[float, Attempt]) -> float:
    return min(tried, key=lambda rate: tried[rate].validation_loss)


def _attempt(config: Config, splits: tuple[Dataset, ...], hardware: Hardware) -> Attempt:
    """Train at the learning rate of `config` and measure; a huge validation loss where it diverged."""
    train, validation, test = splits
    trained = training.fit(functools.partial(_model, config), train, validation, None, config, hardware)
    loss = [row["validation_loss"] for row in trained.history if "validation_loss" in row][-1]
    scores = training.evaluate(trained.trainer, test, config.max_length)
    metrics = {
        "accuracy": scores["accuracy"],
        "loss": scores["loss"],
        **_sizes(trained.trainer.model),
        **trained.costs,
        **_merging(trained, config, test, hardware),
    }
    return Attempt(loss if math.isfinite(loss) else DIVERGED, metrics, trained.history, trained.batches)


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


def _sizes(model: Any) -> dict[str, float]:
    """Parameters, those that were trained, and the bytes that must be kept of the training."""
    return {
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "trainable_parameters": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "saved_bytes": float(adapters.saved_bytes(model)),
    }


def _effort(history: list[dict[str, float]], relative_time: float, quality: float) -> dict[str, float]:
    """Updates until the validation accuracy reached `quality`, and the time of so many in updates of full fine-tuning.

    Empty where it was never reached.
    """
    looks = [row["step"] for row in history if row.get("validation_accuracy", -1.0) >= quality]
    return {"updates_to_quality": looks[0], "effort_to_quality": looks[0] * relative_time} if looks else {}


def _merging(trained: training.Trained, config: Config, test: Dataset, hardware: Hardware) -> dict[str, float]:
    """The largest difference of a logit between the adapted model and the merged one, on a few texts; last of all."""
    if config.method not in adapters.MERGED:
        return {}
    model = trained.trainer.model
    batch = _batch(models.Loaded(model, trained.trainer.data_collator.tokenizer), test, config, hardware)
    return {"merge_difference": adapters.merging_difference(model, batch)}


def _require_merged(method: str, metrics: dict[str, float]) -> None:
    """Raises CourseError where merging made another model."""
    difference = metrics.get("merge_difference", 0.0)
    if not difference <= MERGING:
        raise CourseError(f"Merging {method} changed a logit by {difference:.2g}. Please report this.")
