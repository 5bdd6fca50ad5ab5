"""From a real ledger and a real nbgrader gradebook to files, by the command line."""

import csv
import io

import pytest

from autograder import cli, marks, master
from autograder.gradebook import GradebookWriter
from autograder.keys import content
from autograder.ledger import Ledger
from autograder.records import Graded, Outcome, State, Submission


@pytest.fixture
def course(tmp_path, small):
    """A course with one small assignment; `small` has written its master."""
    small()
    return tmp_path


def hand_in(ledger, student, received, result=None, state=State.GRADED, refused="", text=""):
    """Take a submission in, and record this result for it; None leaves it waiting."""
    text = "" if refused else text or f"notebook of {student}, {received}"
    submission = Submission(student=student, assignment="90-small", notebook=text, received=received, refused=refused)
    ledger.take(submission)
    if result is not None:
        outcomes = (Outcome(exercise="double", result=result, message="It is 9, and should be 6."),)
        answers = {"double": "def double(x):\n    return 3 * x"}
        graded = Graded(
            student=student, assignment="90-small", key="k", seed=1, state=state, outcomes=outcomes, answers=answers
        )
        ledger.record(graded, content(submission))


EARLY, LATE = "2026-11-20T11:00:00+00:00", "2026-11-21T12:06:00+00:00"


@pytest.fixture
def graded(course):
    """Ann passed and then failed, Bob failed, Cy waits, Di was refused."""
    with Ledger.writing(course / "grading") as ledger:
        hand_in(ledger, "ann", EARLY, "passed")
        hand_in(ledger, "ann", LATE, "failed")
        hand_in(ledger, "bob", EARLY, "failed")
        hand_in(ledger, "cy", EARLY)
        hand_in(ledger, "di", EARLY, refused="The file is no notebook. Save it in Jupyter and hand it in again.")
    return course


def run(verb, course, *more):
    return cli.main([verb, "--course", str(course), *more])


def table(course):
    text = (course / "grading" / "export" / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}


def test_feedback_writes_a_page_for_everybody(graded, capsys, text_of):
    assert run("feedback", graded) == 0
    assert "4 pages in" in capsys.readouterr().out
    pages = {
        student: text_of((graded / "grading" / "feedback" / student / "90-small" / "90-small.html").read_text())
        for student in ("ann", "bob", "cy", "di")
    }
    assert "It is 9, and should be 6." in pages["bob"]
    assert "0 of 2" in pages["ann"], "the newest submission"
    assert "waits to be graded" in pages["cy"]
    assert "The file is no notebook." in pages["di"]


def test_hidden_tests_lie_in_a_folder_of_their_own(graded):
    run("feedback", graded, "--with-hidden")
    run("feedback", graded)
    student, inside = (
        (graded / "grading" / folder / "bob" / "90-small" / "90-small.html").read_text()
        for folder in ("feedback", "feedback-for-instructors")
    )
    assert "reference" in inside
    assert "reference" not in student


def test_export_leaves_what_is_open_empty_says_so_and_exits_with_1(graded, capsys):
    assert run("export", graded) == 1
    said = capsys.readouterr().err
    assert "90-small  cy: empty, because it waits to be graded" in said
    assert "90-small  di: empty, because rejected, so a person has to decide" in said
    found = table(graded)
    assert [found[student]["90-small (of 2)"] for student in ("ann", "bob", "cy", "di")] == ["0", "0", "", ""]


def test_export_with_rules_applies_them_and_exits_with_0_when_nothing_is_open(graded, capsys):
    with Ledger.writing(graded / "grading") as ledger:
        hand_in(ledger, "cy", LATE, "passed")
    rules = (
        "deadlines: {90-small: 2026-11-20T12:00:00Z}\nlate: {percent: 10}\nresubmission: best\nzero_for: [rejected]\n"
    )
    (graded / "policies.yml").write_text(rules)
    assert run("export", graded) == 0
    found = table(graded)
    assert [found[student]["90-small (of 2)"] for student in ("ann", "bob", "cy", "di")] == ["2", "0", "1.6", "0"]
    late, older = found["cy"]["notes"].split("; ")
    assert late == "90-small: 2 days late, 0.4 points less"
    assert older == "90-small: an earlier attempt is not scored (grade --every-attempt)"


