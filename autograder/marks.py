"""What people entered by hand: marks and comments in nbgrader's formgrader, and names in its list of students.

Everything is read from nbgrader's gradebook, and nothing is written there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.master import Exercise, Master
from autograder.records import Graded, Outcome
from autograder.score import points
from ftlab.checks import CourseError


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a person entered for one exercise."""

    points: float | None = None  # takes the place of the automatic points; None where nothing was entered
    extra: float = 0.0  # added to the points
    comment: str = ""
    again: bool = False  # it was for an answer that has changed since: a person has to look once more


@dataclass(frozen=True, kw_only=True)
class Person:
    """A student as the class list has it; whatever is not known is empty."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""  # the student's number in Canvas


Marks = Mapping[str, Mark]  # by the exercise's name


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """Everything that people entered."""

    marks: Mapping[tuple[str, str], Marks] = field(default_factory=dict)  # by student and assignment
    people: Mapping[str, Person] = field(default_factory=dict)  # by student

    def of(self, student: str, assignment: str) -> Marks:
        """The marks of one student in one assignment."""
        return self.marks.get((student, assignment), {})


def settled(master: Master, graded: Graded | None, marks: Marks) -> dict[str, float | None]:
    """The points of every exercise, with a person's mark before the automatic one; None while neither is known.

    `graded` is None for a submission that no test has looked at; a person may mark it all the same.
    """
    outcomes = {outcome.exercise: outcome for outcome in graded.outcomes} if graded else {}
    return {one.name: _points(one, outcomes, marks.get(one.name, Mark()), graded) for one in master.exercises}


def _points(exercise: Exercise, outcomes: Mapping[str, Outcome], mark: Mark, graded: Graded | None) -> float | None:
    found = mark.points
    if mark.again:
        return None
    if found is None and graded is not None:
        unseen = Outcome(exercise=exercise.name, result="by hand" if exercise.manual else "not run")
        found = points(exercise.points, outcomes.get(exercise.name, unseen))
    return None if found is None else found + mark.extra


def read(masters: list[Master], folder: Path, url: str = "") -> ByHand:
    """What the gradebook of the nbgrader course in `folder`, or at `url`, holds; nothing where there is none."""
    file = folder / "gradebook.db"
    if not url and not file.is_file():
        return ByHand()
    from nbgrader.api import Gradebook
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader's own, about SQLAlchemy
            with Gradebook(url or f"sqlite:///{file}", "ftlab") as book:
                return ByHand(marks=_marks(book, masters), people=_people(book))
    except SQLAlchemyError as error:
        reason = str(error).split("\n")[0]
        raise CourseError(f"The gradebook in {folder} cannot be read: {reason}. Mend this and run it again.") from error


def _people(book: Any) -> dict[str, Person]:
    return {
        one.id: Person(
            first_name=one.first_name or "",
            last_name=one.last_name or "",
            email=one.email or "",
            lms_id=one.lms_user_id or "",
        )
        for one in book.students
    }


def _marks(book: Any, masters: list[Master]) -> dict[tuple[str, str], dict[str, Mark]]:
    """The marks and the comments; an exercise that nobody touched is not there."""
    tests = {(one.name, exercise.test_name): exercise.name for one in masters for exercise in one.exercises}
    answers = {(one.name, exercise.name): exercise.name for one in masters for exercise in one.exercises}
    found: dict[tuple[str, str], dict[str, Mark]] = {}
    for student, assignment, cell, row in _rows(book, grades=True):
        if name := tests.get((assignment, cell)):
            again = row.needs_manual_grade and row.manual_score is not None
            mark = Mark(points=row.manual_score, extra=row.extra_credit or 0.0, again=again)
            found.setdefault((student, assignment), {})[name] = mark
    for student, assignment, cell, row in _rows(book, grades=False):
        if name := answers.get((assignment, cell)):
            marks = found.setdefault((student, assignment), {})
            marks[name] = replace(marks.get(name, Mark()), comment=row.manual_comment)
    return found


def _rows(book: Any, *, grades: bool) -> list[tuple[str, str, str, Any]]:
    """Student, assignment, cell and row of every grade, or comment, that a person wrote into."""
    from nbgrader.api import Comment, Grade

    table = Grade if grades else Comment
    if grades:
        written = Grade.manual_score.isnot(None) | Grade.extra_credit.isnot(None)
    else:
        written = Comment.manual_comment.isnot(None) & (Comment.manual_comment != "")
    rows = book.db.query(table).filter(written).all()
    return [(row.notebook.student.id, row.notebook.assignment.assignment.name, row.cell.name, row) for row in rows]
