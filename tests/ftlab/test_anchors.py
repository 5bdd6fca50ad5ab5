"""The pull leads back by the part it says, only what is trained; the distance is a share of the length."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftlab import anchors


def schedule(rate: float) -> SimpleNamespace:
    return SimpleNamespace(get_last_lr=lambda: [rate])


def test_the_distance_is_a_share_of_the_length() -> None:
    model = torch.nn.Linear(2, 2, bias=False)
    start = {"weight": torch.tensor([[3.0, 0.0], [0.0, 4.0]])}
    model.weight.data = torch.tensor([[3.0, 0.0], [0.0, 9.0]])
    assert anchors.distance(start, model) == pytest.approx(1.0)


@given(strength=st.floats(0, 1), part=st.floats(0, 1))
def test_a_pull_goes_its_part_of_the_way_scaled_as_the_learning_rate(strength: float, part: float) -> None:
    model = torch.nn.Linear(3, 2)
    start = anchors.weights(model)  # type: ignore[arg-type]
    with torch.no_grad():
        model.weight += 1.0
        model.bias += 1.0
    model.bias.requires_grad = False
    pull, args = anchors.Pull(start, strength), SimpleNamespace(learning_rate=1e-3)
    pull.on_step_end(args, None, None, model, lr_scheduler=schedule(part * 1e-3))
    assert torch.allclose(model.weight - start["weight"], torch.tensor(1 - strength * part), atol=1e-5)
    assert torch.allclose(model.bias - start["bias"], torch.tensor(1.0)), "what is not trained stays"


def test_the_start_is_a_copy() -> None:
    model = torch.nn.Linear(2, 2)
    start = anchors.weights(model)  # type: ignore[arg-type]
    with torch.no_grad():
        model.weight += 1.0
    assert anchors.distance(start, model) > 0  # type: ignore[arg-type]
