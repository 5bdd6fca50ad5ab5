"""Data that cannot be classified and models that cannot read it: a sentence says what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from ftlab import classifier, data, models
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.runners import overfitting, sft


def folder(path: Path, train: list[int], test: list[int]) -> str:
    """A data set on disk whose rows have these labels."""
    labels = {"train": train, "validation": train, "test": test}
    features = data.toy_reviews(1).remove_columns(["source", "label"]).features
    splits = {
        split: Dataset.from_dict(
            {"text": [f"text number {n}" for n in range(len(some))]}, features=features
        ).add_column("label", some)
        for split, some in labels.items()
    }
    DatasetDict(splits).save_to_disk(path)
    return str(path)


def config(source: str, **given: Any) -> sft.Config:
    limits = {"train_examples": None, "validation_examples": None, "test_examples": None, "batch_size": 2}
    return sft.Config.make(sft.PROFILES, "smoke", {"source": source, **limits, **given})


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        ([1, 1, 1, 1], [1, 1], "Every training example has the label 1: with one class there is nothing to tell apart"),
        ([0, 1, 0, 1], [0, 2], "The label 2 is in the data to test on and not in the training data, which has .0, 1."),
    ],
    ids=["one class", "out of range"],
)
def test_what_cannot_be_classified_is_said(
    tmp_path: Path, cpu: Hardware, train: list[int], test: list[int], says: str
) -> None:
    with pytest.raises(CourseError, match=says):
        sft.run(config(folder(tmp_path, train, test)), cpu)


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_split_without_rows_is_said(empty: int) -> None:
    splits = [data.toy_reviews(8).select(range(0 if place == empty else 8)) for place in range(3)]
    with pytest.raises(CourseError, match="One of the splits has no rows: there is nothing to learn from"):
        data.require_classes(*splits)


def test_three_classes_are_classified(tmp_path: Path, cpu: Hardware) -> None:
    result = sft.run(config(folder(tmp_path, [0, 1, 2] * 4, [0, 1, 2]), updates=1), cpu)
    assert 0 <= result.metrics["accuracy"] <= 1
    assert classifier.model(config(str(tmp_path))).model.config.num_labels == 3


def test_more_tokens_than_the_model_reads_is_said(cpu: Hardware) -> None:
    with pytest.raises(CourseError, match="max_length is 513, and this model reads 512 tokens at most.*max_length=512"):
        sft.run(sft.Config.make(sft.PROFILES, "smoke", {"max_length": 513, "updates": 1}), cpu)


def test_more_layers_than_the_model_has_is_said(cpu: Hardware) -> None:
    given = overfitting.Config.make(overfitting.PROFILES, "smoke", {"layers": 3})
    with pytest.raises(CourseError, match="layers is 3, and 'tiny-bert' has 2. Take 1 to 2: --set layers=2"):
        overfitting.run(given, cpu)


def test_fewer_layers_are_the_lower_ones_of_the_same_model() -> None:
    whole, one = (models.encoder("tiny-bert", layers=layers).model for layers in (None, 1))
    names = {name.split(".")[3] for name, _ in one.named_parameters() if ".layer." in name}
    assert names == {"0"}
    assert one.num_parameters() < whole.num_parameters()


@pytest.mark.assets
def test_fewer_pretrained_layers_keep_their_weights() -> None:
    whole, two = (models.encoder(layers=layers).model.state_dict() for layers in (None, 2))
    body = [name for name in two if name.startswith("bert.encoder")]
    assert len(body) == 2 * 16
    assert all(bool((two[name] == whole[name]).all()) for name in body)
