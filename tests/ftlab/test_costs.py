"""The arithmetic of cost: proportions that must hold, and the published trainings that it must meet."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import costs, models
from ftlab.errors import CourseError

WITHIN = 0.15  # what the lesson promises
sizes = st.floats(1e3, 1e12)
counts = st.integers(1, 512)
factors = st.floats(1.01, 100)
shapes = st.builds(costs.Shape, parameters=sizes, layers=counts, width=counts, heads=counts, context=counts)


@given(sizes, sizes, factors)
def test_operations_are_proportional_to_weights_and_to_tokens(weights: float, tokens: float, factor: float) -> None:
    once = costs.parameter_flops(weights, tokens)
    assert costs.parameter_flops(weights * factor, tokens) == pytest.approx(once * factor)
    assert costs.parameter_flops(weights, tokens * factor) == pytest.approx(once * factor)


@given(shapes, sizes, st.integers(2, 9))
def test_attention_alone_grows_with_the_context(shape: costs.Shape, tokens: float, factor: int) -> None:
    longer = dataclasses.replace(shape, context=shape.context * factor)
    weights = costs.parameter_flops(shape.parameters, tokens)
    short, long = (costs.training_flops(one, tokens) - weights for one in (shape, longer))
    assert long == pytest.approx(short * factor, rel=1e-3, abs=1e-9 * weights)
    assert 0 < costs.attention_share(shape) < costs.attention_share(longer) < 1


@given(shapes, counts, st.sampled_from(["mixed", "float32"]), factors)
def test_memory_grows_with_everything(
    shape: costs.Shape, batch: int, precision: costs.Precision, factor: float
) -> None:
    here = costs.memory(shape, batch, precision)
    more_weights = dataclasses.replace(shape, parameters=shape.parameters * factor)
    longer = dataclasses.replace(shape, context=2 * shape.context)
    assert costs.memory(more_weights, batch, precision).total > here.total
    assert costs.memory(shape, batch + 1, precision).activations > here.activations
    assert costs.memory(longer, batch, precision).activations > 2 * here.activations, "attention is quadratic"
    assert costs.memory(shape, batch, precision, vocabulary=10).activations > here.activations
    assert here.total == pytest.approx(16 * shape.parameters + here.activations), "both kinds take 16 bytes a weight"


@given(sizes, sizes, st.floats(0.01, 1))
def test_hours_and_utilisation_are_inverse(flops: float, peak: float, share: float) -> None:
    assert costs.utilisation(flops, peak, costs.device_hours(flops, peak, share)) == pytest.approx(share)
    assert costs.years(flops, peak) * costs.HOURS_PER_YEAR == pytest.approx(costs.device_hours(flops, peak, 1))


def test_activations_are_those_that_training_reckons_with() -> None:
    config = models._config("tiny-bert")
    shape = costs.Shape(
        parameters=1,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        context=64,
    )
    assert costs.activation_bytes(shape, 3, "float32") == 3 * models.activation_bytes(config, 64)
    assert costs.activation_bytes(shape, 3, "mixed") * 2 == costs.activation_bytes(shape, 3, "float32")


@pytest.mark.parametrize("key", ["gpt3_175b", "llama_65b"])
def test_published_runs_are_predicted(key: str) -> None:
    (row,) = (row for row in costs.compare(costs.published()) if row.key == key)
    assert abs(row.error) < WITHIN
    assert row.predicted == pytest.approx(row.published * (1 + row.error))


def test_no_run_is_predicted_from_its_own_hours() -> None:
    """Whatever the published hours of a run: its prediction stays, and only those of others may move."""
    runs = costs.published()
    for changed in runs:
        others = [dataclasses.replace(run, published=run.published * 9) if run is changed else run for run in runs]
        before, after = costs.compare(runs), costs.compare(others)
        (mine,) = ((old, new) for old, new in zip(before, after, strict=True) if old.key == changed.key)
        assert mine[0].predicted == mine[1].predicted
        moved = any(old.predicted != new.predicted for old, new in zip(before, after, strict=True))
        assert moved == changed.calibrates


def test_published_speed_and_hours_of_llama_agree() -> None:
    """Two numbers of one paper, written down separately here: a slip of the pen in either would show."""
    run = costs.get("llama_65b")
    assert run.tokens_per_second is not None
    assert run.tokens / run.tokens_per_second / 3600 == pytest.approx(run.published, rel=0.01)


def test_shapes_and_parameters_of_published_runs_belong_together() -> None:
    """Twelve times layers times width squared (Kaplan et al. 2020, table 1), plus the embeddings."""
    for run in costs.published():
        layers = 12 * run.shape.layers * run.shape.width**2
        assert 0.7 < layers / run.shape.parameters < 1.02, run.key
        assert run.shape.width % run.shape.heads == 0
        assert run.source and 0.1 < costs.expected_utilisation(costs.published(), run.key) < 0.7


def test_what_gpus_cost_is_linear() -> None:
    assert costs.dollars(100_320) == pytest.approx(200_000, rel=0.01), "the run that the price was read from"
    assert costs.megawatt_hours(1_022_362) == pytest.approx(449, rel=0.01), "Touvron et al. 2023a, table 15: 449 MWh"


def test_agreements_follow_from_the_errors() -> None:
    found = costs.agreements()
    assert abs(found["error_gpt3_175b_without_attention"]) < 0.01 < found["error_gpt3_175b"] < WITHIN
    assert found["agreement_bloom_176b"] == 1 - abs(found["error_bloom_176b"])


@given(st.floats(1e6, 1e18))
def test_a_faster_machine_takes_less_time_and_a_cluster_the_same_hours(speed: float) -> None:
    here, twice = costs.projections(speed), costs.projections(2 * speed)
    for key in costs.LARGE:
        assert here[f"years_{key}_here"] == pytest.approx(2 * twice[f"years_{key}_here"])
        assert here[f"years_{key}_a100"] * 365.25 == pytest.approx(here[f"days_{key}_cluster"] * costs.CLUSTER)
        assert here[f"dollars_{key}"] == twice[f"dollars_{key}"]


def test_mistakes_have_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CourseError, match="Did you mean 'llama_65b'"):
        costs.get("llama_66b")
    with pytest.raises(CourseError, match="calibrates: true"):
        costs.expected_utilisation([run for run in costs.published() if run.key == "bert_base"])
    with pytest.raises(CourseError, match="run gpt4: a field is missing"):
        costs._run({"key": "gpt4", "parameters": 1e12}, {})
