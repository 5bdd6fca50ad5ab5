"""Two weight updates of each runner on the real models: what only real weights and texts can break, breaks here."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ftlab import runners
from ftlab.hardware import Hardware

FEW = {"train_examples": 32, "validation_examples": 8, "test_examples": 16, "max_length": 32}
SMOLLM2 = {"train_examples": 8, "validation_examples": 4, "test_examples": 4, "batch_size": 2}
PAIRS = {"train_prompts": 16, "validation_prompts": 4, "completion_tokens": 8}  # few prompts, each with two answers
SHORT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("transfer", {**FEW, "updates": 2}),
    ("hf_vs_pytorch", {**FEW, "train_examples": 64}),
    ("mlm", {"updates": 2, "held_out_blocks": 4, "labels": 32, "task_updates": 1, "max_length": 24}),
    ("question_answering", {"train_examples": 16, "test_examples": 8, "updates": 2}),
    ("instructions", {**SMOLLM2, "updates": 2, "answer_tokens": 4}),
    ("full_vs_peft", {**FEW, "updates": 2}),
    ("full_vs_peft", {**SMOLLM2, "model": "smollm2", "method": "prompt", "updates": 2, "max_length": 16}),
    ("leakage", {**FEW, "updates": 2, "file": "rotten_tomatoes"}),
    ("overfitting", {**FEW, "updates": 2, "layers": 2}),
    ("forgetting", {"batch_size": 2, "updates": 2, "held_out_blocks": 2, "questions": 2, "replay": 0.5}),
    ("two_tasks", {**FEW, "updates": 2}),
    ("dpo", {"model": "smollm2", "method": "lora", "batch_size": 4, "test_prompts": 4, "evaluations": 1} | PAIRS),
    ("rlhf", {"pairs": 32, "held_out_pairs": 8, "reward_epochs": 1, "batches": 1, "batch_size": 8, "test_prompts": 4}),
)


@pytest.mark.parametrize(("name", "few"), SHORT)
def test_a_short_training_of_real_weights_moves_them(name: str, few: dict[str, Any], cpu: Hardware) -> None:
    runner = runners.get(name)
    result = runner.run(runner.Config.make(runner.PROFILES, "cpu", {"seed": 0, **few}), cpu)  # type: ignore[attr-defined]
    assert result.metrics and all(math.isfinite(value) for value in result.metrics.values())
    after = {key: value for key, value in result.metrics.items() if key.endswith("_after") and "loss" in key}
    for key, value in after.items():
        assert value != result.metrics[key.replace("_after", "_before")], "nothing was learned"
