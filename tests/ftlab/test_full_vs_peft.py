"""Every method trains, at the rate that served it best, and says what it costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import adapters
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import full_vs_peft as runner


@pytest.fixture
def one_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search for a rate, where the search is not the point: it takes most of the time."""
    monkeypatch.setattr(runner, "_neighbours", lambda rate: (rate,))


@pytest.mark.parametrize("method", adapters.METHODS)
def test_every_method_runs_at_the_best_of_its_rates(method: str, cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": method})
    metrics = runner.run(config, cpu).metrics
    rates = [rate for rate in runner.GRID if metrics["lowest_rate"] <= rate <= metrics["highest_rate"]]
    losses = [metrics[f"rate_{place}_loss"] for place in range(1, len(rates) + 1)]
    assert set(runner._neighbours(runner.BEGIN[method])) <= set(rates)
    assert metrics["best_rate"] == rates[losses.index(min(losses))]
    inside = metrics["lowest_rate"] < metrics["best_rate"] < metrics["highest_rate"]
    assert inside or len(rates) == runner.MOST, "the best rate stands between two that are worse"
    assert metrics["optimiser_bytes"] == 2 * metrics["gradients_bytes"] == 8 * metrics["trainable_parameters"]
    assert metrics.get("merge_difference", 0.0) < 1e-4
    assert ("merge_difference" in metrics) == (method in adapters.MERGED)
    assert metrics["relative_time"] > 0 and metrics["activations_bytes"] > 0
    assert (metrics["trainable_parameters"] == metrics["parameters"]) == (method == "full")


@pytest.mark.usefixtures("one_rate")
def test_the_effort_to_a_quality_is_that_of_the_first_look_that_reached_it(cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 0.0, "method": "lora"})
    metrics = runner.run(config, cpu).metrics
    assert metrics["updates_to_quality"] == 3, "the first of five looks in twelve updates"
    assert metrics["effort_to_quality"] == pytest.approx(3 * metrics["relative_time"])
    config = runner.Config.make(runner.PROFILES, "smoke", {"quality": 1.0, "method": "prompt", "updates": 2})
    assert "updates_to_quality" not in runner.run(config, cpu).metrics


@pytest.mark.usefixtures("one_rate")
@pytest.mark.parametrize("method", [method for method in adapters.METHODS if method != "bitfit"])
def test_a_decoder_that_classifies_runs_by_every_method(method: str, cpu: Hardware) -> None:
    fields = {"method": method, "model": "tiny-llama", "updates": 2}
    metrics = runner.run(runner.Config.make(runner.PROFILES, "smoke", fields), cpu).metrics
    assert metrics.get("merge_difference", 0.0) < 1e-4


def test_a_model_without_biases_is_not_trained_by_its_biases(cpu: Hardware) -> None:
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": "bitfit", "model": "tiny-llama"})
    with pytest.raises(CourseError, match="A llama has nothing that 'bitfit' could train. Take another method."):
        runner.run(config, cpu)


@pytest.mark.usefixtures("one_rate")
def test_a_merging_that_changes_answers_is_no_result(cpu: Hardware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "merging_difference", lambda *_: 0.5)
    config = runner.Config.make(runner.PROFILES, "smoke", {"method": "lora", "updates": 1})
    with pytest.raises(CourseError, match="Merging lora changed a logit by 0.5"):
        runner.run(config, cpu)


@given(best=st.sampled_from(runner.GRID), begin=st.sampled_from(runner.GRID[1:-1]))
def test_the_sweep_walks_to_the_best_rate_and_ends_in_time(best: float, begin: float) -> None:
    """Where the loss falls towards one rate from both sides, as it does for a training that works."""

    def attempt(config: runner.Config, *_: object) -> runner.Attempt:
        away = abs(runner.GRID.index(config.learning_rate) - runner.GRID.index(best))
        return runner.Attempt(float(away), {}, [], None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_attempt", attempt)
        patch.setitem(runner.BEGIN, "full", begin)
        tried = runner._sweep(runner.Config(method="full"), (), None)
    way = abs(runner.GRID.index(begin) - runner.GRID.index(best))
    assert list(tried) == sorted(tried) and len(tried) <= runner.MOST
    assert (runner._best(tried) == best) == (way <= runner.MOST - 2)
