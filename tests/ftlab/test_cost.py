"""The runner `cost` on the smoke profile: operations as torch counts them, and a whole run."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from ftlab import costs, results
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import cost


def smoke(**given: object) -> cost.Config:
    return cost.Config.make(cost.PROFILES, "smoke", {"seed": 3, "repetitions": 2, **given})


def gpt2() -> PreTrainedModel:
    """GPT-2 keeps its weights in layers of its own kind (Conv1D), and shares its output with the embedding."""
    config = GPT2Config(vocab_size=300, n_positions=64, n_embd=32, n_layer=2, n_head=2)
    return GPT2LMHeadModel(config).eval()


def error(model: PreTrainedModel, config: cost.Config) -> float:
    counted = cost.counted_flops(model, cost._batch(model, config, texts=2))
    return costs.training_flops(cost.shape_of(model, config.length), 2 * config.length) / counted - 1


@pytest.mark.parametrize("length", [8, 32, 64])
def test_torch_counts_the_same_operations(length: int) -> None:
    """To the last one in a decoder; a classifier's head, one token a text, is left out of N."""
    for config in (smoke(length=length), smoke(model="tiny-bert", length=length)):
        assert error(cost._model(config), config) == pytest.approx(0, abs=1e-9 if "llama" in config.model else 0.02)
    assert error(gpt2(), smoke(length=length)) == pytest.approx(0, abs=1e-9)


def test_counting_leaves_the_model_as_it_was() -> None:
    config = smoke()
    model = cost._model(config)
    before = model.config._attn_implementation
    cost.counted_flops(model, cost._batch(model, config, texts=1))
    assert model.config._attn_implementation == before
    assert all(weight.grad is None for weight in model.parameters())


def test_a_step_trains(cpu: Hardware) -> None:
    config = smoke()
    model = cost._model(config)
    before = [weight.detach().clone() for weight in model.parameters()]
    cost._step(model, config, cpu)()
    assert not any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("model", ["tiny-llama", "tiny-bert"])
def test_a_run_end_to_end(model: str, cpu: Hardware, tmp_path: Path) -> None:
    config = smoke(model=model)
    found = cost.run(config, cpu)
    metrics = results.load(found.save(tmp_path)).metrics
    assert all(math.isfinite(value) for value in metrics.values())
    speed, peak = metrics["achieved_flops_per_second"], metrics["peak_flops_per_second"]
    assert metrics["utilisation"] == pytest.approx(speed / peak) and speed > 0
    assert metrics["tokens_per_second"] * metrics["step_seconds"] == pytest.approx(config.batch_size * config.length)
    assert abs(metrics["flops_error"]) < 0.01
    parts = ("weights", "gradients", "optimiser", "activations")
    assert sum(metrics[f"{part}_bytes"] for part in parts) == metrics["predicted_memory_bytes"]
    assert metrics["measured_memory_bytes"] > 0
    seconds = metrics["years_gpt3_175b_here"] * 365.25 * 24 * 3600
    assert seconds * metrics["achieved_flops_per_second"] == pytest.approx(costs.get("gpt3_175b").flops)
    assert found.provenance["command"].startswith("ftlab run cost --profile smoke --seed 3")


def test_too_little_memory_has_a_sentence(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="are free on CPU"):
        cost.run(smoke(), dataclasses.replace(cpu, memory_bytes=1000))


@pytest.mark.assets
@pytest.mark.slow
def test_memory_is_about_what_was_predicted(cpu: Hardware) -> None:
    """A model that is large beside the libraries: within a third."""
    metrics = cost.run(smoke(model="smollm2", batch_size=1, repetitions=1), cpu).metrics
    assert 0.67 < metrics["memory_ratio"] < 1.5
    assert abs(metrics["flops_error"]) < 1e-6
