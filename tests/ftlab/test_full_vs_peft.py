"""Every method trains, at the rate that served it best, and says what it costs."""

from __future__ import annotations

import pytest

from ftlab import adapters
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import full_vs_peft as runner


@pytest.mark.parametrize("method", adapters.METHODS)
def test_every_method_runs_at_the_best_of_its_rates(method: str, cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": method})
    metrics = runner.run(config, cpu).metrics
    losses = [metrics[f"rate_{place}_loss"] for place in (1, 2, 3)]
    assert metrics["best_rate"] == runner.RATES[method][losses.index(min(losses))]
    assert metrics["optimiser_bytes"] == 2 * metrics["gradients_bytes"] == 8 * metrics["trainable_parameters"]
    assert metrics.get("merge_difference", 0.0) < 1e-4
    assert ("merge_difference" in metrics) == (method in adapters.MERGED)
    assert metrics["relative_time"] > 0 and metrics["activations_bytes"] > 0
    assert (metrics["trainable_parameters"] == metrics["parameters"]) == (method == "full")


def test_the_effort_to_a_quality_is_that_of_the_first_look_that_reached_it(cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 0.0, "method": "lora"})
    metrics = runner.run(config, cpu).metrics
    assert metrics["updates_to_quality"] == 3, "the first of five looks in twelve updates"
    assert metrics["effort_to_quality"] == pytest.approx(3 * metrics["relative_time"])
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 1.0, "method": "prompt", "updates": 2})
    assert "updates_to_quality" not in runner.run(config, cpu).metrics


@pytest.mark.parametrize("method", [method for method in adapters.METHODS if method != "bitfit"])
def test_a_decoder_that_classifies_runs_by_every_method(method: str, cpu: Hardware) -> None:
    given = {"method": method, "model": "tiny-llama", "updates": 2}
    metrics = runner.run(runner.Config.make(runner.PROFILES, "smoke", given), cpu).metrics
    assert metrics.get("merge_difference", 0.0) < 1e-4


def test_a_model_without_biases_is_not_trained_by_its_biases(cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": "bitfit", "model": "tiny-llama"})
    with pytest.raises(CourseError, match="A llama has nothing that 'bitfit' could train. Take another method."):
        runner.run(config, cpu)


def test_a_merging_that_changes_answers_is_no_result(cpu: Hardware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "merging_difference", lambda *_: 0.5)
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": "lora", "updates": 1})
    with pytest.raises(CourseError, match="Merging lora changed a logit by 0.5"):
        runner.run(config, cpu)
