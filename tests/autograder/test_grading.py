"""The real nbgrader grades the masters fairly, by its own commands and through the audit and the demo class."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import audit, demo, master, release
from autograder.classroom import Classroom, Score, error_of
from autograder.inprocess import reference_for
from ftlab.errors import CourseError

CONFIG = "from autograder.nbgrader_config import settings\nget_config().merge(settings())\n"


def nbgrader(course: Path, solutions: Path, *arguments: str) -> str:
    """Run one nbgrader command as an instructor would."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    surroundings = {**os.environ, "PATH": path, "AUTOGRADER_SOLUTIONS": str(solutions), "OMP_NUM_THREADS": "1"}
    surroundings |= {"FTLAB_HOME": str(course / "home"), "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        ["nbgrader", *arguments], cwd=course, env=surroundings, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def course(assignment, solutions, tmp_path_factory):
    """A course folder in which plain nbgrader commands have released an assignment and graded three submissions."""
    folder, name = tmp_path_factory.mktemp("course"), assignment.name
    (folder / "nbgrader_config.py").write_text(CONFIG)
    source = folder / "source" / name / f"{name}.ipynb"
    release.write(source, release.notebook_text(release.source_notebook(assignment)))
    nbgrader(folder, solutions, "generate_assignment", name)
    room = Classroom(folder, assignment)
    for student in demo.STUDENTS:
        room.submit(student, demo.answers(assignment, student))
    nbgrader(folder, solutions, "autograde", name)
    nbgrader(folder, solutions, "generate_feedback", name)
    return room


def test_nbgraders_command_writes_the_notebook_that_is_committed(course, assignment, solutions):
    name = assignment.name
    written = (course.folder / "release" / name / f"{name}.ipynb").read_bytes()
    assert written == (solutions.parent / "exercises" / name / f"{name}.ipynb").read_bytes()


def test_the_reference_earns_all_and_the_stub_nothing(course, assignment):
    right, untouched = course.scores("right"), course.scores("untouched")
    for exercise in assignment.exercises:
        assert right[exercise.name] == Score(None if exercise.manual else exercise.points, exercise.points)
        assert untouched[exercise.name].points == 0


def test_half_right_earns_its_half(course, assignment):
    scores = course.scores("half-right")
    for exercise in assignment.exercises:
        assert scores[exercise.name].points == (exercise.points if exercise.number % 2 == 0 else 0)


def test_feedback_shows_no_line_of_a_solution(course, assignment):
    feedback = (course.folder / "feedback" / "untouched" / assignment.name / f"{assignment.name}.html").read_text()
    for exercise in assignment.exercises:
        hidden = {line.strip() for line in exercise.solution.split("\n")}
        hidden -= {line.strip() for line in (exercise.stub + exercise.statement).split("\n")}
        text = "\n".join(cell.source for cell in assignment.cells if not master.is_answer(cell))
        assert not [line for line in hidden if len(line) > 25 and line in feedback and line not in text]


@pytest.fixture(scope="module")
def tried(assignment):
    """Every wrong answer on trial, once for the module."""
    candidates = [found for exercise in assignment.exercises for found in audit.candidates(exercise)]
    return list(audit.trial(assignment, candidates))


def test_every_wrong_answer_fails_and_by_a_check(tried):
    for candidate, _, full in tried:
        assert full, f"{candidate.exercise}: {candidate.label} passes"
        assert not full.startswith(("AuthorError", "CourseError", "ImportError", "NameError", "SyntaxError")), full


def test_every_anticipated_mistake_is_told_by_name(tried):
    named = [(candidate, visible) for candidate, visible, _ in tried if candidate.mistake]
    assert named
    for candidate, visible in named:
        assert visible.startswith("CheckFailed: ")
        assert candidate.mistake in visible


def test_the_reference_passes_with_many_seeds(assignment, one_thread):
    for base in range(5):
        reference, seeds = reference_for(assignment.name, base)
        for exercise in assignment.exercises:
            exec(exercise.hidden_tests, {**vars(reference), "reference": reference, "seeds": seeds})


def test_the_audit_is_kept_by_its_contents(small, tmp_path):
    told: list[str] = []
    report = audit.audit(master.load(small()), tmp_path / "audit", told.append)
    assert report.right
    assert [(row.reference, row.stub) for row in report.rows] == [(2, 0)]
    assert told
    told.clear()
    assert audit.audit(master.load(small()), tmp_path / "audit", told.append) == report
    assert not told
    assert audit.content_key(master.load(small("twice", "two times"))) != report.key


def bank(path):
    """The audit's row for the wrong answers of the small master's one exercise."""
    loaded = master.load(path)
    row = audit.Row("double", points=2, reference=2, stub=0)
    for candidate, visible, full in audit.trial(loaded, list(audit.candidates(loaded.exercises[0]))):
        audit.judge(row, candidate, visible, full)
    return row


def test_the_audit_finds_a_test_that_lets_wrong_answers_pass(small):
    row = bank(small("checks.close(double(1 + seed), reference.double(1 + seed))", "assert double(3) == 6"))
    assert "always the first answer" in row.escaped
    assert not row.right


def test_the_audit_finds_a_mistake_that_is_not_named(small):
    row = bank(small('mistakes={"it is squared": 9}', "mistakes={}"))
    assert row.unnamed == ["it is squared"]
    assert not row.right


def test_the_audit_finds_a_test_that_breaks_by_itself(small):
    row = bank(small("reference.double(1 + seed)", "0 * reference.double(1 + seed)"))
    assert "AuthorError" in row.faulty[0]
    assert not row.right


def test_the_audit_finds_a_helper_cell_that_fails(small):
    with pytest.raises(CourseError, match="helper cell"):
        bank(small("from ftlab import checks", "from ftlab import checks\n1 / 0"))


def test_a_demo_class_goes_on_where_it_was_interrupted(small, tmp_path):
    loaded, work = master.load(small()), tmp_path / "demo"

    def interrupt(what: str) -> None:
        if "half-right" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.grade_class(loaded, work, interrupt)
    told: list[str] = []
    graded = demo.grade_class(loaded, work, told.append)
    assert [student.scores["double"].points for student in graded] == [2, 0, 0]
    assert not [what for what in told if "grading right" in what or "release" in what]
    told.clear()
    assert demo.grade_class(loaded, work, told.append) == graded
    assert not told


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}'])
def test_a_damaged_record_is_made_again(small, tmp_path, damage):
    loaded = master.load(small())
    path = tmp_path / "demo" / "right.json"
    release.write(path, damage)
    assert demo._read(path, audit.content_key(loaded)) is None
    assert audit._read(path) is None


def test_an_error_is_read_from_a_cell():
    output = nbformat.v4.new_output("error", ename="CheckFailed", evalue="no", traceback=[])
    assert error_of(nbformat.v4.new_code_cell("", outputs=[output])) == "CheckFailed: no"
    assert json.dumps(error_of(nbformat.v4.new_markdown_cell(""))) == '""'
