"""What an instructor does: grade a class at the command line, open nbgrader's own formgrader, mark, grade again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from writing import FREE_TEXT

from autograder import master as masters
from autograder.release import student_text

EXTENSION = "{'nbgrader.server_extensions.formgrader': True}"


@pytest.fixture
def course(small) -> Path:
    """A course with one exercise and one free-text question, and two students: one right, one wrong."""
    path = small()
    path.write_text(path.read_text() + "\n" + FREE_TEXT)
    master = masters.load(path)
    folder = path.parents[2]
    for student, code in (("ada", "def double(x):\n    return 2 * x"), ("bob", "def double(x):\n    return x**2")):
        notebook = nbformat.reads(student_text(master), as_version=4)
        for cell in notebook.cells:
            cell.source = {"double": code, "why": f"Because {student} says so."}.get(cell.id, cell.source)
        target = folder / "handed-in" / student / master.name / f"{master.name}.ipynb"
        target.parent.mkdir(parents=True)
        target.write_text(nbformat.writes(notebook))
    return folder


def autograder(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, as it is typed in the course's folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(masters.__file__).parents[1])}
    command = [sys.executable, "-m", "autograder.cli", *arguments]
    return subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=200, env=environment)


@pytest.fixture
def formgrader(course) -> Iterator[str]:
    """The address of nbgrader's formgrader over the graded class."""
    done = autograder(course, "grade", "--from", "handed-in", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", f"--ServerApp.jpserver_extensions={EXTENSION}"]
    server = subprocess.Popen(command, cwd=course / "grading", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _answering(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(20)


def _answering(address: str) -> str:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2)
            return address
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server of the formgrader does not answer")


@pytest.mark.slow
def test_a_class_is_graded_marked_in_the_formgrader_and_graded_again_without_loss(course, formgrader):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{formgrader}/formgrader/gradebook/90-small/90-small")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(2, timeout=20_000)
        assert sorted(row.split("\t")[2].strip() for row in rows.all_inner_texts()) == ["0 / 5", "2 / 5"]
        page.get_by_role("link", name="Submission #1").click()
        mark = page.locator("input.score").last
        expect(mark).to_be_visible(timeout=20_000)
        expect(page.locator("body")).to_contain_text("says so")
        expect(page.locator("body")).to_contain_text("3 points: it is said why.")  # the rubric
        comment = page.locator("textarea.comment").last
        page.wait_for_load_state("networkidle")  # before it has fetched the marks, the page does not listen
        for field, text in ((mark, "3"), (comment, "Well said.")):
            with page.expect_response(lambda found: "/api/" in found.url and found.request.method == "PUT"):
                field.fill(text)
                field.press("Tab")
        browser.close()
    assert autograder(course, "regrade", "--jobs", "1").returncode == 0
    assert autograder(course, "feedback").returncode == 0
    pages = [found.read_text() for found in (course / "grading" / "feedback").glob("*/*/*.html")]
    assert [len([text for text in pages if words in text]) for words in ("Well said.", "3 of 3", "? of 3")] == [1, 1, 1]
    exported = autograder(course, "export")
    assert exported.returncode == 1 and exported.stderr.count("a person has to mark it") == 1
