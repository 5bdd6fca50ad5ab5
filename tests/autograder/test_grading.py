"""The real nbgrader grades a master fairly, by its own commands and in the demo class; the audit has every master."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import demo, master, release
from autograder.classroom import Classroom, Score, error_of
from autograder.inprocess import reference_for

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
def one(solutions):
    """One master, since nbgrader's commands take their time; the audit takes every one through nbgrader's API."""
    return master.load(solutions / "05-sft" / "05-sft.md")


@pytest.fixture(scope="module")
def course(one, solutions, tmp_path_factory):
    """A course folder in which plain nbgrader commands have released an assignment and graded three submissions."""
    folder, name, assignment = tmp_path_factory.mktemp("course"), one.name, one
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


def test_nbgraders_command_writes_the_notebook_that_is_committed(course, one, solutions):
    name = one.name
    written = (course.folder / "release" / name / f"{name}.ipynb").read_bytes()
    assert written == (solutions.parent / "exercises" / name / f"{name}.ipynb").read_bytes()


def test_the_reference_earns_all_and_the_stub_nothing(course, one):
    right, untouched = course.scores("right"), course.scores("untouched")
    for exercise in one.exercises:
        assert right[exercise.name] == Score(None if exercise.manual else exercise.points, exercise.points)
        assert untouched[exercise.name].points == 0


def test_half_right_earns_its_half(course, one):
    scores = course.scores("half-right")
    for exercise in one.exercises:
        assert scores[exercise.name].points == (exercise.points if exercise.number % 2 == 0 else 0)


def test_feedback_shows_no_line_of_a_solution(course, one):
    feedback = (course.folder / "feedback" / "untouched" / one.name / f"{one.name}.html").read_text()
    for exercise in one.exercises:
        hidden = {line.strip() for line in exercise.solution.split("\n")}
        hidden -= {line.strip() for line in (exercise.stub + exercise.statement).split("\n")}
        text = "\n".join(cell.source for cell in one.cells if not master.is_answer(cell))
        assert not [line for line in hidden if len(line) > 25 and line in feedback and line not in text]


def test_the_reference_passes_with_many_seeds(assignment, one_thread):
    for base in range(5):
        reference, seeds = reference_for(assignment.name, base)
        for exercise in assignment.exercises:
            exec(exercise.hidden_tests, {**vars(reference), "reference": reference, "seeds": seeds})


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
    assert demo._read(path, demo.content_key(loaded)) is None


def test_an_error_is_read_from_a_cell():
    output = nbformat.v4.new_output("error", ename="CheckFailed", evalue="no", traceback=[])
    assert error_of(nbformat.v4.new_code_cell("", outputs=[output])) == "CheckFailed: no"
    assert json.dumps(error_of(nbformat.v4.new_markdown_cell(""))) == '""'
