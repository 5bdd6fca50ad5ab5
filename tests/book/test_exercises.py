"""Exercises from their masters, as Markdown for the page."""

from __future__ import annotations

import pytest
from books import ROOT
from ftbook import exercises

from autograder.master import Master, load
from ftlab.errors import CourseError


@pytest.fixture(scope="module")
def master() -> Master:
    return load(ROOT / "solutions" / "05-sft" / "05-sft.md")


def test_a_student_sees_the_task_and_the_help(master: Master) -> None:
    for exercise in master.exercises:
        text = exercises.markdown("05-sft", exercise, solved=False)
        assert exercise.title in text and exercise.statement in text
        assert all(hint in text for hint in exercise.hints)
        assert exercise.visible_tests in text
        assert f"{exercise.minutes} minutes · {exercise.difficulty}" in text
        assert exercise.manual or exercise.stub in text


def test_a_student_sees_no_solution(master: Master) -> None:
    for exercise in master.exercises:
        text = exercises.markdown("05-sft", exercise, solved=False)
        assert exercise.solution not in text and "Rubric" not in text
        assert not exercise.hidden_tests or exercise.hidden_tests not in text


def test_an_instructor_sees_solution_and_rubric(master: Master) -> None:
    for exercise in master.exercises:
        text = exercises.markdown("05-sft", exercise, solved=True)
        assert exercise.solution in text
        assert not exercise.rubric or exercise.rubric in text


def test_exercises_are_chosen_by_name(master: Master) -> None:
    last, first = master.exercises[-1].name, master.exercises[0].name
    assert [found.name for found in exercises.choose(master, [last, first])] == [last, first]
    assert exercises.choose(master, []) == list(master.exercises)


def test_an_unknown_exercise_gets_the_names(master: Master) -> None:
    with pytest.raises(CourseError) as caught:
        exercises.choose(master, ["no-such"])
    assert all(exercise.name in str(caught.value) for exercise in master.exercises)
