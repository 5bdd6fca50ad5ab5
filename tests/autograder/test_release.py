"""What students get is generated, always the same, and holds nothing that they should not see."""

import json
import re

import pytest

from autograder import cli, master, release
from autograder.inprocess import reference_for
from ftlab.errors import CourseError


def test_the_committed_notebook_is_the_generated_one(assignment, solutions):
    committed = release.target(assignment, solutions.parent / "exercises").read_text(encoding="utf-8")
    assert committed == release.student_text(assignment) == release.student_text(master.load(assignment.path))


def test_the_student_notebook_holds_no_solution_and_no_hidden_test(assignment):
    cells = json.loads(release.student_text(assignment))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    # The hidden object, not the bare word: human feedback has a reference policy, and students must read of it.
    assert not re.search(r"\breference\.\w|reference_for", text)
    assert "seeds(" not in text
    assert "MARK SCHEME" not in text
    for exercise in assignment.exercises:
        visible = exercise.stub + exercise.visible_tests + exercise.statement
        secret = exercise.solution + "\n" + exercise.hidden_tests + "\n" + (exercise.rubric or "")
        secret += "".join("\n" + wrong.code for wrong in exercise.wrong)
        for line in {line.strip() for line in secret.split("\n")}:
            if len(line) > 25 and line not in visible and line not in given_text(assignment):
                assert line not in text, f"{exercise.name} gives away: {line}"


def given_text(assignment):
    """The text of the cells that are no answers and no tests."""
    return "\n".join(c.source for c in assignment.cells if not master.is_answer(c) and not master.is_test(c))


def test_no_hidden_test_holds_a_line_of_a_solution(assignment):
    source = release.source_notebook(assignment)
    tests = "\n".join(cell.source for cell in source.cells if master.is_test(cell))
    for exercise in assignment.exercises:
        lines = {line.strip() for line in exercise.solution.split("\n")} - {
            line.strip() for line in exercise.stub.split("\n")
        }
        given = given_text(assignment)
        assert not [line for line in lines if len(line) > 25 and line in tests and line not in given]


def test_the_seed_is_recorded_in_the_source_notebook(small):
    text = release.notebook_text(release.source_notebook(master.load(small()), seed=1234))
    assert 'reference_for(\\"90-small\\", seed=1234)' in text


def test_release_writes_once_and_check_tells_what_differs(small, tmp_path, capsys):
    small()
    course = ["--course", str(tmp_path)]
    path = tmp_path / "exercises" / "90-small" / "90-small.ipynb"
    assert cli.main(["release", "--check", *course]) == 1
    assert "missing" in capsys.readouterr().out
    assert not path.exists()
    assert cli.main(["release", *course]) == 0
    assert cli.main(["release", "--check", *course]) == 0
    before = path.stat().st_mtime_ns
    assert cli.main(["release", *course]) == 0
    assert path.stat().st_mtime_ns == before
    small("Return twice", "Give back twice")
    capsys.readouterr()
    assert cli.main(["release", "--check", *course]) == 1
    assert "Give back twice" in capsys.readouterr().out
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_answers_are_never_overwritten(small, tmp_path, capsys):
    small()
    course = ["--course", str(tmp_path)]
    path = tmp_path / "exercises" / "90-small" / "90-small.ipynb"
    assert cli.main(["release", *course]) == 0
    notebook = json.loads(path.read_text())
    stub = next(cell for cell in notebook["cells"] if cell["id"] == "double")
    stub["source"] = ["def double(x):\n", "    return x + x"]
    path.write_text(json.dumps(notebook))
    before = path.read_bytes()
    small("Return twice", "Give back twice")
    assert cli.main(["release", *course]) == 0
    assert "left alone" in capsys.readouterr().out
    assert path.read_bytes() == before
    (path.parent / "90-small-Copy1.ipynb").write_bytes(before)
    path.unlink()
    assert cli.main(["release", *course]) == 0
    assert cli.main(["release", "--check", *course]) == 0, "a copy of one's own is nobody's business"


def test_check_names_a_notebook_without_a_master(small, tmp_path, capsys):
    small()
    orphan = tmp_path / "exercises" / "91-old" / "91-old.ipynb"
    orphan.parent.mkdir(parents=True)
    orphan.write_text("{}", encoding="utf-8")
    assert cli.main(["release", "--course", str(tmp_path)]) == 0
    assert cli.main(["release", "--check", "--course", str(tmp_path)]) == 1
    assert "no master" in capsys.readouterr().out


def test_nothing_is_left_half_written(tmp_path, monkeypatch):
    path = tmp_path / "exercises" / "a.ipynb"
    release.write(path, "good")
    with pytest.raises(UnicodeEncodeError):
        release.write(path, "\ud800")
    assert [found.read_text() for found in path.parent.iterdir()] == ["good"]


def test_the_reference_is_found_by_the_environment_variable(small, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOGRADER_SOLUTIONS", str(small().parents[1]))
    reference, seeds = reference_for("90-small", seed=7)
    assert reference.double(4) == 8
    assert seeds(3) == reference_for("90-small", seed=7)[1](3)
    monkeypatch.setenv("AUTOGRADER_SOLUTIONS", str(tmp_path / "none"))
    with pytest.raises(CourseError, match="AUTOGRADER_SOLUTIONS"):
        reference_for("90-small", seed=7)


def test_bad_usage_and_bad_masters_have_their_exit_codes(small, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["none"])
    assert caught.value.code == 2
    capsys.readouterr()
    assert cli.main(["release", "--course", str(tmp_path / "nowhere")]) == 1
    small(", points: 2", "")
    assert cli.main(["release", "--course", str(tmp_path)]) == 1
    assert cli.main(["release", "--course", str(tmp_path), "91-none"]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("autograder: ")]
    assert len(errors) == 3
    assert not (tmp_path / "exercises").exists()


def test_the_help_says_that_there_is_no_sandbox(capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--help"])
    assert "without a sandbox" in " ".join(capsys.readouterr().out.split())
