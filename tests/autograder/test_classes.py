"""A class is graded to its end whatever stops the grader on the way, and says plainly how it stands."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import cli, grading
from autograder.changes import older
from autograder.ledger import Ledger
from autograder.records import State

HEAD = Path(__file__).with_name("fake_head.py")
KILLS = int(os.environ.get("AUTOGRADER_KILLS", "5"))


def head(small_class, *arguments, **how):
    """Start `autograder grade` for the small class in a process of its own."""
    course = ["--course", small_class.path.parents[2], "--work", small_class.folder]
    command = [sys.executable, HEAD, *(arguments or ["grade"]), *course]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def recorded(folder):
    """How many results were recorded, and how often."""
    log = folder / "log.jsonl"
    return log.read_text().count('"recorded"') if log.exists() else 0


def records(folder):
    """The current results, by student."""
    with Ledger(folder) as ledger:
        return {standing.student: standing.graded for standing in ledger.standings("90-small")}


def twin(small_class, tmp_path):
    """The same class, with the same secret, in another folder."""
    other = type(small_class)(small_class.path, tmp_path / "twin" / "grading")
    shutil.copytree(small_class.folder, other.folder)
    return other


def test_a_head_that_is_killed_again_and_again_ends_where_an_undisturbed_one_does(small_class, tmp_path):
    """Every kill hits a head at work: after new results of its own, with others still to come."""
    chance, students = random.Random(7), [f"s{number:03}" for number in range(12 * KILLS)]
    for number, student in enumerate(students):
        what = {"double": chance.choice(["passed", "failed", "faulty"]), "sleep": 0.1}
        what |= {"state": chance.choice(["graded"] * 4 + ["crashed", "timed out"])}
        small_class.hand_in(student, number=number, **what)
    small_class.hand_in("refused", refused="This is no notebook.")
    undisturbed = twin(small_class, tmp_path)
    for _ in range(KILLS):
        before, running, new = recorded(small_class.folder), head(small_class), chance.randint(1, 3)
        while recorded(small_class.folder) < before + new and running.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        running.send_signal(signal.SIGKILL)
        running.communicate()
        assert running.returncode == -9, "it was killed before it was done"
        assert before < recorded(small_class.folder) < len(students), "it was killed in the middle"
    assert head(small_class).wait() == 1
    with Ledger(small_class.folder) as ledger:
        assert {len(ledger.history(student, "90-small")) for student in students} == {1}, "nothing is graded twice"
    undisturbed.grade()
    assert records(small_class.folder) == records(undisturbed.folder)
    assert small_class.export() == undisturbed.export()
    assert small_class.notebooks() == undisturbed.notebooks()


def test_a_head_that_is_killed_while_it_starts_loses_nothing(small_class):
    """Wherever in its first seconds: reading, making the gradebook, making the assignment, starting workers."""
    small_class.hand_in("ada", double="passed")
    (small_class.folder / "gradebook.db").unlink()
    for seconds in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        running = head(small_class)
        time.sleep(seconds)
        running.kill()
        running.communicate()
    assert head(small_class).wait() == 0
    assert small_class.points("ada") == (2, None, False)


def test_a_full_disk_is_said_in_a_sentence_and_loses_nothing(small_class, tmp_path):
    for number in range(12):
        answers = {"double": "# " + "x" * 9000}
        small_class.hand_in(f"s{number:02}", number=number, double="passed", answers=answers)
    undisturbed = twin(small_class, tmp_path)
    largest = max(path.stat().st_size for path in small_class.folder.iterdir())

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 60_000, largest + 60_000))

    running = head(small_class, preexec_fn=fill)
    _, said = running.communicate()
    assert running.returncode == 2, said
    assert "cannot be" in said
    assert "Traceback" not in said
    before = sum(standing.scored for standing in grading.status(small_class.folder).standings)
    assert 0 < before < 12, "it got some way"
    assert small_class.grade().exit_code == 0
    undisturbed.grade()
    assert small_class.export() == undisturbed.export()
    assert small_class.notebooks() == undisturbed.notebooks()


def test_what_is_graded_is_not_graded_again_until_the_master_changes(small, small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    small_class.grade()
    assert recorded(small_class.folder) == 1
    small_class.hand_in("bob", double="passed")
    small_class.grade()
    assert recorded(small_class.folder) == 2
    small("Return twice", "Give back twice")
    small_class.grade()
    assert recorded(small_class.folder) == 4
    small_class.grade(unsafe=True)
    assert recorded(small_class.folder) == 6, "with and without a sandbox are two results"
    assert {graded.box for graded in records(small_class.folder).values()} == {"none"}


def test_earlier_attempts_are_graded_where_the_best_one_counts(small_class):
    small_class.hand_in("ada", hour=10, double="passed")
    small_class.hand_in("ada", hour=11, double="failed")
    small_class.grade()
    assert recorded(small_class.folder) == 1
    small_class.grade(every_attempt=True)
    with Ledger(small_class.folder) as ledger:
        results = [one.graded.outcomes[0].result for one in ledger.attempts("90-small")]
    assert results == ["passed", "failed"]
    assert small_class.points("ada") == (0, None, False), "the gradebook shows the newest"


def test_exit_codes_say_whether_all_is_graded(small_class, tmp_path):
    small_class.hand_in("ada", double="failed")
    assert small_class.grade().exit_code == 0
    small_class.hand_in("bob", double="passed", state="timed out")
    assert small_class.grade().exit_code == 1
    small_class.hand_in("cem", double="passed", broken={"count": str(tmp_path / "count"), "times": 3})
    assert small_class.grade().exit_code == 2
    summary = small_class.grade()
    assert summary.exit_code == 1
    assert summary.counts() == {State.GRADED: 2, State.TIMED_OUT: 1}


def test_the_log_has_one_event_a_line(small_class, tmp_path):
    small_class.hand_in("ada", double="passed", broken={"count": str(tmp_path / "count"), "times": 1})
    small_class.grade()
    events = [json.loads(line) for line in (small_class.folder / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["started", "tried again", "recorded", "finished"]
    assert events[1]["why"] == "The sandbox did not start."
    assert events[2]["state"] == "graded"


def test_status_says_why(small_class, capsys):
    small_class.hand_in("ada", double="passed")
    small_class.hand_in("bob", refused="bob.ipynb is no notebook.")
    where = ["--course", str(small_class.path.parents[2]), "--work", str(small_class.folder)]
    assert cli.main(["status", *where]) == 1
    assert "ada: waiting" in capsys.readouterr().out
    small_class.grade()
    assert cli.main(["status", *where]) == 1
    said = capsys.readouterr().out
    assert "bob: rejected. bob.ipynb is no notebook." in said
    assert "1 graded, 1 rejected" in said
    assert "ada" not in said


def test_results_of_an_earlier_master_are_told_apart(small, small_class):
    small_class.hand_in("ada", double="passed")
    small_class.hand_in("bob", refused="bob.ipynb is no notebook.")
    small_class.grade()
    assert not list(older(small_class.masters, small_class.folder, "fake_judge"))
    small("Return twice", "Give back twice")
    found = older(small_class.masters, small_class.folder, "fake_judge")
    assert [standing.student for standing in found] == ["ada"]


@pytest.mark.parametrize("verb", ["status", "export", "feedback"])
def test_verbs_that_give_results_out_say_that_they_are_of_an_earlier_grader(small_class, verb, capsys):
    small_class.hand_in("ada", double="passed")
    small_class.grade()  # by a judge of the tests', which is another one than the verbs know
    cli.main([verb, "--course", str(small_class.path.parents[2]), "--work", str(small_class.folder)])
    assert "90-small  1 result is of an earlier master or grader" in capsys.readouterr().err


def test_a_class_without_a_ledger_is_said_in_a_sentence(small, tmp_path, capsys):
    small()
    assert cli.main(["status", "--course", str(tmp_path)]) == 1
    assert "Begin with `autograder grade --from" in capsys.readouterr().err


def test_diff_shows_what_would_change_and_writes_nothing(small_class, tmp_path):
    small_class.hand_in("ada", double="passed")
    small_class.hand_in("bob", double="passed")
    small_class.grade()
    with Ledger.writing(small_class.folder) as ledger:
        standing = ledger.standings("90-small", "bob")[0]
        assert standing.graded is not None
        lower = replace(standing.graded.outcomes[0], result="failed")
        ledger.record(replace(standing.graded, outcomes=(lower,)), standing.content)
    small_class.hand_in("cem", double="failed")
    before = small_class.export(), records(small_class.folder), recorded(small_class.folder)
    running = head(small_class, "regrade", "--diff")
    said, told = running.communicate()
    assert running.returncode == 1, told
    assert [line.split("  ")[1:3] for line in said.splitlines()] == [
        ["bob", "double: 0 -> 2"],
        ["cem", "double: waiting -> 0"],
    ]
    assert "2 changes; nothing is written" in told
    assert (small_class.export(), records(small_class.folder), recorded(small_class.folder)) == before
    small_class.grade(again=True)
    running = head(small_class, "regrade", "--diff")
    assert running.wait() == 0


def test_a_submission_that_cannot_be_taken_stops_no_other(small_class, monkeypatch):
    from autograder.records import Submission

    def collect(source, names):
        for student in ("..", "ada"):
            yield Submission(student=student, assignment=names[0], notebook="{}", received="2026-11-25T10:00:00+00:00")

    monkeypatch.setattr("autograder.intake.collect", collect)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "_results", lambda *_: iter(()))
        grading.grade(small_class.masters, small_class.plan(), Path("anywhere"))
    assert [standing.student for standing in grading.status(small_class.folder).standings] == ["ada"]
    assert '"not taken"' in (small_class.folder / "log.jsonl").read_text()


@pytest.mark.parametrize("short", ["--unsafe", "--unsafe-no", "--unsafe-no-sandbo"])
def test_the_sandbox_is_left_out_only_by_its_whole_name(short, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["grade", short, "--course", str(tmp_path)])
    assert "unrecognized arguments: --unsafe" in capsys.readouterr().err


def test_the_real_judge_grades_a_folder_of_notebooks(small_class, tmp_path):
    """From files to the gradebook by the command line, with the real box around the students' code."""
    from autograder.classroom import error_of
    from autograder.release import student_text

    text = student_text(small_class.masters[0])
    for student, answer in (("ada", "return 2 * x"), ("bob", "return x ** 2"), ("cem", "import os; os._exit(1)")):
        path = tmp_path / "submitted" / student / "90-small" / "90-small.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text.replace("raise NotImplementedError()", answer))
    (tmp_path / "submitted" / "dan" / "90-small").mkdir(parents=True)
    (tmp_path / "submitted" / "dan" / "90-small" / "90-small.ipynb").write_text("{")
    where = ["--course", str(tmp_path), "--work", str(small_class.folder)]
    assert cli.main(["grade", "--from", str(tmp_path / "submitted"), *where]) == 1
    assert [small_class.points(student)[0] for student in ("ada", "bob", "cem", "dan")] == [2, 0, 0, None]
    import nbformat

    words = nbformat.reads(small_class.notebooks()["autograded/bob/90-small/90-small.ipynb"], as_version=4)
    assert "it is squared" in "".join(error_of(cell) for cell in words.cells)
