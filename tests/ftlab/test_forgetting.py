"""A model that reads one thing learns it; replay is in the batches, the pull leads back, LoRA leaves the rest alone."""

from __future__ import annotations

import pytest
import torch

from ftlab import domains, language, models, probes
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import forgetting as runner


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


@pytest.fixture(scope="module")
def plain(cpu: Hardware) -> runner.Result:
    return runner.run(smoke(), cpu)


def test_it_learns_what_it_reads(plain: runner.Result) -> None:
    assert plain.metrics["reviews_loss_after"] < plain.metrics["reviews_loss_before"] - 0.5
    assert plain.metrics["distance"] > 0
    assert {"manual_loss_after", "own_loss_after", "questions_accuracy_after"} <= set(plain.metrics)
    assert plain.metrics["conversation_written_accuracy_after"] >= 0
    assert len(plain.provenance["texts"]["after"]) == 4


def test_replay_lowers_the_loss_on_its_own_text(plain: runner.Result, cpu: Hardware) -> None:
    mixed = runner.run(smoke(replay=0.5), cpu)
    assert mixed.metrics["own_loss_after"] < plain.metrics["own_loss_after"]


@pytest.mark.parametrize("replay", [0.0, 0.25, 1.0])
def test_the_asked_part_of_the_blocks_is_replay(replay: float) -> None:
    config, tokenizer = smoke(replay=replay), models.load_tokenizer("tiny-llama")
    own = {tuple(row) for row in domains.blocks("own", "toy", "train", tokenizer, 32, 160, seed=1)["input_ids"]}
    rows = runner._train(config, tokenizer)["input_ids"]
    assert len(rows) == 20 * 8
    assert sum(tuple(row) in own for row in rows) == round(replay * 160)


def test_a_full_pull_holds_the_weights_where_they_were(plain: runner.Result, cpu: Hardware) -> None:
    held = runner.run(smoke(pull=0.5), cpu)
    assert 0 < held.metrics["distance"] < plain.metrics["distance"] / 2


def test_what_lora_learned_is_measured_in_the_merged_weights(cpu: Hardware) -> None:
    result = runner.run(smoke(method="lora"), cpu)
    assert result.metrics["reviews_loss_after"] < result.metrics["reviews_loss_before"]
    assert result.metrics["distance"] > 0


def test_every_kind_of_text_is_in_the_history_at_every_look(plain: runner.Result) -> None:
    for kind in runner.KINDS:
        looks = [row["step"] for row in plain.history if f"{kind}_loss" in row]
        assert looks == [5, 10, 15, 20]


def test_the_last_look_is_what_is_measured_after(plain: runner.Result) -> None:
    last = [row["own_loss"] for row in plain.history if "own_loss" in row][-1]
    assert last == pytest.approx(plain.metrics["own_loss_after"], rel=1e-3)


def test_a_second_run_measures_the_same_before(plain: runner.Result, cpu: Hardware) -> None:
    """What was measured before is kept for the next run of the same seed, and for no other."""
    runner._before.cache_clear()
    again, other = runner.run(smoke(updates=1), cpu), runner.run(smoke(updates=1, seed=2), cpu)
    for name in ("own_loss_before", "questions_accuracy_before"):
        assert again.metrics[name] == pytest.approx(plain.metrics[name])
    assert other.metrics["own_loss_before"] != plain.metrics["own_loss_before"]


def test_the_model_is_asked_two_hundred_questions() -> None:
    assert sum(len(probes.load(task).items) for task in runner.QUESTIONS) == 200


def test_a_pull_on_lora_is_refused(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="LoRA leaves these alone. Take --set pull=0."):
        runner.run(smoke(method="lora", pull=0.1), cpu)


def test_the_loss_on_blocks_does_not_depend_on_how_they_are_batched() -> None:
    from datasets import Dataset

    model = models.decoder("tiny-llama").model.eval()
    rows = Dataset.from_dict({"input_ids": torch.randint(5, 100, (7, 12)).tolist()})
    assert language.loss(model, rows, 1) == pytest.approx(language.loss(model, rows, 4), rel=1e-5)
