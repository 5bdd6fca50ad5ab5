"""Hugging Face and PyTorch: one fine-tuning done twice, with transformers' Trainer and with a hand-written loop.

PyTorch computes: tensors, gradients, an optimiser. Hugging Face brings pretrained models and what lies around a
training. So the two must agree, loss by loss and weight by weight, and what differs is the price: lines to write,
seconds, memory. Paszke et al. 2019 (PyTorch); Wolf et al. 2020 (Transformers). The two sides are in ftlab/two_ways.py.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftlab import classifier, models, provenance, training, two_ways
from ftlab import hardware as hw
from ftlab.config import Count
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDES = ("trainer", "by_hand")
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-5, 1e-4  # relative, absolute: what counts as the same in float32


@dataclass(frozen=True, kw_only=True)
class Config(classifier.ReviewsConfig):
    """Classification of reviews, on both sides. See ReviewsConfig."""

    train_examples: Count | None = 480  # labelled reviews to learn from
    test_examples: Count | None = 300  # reviews to test on
    accumulation: Count = 1  # parts that a batch is computed in; more parts need less memory
    bf16: bool = False  # compute in bfloat16 where that is safe, keep the weights in float32


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "source": "toy",
        "train_examples": 64,
        "validation_examples": 32,
        "test_examples": 32,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "max_length": 32,
    },
    "cpu": {},
    "gpu": {
        "model": "google-bert/bert-base-uncased",
        "source": "imdb",
        "train_examples": 4800,
        "test_examples": None,
        "max_length": 256,
    },
}
RECORDED: tuple[dict[str, Any], ...] = ({}, {"accumulation": 4})
data_version = classifier.data_version


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one way of training gave. Losses are those of every weight update."""

    losses: list[float]
    weights: list[NDArray[Any]]
    accuracy: float
    seconds: float
    peak_memory_bytes: int


def run(config: Config, hardware: Hardware) -> Result:
    """Train both ways, each in a fresh process so that neither inherits memory or warm caches, and compare."""
    order = SIDES if config.seed % 2 else SIDES[::-1]  # neither always goes first
    sides = {name: _apart(name, config, hardware) for name in order}
    history = [
        {"step": step, "loss": losses[0], "loss_by_hand": losses[1]}
        for step, losses in enumerate(zip(*(sides[name].losses for name in SIDES), strict=True), start=1)
    ]
    return Result(
        runner="hf_vs_pytorch",
        config=config.as_dict(),
        metrics={**_differences(sides["trainer"], sides["by_hand"]), **_prices(sides)},
        history=history,
        provenance=provenance.of("hf_vs_pytorch", config, PROFILES, hardware, data_version(config)),
    )


def _apart(name: str, config: Config, hardware: Hardware) -> Side:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(train, name, config, hardware).result()


def train(name: str, config: Config, hardware: Hardware) -> Side:
    """One side, `name` of SIDES, in this process."""
    from transformers import DataCollatorWithPadding

    hw.use(hardware)
    loaded = classifier.model(config)
    splits = classifier.splits(config)
    rows = training.tokenised(splits[0], loaded.tokenizer, config.max_length).rename_column("label", "labels")
    pad = DataCollatorWithPadding(loaded.tokenizer)
    way = two_ways.with_trainer if name == "trainer" else two_ways.by_hand
    model = loaded.model.to(hardware.device)
    with hw.PeakMemory(hardware) as memory:
        watch = hw.Stopwatch()
        losses = way(model, rows.to_list(), pad, config, config.accumulation, config.bf16)
        seconds = watch.seconds
    return Side(
        losses=losses,
        weights=[parameter.detach().cpu().numpy() for parameter in model.parameters()],
        accuracy=_accuracy(loaded, splits[2]["text"], splits[2]["label"], config.max_length),
        seconds=seconds,
        peak_memory_bytes=memory.bytes,
    )


def _accuracy(loaded: models.Loaded, texts: list[str], labels: list[int], length: int) -> float:
    """The share of texts whose largest logit is that of their label."""
    import torch

    right = 0
    loaded.model.eval()
    with torch.no_grad():
        for start in range(0, len(texts), 32):
            some = list(texts[start : start + 32])
            batch = loaded.tokenizer(some, padding=True, truncation=True, max_length=length, return_tensors="pt")
            logits = loaded.model(**batch.to(loaded.model.device)).logits
            right += int((logits.argmax(-1).cpu() == torch.tensor(labels[start : start + 32])).sum())
    return right / len(texts)


def _differences(trainer: Side, loop: Side) -> dict[str, float]:
    """The largest difference of a loss (relative) and of a weight (absolute) between the two sides."""
    losses = [abs(a - b) / abs(b) for a, b in zip(trainer.losses, loop.losses, strict=True)]
    weights = [float(abs(a - b).max()) for a, b in zip(trainer.weights, loop.weights, strict=True)]
    return {
        "loss_difference": max(losses),
        "loss_tolerance": LOSS_TOLERANCE,
        "weight_difference": max(weights),
        "weight_tolerance": WEIGHT_TOLERANCE,
        "updates": float(len(losses)),
    }


def _prices(sides: dict[str, Side]) -> dict[str, float]:
    """What each side costs a person (lines of code) and a machine (seconds, bytes), and what it gives.

    `lines_for_...` is what a loop must be taught besides; the Trainer has it already.
    """
    found: dict[str, float] = {
        "lines_trainer": float(two_ways.lines(*two_ways.TRAINER)),
        "lines_by_hand": float(two_ways.lines(*two_ways.LOOP)),
        **{f"lines_for_{what}": float(two_ways.lines(*functions)) for what, functions in two_ways.TAUGHT.items()},
        "time_ratio": sides["trainer"].seconds / sides["by_hand"].seconds,
    }
    for name, side in sides.items():
        found[f"accuracy_{name}"] = side.accuracy
        found[f"seconds_{name}"] = side.seconds
        found[f"peak_memory_bytes_{name}"] = float(side.peak_memory_bytes)
    return found
