"""Builds of small books: what makes one fail, what makes a page be read again, what each edition holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from books import ROOT, build, code_page, fake_run
from conftest import Mini
from leaks import found_in, secrets

CHAPTERS = {  # a page for each assignment
    path.name: f"# {path.name}\n\n```{{master-exercise}} {path.name}\n```\n" for path in (ROOT / "solutions").iterdir()
}
NUMBER = "# Home\n\n{result}`sft accuracy pretrained=true`\n"


def changed(said: str) -> tuple[int, int]:
    """How many pages Sphinx added and read again."""
    found = re.search(r"(\d+) added, (\d+) changed", said)
    assert found, said
    return int(found[1]), int(found[2])


@pytest.mark.slow
def test_a_page_is_read_again_when_and_only_when_its_sources_change(mini: Mini) -> None:
    tree = mini(
        home=NUMBER + "\n{setting}`sft profile`\n", code=code_page("import time; print(time.time())"), plain="# Plain"
    )
    first = build(tree)
    assert first.code == 0 and changed(first.said) == (3, 0), first.said
    page = (first.html / "book" / "code.html").read_text()

    again = build(tree)
    assert changed(again.said) == (0, 0)
    assert (first.html / "book" / "code.html").read_text() == page

    with (tree / "ftlab" / "data.py").open("a") as file:
        file.write("# changed\n")
    assert changed(build(tree).said) == (0, 1)
    assert (first.html / "book" / "code.html").read_text() != page

    fake_run(7, True).save(tree / "book" / "results")
    assert changed(build(tree).said) == (0, 1)
    shown = (first.html / "book" / "home.html").read_text()
    assert "4 seeds" in shown and "<p>cpu</p>" in shown


@pytest.mark.slow
def test_a_number_without_a_run_fails_the_build_until_it_is_mended(mini: Mini) -> None:
    tree = mini(home=NUMBER.replace("true", "false"))
    failed = build(tree)
    assert failed.code != 0
    assert "ftlab run sft --seed 0 --set pretrained=False --out book/results" in failed.said
    assert "home.md:3" in failed.said
    assert build(tree).code != 0, "the second build forgot the failure of the first"
    fake_run(0, False).save(tree / "book" / "results")
    assert build(tree).code == 0


@pytest.mark.slow
def test_mistakes_in_directives_fail_the_build_with_the_right_names(mini: Mini) -> None:
    tree = mini(
        home="# Home\n\n```{master-exercise} 05-stf\n```\n\n```{master-exercise} 05-sft no-such\n```\n\n"
        "```{claim} no-claim\n```\n\n```{diagram} none.svg\n```\n\n{result}`stf accuracy`\n\n{setting}`sft epoch`\n"
    )
    (tree / "book" / "claims.yml").write_text((Path(__file__).parents[2] / "book" / "claims.yml").read_text())
    failed = build(tree)
    assert failed.code != 0
    assert "Did you mean '05-sft'?" in failed.said
    assert "train-steps" in failed.said
    assert "claims are: sft-" in failed.said
    assert "needs an :alt: text" in failed.said
    assert "No run of 'stf' is recorded" in failed.said
    assert "no setting of sft named 'epoch'" in failed.said


@pytest.mark.slow
def test_a_build_that_was_stopped_is_made_up_for(mini: Mini) -> None:
    tree = mini(home=NUMBER)
    assert build(tree).code == 0
    fake_run(8, True).save(tree / "book" / "results")
    stop = "import os\n\ndef setup(app):\n    app.connect('env-check-consistency', lambda *_: os._exit(9))\n"
    (tree / "book" / "_ext" / "stopper.py").write_text(stop)
    config = (tree / "_config.yml").read_text()
    (tree / "_config.yml").write_text(config.replace("ftbook: book/_ext", "ftbook: book/_ext, stopper: book/_ext"))
    assert build(tree).code == 9
    (tree / "_config.yml").write_text(config)
    (tree / "book" / "_ext" / "stopper.py").unlink()
    finished = build(tree)
    assert finished.code == 0
    assert "4 seeds" in (finished.html / "book" / "home.html").read_text()


@pytest.mark.slow
def test_a_failing_cell_fails_the_build(mini: Mini) -> None:
    tree = mini(home=code_page("raise ValueError('a cell went wrong')"))
    failed = build(tree)
    assert failed.code != 0 and "a cell went wrong" in failed.said
    assert build(tree).code != 0


@pytest.mark.slow
def test_solutions_are_in_the_instructor_edition_alone(mini: Mini) -> None:
    tree = mini(home="# Home\n", **CHAPTERS)
    held = secrets(tree / "solutions")
    teacher = build(tree, "instructor", tree / "instructor")
    student = build(tree)
    assert (teacher.code, student.code) == (0, 0), teacher.said + student.said
    assert found_in(student.html, held.all) == []
    missing = set(held.solutions) - {line for line, _ in found_in(teacher.html, held.solutions)}
    assert not missing, missing


@pytest.mark.slow
def test_the_instructor_edition_is_refused_where_the_student_edition_goes(mini: Mini) -> None:
    tree = mini(home="# Home")
    refused = build(tree, "instructor", tree)
    assert refused.code != 0 and "--path-output _build/instructor" in refused.said
    assert not list((tree / "_build").rglob("home.html"))
    assert "student, instructor" in build(tree, "teacher").said
