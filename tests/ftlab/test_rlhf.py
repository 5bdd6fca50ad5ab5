"""RLHF end to end on tiny models: by hand and by trl, with what is kept to read."""

from __future__ import annotations

import pytest

from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import rlhf as runner

LOOKED_AT = {"reward", "gold_reward", "positive_share", "kl", "kl_k1", "distinct_share", "completion_tokens"}


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


@pytest.mark.parametrize("given", [{"algorithm": "ppo", "method": "lora"}, {"algorithm": "rloo"}])
def test_a_run_measures_and_keeps_what_was_written(given: dict[str, object], cpu: Hardware) -> None:
    result = runner.run(smoke(**given), cpu)
    for moment in ("before", "halfway", "after"):
        assert {f"{name}_{moment}" for name in LOOKED_AT} <= set(result.metrics)
    assert abs(result.metrics["kl_before"]) < 1e-6 < result.metrics["kl_after"]
    assert {"pair_accuracy", "calibration_error", "gold_pair_accuracy", "seconds"} <= set(result.metrics)
    assert result.metrics["gold_pair_accuracy"] == 1, "without noise the labels are the judge's own order"
    assert [row["step"] for row in result.history if "gold_reward" in row] == [0, 2]
    assert [row["step"] for row in result.history if "batch_reward" in row] == [1, 2]
    assert result.provenance["labels"] == "simulated"
    before, after = (result.provenance["samples"][moment] for moment in ("before", "after"))
    assert [row["prompt"] for row in before] == [row["prompt"] for row in after] != []
    assert sum(row["pairs"] for row in result.provenance["reliability"]) >= 7


def test_runs_that_differ_in_the_optimisation_share_the_reward_model(cpu: Hardware) -> None:
    one, other = smoke(beta=0.5, batches=4, algorithm="rloo", looks=2), smoke(beta=0.0)
    assert one.part(runner.TaughtConfig) == other.part(runner.TaughtConfig)
    assert one.part(runner.TaughtConfig) != smoke(label_noise=2.0).part(runner.TaughtConfig)
    runner._taught.cache_clear()
    for given in ({"algorithm": "ppo"}, {"algorithm": "rloo"}):
        runner.run(smoke(**given), cpu)
    assert runner._taught.cache_info().hits == 1


def test_the_data_version_knows_the_prompts() -> None:
    assert runner.data_version(smoke()) == runner.data_version(smoke(seed=5))
    assert runner.data_version(smoke()) != runner.data_version(smoke(prompt_tokens=4))


def test_a_prompt_without_room_is_refused(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="this model reads 512 at most"):
        runner.run(smoke(completion_tokens=600), cpu)
