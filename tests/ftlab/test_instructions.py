"""A chat model learns answers: the request is not learned, memory and batches are those of every training."""

from __future__ import annotations

from typing import Any

import pytest

from ftlab import data, hardware, models, verdicts
from ftlab.hardware import Batches, Hardware
from ftlab.runners import instructions as runner


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


@pytest.fixture(scope="module")
def trainer(cpu: Hardware) -> Any:
    train = data.reviews("toy", "train", 16)
    return runner._trainer(train, train.select(range(4)), smoke(), cpu, Batches(2, 2))


def test_only_the_answers_tokens_count(trainer: Any) -> None:
    tokenizer = trainer.processing_class
    rows = data.reviews("toy", "train", 16)
    taught = {" ".join(verdicts.answer(row["text"], row["label"]).split()) for row in rows}
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(4)])
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        counted = tokenizer.decode(ids[labels != -100], skip_special_tokens=True)
        assert any(counted.replace(" ", "").endswith(answer.replace(" ", "")) for answer in taught)
        assert "judgethisfilmreview" not in counted.replace(" ", "").lower()
        assert (labels == -100).sum() > 100


def test_it_learns_and_says_what_it_answered(cpu: Hardware) -> None:
    result = runner.run(smoke(), cpu)
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    assert {"format_share_before", "perfect_share_after", "accuracy_after"} <= set(result.metrics)
    assert set(result.provenance["answers"][0]) == {"review", "before", "after"}
    assert result.metrics["trainable_parameters"] == models.decoder("tiny-llama").model.num_parameters()


def test_a_smaller_cut_of_the_batch_learns_the_same(cpu: Hardware, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runner.run(smoke(updates=3), cpu).history
    monkeypatch.setattr(hardware, "batches", lambda *_: Batches(1, 4))
    cut = runner.run(smoke(updates=3), cpu).history
    key = "validation_loss"
    assert [r[key] for r in cut if key in r] == pytest.approx([r[key] for r in whole if key in r], rel=1e-4)


def test_lora_trains_a_small_part(cpu: Hardware) -> None:
    result = runner.run(smoke(method="lora", updates=1), cpu)
    assert result.metrics["trainable_parameters"] < models.decoder("tiny-llama").model.num_parameters()
