"""Masked words on the smoke profile: it learns its domain, the questions stay the same, the task sees the encoder."""

from __future__ import annotations

import pytest
import torch

from ftlab import data, hardware, models, results
from ftlab.hardware import GB, Batches, Hardware, Machine
from ftlab.runners import mlm


def smoke(**given: object) -> mlm.Config:
    return mlm.Config.make(mlm.PROFILES, "smoke", {"seed": 1, **given})


@pytest.fixture(scope="module")
def reference() -> results.Result:
    return mlm.run(smoke(), hardware.resolve(Machine(cores=2, memory_bytes=8 * GB)))


def test_it_learns_the_words_of_its_domain(reference: results.Result) -> None:
    metrics = reference.metrics
    assert metrics["reviews_perplexity_after"] < 0.5 * metrics["reviews_perplexity_before"]
    assert metrics["reviews_masked_accuracy_after"] > metrics["reviews_masked_accuracy_before"] + 0.05
    assert set(reference.provenance["guesses"]) == {"before", "after"}


def test_small_micro_batches_give_the_same_loss(
    reference: results.Result, cpu: Hardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is a mean over the hidden words of the whole batch. Other words are hidden, so the tolerance is wide."""
    monkeypatch.setattr(hardware, "batches", lambda *_: Batches(4, 2))
    cut = mlm.run(smoke(), cpu)
    assert cut.metrics["reviews_loss_before"] == reference.metrics["reviews_loss_before"]
    assert cut.metrics["reviews_loss_after"] == pytest.approx(reference.metrics["reviews_loss_after"], rel=0.15)


def test_the_other_domain_and_whole_words(reference: results.Result, cpu: Hardware) -> None:
    other = mlm.run(smoke(domain="manual", whole_words=True, updates=4), cpu)
    assert other.metrics["manual_loss_before"] == reference.metrics["manual_loss_before"], "the same questions"
    assert other.metrics["manual_loss_after"] < other.metrics["manual_loss_before"]


def test_the_task_starts_from_the_encoder_that_read() -> None:
    read = models.masked_encoder("tiny-bert", seed=5).model
    classifier = mlm._classifier(smoke(), read).model
    for name, weight in read.base_model.state_dict().items():
        assert torch.equal(classifier.base_model.state_dict()[name], weight), name


def test_no_topic_of_the_manual_is_on_both_sides() -> None:
    parts = {split: data.manual(split) for split in data.SPLITS}
    everything = [text for texts in parts.values() for text in texts]
    assert len(everything) == len(set(everything)) == 78, "one of the 79 is there under two names"
    assert all(len(texts) >= 3 for texts in parts.values())
