"""What leaves the grader: right numbers, no number where nothing is known, no formula, and the same bytes each time."""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import export, gradescope, gradesheet, master
from autograder.ledger import Standing
from autograder.marks import ByHand, Mark, Person
from autograder.policy_file import Late, Policies
from autograder.records import Graded, Outcome, State

GOLDEN = Path(__file__).parent / "golden"
RULES = Policies(
    deadlines={"05-sft": "2026-11-20T12:00:00Z", "90-small": "2026-11-27T12:00:00Z"},
    late=Late(percent=10, grace_minutes=5),
    zero_for={"missing"},
    drop_lowest=1,
)


@pytest.fixture
def masters(small, solutions):
    return [master.load(solutions / "05-sft" / "05-sft.md"), master.load(small())]


def standing(one, student, result="passed", received="2026-11-20T11:00:00+00:00", state=State.GRADED, **more):
    """A submission that got this result in every exercise; None as `state` means that it waits."""
    outcomes = tuple(
        Outcome(exercise=exercise.name, result="by hand" if exercise.manual else result, message="It is 93 =1+1.")
        for exercise in one.exercises
    )
    texts = {
        "answers": {exercise.name: more.pop("answer", "x") for exercise in one.exercises if not exercise.manual},
        "written": {exercise.name: more.pop("essay", "text") for exercise in one.exercises if exercise.manual},
    }
    graded = state and Graded(
        student=student, assignment=one.name, key="", seed=0, state=state, outcomes=outcomes, box="bubblewrap", **texts
    )
    return Standing(
        student=student,
        assignment=one.name,
        content=student + received,
        received=received,
        seed=0,
        refused="",
        notes=(),
        graded=graded,
        stale=more.get("stale", False),
    )


def essay(one):
    return next(exercise for exercise in one.exercises if exercise.manual)


@pytest.fixture
def class_(masters):
    """Everything that can be: on time, late, unmarked, faulty, stale, refused, waiting, nothing, names that attack."""
    sft, tiny = masters
    late = "2026-11-21T12:06:00+00:00"
    attempts = [
        *(standing(sft, student) for student in ("ann", "cy", "di", "ed", "flo", "gus")),
        standing(sft, "bob", received=late),
        *(standing(tiny, student) for student in ("ann", "bob")),
        standing(tiny, "ann", "failed", received="2026-11-19T11:00:00+00:00"),
        standing(tiny, "cy", "faulty"),
        standing(tiny, "di", state=State.BROKEN, stale=True),
        standing(tiny, "ed", state=State.REJECTED),
        standing(tiny, "flo", state=None),
    ]
    marked = {(name, sft.name): {essay(sft).name: Mark(points=3)} for name in ("ann", "bob", "cy", "di", "ed", "flo")}
    people = {
        "ann": Person(
            first_name="Ännchen", last_name='=HYPERLINK("http://x.org","Klick")', email="a@x.org", lms_id="7"
        ),
        "bob": Person(first_name="@SUM(1)", last_name="Bö; =1+1", email="+1@x.org"),
        "hal": Person(first_name="Hal", last_name="-1"),
    }
    return attempts, ByHand(marks=marked, people=people)


def sheet(masters, class_, rules=RULES):
    return gradesheet.build(masters, *class_, rules)


def rows(text):
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline="")))


def golden(name, text):
    """Compare with the golden file; AUTOGRADER_GOLDEN=write makes it anew, to be read before it is committed."""
    path = GOLDEN / name
    if os.environ.get("AUTOGRADER_GOLDEN") == "write":
        path.write_bytes(text.encode())
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("name", ["grades", "canvas", "moodle"])
def test_the_tables_are_as_they_were(masters, class_, name):
    golden(f"{name}.csv", getattr(export, name)(sheet(masters, class_)))


def test_gradescopes_file_is_as_it_was(masters, class_):
    bob = next(row for row in sheet(masters, class_).rows if row.student == "bob")
    golden("results.json", gradescope.results(masters[0], bob.cells["05-sft"], class_[1].of("bob", "05-sft")))


def test_the_order_in_which_submissions_come_does_not_matter(masters, class_):
    attempts, by_hand = class_
    first = sheet(masters, (attempts, by_hand))
    second = sheet(masters, (attempts[::-1], by_hand))
    for write in (export.grades, export.canvas, export.moodle):
        assert write(first) == write(second)


OPEN = {"gus": "05-sft", "cy": "90-small", "di": "90-small", "ed": "90-small", "flo": "90-small"}


@pytest.mark.parametrize(("student", "assignment"), OPEN.items())
def test_what_is_not_scored_is_an_empty_cell_everywhere_and_never_a_number(masters, class_, student, assignment):
    found = sheet(masters, class_)
    people, canvas, moodle = (rows(write(found)) for write in (export.grades, export.canvas, export.moodle))
    person = next(row for row in people if row["student"] == student)
    assert person["total"] == ""
    assert f"{assignment}: " in person["notes"]
    assert [person[name] for name in person if name.startswith(assignment)] == [""]
    assert next(row for row in canvas if row["SIS Login ID"] == student)[assignment] == ""
    assert next(row for row in moodle if row["Username"] == student)[f"Assignment: {assignment} (Real)"] == ""
    cell = next(row for row in found.rows if row.student == student).cells[assignment]
    assert gradescope.results(next(one for one in masters if one.name == assignment), cell, {}) is None
    assert (student, assignment, cell) in found.open()


