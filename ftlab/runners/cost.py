"""Why training is expensive: the speed of real training steps here, and from it the years a large model would take.

A token costs six operations a weight. So the size of a model, the number of tokens and the speed of a machine give the
time; here the speed is measured, the operations are counted a second time by PyTorch, and the same arithmetic is held
against published trainings. Kaplan et al. 2020, section 2.1; Hoffmann et al. 2022; Chowdhery et al. 2022, appendix B.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import ModuleList
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from ftlab import costs, data, models, provenance
from ftlab import hardware as hw
from ftlab.config import Count, Positive, RunConfig, Share
from ftlab.results import Result


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """Training steps on random tokens: what they are does not change the cost."""

    model: str = "smollm2"  # a decoder predicts each next token; minilm and tiny-bert classify each text
    batch_size: Count = 4  # texts a step; larger batches keep the machine busier
    length: Count = 128  # tokens a text
    warm_up: Count = 1  # steps before the clock starts; the first one also fetches memory from the system
    repetitions: Count = 3  # steps that are timed; the median counts
    matrix: Count = 2048  # rows and columns of the square matrices whose product gives the machine's peak
    products: Count = 7  # products that are timed; the median counts
    required_agreement: Share = 0.85  # 1 - |relative error| that a prediction of a published run should reach
    patience_years: Positive = 1.0  # the longest wait for a training that still makes sense


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {"model": "tiny-llama", "length": 32, "matrix": 128},
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B",
        "batch_size": 8,
        "length": 1024,
        "warm_up": 3,
        "repetitions": 10,
        "matrix": 8192,
        "products": 20,
    },
}
RECORDED = ({"batch_size": 1}, {"batch_size": 4}, {"model": "minilm", "batch_size": 32})


def data_version(config: Config) -> str:
    """A fingerprint of published.yml, and of a model in a folder."""
    return data.text_fingerprint([costs.PUBLISHED.read_text(encoding="utf-8")]) + models.version(config.model)


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Measure this machine; hold the arithmetic against operations counted and trainings published."""
    hw.use(hardware)
    torch.manual_seed(config.seed)
    speed = _steps(config, hardware)
    peak = _peak(config, hardware)
    reached = speed["achieved_flops_per_second"]
    return Result(
        runner="cost",
        config=config.as_dict(),
        metrics={
            **speed,
            "peak_flops_per_second": peak,
            "utilisation": reached / peak,
            "required_agreement": config.required_agreement,
            "patience_years": config.patience_years,
            **costs.projections(reached),
            **costs.agreements(),
        },
        provenance=provenance.of("cost", config, PROFILES, hardware, data_version(config)),
    )


def multiplied(model: PreTrainedModel) -> int:
    """N of 6 N D: the weights that multiply every token, in the layers and in the output over the vocabulary.

    Looking up an embedding multiplies nothing; a classification head sees one token a text. Neither counts.
    """
    inside = {
        id(weight): weight
        for layers in model.modules()
        if isinstance(layers, ModuleList)
        for weight in layers.parameters()
    }
    head = model.get_output_embeddings()
    matrices = sum(weight.numel() for weight in inside.values() if weight.ndim == 2)
    return matrices + (head.weight.numel() if head is not None else 0)


def shape_of(model: PreTrainedModel, length: int) -> costs.Shape:
    """What decides the cost of one token, for texts of `length` tokens."""
    config = model.config
    return costs.Shape(
        parameters=multiplied(model),
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        context=length,
    )


def counted_flops(model: PreTrainedModel, batch: dict[str, Tensor]) -> int:
    """The operations of one step, forward and backward, as torch's FlopCounterMode counts them.

    On the CPU it does not see inside the fused attention, so the plain one is used while it counts.
    """
    fused = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        model(**batch).loss.backward()
    model.zero_grad()
    model.set_attn_implementation(fused)
    return counter.get_total_flops()


def _steps(config: Config, hardware: hw.Hardware) -> dict[str, float]:
    """The metrics of the training steps: speed, operations and memory, beside their predictions."""
    with hw.PeakMemory(hardware) as peak:
        model = _model(config)
        parts = _parts(model, config)
        hw.require(hardware, int(parts.total), f"Training {model.num_parameters() / 1e6:.1f} M parameters")
        model = model.to(hardware.device).train()
        seconds = _median_seconds(_step(model, config, hardware), config.warm_up, config.repetitions, hardware)
    shape, tokens = shape_of(model, config.length), config.batch_size * config.length
    counted = counted_flops(model, _batch(model, config, texts=1))
    flops = costs.training_flops(shape, tokens)
    return {
        "trained_parameters": float(model.num_parameters()),
        "multiplied_parameters": shape.parameters,
        "step_seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "achieved_flops_per_second": flops / seconds,
        "attention_share": costs.attention_share(shape),
        "flops_error": costs.training_flops(shape, config.length) / counted - 1,
        **_memory(parts, peak.bytes - peak.start),
    }


def _parts(model: PreTrainedModel, config: Config) -> costs.Memory:
    vocabulary = 0 if model.get_output_embeddings() is None else model.config.vocab_size
    shape = shape_of(model, config.length)
    return costs.memory(shape, config.batch_size, "float32", vocabulary, stored=model.num_parameters())


def _memory(parts: costs.Memory, measured: int) -> dict[str, float]:
    """Bytes of a step in float32, predicted by part and measured. `memory_ratio`: measured over predicted."""
    return {
        "weights_bytes": parts.weights,
        "gradients_bytes": parts.gradients,
        "optimiser_bytes": parts.optimiser,
        "activations_bytes": parts.activations,
        "predicted_memory_bytes": parts.total,
        "measured_memory_bytes": float(measured),
        "memory_ratio": measured / parts.total,
    }


def _model(config: Config) -> PreTrainedModel:
    load = models.encoder if config.model in models.ENCODERS else models.decoder
    return load(config.model, seed=config.seed).model


def _batch(model: PreTrainedModel, config: Config, texts: int) -> dict[str, Tensor]:
    """Random tokens [texts, length], with their labels: the tokens themselves, or one class a text."""
    ids = torch.randint(model.config.vocab_size, (texts, config.length), device=model.device)
    labels = ids[:, 0] * 0 if config.model in models.ENCODERS else ids
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def _step(model: PreTrainedModel, config: Config, hardware: hw.Hardware) -> Callable[[], object]:
    """One training step, ready to be called: forward, backward, AdamW."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    batch = _batch(model, config, config.batch_size)
    mixed = hardware.dtype == "bfloat16"

    def step() -> None:
        with torch.autocast(hardware.device, dtype=torch.bfloat16, enabled=mixed):
            loss = model(**batch).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def _peak(config: Config, hardware: hw.Hardware) -> float:
    """Operations a second in the product of two square matrices, the fastest thing a machine does in training."""
    dtype = getattr(torch, hardware.dtype)
    left, right = (torch.randn(config.matrix, config.matrix, device=hardware.device, dtype=dtype) for _ in range(2))
    return 2 * config.matrix**3 / _median_seconds(lambda: left @ right, 2, config.products, hardware)


def _median_seconds(work: Callable[[], object], warm_up: int, repetitions: int, hardware: hw.Hardware) -> float:
    """The median time of `work`, after some calls that are not timed."""
    times = [_seconds(work, hardware) for _ in range(warm_up + repetitions)]
    return statistics.median(times[warm_up:])


def _seconds(work: Callable[[], object], hardware: hw.Hardware) -> float:
    watch = hw.Stopwatch()
    work()
    if hardware.device != "cpu":
        torch.accelerator.synchronize()  # a GPU works on after the call has returned
    return watch.seconds