def test_export_twice_gives_the_same_bytes_and_takes_back_what_is_open_again(graded):
    files = graded / "grading" / "export"
    run("export", graded)
    first = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    run("export", graded)
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == first
    assert files / "gradescope" / "90-small" / "bob" / "results.json" in first
    with Ledger.writing(graded / "grading") as ledger:
        hand_in(ledger, "bob", LATE, "passed", state=State.BROKEN)
    run("export", graded)
    assert not (files / "gradescope" / "90-small" / "bob" / "results.json").exists()
    assert table(graded)["bob"]["90-small (of 2)"] == ""


def test_export_never_writes_to_the_ledger(graded):
    before = (graded / "grading" / "ledger.db").read_bytes()
    run("export", graded)
    run("feedback", graded)
    assert (graded / "grading" / "ledger.db").read_bytes() == before


def test_a_misspelt_rule_stops_the_export_before_anything_is_written(graded, capsys):
    (graded / "policies.yml").write_text("slip_day: 3\n")
    assert run("export", graded) == 1
    assert "slip_day is no rule" in capsys.readouterr().err
    assert not (graded / "grading" / "export").exists()


def test_rules_that_were_named_have_to_be_there(graded, capsys):
    assert run("export", graded, "--policies", str(graded / "other.yml")) == 1
    assert "There is no file" in capsys.readouterr().err


def test_an_extension_for_nobody_is_told(graded, capsys):
    (graded / "policies.yml").write_text(
        "deadlines: {90-small: 2026-11-20T12:00:00Z}\nextensions: {anna: {90-small: 2026-11-25T12:00:00Z}}\n"
    )
    run("export", graded)
    assert "extension for anna" in capsys.readouterr().err


def test_similarity_writes_a_report(graded, capsys):
    assert run("similarity", graded) == 0
    assert "90-small.html: 0 pairs to read" in capsys.readouterr().out


def test_of_two_submissions_of_one_second_the_ledgers_newest_counts(graded):
    with Ledger.writing(graded / "grading") as ledger:
        hand_in(ledger, "bob", EARLY, "passed", text="another notebook")
        (newest,) = ledger.standings("90-small", "bob")
        attempts = [one for one in ledger.attempts("90-small") if one.student == "bob"]
    assert attempts[-1] == newest
    assert len(attempts) == 2
    run("export", graded)
    assert table(graded)["bob"]["90-small (of 2)"] == "2"


@pytest.mark.parametrize("verb", ["feedback", "export", "similarity"])
def test_without_a_ledger_the_next_step_is_told(course, verb, capsys):
    assert run(verb, course) == 1
    assert "autograder grade --from" in capsys.readouterr().err


def test_marks_comments_and_names_of_the_formgrader_arrive(graded, text_of):
    one = master.load(graded / "solutions" / "90-small" / "90-small.md")
    folder = graded / "grading"
    with GradebookWriter(folder) as writer, Ledger(folder) as ledger:
        writer.prepare(one)
        for standing in ledger.standings("90-small"):
            writer.enter(standing)
    assert marks.read([one], folder).marks == {}
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "ftlab") as book:
        book.update_or_create_student("bob", first_name="Bob", last_name="Ross", email="b@x.org", lms_user_id="42")
        notebook = book.find_submission_notebook("90-small", "90-small", "bob")
        (grade,), (comment,) = notebook.grades, notebook.comments
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.25, 0.25, False
        comment.manual_comment = "Nearly <b>right</b>."
        book.db.commit()
    assert run("export", graded) == 1
    assert table(graded)["bob"]["90-small (of 2)"] == "1.5"
    assert '"Ross, Bob","42","","bob"' in (folder / "export" / "canvas.csv").read_text()
    run("feedback", graded)
    text = text_of((folder / "feedback" / "bob" / "90-small" / "90-small.html").read_text())
    assert "1.5 of 2" in text
    assert "Nearly <b>right</b>." in text