def test_nothing_else_is_empty(masters, class_):
    assert {(student, name) for student, name, _ in sheet(masters, class_).open()} == set(OPEN.items())


def test_an_older_score_never_stands_in_for_a_newer_attempt(masters):
    tiny = masters[1]
    attempts = [standing(tiny, "ann"), standing(tiny, "ann", state=None, received="2026-11-21T00:00:00+00:00")]
    for rules in (Policies(), Policies(resubmission="best")):
        assert sheet([tiny], (attempts, ByHand()), rules).open()


def test_the_best_attempt_counts_where_the_rules_say_so(masters):
    tiny = masters[1]
    attempts = [standing(tiny, "ann"), standing(tiny, "ann", "failed", received="2026-11-21T00:00:00+00:00")]
    latest, best = (sheet([tiny], (attempts, ByHand()), Policies(resubmission=rule)) for rule in ("latest", "best"))
    assert latest.rows[0].cells["90-small"].points == 0
    assert best.rows[0].cells["90-small"].points == 2
    assert best.rows[0].cells["90-small"].notes == ("the attempt of 2026-11-20 11:00 counts",)


def test_a_mark_is_used_for_another_attempt_only_where_the_answer_is_the_same(masters):
    sft = masters[0]
    marks = ByHand(marks={("ann", sft.name): {essay(sft).name: Mark(points=4)}})
    newer = standing(sft, "ann", "failed", received="2026-11-21T00:00:00+00:00")
    same, other = standing(sft, "ann"), standing(sft, "ann", essay="another text")
    rules = Policies(resubmission="best")
    found = [sheet([sft], ([older, newer], marks), rules).rows[0].cells["05-sft"] for older in (same, other)]
    assert [cell.points for cell in found] == [24, 4]
    assert found[1].notes == ("an earlier attempt is not scored (grade --every-attempt)",)


def test_a_persons_mark_counts_before_the_tests_and_settles_what_no_test_could(masters):
    tiny = masters[1]
    mark = ByHand(marks={("ann", tiny.name): {"double": Mark(points=1.5, extra=0.25)}})
    for one in (standing(tiny, "ann"), standing(tiny, "ann", "faulty"), standing(tiny, "ann", state=State.CRASHED)):
        assert sheet([tiny], ([one], mark), Policies()).rows[0].cells["90-small"].points == 1.75
    for one in (standing(tiny, "ann", state=State.BROKEN), standing(tiny, "ann", state=None)):
        assert sheet([tiny], ([one], mark), Policies()).open()
    again = ByHand(marks={("ann", tiny.name): {"double": Mark(points=1.5, again=True)}})
    assert sheet([tiny], ([standing(tiny, "ann")], again), Policies()).open()


def test_what_was_refused_is_zero_only_by_the_rules(masters):
    tiny = masters[1]
    refused = [standing(tiny, "ann", state=State.REJECTED)]
    assert sheet([tiny], (refused, ByHand()), Policies()).open()
    cell = sheet([tiny], (refused, ByHand()), Policies(zero_for={"rejected"})).rows[0].cells["90-small"]
    assert (cell.points, cell.notes) == (0, ("rejected, which counts as 0 here",))


def test_only_people_are_told_what_was_graded_without_a_sandbox(masters):
    tiny = masters[1]
    one = standing(tiny, "ann")
    unsafe = dataclasses.replace(one, graded=dataclasses.replace(one.graded, box="none"))
    found = sheet([tiny], ([unsafe], ByHand()), Policies())
    assert "without a sandbox" in export.grades(found)
    cell = found.rows[0].cells["90-small"]
    assert "sandbox" not in export.moodle(found) + export.canvas(found) + gradescope.results(tiny, cell, {})


def test_exporting_changes_no_record(masters, class_):
    before = [dataclasses.asdict(one) for one in class_[0]]
    sheet(masters, class_)
    assert [dataclasses.asdict(one) for one in class_[0]] == before


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_no_cell_is_a_formula_and_all_text_comes_back(table):
    text = export.table(table)
    back = list(csv.reader(io.StringIO(text, newline="")))
    for row, cells in zip(back, table, strict=True):
        for found, cell in zip(row, cells, strict=True):
            assert found in (cell, f"'{cell}")
            assert not found.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", '="a"'])
def test_a_cell_that_begins_like_a_formula_is_quoted(cell):
    assert export.safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "ann", "3.5", "a=b", "'=1", "ann-lee"])
def test_an_ordinary_cell_stays_as_it_is(cell):
    assert export.safe(cell) == cell


def test_gradescope_gets_the_fields_it_documents(masters, class_):
    bob = next(row for row in sheet(masters, class_).rows if row.student == "bob")
    found = json.loads(gradescope.results(masters[0], bob.cells["05-sft"], class_[1].of("bob", "05-sft")))
    assert found["score"] == 23 - 0.2 * 24, "one mark is missing, and two days were started"
    assert sum(test["score"] for test in found["tests"]) == 23
    assert all(test["max_score"] >= test["score"] for test in found["tests"])
    assert "reference." not in json.dumps(found)
