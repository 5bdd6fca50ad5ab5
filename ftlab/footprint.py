"""What a weight update takes, measured on the spot: bytes by what holds them, and time against another model's.

Bytes are counted and not read off the process, so they are the same on every machine. Times are taken in turns, one
update of either model and then the other, so that whatever else the machine does slows both. Chen et al. 2016 (Training
Deep Nets with Sublinear Memory Cost), section 2, on what a backward pass must keep.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Batch = Mapping[str, "Tensor"]


def bytes_by_part(model: PreTrainedModel, batch: Batch) -> dict[str, float]:
    """Bytes of weights, gradients, AdamW's two moments, and the activations that a backward pass on `batch` keeps.

    `training_bytes` are all of these together.
    """
    trained = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
    parts = {
        "weights_bytes": sum(parameter.nbytes for parameter in model.parameters()),
        "gradients_bytes": trained,
        "optimiser_bytes": 2 * trained,
        "activations_bytes": activation_bytes(model, batch),
    }
    return {name: float(count) for name, count in {**parts, "training_bytes": sum(parts.values())}.items()}


def activation_bytes(model: PreTrainedModel, batch: Batch) -> int:
    """Bytes that a forward pass on `batch` keeps for the backward pass, each piece of memory once, weights left out."""
    import torch

    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # held on to, so that its place is not given to another
        return tensor.detach()  # the tensor itself would hold its graph, and its graph the tensor, for ever

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**batch)
    return sum(storage.nbytes() for storage in kept.values())


def relative_time(model: PreTrainedModel, other: PreTrainedModel, batch: Batch, rounds: int = 5) -> float:
    """The time of a weight update of `model` on `batch`, as a multiple of one of `other`: the median over `rounds`.

    Both models are changed by it. The first update of each, which makes the optimiser's moments, is not counted.
    """
    update, other_update = _updating(model, batch), _updating(other, batch)
    update(), other_update()
    return statistics.median(_seconds(update) / _seconds(other_update) for _ in range(rounds))


def _updating(model: PreTrainedModel, batch: Batch) -> Callable[[], None]:
    """One weight update each time it is called, at a learning rate that leaves the weights nearly as they are."""
    import torch

    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-9, fused=True)
    model.train()

    def update() -> None:
        model(**batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return update


def _seconds(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
