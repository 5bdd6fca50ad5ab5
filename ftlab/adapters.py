"""Which weights are trained: all of them, a few of them, or a few new ones beside the frozen rest.

LoRA: Hu et al. 2022, section 4.1. rsLoRA: Kalajdzievski 2023, theorem 3.2. DoRA: Liu et al. 2024, section 4. IA3: Liu
et al. 2022, section 3.3. Prompt tuning: Lester et al. 2021, section 2. BitFit: Ben Zaken et al. 2022, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from ftlab.errors import CourseError, unknown

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

Method = Literal["full", "head", "bitfit", "lora", "rslora", "dora", "ia3", "prompt"]
Targets = Literal["attention", "all"]
METHODS: tuple[str, ...] = get_args(Method)
MERGED = ("lora", "rslora", "dora", "ia3")  # what they learned can be added to the weights: no cost when it is used
# The matrices of a layer, by the kind of model: those that make queries and values, and all of them.
MATRICES: dict[str, dict[str, list[str]]] = {
    "bert": {
        "attention": ["query", "value"],
        "all": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    },
    "llama": {
        "attention": ["q_proj", "v_proj"],
        "all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    },
    "gpt2": {"attention": ["c_attn"], "all": ["c_attn", "c_proj", "c_fc"]},
}
# IA3 scales keys, values and what leaves the first half of the feed-forward part, which is the input of the second.
SCALED: dict[str, tuple[list[str], list[str]]] = {
    "bert": (["key", "value", r"layer.\d+.output.dense"], [r"layer.\d+.output.dense"]),
    "llama": (["k_proj", "v_proj", "down_proj"], ["down_proj"]),
    "gpt2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"]),
}
PROMPT_TOKENS = 20  # invented words in front of every text


def adapt(
    model: PreTrainedModel, method: str, rank: int = 8, targets: str = "attention", task: str = "SEQ_CLS"
) -> PreTrainedModel:
    """`model` with only the weights of `method` (one of METHODS) left to train; a new head always is.

    `rank` and `targets` (attention or all) matter to lora, rslora and dora. `task` is peft's name of the task: SEQ_CLS
    or CAUSAL_LM. Raises CourseError for another method, a rank above the width, or a kind of model without targets.
    """
    if method not in METHODS:
        raise unknown("method", method, list(METHODS))
    if method == "full":
        return model
    if method in ("head", "bitfit"):
        return _only(model, method)
    from peft import get_peft_model

    adapted: Any = get_peft_model(model, _config(model, method, rank, targets, task))
    return adapted


def _only(model: PreTrainedModel, method: str) -> PreTrainedModel:
    """Freeze the body, or everything in it but the biases."""
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad = method == "bitfit" and name.endswith("bias")
    body = any(parameter.requires_grad for parameter in model.base_model.parameters())
    if not any(parameter.requires_grad for parameter in model.parameters()) or (method == "bitfit" and not body):
        raise CourseError(f"A {model.config.model_type} has nothing that {method!r} could train. Take another method.")
    return model


def _config(model: PreTrainedModel, method: str, rank: int, targets: str, task: str) -> PeftConfig:
    from peft import IA3Config, LoraConfig, PromptTuningConfig

    kind = model.config.model_type
    if method == "prompt":
        return PromptTuningConfig(task_type=task, num_virtual_tokens=PROMPT_TOKENS)
    if kind not in MATRICES:
        raise CourseError(f"Nobody has said which matrices of a {kind!r} to adapt. Known: {', '.join(MATRICES)}.")
    turned = {"fan_in_fan_out": kind == "gpt2"}  # GPT-2 keeps its matrices the other way round
    if method == "ia3":
        scaled, feedforward = SCALED[kind]
        return IA3Config(
            task_type=task, target_modules=_pattern(scaled), feedforward_modules=_pattern(feedforward), **turned
        )
    if targets not in MATRICES[kind]:
        raise unknown("choice of targets", targets, list(MATRICES[kind]))
    if not 0 < rank <= model.config.hidden_size:
        raise CourseError(
            f"rank is {rank}; it is at least 1 and at most the model's width, {model.config.hidden_size}."
        )
    return LoraConfig(
        task_type=task,
        r=rank,
        lora_alpha=2 * rank,
        target_modules=MATRICES[kind][targets],
        **turned,
        use_rslora=method == "rslora",
        use_dora=method == "dora",
    )


def _pattern(names: list[str]) -> str:
    """What peft takes for a pattern of full names, one of which ends in one of `names`."""
    return r".*\.(" + "|".join(names) + ")"


def merged(model: Any) -> PreTrainedModel:
    """An adapted model as a plain one: what was learned is added to the weights it belongs to."""
    plain: PreTrainedModel = model.merge_and_unload()
    return plain


def merging_difference(model: Any, batch: Any) -> float:
    """The largest difference of a logit on `batch` between an adapted model and its merged self; it stays merged."""
    import torch

    model.eval()
    with torch.no_grad():
        apart = model(**batch).logits
        together = merged(model)(**batch).logits
    return float((apart - together).abs().max())


def saved_bytes(model: PreTrainedModel) -> int:
    """Bytes of what must be kept of a training: the trained weights alone."""
    return sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
