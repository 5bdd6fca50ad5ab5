"""Supervised fine-tuning on the smoke profile: learns, repeats, and is the same however it is cut."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftlab import hardware, results, training
from ftlab.errors import CourseError
from ftlab.hardware import GB, Batches, Hardware, Machine
from ftlab.runners import sft

# What depends on the clock and the machine, not on the mathematics.
CIRCUMSTANCES = {"seconds", "peak_memory_bytes"}


def smoke(**given: object) -> sft.Config:
    return sft.Config.make(sft.PROFILES, "smoke", {"seed": 3, **given})


@pytest.fixture(scope="module")
def reference() -> results.Result:
    return sft.run(smoke(), hardware.resolve(Machine(cores=2, memory_bytes=8 * GB)))


def assert_same(one: results.Result, other: results.Result, tolerance: float) -> None:
    for name in one.metrics.keys() - CIRCUMSTANCES:
        assert one.metrics[name] == pytest.approx(other.metrics[name], rel=tolerance), name
    for mine, theirs in zip(one.history, other.history, strict=True):
        assert mine == pytest.approx(theirs, rel=tolerance)


def test_it_learns(reference: results.Result) -> None:
    metrics = reference.metrics
    assert metrics["accuracy"] > 0.9 > metrics["accuracy_before"] + 0.2
    assert metrics["loss"] < metrics["loss_before"] == pytest.approx(math.log(2), abs=0.05)
    assert metrics["seconds"] > 0
    assert 0.1 * GB < metrics["peak_memory_bytes"] < 8 * GB
    losses = [row["loss"] for row in reference.history if "loss" in row]
    assert len(losses) == 32, "two epochs of sixteen whole batches"
    assert [row["epoch"] for row in reference.history if "validation_accuracy" in row] == [0.5, 1.0, 1.5, 2.0]


def test_the_same_seed_gives_the_same_numbers(reference: results.Result, cpu: Hardware) -> None:
    assert_same(reference, sft.run(smoke(), cpu), tolerance=0)


def test_another_seed_gives_other_numbers(reference: results.Result, cpu: Hardware) -> None:
    assert sft.run(smoke(seed=4), cpu).metrics["loss"] != reference.metrics["loss"]


def test_small_micro_batches_give_the_same_numbers(
    reference: results.Result, cpu: Hardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "batches", lambda *_: Batches(4, 4))
    cut = sft.run(smoke(), cpu)
    assert cut.provenance["batch"] == {"micro": 4, "accumulation": 4}
    assert_same(reference, cut, tolerance=1e-4)


def test_running_out_of_memory_gives_the_same_numbers(
    reference: results.Result, cpu: Hardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = training._train

    def first_too_large(trainer, machine, batches):  # type: ignore[no-untyped-def]
        if batches.micro > 8:
            raise RuntimeError("CUDA out of memory.")
        return train(trainer, machine, batches)

    monkeypatch.setattr(training, "_train", first_too_large)
    retried = sft.run(smoke(), cpu)
    assert retried.provenance["batch"] == {"micro": 8, "accumulation": 2}
    assert_same(reference, retried, tolerance=1e-4)


@pytest.mark.slow
def test_two_processes_give_one_result_with_the_same_numbers(reference: results.Result, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"]
    launch += ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    command = [
        "-m",
        "ftlab",
        "run",
        "sft",
        "--profile",
        "smoke",
        "--seed",
        "3",
        "--device",
        "cpu",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*launch, *command], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("kept in") == 1
    (run,) = results.load_all(tmp_path)
    assert run.provenance["hardware"]["processes"] == 2
    assert run.provenance["batch"]["micro"] == 8
    assert_same(reference, run, tolerance=1e-4)


def test_two_gigabytes_shared_by_eight_processes_get_a_sentence() -> None:
    small = hardware.resolve(Machine(cores=1, memory_bytes=2 * GB, processes=8))
    with pytest.raises(CourseError, match="needs about .* GB of memory"):
        sft.run(smoke(), small)


def test_too_few_examples_for_a_batch_are_explained(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="10 training examples do not fill one batch of 16"):
        sft.run(smoke(train_examples=10), cpu)


def test_a_diverged_training_is_said_and_not_kept(cpu: Hardware, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="The training diverged"):
        sft.run(smoke(learning_rate=1e30), cpu).save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_result_survives_the_disk(reference: results.Result, tmp_path: Path) -> None:
    path = reference.save(tmp_path)
    assert results.load(path) == reference
    assert json.loads(path.read_text())["provenance"]["command"] == "ftlab run sft --profile smoke --seed 3"


def test_a_model_and_a_data_set_from_folders(tmp_path: Path, cpu: Hardware) -> None:
    """What a Hub id does, without the Hub: the same loaders on local folders."""
    from datasets import DatasetDict

    from ftlab import data, models

    loaded = models.encoder("tiny-bert", seed=1)
    loaded.model.save_pretrained(tmp_path / "model")
    loaded.tokenizer.save_pretrained(tmp_path / "model")
    parts = {split: data.toy_reviews(64, seed=i) for i, split in enumerate(data.SPLITS)}
    DatasetDict(parts).save_to_disk(tmp_path / "data")
    config = smoke(model=str(tmp_path / "model"), source=str(tmp_path / "data"), train_examples=64, epochs=1)
    assert 0 <= sft.run(config, cpu).metrics["accuracy"] <= 1


def test_labels_of_another_task(tmp_path: Path, cpu: Hardware) -> None:
    """Three kinds of label work; text or negative labels are refused with a sentence."""
    from datasets import Dataset, DatasetDict

    from ftlab import data

    def save(labels: list[object]) -> str:
        rows = Dataset.from_dict({"text": ["good", "bad", "so so"] * 24, "label": labels * 24})
        DatasetDict(dict.fromkeys(data.SPLITS, rows)).save_to_disk(tmp_path / str(labels))
        return str(tmp_path / str(labels))

    fields = {"train_examples": 48, "validation_examples": None, "test_examples": None, "epochs": 1}
    assert sft.run(smoke(source=save([0, 1, 2]), **fields), cpu).metrics["trainable_parameters"] > 0
    for bad in (["a", "b", "c"], [-1, 0, 1]):
        with pytest.raises(CourseError, match="Labels are whole numbers from 0"):
            sft.run(smoke(source=save(bad), **fields), cpu)


def test_every_example_has_the_same_chance_to_be_left_out() -> None:
    import torch

    lengths = list(range(1, 41))  # two batches of 16 and eight examples over
    sampler = training._WholeBatches(16, lengths=lengths, generator=torch.Generator().manual_seed(0))
    seen = [0] * 40
    for _ in range(200):
        order = list(sampler)
        assert len(order) == len(set(order)) == 32
        for index in order:
            seen[index] += 1
    assert min(seen) > 130 and max(seen) < 190, "32 of 40 in 200 epochs: 160 each, within chance"


def test_a_decoder_can_classify_too(cpu: Hardware) -> None:
    assert 0 <= sft.run(smoke(model="tiny-llama", epochs=1), cpu).metrics["accuracy"] <= 1
