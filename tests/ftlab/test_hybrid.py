"""Stages learn what they should and only when asked; demonstrations teach the continuation and not the prompt."""

from __future__ import annotations

import pytest
import torch

from ftlab import data, models, policies, stages
from ftlab.hardware import GB, Hardware, Machine, resolve
from ftlab.runners import hybrid as runner


@pytest.fixture(scope="module")
def core() -> Hardware:
    """One thread: for tensors as small as these a second one costs more than it brings."""
    return resolve(Machine(cores=1, memory_bytes=8 * GB))


def smoke(**given: object) -> runner.Config:
    return runner.Config.make(runner.PROFILES, "smoke", {"seed": 1, **given})


def test_all_stages_run_and_each_is_looked_at(core: Hardware) -> None:
    result = runner.run(smoke(), core)
    assert [row["step"] for row in result.history] == [0, 1, 2, 3]
    assert list(result.provenance["samples"]) == ["start", *runner.STAGES]
    assert result.metrics["read_loss_after"] < result.metrics["read_loss_before"] - 0.2
    assert result.history[1]["kl"] == pytest.approx(0, abs=1e-5) and result.history[3]["kl"] > 0.01


@pytest.mark.parametrize("stage", runner.STAGES)
def test_a_stage_that_is_left_out_changes_nothing(stage: str, core: Hardware) -> None:
    alone = runner.run(smoke(**{other: other == stage for other in runner.STAGES}), core)
    assert list(alone.provenance["samples"]) == ["start", stage]
    assert len(alone.history) == 2 and f"{stage}_seconds" in alone.metrics


def test_with_no_stage_nothing_is_learned(core: Hardware) -> None:
    metrics = runner.run(smoke(**dict.fromkeys(runner.STAGES, False)), core).metrics
    names = [name.removesuffix("_before") for name in metrics if name.endswith("_before")]
    assert names and all(metrics[f"{name}_before"] == metrics[f"{name}_after"] for name in names)


def test_lora_hands_what_it_learned_on_to_the_next_stage(core: Hardware) -> None:
    result = runner.run(smoke(method="lora", human_feedback=False), core)
    losses = [row["read_loss"] for row in result.history]
    assert losses[1] < losses[0] - 0.05
    assert abs(losses[2] - losses[1]) < losses[0] - losses[1] + 0.5


def test_every_choice_of_stages_is_recorded_once() -> None:
    chosen = {tuple(getattr(smoke(**some), stage) for stage in runner.STAGES) for some in runner.RECORDED}
    assert len(chosen) == len(runner.RECORDED) == 8


def test_a_demonstration_is_learned_from_behind_its_prompt_to_its_end() -> None:
    policy = policies.load("tiny-llama")
    texts = ["the film is warm and the cast is fine .", "the film is"]
    (row,) = stages.demonstrations(texts, policy.tokenizer, prompt_tokens=3, max_length=99)
    assert policy.tokenizer.decode(row["input_ids"][:3]) == "the film is"
    assert row["labels"][:3] == [stages.IGNORED] * 3 and row["labels"][3:] == row["input_ids"][3:]
    assert row["input_ids"][-1] == policy.tokenizer.eos_token_id


def test_padding_of_demonstrations_is_no_target() -> None:
    policy = policies.load("tiny-llama")
    rows = stages.demonstrations(["a b c d e f", "a b c d"], policy.tokenizer, 2, 99)
    batch = stages.Collator(policy.tokenizer)(list(rows))
    model = models.decoder("tiny-llama").model.eval()
    with torch.no_grad():
        together = float(model(**batch).loss)
        apart = [model(**stages.Collator(policy.tokenizer)([row])) for row in rows]
        counts = [sum(label != stages.IGNORED for label in row["labels"]) for row in rows]
    weighted = sum(float(found.loss) * count for found, count in zip(apart, counts, strict=True)) / sum(counts)
    assert together == pytest.approx(weighted, rel=1e-5)


def test_what_people_like_are_positive_reviews_of_the_asked_split() -> None:
    liked = stages.liked("toy", "train", 20, seed=3)
    rows = data.reviews("toy", "train")
    labels = dict(zip(rows["text"], rows["label"], strict=True))
    assert len(liked) == 20 and all(labels[text] == 1 for text in liked)
    assert stages.liked("toy", "train", 20, seed=3) == liked != stages.liked("toy", "train", 20, seed=4)
