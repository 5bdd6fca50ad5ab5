"""Trainer and loop agree, dropout included, at every update; and the comparison notices when they do not."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import pytest
import torch
from transformers import BertForSequenceClassification, DataCollatorWithPadding

from ftlab import data, models, training, two_ways
from ftlab.runners import hf_vs_pytorch as runner

LOSS, WEIGHT = runner.LOSS_TOLERANCE, runner.WEIGHT_TOLERANCE


def both(**given: object):  # type: ignore[no-untyped-def]
    config = runner.Config.make(runner.PROFILES, "smoke", {"weight_decay": 0.1, "train_examples": 96, **given})
    sides = []
    for way in (two_ways.with_trainer, two_ways.by_hand):
        loaded = models.encoder("tiny-bert", seed=config.seed)
        loaded.model.config.hidden_dropout_prob = loaded.model.config.attention_probs_dropout_prob = 0.1
        torch.manual_seed(config.seed)
        model = BertForSequenceClassification(loaded.model.config)
        rows = training.tokenised(data.reviews("toy", "train", 96), loaded.tokenizer, 32)
        rows = rows.rename_column("label", "labels").to_list()
        losses = way(model, rows, DataCollatorWithPadding(loaded.tokenizer), config, config.accumulation, config.bf16)
        sides.append((losses, list(model.parameters())))
    return sides


def apart(sides) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    (losses, weights), (others, other_weights) = sides
    assert len(losses) == len(others) == 12
    loss = max(abs(a - b) / b for a, b in zip(losses, others, strict=True))
    return loss, max(float((a - b).abs().max().detach()) for a, b in zip(weights, other_weights, strict=True))


@pytest.mark.parametrize("given", [{"seed": 1}, {"seed": 2}, {"accumulation": 4}, {"warmup": 0.0}], ids=str)
def test_losses_and_weights_agree_at_every_update(given: dict[str, object]) -> None:
    loss, weight = apart(both(**given))
    assert loss <= LOSS and weight <= WEIGHT


def test_in_bfloat16_they_agree_as_closely_as_it_allows() -> None:
    loss, _ = apart(both(bf16=True))
    assert loss <= 1e-2


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("groups", lambda model, decay: [{"params": list(model.parameters()), "weight_decay": 10 * decay}]),
        ("climb_and_fall", lambda warmup, updates: lambda step: 1.0),
        ("CLIP", 1e-3),
    ],
)
def test_a_mistake_in_the_loop_shows(name: str, mistake: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_ways, name, mistake)
    loss, weight = apart(both(learning_rate=1e-3))
    assert loss > LOSS or weight > WEIGHT


def test_lines_are_counted_without_comments_docstrings_and_blanks() -> None:
    def example(
        first: int,
        second: int,
    ) -> int:
        """Add."""
        # a comment

        return (
            first
            + second
        )  # fmt: skip

    assert two_ways.lines(example) == 8
    assert two_ways.lines(example, example) == 16


def small(seed: int = 0, **given: object):  # type: ignore[no-untyped-def]
    """A config, a tiny model without dropout, its rows, and what pads them."""
    config = runner.Config.make(runner.PROFILES, "smoke", {"train_examples": 96, "seed": seed, **given})
    loaded = models.encoder("tiny-bert", seed=seed)
    rows = training.tokenised(data.reviews("toy", "train", 96), loaded.tokenizer, 32)
    rows = rows.rename_column("label", "labels").to_list()
    return config, loaded.model, rows, DataCollatorWithPadding(loaded.tokenizer)


@pytest.mark.parametrize("stop", [11, 17], ids=["soon after a checkpoint", "in the second epoch"])
def test_a_stopped_loop_goes_on_as_if_nothing_had_been(stop: int, tmp_path: Path) -> None:
    config, model, rows, pad = small(batch_size=8)
    model.config.hidden_dropout_prob = 0.1
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
    start = copy.deepcopy(model.state_dict())
    whole = two_ways.by_hand(model, rows, pad, config)
    expected = [parameter.detach().clone() for parameter in model.parameters()]
    calls = itertools.count(1)

    def stops(some: list[dict[str, object]]) -> dict[str, torch.Tensor]:
        if next(calls) > stop:
            raise KeyboardInterrupt
        return pad(some)

    model.load_state_dict(start)
    with pytest.raises(KeyboardInterrupt):
        two_ways.by_hand(model, rows, stops, config, folder=tmp_path)
    model.load_state_dict(start)  # the checkpoint must bring the weights back
    rest = two_ways.by_hand(model, rows, pad, config, folder=tmp_path)
    assert rest == whole[10:]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected, strict=True))
    logged = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged == whole[:stop] + whole[10:]


def _in_a_group(rank: int, file: str, out: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    config, model, rows, pad = small()
    two_ways.by_hand(model, rows, pad, config)
    if rank == 0:
        torch.save(model.state_dict(), out)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # where the new processes find this file
    torch.multiprocessing.spawn(_in_a_group, args=(str(tmp_path / "meet"), str(tmp_path / "two.pt")), nprocs=2)
    config, model, rows, pad = small()
    two_ways.by_hand(model, rows, pad, config, accumulation=2)
    two = torch.load(tmp_path / "two.pt", weights_only=True)
    assert all(torch.allclose(two[name], tensor, atol=WEIGHT) for name, tensor in model.state_dict().items())


@pytest.mark.slow
def test_the_runner_reports_the_agreement_and_the_prices(cpu) -> None:  # type: ignore[no-untyped-def]
    metrics = runner.run(runner.Config.make(runner.PROFILES, "smoke", {}), cpu).metrics
    assert metrics["loss_difference"] <= LOSS and metrics["weight_difference"] <= WEIGHT
    assert metrics["accuracy_trainer"] == metrics["accuracy_by_hand"]
    assert metrics["lines_trainer"] < metrics["lines_by_hand"]


@pytest.mark.assets
@pytest.mark.slow
def test_the_real_encoder_agrees_too(cpu) -> None:  # type: ignore[no-untyped-def]
    fields = {"train_examples": 32, "batch_size": 8, "test_examples": 16, "validation_examples": 16, "max_length": 24}
    metrics = runner.run(runner.Config.make(runner.PROFILES, "cpu", {**fields, "epochs": 1}), cpu).metrics
    assert metrics["loss_difference"] <= LOSS and metrics["weight_difference"] <= WEIGHT
