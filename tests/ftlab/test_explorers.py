"""Explorers: each state says what the recorded runs say, and a mistake of an author is told."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftlab import costs, explorers, recording, results, widgets
from ftlab.errors import CourseError

NAMES = sorted(path.stem for path in explorers.FOLDER.glob("*.yml"))
SOUND = yaml.safe_load((explorers.FOLDER / "leakage.yml").read_text(encoding="utf-8"))


def runs(runner: str) -> list[results.Result]:
    return results.load_all(recording.RECORDED / runner)


def explored(name: str) -> explorers.Explored:
    return explorers.explore(name, explorers.load(explorers.FOLDER / f"{name}.yml"), runs)


@pytest.mark.parametrize("name", NAMES)
def test_every_state_has_words_of_its_own_and_a_mark(name: str) -> None:
    found = explored(name)
    assert len(found.words) == math.prod(len(control.values) for control in found.controls)
    assert len(set(found.words.values())) == len(found.words)
    assert not [words for words in found.words.values() if "{" in words]
    if found.picture is not None:
        marks = re.findall(r'<g id="([^"]*)">', found.picture)
        assert marks == [found.mark(choice) for choice in found.words], "no other id that could occur twice"


def test_the_words_are_the_recorded_numbers() -> None:
    found = explored("transfer")
    for (place,), words in found.words.items():
        labels, plain = found.controls[0].values[place], words.replace("\N{NO-BREAK SPACE}", " ")
        for pretrained in (True, False):
            some = results.select(runs("transfer"), pretrained=pretrained, train_examples=labels)
            assert results.show_summary("accuracy", results.summary(some, "accuracy")) in plain


sizes = st.floats(1e6, 1e12)


@given(parameters=sizes, tokens=sizes, devices=st.integers(1, 5000))
def test_a_bill_agrees_with_the_cost_model(parameters: float, tokens: float, devices: int) -> None:
    said = explorers.bill(parameters, tokens, devices)
    assert float(said["flops"]) == pytest.approx(costs.parameter_flops(parameters, tokens), rel=0.06)
    flops = costs.parameter_flops(parameters, tokens)
    hours = costs.device_hours(flops, 312e12, costs.expected_utilisation(costs.published()))
    assert said["time"] == explorers.duration(hours / devices)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.351, "0.35"), (12.0, "12"), (4096, "4,096"), (34_123.5, "34,000"), (1.23e6, "1.2 million"),
        (175e9, "175 billion"), (1.5e13, "15 trillion"), (0, "0"),
    ],
)  # fmt: skip
def test_a_number_is_said_in_two_digits(value: float, said: str) -> None:
    assert explorers.number(value) == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.001, "less than a minute"), (0.5, "30 minutes"), (5, "5 hours"), (84, "3.5 days"), (87_660, "10 years")],
)
def test_a_duration_is_said_in_the_unit_that_suits_it(hours: float, said: str) -> None:
    assert explorers.duration(hours) == said


MISTAKES: dict[str, tuple[dict[str, object], str]] = {
    "a misspelt field": ({"word": "x"}, "word: Extra inputs"),
    "lines and a formula": ({"formula": "training"}, "either `lines`"),
    "one value": ({"controls": [{"name": "a", "label": "a", "values": [1]}]}, r"controls\.0\.values"),
    "two controls": ({"controls": [*SOUND["controls"], {**SOUND["controls"][0], "name": "b"}]}, "over one control"),
    "an unknown name": ({"words": "{who}"}, "name in `words`.*who"),
    "an unknown metric": ({"lines": [{**SOUND["lines"][0], "metric": "sense"}]}, "no metric 'sense'"),
    "no such runs": ({"lines": [{**SOUND["lines"][0], "where": {"model": "none"}}]}, "No recorded run"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(tmp_path: Path, mistake: str) -> None:
    changed, told = MISTAKES[mistake]
    path = tmp_path / "spoiled.yml"
    path.write_text(yaml.safe_dump({**SOUND, **changed}))
    with pytest.raises(CourseError, match=told):
        explorers.explore("spoiled", explorers.load(path), runs)


def test_runs_that_differ_in_more_than_the_seed_are_not_averaged(tmp_path: Path) -> None:
    mixed = {"name": "mixed", "label": "mixed", "runner": "transfer", "metric": "accuracy"}
    path = tmp_path / "mixed.yml"
    path.write_text(yaml.safe_dump({**SOUND, "lines": [mixed], "words": "{mixed}"}))
    with pytest.raises(CourseError, match=r"differ in .*train_examples"):
        explorers.explore("mixed", explorers.load(path), runs)


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(CourseError, match=r"leekage.*leakage"):
        widgets.explore("leekage")


def test_in_jupyter_a_slider_chooses_words_and_mark() -> None:
    found, panel = explored("leakage"), widgets.explore("leakage")
    _, slider, words, picture = panel.children
    for place in (3, 0, 4):
        slider.value = place
        assert found.words[(place,)] in words.value
        assert f"#{found.mark((place,))} {{display: inline" in picture.value
