"""Quizzes: every file is sound, and mistakes are told by file and question."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from books import ROOT
from ftbook import quizzes

from ftlab.errors import CourseError

FILES = sorted((ROOT / "book" / "quizzes").glob("*.yml"))
SOUND = yaml.safe_load((ROOT / "book" / "quizzes" / "05-sft.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_quiz_is_sound_and_has_no_favourite_place(path: Path) -> None:
    questions = quizzes.load(path)
    places = {tuple(answer.correct for answer in question.answers).index(True) for question in questions}
    assert len(places) > 1, "the right answer always stands in the same place"
    asked = [question.question for question in questions]
    assert len(set(asked)) == len(asked)


def drop(key: str) -> Callable[[list[Any]], object]:
    return lambda quiz: quiz[2]["answers"][1].pop(key)


MISTAKES: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "no feedback": (drop("feedback"), "question 3, answer 2, feedback: Field required"),
    "empty feedback": (lambda quiz: quiz[2]["answers"][1].update(feedback=" "), "question 3, answer 2, feedback"),
    "a misspelt field": (lambda quiz: quiz[0].update(answer=[]), "question 1, answer: Extra inputs"),
    "none is right": (
        lambda quiz: quiz[0]["answers"][1].pop("correct"),
        "question 1: Value error, 0 answers are correct",
    ),
    "two are right": (lambda quiz: quiz[0]["answers"][0].update(correct=True), "question 1: Value error, 2 answers"),
    "several, but one": (lambda quiz: quiz[0].update(several=True), "question 1: Value error, 1 answers are correct"),
    "several, all": (
        lambda quiz: [quiz[0].update(several=True), *(a.update(correct=True) for a in quiz[0]["answers"])],
        "question 1: Value error, 4 answers are correct",
    ),
    "too few answers": (lambda quiz: quiz[4]["answers"].pop(), "question 5, answers: List should have at least 3"),
    "a word for a truth": (lambda quiz: quiz[0]["answers"][1].update(correct="yes"), "question 1, answer 2, correct"),
    "a number for a text": (lambda quiz: quiz[1].update(question=5), "question 2, question: Input should be a valid"),
    "four questions": (lambda quiz: quiz.pop(), "has 4 questions; a quiz has five"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_by_file_and_question(tmp_path: Path, mistake: str) -> None:
    spoil, told = MISTAKES[mistake]
    quiz = copy.deepcopy(SOUND)
    spoil(quiz)
    path = tmp_path / "09-spoiled.yml"
    path.write_text(yaml.safe_dump(quiz), encoding="utf-8")
    with pytest.raises(CourseError) as caught:
        quizzes.load(path)
    assert told in str(caught.value) and "09-spoiled.yml" in str(caught.value)


@pytest.mark.parametrize("text", ["- question: What: this?", "", "question: {}", "- [1, 2]"], ids=repr)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "09-shape.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=r"09-shape\.yml"):
        quizzes.load(path)
