"""Staying near where a training began: a pull back to the first weights, and how far they went.

Li et al. 2018 (Explicit Inductive Bias for Transfer Learning, L2-SP), section 3; decoupled from the gradient, as
AdamW's weight decay is (Loshchilov and Hutter 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Weights = dict[str, "Tensor"]


def weights(model: PreTrainedModel) -> Weights:
    """A copy of all weights by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def distance(start: Weights, model: PreTrainedModel) -> float:
    """How far the weights have gone: the length of the difference, as a share of the length at the start."""
    moved = sum(float((p.detach().cpu() - start[name]).square().sum()) for name, p in model.named_parameters())
    length = sum(float(tensor.square().sum()) for tensor in start.values())
    return float((moved / length) ** 0.5)


class Pull(TrainerCallback):
    """After each update the trained weights go back a part of the way to where they began."""

    def __init__(self, start: Weights, strength: float) -> None:
        self._start, self._strength = start, strength

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **more: Any) -> None:
        """Move by `strength`, scaled as the learning rate is at this update."""
        import torch

        share = self._strength * more["lr_scheduler"].get_last_lr()[0] / args.learning_rate
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.lerp_(self._start[name].to(parameter.device), share)
