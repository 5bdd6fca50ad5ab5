"""What an update takes: bytes by formula, activations that grow with the batch, and times that cancel the machine."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
import torch

from ftlab import adapters, footprint, models


def batch(rows: int = 4) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 100, (rows, 16), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(rows) % 2}


def adapted(method: str) -> Any:
    return adapters.adapt(models.encoder("tiny-bert").model, method, rank=2)


def test_full_training_keeps_a_gradient_and_two_moments_of_every_weight() -> None:
    found = footprint.bytes_by_part(adapted("full"), batch())
    assert found["weights_bytes"] == found["gradients_bytes"] == found["optimiser_bytes"] / 2
    lora = footprint.bytes_by_part(adapted("lora"), batch())
    assert lora["gradients_bytes"] < found["gradients_bytes"] / 10
    assert lora["weights_bytes"] > found["weights_bytes"]
    assert found["training_bytes"] == pytest.approx(4 * found["weights_bytes"] + found["activations_bytes"])


def test_activations_are_those_of_the_formula_for_a_linear_layer() -> None:
    class Model(torch.nn.Linear):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return super().forward(input_ids).relu()

    inputs = {"input_ids": torch.rand(3, 5)}
    assert footprint.activation_bytes(Model(5, 7), inputs) == 4 * (3 * 5 + 3 * 7)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_activations_grow_with_the_batch_and_not_by_chance(method: str) -> None:
    model = adapted(method)
    small, large = (footprint.activation_bytes(model, batch(rows)) for rows in (4, 8))
    assert small == footprint.activation_bytes(model, batch(4))
    assert 1.8 * small < large < 2.2 * small


def test_what_was_kept_is_let_go() -> None:
    model, given = adapted("full"), batch()
    before = living_tensors()
    footprint.activation_bytes(model, given)
    assert living_tensors() == before


def living_tensors() -> int:
    gc.collect()
    return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())


def test_a_frozen_body_keeps_hardly_any_activations() -> None:
    full, head = (footprint.activation_bytes(adapted(method), batch()) for method in ("full", "head"))
    assert head < full / 5


def test_a_model_that_takes_longer_has_a_higher_ratio() -> None:
    slow = adapted("full")
    slow.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    assert footprint.relative_time(slow, adapted("full"), batch(), rounds=3) > 2
    assert footprint.relative_time(adapted("full"), slow, batch(), rounds=3) < 0.5


def test_the_updates_move_only_what_is_trained() -> None:
    model = adapted("lora")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    footprint.relative_time(model, adapted("full"), batch(), rounds=1)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved <= {name for name, p in model.named_parameters() if p.requires_grad}
