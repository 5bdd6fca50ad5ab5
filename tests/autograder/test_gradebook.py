"""nbgrader's gradebook says what the ledger says, and what a person entered in it is never lost."""

import contextlib
import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from writing import FREE_TEXT

from autograder import grading, master
from autograder.autograded import harmless
from autograder.gradebook import GradebookWriter
from autograder.ledger import Ledger
from autograder.records import InfrastructureError, State
from ftlab.errors import CourseError


@pytest.fixture
def written_class(small_class):
    """The small class, with an exercise that a person marks."""
    text = small_class.path.read_text(encoding="utf-8")
    small_class.path.write_text(text + "\n" + FREE_TEXT, encoding="utf-8")
    return small_class


@contextlib.contextmanager
def gradebook(small_class):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{small_class.folder / 'gradebook.db'}", "ftlab") as book:
        yield book


def mark(small_class, cell, points, student="ada", comment="well said"):
    """What the formgrader does when a person enters a score and a comment."""
    with gradebook(small_class) as book:
        grade = book.find_grade(cell, "90-small", "90-small", student)
        grade.manual_score, grade.needs_manual_grade = points, False
        solution = "why" if cell == "why" else "double"
        book.find_comment(solution, "90-small", "90-small", student).manual_comment = comment
        book.db.commit()


def row(small_class, cell, student="ada"):
    with gradebook(small_class) as book:
        grade = book.find_grade(cell, "90-small", "90-small", student)
        solution = "why" if cell == "why" else "double"
        comment = book.find_comment(solution, "90-small", "90-small", student).manual_comment
        return grade.auto_score, grade.manual_score, grade.needs_manual_grade, comment


def graded_notebook(small_class, student="ada"):
    path = small_class.folder / "autograded" / student / "90-small" / "90-small.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return {cell.id: cell for cell in notebook.cells}


def test_scores_follow_from_outcomes_and_the_gradebooks_own_maximum(small_class):
    small_class.hand_in("ada", double="passed")
    small_class.hand_in("bob", double="failed")
    small_class.hand_in("cem", double="passed", credit=0.5)
    small_class.hand_in("dan", double="passed", credit=1000)
    small_class.hand_in("eve", double="faulty")
    summary = small_class.grade()
    assert summary.exit_code == 0
    points = {student: small_class.points(student) for student in ("ada", "bob", "cem", "dan")}
    assert points == {"ada": (2, None, False), "bob": (0, None, False), "cem": (0.5, None, False)} | {
        "dan": (0, None, False)
    }
    assert small_class.points("eve") == (None, None, True), "the test itself broke: a person has to look"


@pytest.mark.parametrize("state", ["rejected", "crashed", "timed out"])
def test_no_score_is_invented_for_what_was_not_graded(small_class, state):
    small_class.hand_in("ada", double="passed", state=state, error="why")
    assert small_class.grade().exit_code == 1
    assert small_class.points("ada") == (None, None, True)
    assert small_class.grade(zero=True).exit_code == 1
    assert small_class.points("ada") == (0, None, False)
    mark(small_class, "test-double", 1)
    small_class.grade()
    assert small_class.points("ada") == (None, 1, False), "a person has settled it"


def test_a_regrade_that_fails_takes_the_old_score_out(small_class, tmp_path):
    accident = {"count": str(tmp_path / "count"), "times": 4}
    (tmp_path / "count").write_bytes(b"xxxx")
    small_class.hand_in("ada", double="passed", broken=accident)
    assert small_class.grade().exit_code == 0
    assert small_class.points("ada") == (2, None, False)
    (tmp_path / "count").unlink()
    summary = small_class.grade(again=True)
    assert summary.exit_code == 2
    assert summary.standings[0].stale
    assert small_class.points("ada") == (None, None, True)
    assert "grader failed" in graded_notebook(small_class)["autograder-says"].source
    assert small_class.grade().exit_code == 0, "it is tried again by itself"
    assert small_class.points("ada") == (2, None, False)
    assert "autograder-says" not in graded_notebook(small_class)
    with Ledger(small_class.folder) as ledger:
        states = [graded.state for _, graded in ledger.history("ada", "90-small")]
    assert states == [State.GRADED, State.BROKEN, State.GRADED]


