"""Task B is learned and A is lost among its answers; replay of A keeps it, and is in the examples as asked."""

from __future__ import annotations

import pytest

from ftlab import classifier
from ftlab.hardware import Hardware
from ftlab.runners import two_tasks as runner


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 2, **given})


@pytest.fixture(scope="module")
def plain(cpu: Hardware) -> runner.Result:
    return runner.run(smoke(), cpu)


def test_the_second_task_drives_out_the_first(plain: runner.Result) -> None:
    assert plain.metrics["a_accuracy_before"] > 0.8
    assert plain.metrics["a_accuracy_after"] < 0.2
    assert plain.metrics["a_told_accuracy_after"] >= plain.metrics["a_accuracy_after"]


def test_replay_keeps_the_first(plain: runner.Result, cpu: Hardware) -> None:
    mixed = runner.run(smoke(replay=0.3), cpu).metrics
    assert mixed["a_accuracy_after"] > plain.metrics["a_accuracy_after"] + 0.3


def test_a_pull_that_is_whole_keeps_the_weights_of_the_first_task(plain: runner.Result, cpu: Hardware) -> None:
    held = runner.run(smoke(pull=1.0), cpu).metrics
    assert held["a_told_accuracy_after"] == pytest.approx(held["a_told_accuracy_before"], abs=0.15)


@pytest.mark.parametrize("replay", [0.0, 0.25, 1.0])
def test_the_asked_part_of_the_examples_is_of_the_first_task(replay: float) -> None:
    config = smoke(replay=replay)
    rows = runner._mixed(runner._second(config, "train"), classifier.splits(config)[0], config)
    assert len(rows) == 256
    assert sum(label < 2 for label in rows["label"]) == round(256 * replay)


def test_the_history_goes_on_where_the_first_task_ended(plain: runner.Result) -> None:
    steps = [row["step"] for row in plain.history]
    assert steps == sorted(steps) and max(steps) == 120


def test_both_halves_of_the_second_task_are_as_large_and_share_no_text_between_splits() -> None:
    train, test = (runner._second(smoke(), split) for split in ("train", "test"))
    assert train["label"].count(2) == train["label"].count(3) == 128
    assert not set(train["text"]) & set(test["text"])
