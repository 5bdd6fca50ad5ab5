"""A low-rank adapter inside a model, and a head that is trained too: so small that it ships with the course."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch.nn import Module
    from transformers import PreTrainedModel


def lora(rank: int, layers: str) -> LoraConfig:
    """An adapter of that rank on the layers whose names the regular expression `layers` matches."""
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=rank, target_modules=layers, lora_dropout=0.0)


def inject(model: PreTrainedModel, config: LoraConfig, head: Module, but: str = "") -> None:
    """Put the adapter into the model itself, so that a checkpoint holds everything. Adapter and head are trained.

    Parameters of the head whose names contain `but` are not.
    """
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config, model)
    for name, parameter in head.named_parameters():
        parameter.requires_grad = not but or but not in name


def save(model: PreTrainedModel, config: LoraConfig, head: str, out: Path) -> None:
    """Write the adapter as peft reads it, and what was trained of the model's attribute `head`, both in float16."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    adapter = {f"base_model.model.{name}": t.half() for name, t in get_peft_model_state_dict(model).items()}
    module = model.get_submodule(head)
    kept = {f"{head}.{n}": p.detach().half() for n, p in module.named_parameters() if p.requires_grad}
    save_file({name: tensor.contiguous() for name, tensor in adapter.items()}, out / "adapter_model.safetensors")
    save_file(kept, out / "head.safetensors")
    config.save_pretrained(str(out))
