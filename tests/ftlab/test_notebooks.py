"""`ftlab check` on notebooks: what passes, what fails and why, and what is no notebook."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ftlab import notebooks
from ftlab.errors import CourseError


def test_cell(name: str, source: str) -> nbformat.NotebookNode:
    marks = {"grade": True, "solution": False, "grade_id": name, "points": 1, "locked": True, "schema_version": 3}
    return new_code_cell(source, metadata={"nbgrader": marks})


test_cell.__test__ = False  # type: ignore[attr-defined]


def write(path: Path, *cells: nbformat.NotebookNode) -> Path:
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_each_exercise_gets_its_own_verdict(tmp_path: Path) -> None:
    check = "from ftlab import checks\nchecks.close(1.0, 2.0)"
    path = write(
        tmp_path / "x.ipynb",
        new_code_cell("def one():\n    return 1\n\ndef two():\n    raise NotImplementedError()"),
        test_cell("one", "assert one() == 1"),
        test_cell("two", "assert two() == 2"),
        test_cell("three", check),
        test_cell("four", "assert False"),
        test_cell("five", "import sys; print('noise', file=sys.stderr)"),
    )
    outcomes = {outcome.name: outcome for outcome in notebooks.check(path)}
    assert [outcome.passed for outcome in outcomes.values()] == [True, False, False, False, True]
    assert outcomes["two"].message.startswith("Not answered yet")
    assert "2" in outcomes["three"].message and "Traceback" not in outcomes["three"].message
    assert outcomes["four"].message == "AssertionError, with no message."


def test_an_answer_that_cannot_run_is_told_by_its_own_error(tmp_path: Path) -> None:
    answer = new_code_cell(
        "many = 2\ndef one(:", metadata={"nbgrader": {"grade": False, "solution": True, "grade_id": "one"}}
    )
    words = new_markdown_cell("mine", metadata={"nbgrader": {"grade": True, "solution": True, "grade_id": "why"}})
    heads = [new_markdown_cell(f"## Exercise {n}: Number {n}") for n in (1, 2)]
    path = write(tmp_path / "x.ipynb", heads[0], answer, test_cell("test-one", "one()"), heads[1], words)
    first, second = notebooks.check(path)
    assert first.name == "Exercise 1: Number 1"
    assert first.message.startswith("Your cell cannot run. SyntaxError: ")
    assert first.message.endswith(", in line 2 of the cell"), "not in a file that nobody knows"
    assert (second.name, second.message) == ("Exercise 2: Number 2", "answered in words; a person marks it")


def test_the_notebook_itself_is_not_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ipynb", test_cell("one", "1"))
    before = path.read_bytes()
    notebooks.check(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "hello", "{}", "[1]", '{"cells": 3, "nbformat": 4}', "\x00\x01"])
def test_what_is_no_notebook(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(CourseError, match="not a notebook|no exercises"):
        notebooks.check(path)


def test_a_notebook_without_exercises(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no exercises in it"):
        notebooks.check(write(tmp_path / "x.ipynb", new_code_cell("1")))


def test_python_that_dies_is_explained(tmp_path: Path) -> None:
    path = write(tmp_path / "x.ipynb", test_cell("one", "import os; os._exit(1)"))
    with pytest.raises(CourseError, match="Python died"):
        notebooks.check(path)


def test_an_endless_loop_is_stopped_and_costs_that_exercise_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "CELL_SECONDS", 2)
    path = write(tmp_path / "x.ipynb", test_cell("one", "while True: pass"), test_cell("two", "assert True"))
    first, second = notebooks.check(path)
    assert "ran for more than 2 s" in first.message
    assert second.passed


def test_what_stands_behind_the_last_test_is_not_run(tmp_path: Path) -> None:
    mark = "open('ran', 'a').write('x')"
    path = write(tmp_path / "x.ipynb", new_code_cell(mark), test_cell("one", "assert True"), new_code_cell(mark))
    notebooks.check(path)
    assert (tmp_path / "ran").read_text() == "x"
