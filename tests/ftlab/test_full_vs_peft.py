"""Every method trains, at the rate that served it best, and says what it costs."""

from __future__ import annotations

import pytest

from ftlab import adapters
from ftlab.hardware import Hardware
from ftlab.runners import full_vs_peft as runner


@pytest.mark.parametrize("method", adapters.METHODS)
def test_every_method_runs_at_the_best_of_its_rates(method: str, cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": method})
    metrics = runner.run(config, cpu).metrics
    losses = [metrics[f"tuning_{place}_loss"] for place in (1, 2, 3)]
    assert metrics["best_rate"] == runner.RATES[method][losses.index(min(losses))]
    assert metrics["optimiser_bytes"] == 2 * metrics["gradients_bytes"] == 8 * metrics["trainable_parameters"]
    assert metrics.get("merge_difference", 0.0) < 1e-4
    assert ("merge_difference" in metrics) == (method in adapters.MERGED)
    assert (metrics["trainable_parameters"] == metrics["parameters"]) == (method == "full")


def test_the_time_to_a_quality_is_that_of_the_first_look_that_reached_it(cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 0.0})
    metrics = runner.run(config, cpu).metrics
    assert metrics["seconds_to_quality"] == pytest.approx(metrics["seconds"] / 4, rel=0.1)
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 1.0, "method": "prompt", "updates": 2})
    assert "seconds_to_quality" not in runner.run(config, cpu).metrics
