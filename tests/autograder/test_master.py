"""A master is read as it was written, and one that is broken is refused with file, cell and remedy."""

import pytest

from autograder import master
from ftlab.errors import CourseError


def test_an_exercise_is_read_in_full(small):
    exercise = master.load(small()).exercises[0]
    assert (exercise.name, exercise.number, exercise.title) == ("double", 1, "Double it")
    assert (exercise.points, exercise.minutes, exercise.difficulty, exercise.needs) == (2, 5, "easy", "arithmetic")
    assert exercise.statement == "Return twice the number."
    assert exercise.hints == ("One.", "Two.", "Three.")
    assert exercise.stub == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert exercise.solution == "def double(x):\n    return 2 * x"
    assert exercise.visible_tests == 'checks.close(double(3), 6, mistakes={"it is squared": 9})'
    assert "reference.double" in exercise.hidden_tests
    assert exercise.wrong == (("it is squared", "def double(x):\n    return x**2"),)
    assert not exercise.manual
    assert exercise.rubric is None


def test_cell_ids_are_stable_and_unique(assignment):
    again = master.load(assignment.path)
    ids = [cell.id for cell in assignment.cells]
    assert ids == [cell.id for cell in again.cells]
    assert len(set(ids)) == len(ids)


BROKEN = {
    "two cells with one grade_id": ("grade_id: test-double", "grade_id: double", "already a cell .* 'double'"),
    "a test without points": (", points: 2", "", "cell 5 .test-double.*points"),
    "points that are none": ("points: 2", "points: many", "cell 5 .test-double.*points"),
    "negative points": ("points: 2", "points: -2", "cell 5 .test-double.*points"),
    "a hidden part without an end": ("### END HIDDEN TESTS\n", "", "cell 5 .test-double.*END HIDDEN TESTS"),
    "a hidden part without a beginning": ("### BEGIN HIDDEN TESTS\n", "", "cell 5 .test-double.*BEGIN HIDDEN TESTS"),
    "a hidden part outside": ("    return 2 * x\n", "### BEGIN HIDDEN TESTS\n", "cell 4.*does not belong"),
    "a misspelt marker": ("### BEGIN HIDDEN TESTS", "# BEGIN HIDDEN TESTS", "exactly so"),
    "no hidden part": (
        "### BEGIN HIDDEN TESTS\nfor seed in seeds(3):\n    "
        "checks.close(double(1 + seed), reference.double(1 + seed))\n### END HIDDEN TESTS\n",
        "",
        "exercise 1.*no hidden part",
    ),
    "a solution without an end": ("    ### END SOLUTION\n", "", "cell 4 .double.*END SOLUTION"),
    "code that is none": ("return 2 * x", "return 2 *", "cell 4 .double.*line 3"),
    "metadata that is cut": ("grade: true, ", "", "cell 5 .test-double.*lacks grade"),
    "a grade_id with a space": ("grade_id: double", "grade_id: do uble", "'do uble'"),
    "two hints": ("Hint 3: almost the line", "Help", "exercise 1 has 2 hints"),
    "no effort line": ("*5 minutes · easy · needs: arithmetic*", "", "exercise 1.*5 minutes"),
    "a wrong number": ("## Exercise 1", "## Exercise 2", r"numbered \[2\]"),
    "no exercise": ("## Exercise 1: Double it", "## Double it", "no exercise"),
    "no title": ("# A small assignment", "A small assignment", "no title"),
    "a mistake of no exercise": ("answer: double, m", "answer: treble, m", "cell 6.*'wrong'"),
    "an answer without a test": ("grade: true", "grade: false", "cell 5 .test-double.*does not belong"),
    "no header": ("format_name: myst", "format_name: light", "MyST header"),
    "broken YAML": ("nbgrader: {schema_version: 3, grade_id: double", "nbgrader: {schema_version: 3, {", "YAML"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_master_is_refused(small, case):
    old, new, words = BROKEN[case]
    path = small(old, new)
    with pytest.raises(CourseError, match=f"(?s){words}") as caught:
        master.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"no master", b"---\n---\n"])
def test_a_file_that_is_no_master_is_refused(small, content):
    path = small()
    path.write_bytes(content)
    with pytest.raises(CourseError, match=r"90-small\.md"):
        master.load(path)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(CourseError, match="no master"):
        master.load(tmp_path / "none.md")
    with pytest.raises(CourseError, match="no folder"):
        master.load_all(tmp_path / "solutions")
    (tmp_path / "solutions").mkdir()
    with pytest.raises(CourseError, match="no master"):
        master.load_all(tmp_path / "solutions")


def test_text_above_a_heading_belongs_to_the_exercise_before(small) -> None:
    path = small("## Exercise 1: Double it", "Words about what came before.\n\n## Exercise 1: Double it")
    assert master.load(path).exercises[0].statement == "Return twice the number."