def test_a_mark_of_a_person_stays_while_the_text_does_and_is_flagged_when_it_changes(written_class):
    written_class.hand_in("ada", double="passed", written={"why": "because"})
    written_class.grade()
    assert row(written_class, "why") == (None, None, True, None)
    mark(written_class, "why", 2.5)
    settled = (None, 2.5, False, "well said")
    written_class.grade(again=True)
    assert row(written_class, "why") == settled
    written_class.hand_in("ada", hour=11, double="failed", written={"why": "because"})
    written_class.grade()
    assert row(written_class, "why") == settled, "the same text, beside other code"
    assert row(written_class, "test-double")[:3] == (0, None, False)
    written_class.hand_in("ada", hour=12, double="failed", written={"why": "therefore"})
    written_class.grade()
    flagged = (None, 2.5, True, "well said")
    assert row(written_class, "why") == flagged
    written_class.grade(again=True)
    assert row(written_class, "why") == flagged, "still nobody has looked"
    mark(written_class, "why", 3)
    written_class.grade(again=True)
    assert row(written_class, "why") == (None, 3, False, "well said")


def test_a_mark_survives_a_failed_regrade_without_another_look(written_class, tmp_path):
    (tmp_path / "count").write_bytes(b"xxx")
    accident = {"count": str(tmp_path / "count"), "times": 3}
    written_class.hand_in("ada", double="passed", written={"why": "because"}, broken=accident)
    written_class.grade()
    mark(written_class, "why", 2)
    (tmp_path / "count").unlink()
    written_class.grade(again=True)
    assert row(written_class, "why") == (None, 2, True, "well said")
    written_class.grade()
    assert row(written_class, "why") == (None, 2, False, "well said")


def test_a_person_may_overrule_a_test_until_its_outcome_changes(small_class):
    small_class.hand_in("ada", double="failed", answers={"double": "def double(x): return x"})
    small_class.grade()
    mark(small_class, "test-double", 1)
    small_class.grade(again=True)
    assert small_class.points("ada") == (0, 1, False)
    small_class.hand_in("ada", hour=11, double="passed", answers={"double": "def double(x): return 2 * x"})
    small_class.grade()
    assert small_class.points("ada") == (2, 1, True)


def test_the_graded_notebook_shows_answers_and_the_checks_words_and_no_hidden_test(written_class):
    answers = {"double": "def double(x):\n    return 3 * x"}
    written_class.hand_in("ada", double="failed", answers=answers, written={"why": "because $a < b$"})
    written_class.grade()
    cells = graded_notebook(written_class)
    assert cells["double"].source == answers["double"]
    assert "because $a &lt; b$" in cells["why"].source
    (output,) = cells["test-double"].outputs
    assert output.output_type == "error"
    assert "with seed" in output.evalue
    assert not any("reference." in cell.source or "HIDDEN" in cell.source for cell in cells.values())
    assert cells["test-double"].metadata.nbgrader.points == 2


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "`[x](javascript:alert(1))`\n\n\n[x](javascript:alert(1))",
        "```\n\n<script>alert(1)</script>\n\n```",
        "<div>\n\n<script>\n\n",
        "</div>\n\n<script>alert(1)</script>",
        "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
        "$$\n</div>\n\n<script>alert(1)</script>\n$$",
    ],
)
def test_a_students_text_is_harmless_in_the_formgrader(attack):
    from html.parser import HTMLParser

    from nbconvert.filters import markdown2html

    bad = []

    class Look(HTMLParser):
        def handle_starttag(self, tag, attributes):
            names = dict(attributes)
            if tag in ("script", "img", "svg", "iframe", "style") or any(name.startswith("on") for name in names):
                bad.append(tag)
            if "javascript" in (names.get("href") or "").lower():
                bad.append(names["href"])

    Look().feed(markdown2html(harmless(attack)))
    assert not bad
    assert "\n" not in harmless(attack)


def test_entering_again_changes_nothing(small_class):
    small_class.hand_in("ada", double="passed")
    small_class.hand_in("bob", refused="This is no notebook.")
    small_class.grade()
    path = small_class.folder / "autograded" / "ada" / "90-small" / "90-small.ipynb"
    before, when = small_class.export(), path.stat().st_mtime_ns
    rows = list(csv.DictReader(before.decode().splitlines()))
    assert [(row["student_id"], row["score"], row["timestamp"]) for row in rows] == [
        ("ada", "2.0", "2026-11-25 10:00:00"),
        ("bob", "0.0", "2026-11-25 10:00:00"),
    ]
    small_class.grade()
    assert small_class.export() == before
    assert path.stat().st_mtime_ns == when


