"""A run of dpo: what is preferred is learned, both ways alike; labels are turned where they should be, nowhere else."""

from __future__ import annotations

import pytest
import torch

from ftlab import completions, feedback, gold, policies
from ftlab.hardware import GB, Hardware, Machine, resolve
from ftlab.runners import dpo as runner


@pytest.fixture(scope="module")
def core() -> Hardware:
    """One thread: for tensors as small as these a second one costs more than it brings."""
    return resolve(Machine(cores=1, memory_bytes=8 * GB))


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


@pytest.fixture(scope="module")
def plain(core: Hardware) -> runner.Result:
    return runner.run(smoke(trl=True, epochs=6), core)


def test_it_learns_the_pairs_and_reports_both_sides(plain: runner.Result) -> None:
    metrics = plain.metrics
    margin = metrics["train_chosen_log_probability_after"] - metrics["train_rejected_log_probability_after"]
    before = metrics["train_chosen_log_probability_before"] - metrics["train_rejected_log_probability_before"]
    assert margin > before + 1
    assert metrics["kl_before"] == pytest.approx(0, abs=1e-6) and metrics["kl_after"] > 0.1
    assert {"gold_reward_after", "distinct_share_after", "positive_share_after", "seconds"} <= set(metrics)


def test_trl_learned_the_same(plain: runner.Result) -> None:
    metrics = plain.metrics
    assert metrics["loss_difference"] <= metrics["loss_tolerance"]
    assert metrics["weight_difference"] <= metrics["weight_tolerance"]
    assert metrics["updates"] == 24 and metrics["lines_trl"] < metrics["lines_by_hand"]


def test_every_update_and_every_look_is_in_the_history(plain: runner.Result) -> None:
    assert [row["step"] for row in plain.history if "loss" in row] == list(range(1, 25))
    assert [row["step"] for row in plain.history if "gold_reward" in row] == [12, 24]
    assert all("validation_chosen_change" in row for row in plain.history if "gold_reward" in row)
    assert plain.provenance["labels"] == "simulated"
    assert [set(row) for row in plain.provenance["samples"]["after"]] == [{"prompt", "completion"}] * 4


def test_a_higher_beta_stays_closer(core: Hardware) -> None:
    near, far = (runner.run(smoke(beta=beta, epochs=6), core).metrics["kl_after"] for beta in (5.0, 0.05))
    assert near < far


@pytest.mark.parametrize("turned", [0.0, 0.25, 1.0])
def test_the_asked_share_of_the_training_labels_is_turned_and_nothing_else(turned: float) -> None:
    right, some = feedback.pairs(smoke(), "cpu"), feedback.pairs(smoke(turned=turned, beta=0.5), "cpu")
    assert right.validation == some.validation
    wrong = [a != b for a, b in zip(right.train, some.train, strict=True)]
    assert sum(wrong) == round(turned * len(right.train))
    assert all(a == (b.turned() if w else b) for a, b, w in zip(right.train, some.train, wrong, strict=True))


def test_pairs_are_the_same_each_time_and_of_prompts_that_are_not_looked_at(core: Hardware) -> None:
    feedback._simulated.cache_clear()
    first = feedback.pairs(smoke(), "cpu")
    feedback._simulated.cache_clear()
    assert feedback.pairs(smoke(), "cpu") == first
    assert feedback.pairs(smoke(seed=2), "cpu") != first
    look = feedback.look(feedback.policy(smoke(), "cpu"), smoke(), "cpu")
    learned = {pair.prompt for pair in (*first.train, *first.validation)}
    assert not learned & set(look.written.prompts)


def test_looks_are_spread_evenly_and_their_time_is_not_counted() -> None:
    import time

    written = policies.Written([], [], completions.Tokens(*[torch.zeros(0)] * 3))

    def measure() -> gold.Look:
        time.sleep(0.2)
        return gold.Look({"seen": 1.0}, written)

    looks = feedback.Looks(measure, steps=10, count=4)
    for step in range(1, 11):
        looks(step)
    assert [row["step"] for row in looks.rows] == [3, 5, 8, 10]
    assert looks.seconds < 0.2 and looks.rows[-1]["seconds"] < 0.2
