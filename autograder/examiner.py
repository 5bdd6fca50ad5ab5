"""The real judge, with the real box where there is one, as the audit uses it: one answer at a time, all others empty.

All code that runs here is the author's own, so where there is no sandbox it runs without one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from autograder.box import BoxBroken, Limits, choose
from autograder.judge import Judge
from autograder.master import Master
from autograder.records import Outcome, Submission
from autograder.release import base_seed, student_text
from autograder.score import points

# A mutant may loop for ever. A call of a right answer takes a second or two at most.
LIMITS = Limits(cell_seconds=30, call_seconds=10, total_seconds=120)
FIRST_SLOT = 800  # far from those of workers that grade a class on the same machine


class Verdict(NamedTuple):
    """How one exercise of a notebook was graded."""

    result: str  # as in records.Outcome
    points: float | None  # None: a person has to look
    message: str  # the words for the student
    fault: str  # what is wrong with the test itself, if it is


class Examiner:
    """Grades answers to one master's exercises. Use it as a context; the judge starts when it is first needed."""

    def __init__(self, master: Master) -> None:
        self._master, self._seed = master, base_seed(master.name)
        self._released = json.loads(student_text(master))
        self._judges: dict[bool, Judge] = {}

    def grade(self, answers: Mapping[str, str], visible_only: bool = False) -> dict[str, Verdict]:
        """The verdict on each exercise of the released notebook with these answers in it."""
        cells = [
            {**cell, "source": answers.get(cell.get("id", ""), cell["source"])} for cell in self._released["cells"]
        ]
        submission = Submission(
            student="audit",
            assignment=self._master.name,
            notebook=json.dumps({**self._released, "cells": cells}),
            received="",
        )
        graded = self._judge(visible_only).grade(submission, self._seed, key="")
        faults = {flag.where: flag.what for flag in graded.flags if flag.kind == "faulty test"}
        outcomes = {outcome.exercise: outcome for outcome in graded.outcomes}
        lost = Outcome(exercise="", result="not run", message=graded.error)
        found = {exercise.name: (exercise, outcomes.get(exercise.name, lost)) for exercise in self._master.exercises}
        return {
            name: Verdict(one.result, points(exercise.points, one), one.message, faults.get(exercise.test_name, ""))
            for name, (exercise, one) in found.items()
        }

    def _judge(self, visible_only: bool) -> Judge:
        if visible_only not in self._judges:
            master = _without_hidden_tests(self._master) if visible_only else self._master
            slot = FIRST_SLOT + 2 * (os.getpid() % 100) + visible_only
            self._judges[visible_only] = Judge(master, mode=_mode(), slot=slot, limits=LIMITS)
        return self._judges[visible_only]

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, *_: object) -> None:
        for judge in self._judges.values():
            judge.close()


def _without_hidden_tests(master: Master) -> Master:
    """What a student can run: a mistake has to be told by name there, not only when it is too late."""
    return replace(master, exercises=tuple(replace(exercise, hidden_tests="") for exercise in master.exercises))


def _mode() -> str:
    try:
        return choose()
    except BoxBroken:
        return "none"
