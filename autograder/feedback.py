"""Feedback: one page for each student and assignment, which explains every lost point in the check's own words.

A page shows neither the statement nor any test: the statement is in the student's notebook, and hidden tests are for
instructors, who get them by asking. So no page needs MathJax or any other script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autograder import pages
from autograder.marks import Mark, Marks, settled
from autograder.master import Exercise, Master
from autograder.records import Graded, Outcome, State
from autograder.release import write
from ftlab.checks import CourseError

_NAME = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,63}")
STATES = {
    State.WAITING: "Your submission is here and waits to be graded.",
    State.REJECTED: "Your submission could not be taken in, so nothing of it is graded. {error}",
    State.CRASHED: "Your notebook could not be run as a whole, so no exercise could be graded. Restart the kernel and "
    "run all cells from top to bottom; mend the first one that fails, hand it in again, or ask us.",
    State.TIMED_OUT: "The time for your whole notebook was used up before it was graded. Restart the kernel and run "
    "all cells; look for the one that does not come to an end, mend it, and hand it in again, or ask us.",
    State.BROKEN: "Our grader failed while it worked on your submission. This is our fault and not yours, and you lose "
    "nothing: it will be graded again.",
}
SCORED = (State.GRADED, State.FLAGGED)
DECIDED = (State.REJECTED, State.CRASHED, State.TIMED_OUT)  # a person may give points all the same
STALE = " The points that you saw here before do not count until then."
VERDICTS = {
    "failed": "A check found something that is not right yet:",
    "error": "Your code stopped with an error:",
    "timeout": "Your code took too long and was stopped. Look for a loop that does not come to an end.",
    "died": "The process that ran your code ended before the test did. Look for an exit, or for very large data.",
    "not run": "The tests of this exercise could not be run.",
    "by hand": "A person marks this answer. That has not been done yet.",
    "faulty": "Here our own test failed, not your answer. A person will look at it; until then nothing is lost.",
}


class Words(NamedTuple):
    """What is said on an exercise."""

    verdict: str  # what happened, in a sentence
    said: str  # the check's own words
    comment: str  # a person's


@dataclass(frozen=True, kw_only=True)
class Item:
    """One exercise as the page shows it."""

    number: int
    title: str
    points: str
    level: str  # full, part, none, or open: the colour of the points, which only repeats what they say
    words: Words
    answer: str
    manual: bool
    rubric: str
    tests: str


def page(
    master: Master,
    student: str,
    graded: Graded | None,
    *,
    marks: Marks | None = None,
    received: str = "",
    stale: bool = False,
    with_hidden: bool = False,
) -> str:
    """The page of one student; `graded` is None while the submission waits, `stale` where a regrade has failed.

    `with_hidden` adds what only instructors may see: the tests, mark schemes, and errors of the grader.
    """
    marks = marks or {}
    state = graded.state if graded else State.WAITING
    scored = state in SCORED
    by_hand = state in DECIDED and any(_marked(exercise, marks) for exercise in master.exercises)
    counts = scored or by_hand
    found = settled(master, graded if scored else None, marks)
    known = {exercise.name: exercise.points for exercise in master.exercises if found[exercise.name] is not None}
    return pages.render(
        "feedback.html.j2",
        title=master.title,
        student=student,
        received=received,
        counts=counts,
        got=sum(value for value in found.values() if value is not None),
        most=sum(exercise.points for exercise in master.exercises),
        open=sum(exercise.points for exercise in master.exercises) - sum(known.values()),
        state=STATES.get(state, "").format(error=graded.error if graded else "") + (STALE if stale else ""),
        inside=_inside(graded) if with_hidden else [],
        flags=graded.flags if graded else (),
        items=[_item(one, graded, found[one.name], marks, with_hidden) for one in master.exercises] if counts else [],
    )


def _inside(graded: Graded | None) -> list[str]:
    """What instructors should know besides."""
    if graded is None:
        return []
    lines = [f"Seed of the random inputs: {graded.seed}. Confined by: {graded.box or 'not recorded'}."]
    if graded.box == "none":
        lines.append("It was graded without a sandbox, so its code could have changed the result.")
    return [*lines, *([graded.error] if graded.error else [])]


def _item(exercise: Exercise, graded: Graded | None, points: float | None, marks: Marks, with_hidden: bool) -> Item:
    assert graded is not None  # only what is graded has items
    return Item(
        number=exercise.number,
        title=exercise.title,
        points=f"{'?' if points is None else pages.points(points)} of {exercise.points}",
        level=_level(points, exercise.points),
        words=words(exercise, graded, points, marks),
        answer=_answer(exercise, graded).strip("\n"),
        manual=exercise.manual,
        rubric=(exercise.rubric or "") if with_hidden or _marked(exercise, marks) else "",
        tests=f"{exercise.visible_tests}\n\n{exercise.hidden_tests}".strip() if with_hidden else "",
    )


def words(exercise: Exercise, graded: Graded, points: float | None, marks: Marks) -> Words:
    """What a student reads on one exercise."""
    outcome = _outcome(exercise, graded)
    full = outcome.result == "passed" and points == exercise.points
    return Words(
        verdict=_verdict(exercise, outcome, points, _answer(exercise, graded), _marked(exercise, marks)),
        said="" if full else outcome.message.strip(),
        comment=marks.get(exercise.name, Mark()).comment.strip(),
    )


def _marked(exercise: Exercise, marks: Marks) -> bool:
    mark = marks.get(exercise.name, Mark())
    return mark.points is not None and not mark.again


def _answer(exercise: Exercise, graded: Graded) -> str:
    return (graded.written if exercise.manual else graded.answers).get(exercise.name, "")


def _outcome(exercise: Exercise, graded: Graded) -> Outcome:
    found = (outcome for outcome in graded.outcomes if outcome.exercise == exercise.name)
    return next(found, Outcome(exercise=exercise.name, result="by hand" if exercise.manual else "not run"))


def _level(points: float | None, most: float) -> str:
    if points is None:
        return "open"
    return "full" if points >= most else "part" if points > 0 else "none"


def _verdict(exercise: Exercise, outcome: Outcome, points: float | None, answer: str, marked: bool) -> str:
    """What happened, in a sentence."""
    if marked:
        return "A person has looked at this answer and gave the points."
    if points is None and outcome.result == "passed":
        return "A person looks at this answer once more, because it has changed."
    if not exercise.manual and answer.strip() == exercise.stub.strip():
        return "This answer is as we handed it out, so there is nothing to grade yet."
    if outcome.result == "passed":
        return "All tests passed." if points == exercise.points else "The tests passed and gave a part of the points."
    return VERDICTS[outcome.result]


def write_page(folder: Path, assignment: str, student: str, text: str) -> Path:
    """Write a page whole or not at all, in nbgrader's layout: STUDENT/ASSIGNMENT/ASSIGNMENT.html."""
    for name in (student, assignment):
        if not _NAME.fullmatch(name):
            raise CourseError(
                f"{name!r} cannot be the name of a folder. Take the submission in again under another one."
            )
    path = folder / student / assignment / f"{assignment}.html"
    write(path, text)
    return path
