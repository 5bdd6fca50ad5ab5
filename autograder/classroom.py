"""A small nbgrader course in a folder: release, submit, grade with the real nbgrader, read the scores.

It runs the submitted code in this user's own process and without any sandbox. Use it only for notebooks you wrote
yourself: the audit and the demo class do.
"""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autograder.inprocess import FOLDER_VARIABLE
from autograder.master import Master
from autograder.nbgrader_config import settings
from autograder.release import notebook_text, source_notebook, write
from ftlab.checks import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode


class Score(NamedTuple):
    """What one exercise brought; `points` is None while a person has to mark it."""

    points: float | None
    most: float


class Classroom:
    """One assignment of a course that lies in `folder`; its gradebook lies there too, or at `url`."""

    def __init__(self, folder: Path, master: Master, url: str = "") -> None:
        self.folder, self.master = folder.resolve(), master
        self.url = url or f"sqlite:///{self.folder / 'gradebook.db'}"

    def release(self, seed: int | None = None) -> None:
        """Write the source notebook and let nbgrader make the student version from it."""
        name = self.master.name
        write(self.folder / "source" / name / f"{name}.ipynb", notebook_text(source_notebook(self.master, seed)))
        self._run(f"releasing {name}", "generate_assignment", name)

    def student_notebook(self) -> NotebookNode:
        """The notebook that nbgrader released."""
        import nbformat

        path = self.folder / "release" / self.master.name / f"{self.master.name}.ipynb"
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)

    def submit(self, student: str, answers: Mapping[str, str]) -> None:
        """Hand in the released notebook with these answer cells (by grade_id) filled in."""
        notebook = copy.deepcopy(self.student_notebook())
        for cell in notebook.cells:
            cell.source = answers.get(cell.id, cell.source)
        name = self.master.name
        write(self.folder / "submitted" / student / name / f"{name}.ipynb", notebook_text(notebook))

    def grade(self, student: str) -> dict[str, Score]:
        """Run nbgrader's autograde on the student's submission; the scores by exercise."""
        self._run(f"grading {student}", "autograde", self.master.name, student)
        return self.scores(student)

    def scores(self, student: str) -> dict[str, Score]:
        """The scores in nbgrader's gradebook, by exercise."""
        from nbgrader.api import Gradebook

        name = self.master.name
        with Gradebook(self.url, "ftlab") as gradebook:
            submission = gradebook.find_submission_notebook(name, name, student)
            found = {grade.name: Score(_points(grade), grade.max_score) for grade in submission.grades}
        return {exercise.name: found[exercise.test_name] for exercise in self.master.exercises}

    def messages(self, student: str) -> dict[str, str]:
        """What went wrong in each exercise's test cell, in the check's own words; '' where nothing did."""
        errors = self.errors(student)
        return {exercise.name: errors.get(exercise.test_name, "") for exercise in self.master.exercises}

    def errors(self, student: str) -> dict[str, str]:
        """Every cell of the graded notebook that ended with an error, by its id."""
        import nbformat

        name = self.master.name
        path = self.folder / "autograded" / student / name / f"{name}.ipynb"
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        return {cell.id: error for cell in notebook.cells if (error := error_of(cell))}

    def _run(self, what: str, verb: str, *arguments: str) -> None:
        """Call a verb of nbgrader's API; raise CourseError with the end of its log if it fails."""
        from nbgrader.apps import NbGraderAPI

        with surroundings(self.master.path.parents[1]):
            reply = getattr(NbGraderAPI(config=settings(self.folder, self.url)), verb)(*arguments)
        if not reply["success"]:
            log = (reply.get("log") or reply.get("error") or "").splitlines()
            reason = "\n".join([line for line in log if line.strip()][-12:])
            raise CourseError(f"nbgrader failed while {what} in {self.folder}:\n{reason}")


def error_of(cell: NotebookNode) -> str:
    """The error that a cell of an executed notebook ended with, as 'Name: message', or ''."""
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}"
    return ""


def _points(grade: Any) -> float | None:
    if grade.needs_manual_grade and grade.manual_score is None and grade.auto_score is None:
        return None
    return float(grade.score)


@contextmanager
def surroundings(solutions: Path) -> Iterator[None]:
    """What nbgrader and its kernels need: where the masters are, and the commands of this environment."""
    before = dict(os.environ)
    # One thread: the tensors are small, and a second thread only waits for a busy core.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ[FOLDER_VARIABLE] = str(solutions.resolve())
    # nbgrader starts `alembic` by name when it makes a database.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before.get("PATH", "")])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader's own, about SQLAlchemy
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
