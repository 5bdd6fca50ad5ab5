"""Every submission is in exactly one state, whatever happens in which order, and nothing that was recorded is lost."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autograder import keys
from autograder.ledger import Ledger
from autograder.records import Flag, Graded, InfrastructureError, Outcome, State, Submission
from ftlab.errors import CourseError

STUDENTS = ("ada", "bob")
RESULTS = tuple(state for state in State if state is not State.WAITING)


def submission(student="ada", text="one", hour=10, refused=""):
    received = f"2026-11-25T{hour:02}:00:00+00:00"
    return Submission(
        student=student, assignment="a", notebook="" if refused else text, received=received, refused=refused
    )


def result(student="ada", state=State.GRADED, key="k", seed=1):
    outcomes = (Outcome(exercise="double", result="passed", credit=1.5, message="“quoted” – ünï"),)
    return Graded(student=student, assignment="a", key=key, seed=seed, state=state, outcomes=outcomes)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.writing(tmp_path / "grading") as opened:
        yield opened


class Machine(RuleBasedStateMachine):
    """The ledger against a plain model of it: what was handed in when, and the results in their order."""

    def __init__(self):
        super().__init__()
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.hour = 0
        self.handed_in: dict[str, list[str]] = {student: [] for student in STUDENTS}  # newest last
        self.results: dict[tuple[str, str], list[Graded]] = {}
        self.seeds: dict[tuple[str, str], int] = {}
        self.open()

    def open(self):
        self.context = Ledger.writing(self.path)
        self.ledger = self.context.__enter__()

    def teardown(self):
        self.context.__exit__(None, None, None)
        self.folder.cleanup()

    @rule(student=st.sampled_from(STUDENTS), text=st.sampled_from(["one", "two", "three"]), refused=st.booleans())
    def hand_in(self, student, text, refused):
        self.hour = min(self.hour + 1, 23)
        sent = submission(student, text, self.hour, refused=f"no {text}" if refused else "")
        name, texts = keys.content(sent), self.handed_in[student]
        new = not texts or texts[-1] != name
        assert self.ledger.take(sent) == new
        if new:
            self.handed_in[student] = [*(other for other in texts if other != name), name]
            if refused:
                seed = self.ledger.standings("a", student)[0].seed
                refusal = Graded(
                    student=student, assignment="a", key=name, seed=seed, state=State.REJECTED, error=sent.refused
                )
                self.results.setdefault((student, name), []).append(refusal)

    @precondition(lambda self: any(self.handed_in.values()))
    @rule(student=st.sampled_from(STUDENTS), state=st.sampled_from(RESULTS), key=st.sampled_from("kl"))
    def grade(self, student, state, key):
        for content in self.handed_in[student][-1:]:
            graded = result(student, state, key)
            self.ledger.record(graded, content)
            self.results.setdefault((student, content), []).append(graded)

    @rule()
    def reopen(self):
        self.context.__exit__(None, None, None)
        self.open()

    @invariant()
    def stands_where_the_model_says(self):
        standings = {standing.student: standing for standing in self.ledger.standings("a")}
        assert set(standings) == {student for student, texts in self.handed_in.items() if texts}
        for student, standing in standings.items():
            results = self.results.get((student, self.handed_in[student][-1]), [])
            assert standing.content == self.handed_in[student][-1]
            assert standing.graded == (results[-1] if results else None)
            assert standing.state in State
            was_graded = any(one.state in (State.GRADED, State.FLAGGED) for one in results)
            assert standing.stale == (was_graded and standing.state is State.BROKEN)
            assert not (standing.stale and standing.scored)
            assert self.seeds.setdefault((student, standing.content), standing.seed) == standing.seed

    @invariant()
    def keeps_every_result(self):
        for student in STUDENTS:
            kept = [graded for _, graded in self.ledger.history(student, "a")]
            ever = [one for (who, _), results in self.results.items() if who == student for one in results]
            assert sorted(map(repr, kept)) == sorted(map(repr, ever))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)


def test_a_second_current_result_is_impossible_by_the_database_itself(ledger):
    ledger.take(submission())
    ledger.record(result(), keys.content(submission()))
    with sqlite3.connect(ledger.folder / "ledger.db") as database, pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO results (submission, state, record, recorded, current) VALUES (1, '', '', '', 1)")


def test_the_text_comes_back_as_it_was_handed_in(ledger):
    sent = submission(text='{"cells": ["\\u0000 – \\ud800"]}')
    sent = replace(sent, notes=("a note",), received="2026-11-25T12:00:00+02:00")
    assert ledger.take(sent)
    back = ledger.submission(ledger.standings("a")[0])
    assert back == replace(sent, received="2026-11-25T10:00:00+00:00")


def test_the_same_text_again_keeps_its_time_of_receipt(ledger):
    assert ledger.take(submission(hour=10))
    assert not ledger.take(submission(hour=12))
    assert ledger.standings("a")[0].received.startswith("2026-11-25T10")


def test_an_older_text_handed_in_again_is_the_newest(ledger):
    for text, hour in (("one", 10), ("two", 11), ("one", 12)):
        assert ledger.take(submission(text=text, hour=hour))
    standing = ledger.standings("a")[0]
    assert ledger.submission(standing).notebook == "one"
    assert standing.received.startswith("2026-11-25T12")


def test_what_comes_late_but_was_handed_in_earlier_is_not_the_newest(ledger):
    ledger.take(submission(text="two", hour=12))
    ledger.take(submission(text="one", hour=10))
    assert ledger.submission(ledger.standings("a")[0]).notebook == "two"


def test_seeds_differ_by_student_and_class_and_stay(ledger, tmp_path):
    ledger.take(submission("ada"))
    ledger.take(submission("bob"))
    seeds = [standing.seed for standing in ledger.standings("a")]
    assert len(set(seeds)) == 2
    with Ledger.writing(tmp_path / "another class") as other:
        other.take(submission("ada"))
        assert other.standings("a")[0].seed not in seeds


def test_two_heads_cannot_write_at_once_and_readers_may_read(ledger):
    ledger.take(submission())
    with pytest.raises(InfrastructureError, match="Another autograder is at work"), Ledger.writing(ledger.folder):
        pass
    with Ledger(ledger.folder) as reader:
        assert len(reader.standings("a")) == 1


def test_a_killed_head_leaves_no_lock(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from autograder.ledger import Ledger\n"
        "with Ledger.writing(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert done.returncode == -9
    with Ledger.writing(tmp_path) as ledger:
        assert ledger.take(submission())


def test_a_failed_write_changes_nothing(ledger):
    ledger.take(submission())
    ledger.record(result(), keys.content(submission()))
    with pytest.raises(TypeError):
        no_json = Flag(kind="note", where="", what=object())  # type: ignore[arg-type]
        ledger.record(replace(result(key="new"), flags=(no_json,)), keys.content(submission()))
    assert ledger.standings("a")[0].graded == result()


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "-" * 65, "ada\n", ".hidden", "a b"])
def test_a_name_that_could_lead_out_of_the_folder_is_refused(ledger, name):
    with pytest.raises(CourseError, match="cannot be the name"):
        ledger.take(submission(name))
    assert not ledger.standings("a")


def test_a_time_that_is_none_is_refused(ledger):
    with pytest.raises(CourseError, match="no time of receipt"):
        ledger.take(replace(submission(), received="yesterday-ish"))


def test_a_folder_without_a_ledger_and_a_damaged_one_are_said_in_a_sentence(tmp_path):
    with pytest.raises(CourseError, match="no ledger"):
        Ledger(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(InfrastructureError, match="damaged"), Ledger(tmp_path) as ledger:
        ledger.standings("a")
