"""A model that reads one thing learns it; replay is in the batches, the pull leads back, LoRA leaves the rest alone."""

from __future__ import annotations

import pytest
import torch

from ftlab import domains, language, models
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


def test_the_distance_is_a_share_of_the_length() -> None:
    model = torch.nn.Linear(2, 2, bias=False)
    start = {"weight": torch.tensor([[3.0, 0.0], [0.0, 4.0]])}
    model.weight.data = torch.tensor([[3.0, 0.0], [0.0, 9.0]])
    assert runner.distance(start, model) == pytest.approx(1.0)


def test_the_loss_on_blocks_does_not_depend_on_how_they_are_batched() -> None:
    from datasets import Dataset

    model = models.decoder("tiny-llama").model.eval()
    rows = Dataset.from_dict({"input_ids": torch.randint(5, 100, (7, 12)).tolist()})
    assert language.loss(model, rows, 1) == pytest.approx(language.loss(model, rows, 4), rel=1e-5)
