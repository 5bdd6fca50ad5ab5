"""A sitting shows what is to do, keeps what is said, and is the same again after any interruption."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab import comparisons, labels
from ftlab.comparisons import Comparison
from ftlab.errors import CourseError
from ftlab.sittings import Sitting


def make(count: int) -> list[Comparison]:
    numbers = range(count)
    texts = [f"secretly by the first, {n}" for n in numbers], [f"secretly by the second, {n}" for n in numbers]
    return comparisons.paired([f"It was {n}" for n in numbers], *texts, ("model-one", "model-two"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*labels.ANSWERS, "undo", "reopen"]), max_size=15))
def test_it_is_a_stack_of_answers(tmp_path_factory: pytest.TempPathFactory, acts: list[str]) -> None:
    path, pairs = tmp_path_factory.mktemp("sitting") / "labels.jsonl", make(6)
    sitting, said = Sitting(pairs, path, labeller="ada"), list[str]()
    for act in acts:
        shown = sitting.view().shown
        if act == "reopen":
            sitting = Sitting(reversed(pairs), path, labeller="ada")
        elif act == "undo":
            assert sitting.undo() == bool(said)
            said = said[:-1]
        else:
            assert sitting.answer(act, shown) == bool(shown)  # type: ignore[arg-type]
            said += [act] if shown else []
        view = sitting.view()
        given_labels, _ = sitting.given()
        assert [label.answer for label in given_labels.values()] == said
        assert (view.done, view.total) == (len(said), 6)
        assert view.shown == (sitting.order[len(said)].id if len(said) < 6 else "")


def test_the_side_is_recorded_and_the_models_are_not_shown(tmp_path: Path) -> None:
    pairs = {pair.id: pair for pair in make(20)}
    sitting = Sitting(pairs.values(), tmp_path / "labels.jsonl", labeller="ada")
    while (view := sitting.view()).shown:
        assert "model-" not in json.dumps(vars(view))
        sitting.answer("left", view.shown)
        label = labels.read(sitting.path).labels[-1]
        assert pairs[view.shown].completions[label.left] == view.left
        assert label.chosen == label.left
    assert {label.left for label in labels.read(sitting.path).labels} == {0, 1}


def test_an_answer_to_another_pair_than_the_one_to_judge_is_not_kept(tmp_path: Path) -> None:
    sitting = Sitting(make(3), tmp_path / "labels.jsonl", labeller="ada")
    first = sitting.view().shown
    assert sitting.answer("tie", first) and not sitting.answer("tie", first)
    assert sitting.view().done == 1
    with pytest.raises(CourseError, match="no answer named 'maybe'"):
        sitting.answer("maybe", sitting.view().shown)  # type: ignore[arg-type]


def test_two_people_and_a_program_label_one_set_in_one_file(tmp_path: Path) -> None:
    path, pairs = tmp_path / "labels.jsonl", make(8)
    sittings = [Sitting(pairs, path, labeller=name) for name in ("ada", "bob")]
    sittings += [Sitting(pairs, path, labeller="ada", simulated=True)]
    draw = random.Random(0)
    for sitting in draw.sample(sittings * 8, 24):
        assert sitting.answer(draw.choice(labels.ANSWERS), sitting.view().shown)
    assert [sitting.view().done for sitting in sittings] == [8, 8, 8]
    assert sittings[0].order == sittings[1].order
    assert sittings[0].undo() and [sitting.view().done for sitting in sittings] == [7, 8, 8]
    assert {label.who for label in labels.read(path).labels} == {"ada", "bob", "ada (simulated)"}


def test_labels_of_another_set_are_no_progress(tmp_path: Path) -> None:
    path, pairs = tmp_path / "labels.jsonl", make(4)
    other = Sitting(pairs[:2], path, labeller="ada")
    other.answer("left", other.view().shown)
    sitting = Sitting(pairs[2:], path, labeller="ada")
    assert sitting.view().done == 0 and not sitting.undo()


@pytest.mark.parametrize("name", ["", "  ", "ada (simulated)"])
def test_a_name_that_could_be_taken_for_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CourseError, match="cannot name a labeller"):
        Sitting(make(1), tmp_path / "labels.jsonl", labeller=name)
