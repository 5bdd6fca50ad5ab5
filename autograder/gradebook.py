"""The one writer of nbgrader's gradebook: it makes the gradebook say what the ledger says, however often it is called.

Beside nbgrader's own tables stands a small one, which notes what each row shows now. It is written in the same
transaction as the scores, so it cannot be wrong after a kill, and it tells whether a score that a person entered was
for the answer that is there today.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.autograded import autograded
from autograder.classroom import Classroom, surroundings
from autograder.keys import digest
from autograder.ledger import Standing
from autograder.master import Exercise, Master, is_test
from autograder.records import InfrastructureError, Outcome, State
from autograder.release import source_notebook, student_text, write
from autograder.score import points
from autograder.shown import Shown
from ftlab.checks import CourseError

WAIT_SECONDS = 60  # for another program that holds the SQLite file
COURSE_ID = "ftlab"
CONFIG = """\
# Written by the autograder, so that nbgrader and its formgrader find the gradebook. Add what you like.
from autograder.nbgrader_config import settings

c = get_config()
c.merge(settings())
"""
# A person may settle these in the formgrader. The other unscored states are ours to mend.
FINAL = (State.REJECTED, State.CRASHED, State.TIMED_OUT)


class GradebookWriter:
    """The gradebook of the nbgrader course in `folder`, or at `url`. Use it as a context.

    `zero` gives 0 for what was refused, crashed or ran out of time, instead of leaving it to a person.
    """

    def __init__(self, folder: Path, url: str = "", zero: bool = False) -> None:
        self.folder, self._zero = folder.resolve(), zero
        self.url = url or f"sqlite:///{self.folder / 'gradebook.db'}?timeout={WAIT_SECONDS}"
        if self.url.startswith("postgresql:"):  # SQLAlchemy 2.1 would look for psycopg 3, which is not what we install
            self.url = self.url.replace("postgresql:", "postgresql+psycopg2:", 1)
        self._masters: dict[str, tuple[Master, Any]] = {}
        self._entered: dict[tuple[str, str], Standing] = {}
        self._book: Any = None

    def __enter__(self) -> GradebookWriter:
        from nbgrader.api import Gradebook

        # nbgrader starts `alembic` by name for a new database.
        with self._plainly(), surroundings(self.folder):
            self._book = Gradebook(self.url, COURSE_ID)
            self._shown = Shown(self._book)
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()

    def prepare(self, master: Master) -> None:
        """Make the assignment, as `nbgrader generate_assignment` does, if it is not there as the master has it."""
        import nbformat

        self._configure()
        with self._plainly():
            known = self._knows(master)
            if not known:
                self._require_same_cells(master)
            self._book.db.remove()
        if not known:
            Classroom(self.folder, master, self.url).release()
        self._masters[master.name] = (master, nbformat.reads(student_text(master), as_version=4))

    def enter(self, *standings: Standing) -> None:
        """Make students' rows and graded notebooks say what the ledger says. Scores of a person are never lost.

        All rows of one call are one transaction, which costs as much as several students.
        """
        new = [one for one in standings if self._entered.get((one.student, one.assignment)) != one]
        with self._plainly():
            with self._transaction():
                for standing in new:
                    self._score(self._row(standing), self._masters[standing.assignment][0], standing)
            for standing in new:
                path = self.folder / "autograded" / standing.student / standing.assignment
                text = autograded(*self._masters[standing.assignment], standing)
                _write(path / f"{standing.assignment}.ipynb", text)
                self._entered[standing.student, standing.assignment] = standing

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """nbgrader commits after each of its steps. Here that writes nothing yet, and what was read stays known."""
        session = self._book.db
        session.remove()
        with self._book.engine.begin() as connection:
            session.configure(bind=connection, join_transaction_mode="rollback_only", expire_on_commit=False)
            try:
                yield
                session.flush()
            finally:
                session.remove()
                session.configure(bind=self._book.engine, expire_on_commit=True)

    def _configure(self) -> None:
        path = self.folder / "nbgrader_config.py"
        if not path.exists():
            sqlite = self.url.startswith("sqlite:")
            # The URL may hold a password, so only its owner may read the file.
            write(path, CONFIG + ("" if sqlite else f"c.CourseDirectory.db_url = {self.url!r}\n"))
            path.chmod(0o600)

    def _knows(self, master: Master) -> bool:
        """Whether the gradebook has the assignment with these tests, points and answers."""
        from nbgrader.api import MissingEntry

        try:
            notebook = self._book.find_notebook(master.name, master.name)
        except MissingEntry:
            return False
        tests = {cell.id: cell.source for cell in source_notebook(master).cells if is_test(cell)}
        has = {cell.name: cell.source for cell in notebook.source_cells if cell.name in tests}
        names = {cell.name for cell in notebook.solution_cells}
        most = {cell.name: cell.max_score for cell in notebook.grade_cells}
        worth = {exercise.test_name: exercise.points for exercise in master.exercises}
        return has == tests and most == worth and names == {exercise.name for exercise in master.exercises}

    def _require_same_cells(self, master: Master) -> None:
        """nbgrader takes no cell in or out of an assignment that has submissions. Say so in a sentence."""
        from nbgrader.api import MissingEntry

        with contextlib.suppress(MissingEntry):
            notebook = self._book.find_notebook(master.name, master.name)
            had = {cell.name for cell in notebook.source_cells}
            has = {cell.id for cell in source_notebook(master).cells if "nbgrader" in cell.metadata}
            if had != has and notebook.submissions:
                changed = [*(f"{name} is new" for name in has - had), *(f"{name} is gone" for name in had - has)]
                raise CourseError(
                    f"{master.name} has submissions in the gradebook, so nbgrader lets no cell of its master come or "
                    f"go: {', '.join(sorted(changed))}. Put the cells back as they were. Or, if you want it so, move "
                    "the gradebook away and grade again: it is made anew from the ledger, without marks by hand."
                )

    def _row(self, standing: Standing) -> Any:
        """The student's notebook in the gradebook, made if it is not there, with the time of receipt."""
        from nbgrader.api import MissingEntry
        from nbgrader.utils import parse_utc

        name, student = standing.assignment, standing.student
        with contextlib.suppress(MissingEntry):  # every change below is a commit of its own, so look first
            found = self._book.find_submission_notebook(name, name, student)
            if found.assignment.timestamp == parse_utc(standing.received):
                return found
        self._book.update_or_create_student(student)
        self._book.update_or_create_submission(name, student, timestamp=standing.received)
        return self._book.find_submission_notebook(name, name, student)

    def _score(self, notebook: Any, master: Master, standing: Standing) -> None:
        of = {exercise.test_name: exercise for exercise in master.exercises}
        basis = {name: self._basis(exercise, standing) for name, exercise in of.items()}
        before = self._shown.read(notebook.id)
        settled = dict(before.get("settled", {}))
        for grade in notebook.grades:
            if grade.manual_score is not None and not grade.needs_manual_grade and before.get("basis"):
                settled[grade.name] = before["basis"].get(grade.name)
            auto = self._auto(of[grade.name], grade.max_score, standing)
            checked = grade.manual_score is not None and settled.get(grade.name) == basis[grade.name] != ""
            grade.auto_score = auto
            grade.needs_manual_grade = not checked and (auto is None or grade.manual_score is not None)
        self._shown.write(notebook.id, {"basis": basis, "settled": settled}, before)

    def _auto(self, exercise: Exercise, most: float, standing: Standing) -> float | None:
        if standing.graded is not None and standing.scored:
            return points(most, _outcome(exercise, standing))
        return 0.0 if self._zero and standing.state in FINAL else None

    def _basis(self, exercise: Exercise, standing: Standing) -> str:
        """A hash of what a person looks at to give a score; '' where there is nothing to look at yet."""
        if standing.graded is None or standing.state is State.BROKEN:
            return ""
        if not standing.scored:
            return digest(standing.state, standing.content)
        outcome = _outcome(exercise, standing)
        answer = {**standing.graded.answers, **standing.graded.written}.get(exercise.name, "")
        return digest(answer, outcome.result, repr(outcome.credit))

    @contextlib.contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in a sentence what ails the gradebook."""
        from nbgrader.api import InvalidEntry
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nbgrader's own, about SQLAlchemy
                yield
        except (SQLAlchemyError, InvalidEntry, ImportError) as error:
            reason = str(error).split("\n")[0]
            raise InfrastructureError(
                f"The gradebook cannot be used: {reason}. The results are in the ledger: mend this and run it again."
            ) from error
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename or self.folder} cannot be written: {error.strerror}. Mend this and run it again."
            ) from error


def _outcome(exercise: Exercise, standing: Standing) -> Outcome:
    found = standing.graded.outcomes if standing.graded else ()
    named = (outcome for outcome in found if outcome.exercise == exercise.name)
    return next(named, Outcome(exercise=exercise.name, result="not run"))


def _write(path: Path, text: str) -> None:
    """Write a file if it is not so already."""
    try:
        if path.read_text(encoding="utf-8") == text:
            return
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error}). Move it away and run this again.") from error
    write(path, text)