def test_what_was_lost_from_the_gradebook_comes_back(small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    before = small_class.export()
    with gradebook(small_class) as book:
        book.find_grade("test-double", "90-small", "90-small", "ada").auto_score = 1.0
        book.db.commit()
    shutil.rmtree(small_class.folder / "autograded")
    assert small_class.export() != before
    small_class.grade()
    assert small_class.export() == before
    assert graded_notebook(small_class)
    for file in small_class.folder.glob("gradebook.db*"):
        file.unlink()
    small_class.grade()
    assert small_class.export() == before


def test_a_master_that_changed_changes_the_assignment_in_the_gradebook(small, small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    small("points: 2", "points: 5")
    small_class.grade()
    assert small_class.points("ada") == (5, None, False)
    assert b",5.0,5.0" in small_class.export()


def test_cells_that_come_and_go_are_refused_in_a_sentence_and_results_are_kept(small, small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    text = small().read_text(encoding="utf-8").replace("test-double", "test-of-double")
    small_class.path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match="test-double is gone, test-of-double is new"):
        small_class.grade()
    assert grading.status(small_class.folder).exit_code == 0
    (small_class.folder / "gradebook.db").rename(small_class.folder / "old.db")
    small_class.grade()
    assert row(small_class, "test-of-double")[0] == 2


def test_a_database_that_is_locked_for_some_seconds_costs_nothing(small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    small_class.hand_in("bob", double="passed")
    locked, paths = threading.Event(), [small_class.folder / name for name in ("gradebook.db", "ledger.db")]

    def hold() -> None:
        connections = [sqlite3.connect(path, isolation_level=None) for path in paths]
        for connection in connections:
            connection.execute("BEGIN IMMEDIATE")
        locked.set()
        time.sleep(6)
        for connection in connections:
            connection.execute("ROLLBACK")

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    assert small_class.grade().exit_code == 0
    holder.join()
    assert small_class.points("bob") == (2, None, False)


def test_a_database_that_stays_locked_is_said_in_a_sentence(small_class, monkeypatch):
    monkeypatch.setattr("autograder.gradebook.WAIT_SECONDS", 0.2)
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    small_class.hand_in("bob", double="passed")
    with contextlib.closing(sqlite3.connect(small_class.folder / "gradebook.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InfrastructureError, match="gradebook cannot be used.*locked"):
            small_class.grade()
    assert small_class.grade().exit_code == 0
    assert small_class.points("bob") == (2, None, False)


def test_the_config_lets_nbgrader_find_the_gradebook(small_class):
    small_class.hand_in("ada", double="passed")
    small_class.grade()
    command = [sys.executable, "-m", "nbgrader", "export", "--to", "by_nbgrader.csv"]
    done = subprocess.run(command, cwd=small_class.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (small_class.folder / "by_nbgrader.csv").read_bytes() == small_class.export()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URL of a PostgreSQL cluster of our own, on loopback, run by a user without rights."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    assert found, "PostgreSQL is missing: install what packages.txt lists"
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/postgres-XXXXXX"], text=True).strip())
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_user, found[-1] / "pg_ctl", "-D", folder / "data", "-w"]
    initdb = [*as_user, found[-1] / "initdb", "-D", folder / "data", "-U", "grader", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], check=True, capture_output=True, cwd="/")
    try:
        yield f"postgresql://grader@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")
        shutil.rmtree(folder)


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_postgresql_holds_the_same_as_sqlite(small_class, postgres):
    for number in range(4):
        small_class.hand_in(f"s{number}", double="passed" if number % 2 else "failed")
    small_class.grade()
    assert small_class.grade(gradebook=postgres).exit_code == 0
    assert small_class.export(postgres) == small_class.export()
    assert small_class.grade(gradebook=postgres).exit_code == 0
    assert small_class.export(postgres) == small_class.export()


def test_a_database_that_is_not_there_is_said_in_a_sentence(tmp_path):
    url = f"postgresql://grader@127.0.0.1:{free_port()}/none"
    with pytest.raises(InfrastructureError, match="gradebook cannot be used"), GradebookWriter(tmp_path, url):
        pass


def test_the_assignment_is_made_from_every_master_of_the_course(assignment, tmp_path):
    with GradebookWriter(tmp_path) as book:
        book.prepare(assignment)
        assert book._knows(master.load(assignment.path))
