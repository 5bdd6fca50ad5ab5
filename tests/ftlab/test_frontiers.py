"""Ways to learn from the same pairs: each leaves a path of looks; paths are read rightly; the runner reports them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ftlab import best_of, frontiers
from ftlab.hardware import GB, Hardware, Machine, resolve
from ftlab.runners import frontier as runner

PATH = [{"kl": 2.0, "gold_reward": 1.0, "seconds": 5.0}, {"kl": 6.0, "gold_reward": 3.0, "seconds": 9.0}]


@pytest.fixture(scope="module")
def core() -> Hardware:
    """One thread: for tensors as small as these a second one costs more than it brings."""
    return resolve(Machine(cores=1, memory_bytes=8 * GB))


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


@pytest.mark.parametrize(("budget", "reward"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.5), (6, 3.0), (99, 3.0)])
def test_a_path_is_judged_by_where_it_crosses_the_budget(budget: float, reward: float) -> None:
    assert frontiers.reward_at(PATH, 0.0, budget) == pytest.approx(reward)


def test_what_fell_again_counts_by_its_best_moment() -> None:
    fell = [*PATH, {"kl": 4.0, "gold_reward": -1.0, "seconds": 12.0}]
    assert frontiers.reward_at(fell, 0.0, 6) == 3.0
    assert frontiers.reward_at([{"kl": 5.0, "gold_reward": -2.0}], 0.0, 9) == 0.0, "staying where it was is a way too"
    assert frontiers.reward_at([{"kl": 0.0, "gold_reward": 0.2}], 0.0, 1) == 0.2


def test_the_time_to_a_gain_is_that_of_the_first_look_that_has_it() -> None:
    assert frontiers.seconds_to(PATH, 0.9) == 5.0 and frontiers.seconds_to(PATH, 1.1) == 9.0
    assert frontiers.seconds_to(PATH, 3.1) is None


@pytest.mark.parametrize("way", frontiers.WAYS)
def test_every_way_leaves_a_path_and_its_price(way: str, core: Hardware) -> None:
    result = runner.run(smoke(way=way), core)
    looks, metrics = result.history, result.metrics
    steps = {"best_of_n": [1, 2, 4], "ppo": [2, 4], "rloo": [2, 4]}.get(way, [2, 4])
    assert [look["step"] for look in looks] == steps
    assert all({"kl", "gold_reward", "seconds"} <= set(look) for look in looks)
    assert metrics["models_in_memory"] == {"best_of_n": 2, "ppo": 3, "rloo": 3}.get(way, 1)
    assert metrics["judged_share"] == (way in ("dpo", "ipo", "imitation"))
    assert metrics["lines"] > 20 and metrics["models_bytes"] > 0
    assert 0 < metrics["seconds_to_gain"] <= metrics["seconds"] + 1e-9
    assert len(result.provenance["samples"]["after"]) == 4


def test_the_best_of_more_is_further_away_and_the_best_of_one_is_the_policy_itself(core: Hardware) -> None:
    looks = runner.run(smoke(way="best_of_n"), core).history
    assert [look["kl"] for look in looks] == [best_of.divergence_bound(n) for n in (1, 2, 4)]
    assert [look["gold_reward_by_gold"] for look in looks] == sorted(look["gold_reward_by_gold"] for look in looks)
    assert looks[0]["gold_reward"] == pytest.approx(looks[0]["gold_reward_by_gold"])


def test_each_way_and_each_strength_is_recorded_once() -> None:
    planned: list[Any] = [smoke(**some) for some in runner.RECORDED]
    assert {config.way for config in planned} == set(frontiers.WAYS)
    assert len({dataclasses.astuple(config) for config in planned}) == len(planned)


def test_ways_share_the_reward_model_and_each_counts_its_time(core: Hardware) -> None:
    frontiers._learned.cache_clear()
    first, second = (runner.run(smoke(way=way), core) for way in ("best_of_n", "ppo"))
    assert frontiers._learned.cache_info().hits == 1
    learning = frontiers._learned(smoke().part(frontiers.PairsRewardConfig), core).seconds
    assert min(look["seconds"] for result in (first, second) for look in result.history) >= learning > 0
    assert all(result.metrics["seconds"] >= learning for result in (first, second))
