"""`%check` and what is kept of it: passes and failures in a sentence, one hint more each time, the next sitting."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ftlab import checking, magic, progress
from ftlab.cli import main
from ftlab.errors import CourseError
from ftlab.exercises import find, read

HINTS = ["A nudge.", "The idea is $x + x$.", "`x + ...`"]
TEST = """
from ftlab import checks
checks.close(double(3), 6, mistakes={"it is squared": 9})
"""


def marks(name: str, **more: bool) -> dict[str, Any]:
    return {"nbgrader": {"grade_id": name, "grade": False, "solution": False, "locked": False} | more}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Two exercises as a student gets them: one with tests and hints, one in words."""
    hints = "\n\n".join(
        f"<details><summary>Hint {number}: x</summary>\n\n{text}\n\n</details>" for number, text in enumerate(HINTS, 1)
    )
    stub = "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    cells = [
        new_markdown_cell(f"## Exercise 1: Double it\n\nTwice.\n\n{hints}"),
        new_code_cell(stub, metadata=marks("double", solution=True)),
        new_code_cell(TEST, metadata=marks("test-double", grade=True, locked=True)),
        new_markdown_cell("## Exercise 2: Why?"),
        new_markdown_cell("YOUR ANSWER HERE", metadata=marks("why", grade=True, solution=True)),
    ]
    path = tmp_path / "05-x.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def raising(error: BaseException) -> Any:
    def double(x: int) -> int:
        raise error

    return double


@pytest.mark.parametrize(
    ("double", "says"),
    [
        (lambda x: x + x, ""),
        (lambda x: x**2, "when it is squared"),
        (lambda x: None, "Does the function end with a return?"),
        (raising(NotImplementedError()), "Not answered yet"),
        (raising(ValueError("no")), "ValueError: no"),
        (raising(SystemExit()), "SystemExit"),
        (raising(KeyboardInterrupt()), "interrupted"),
    ],
)
def test_one_sentence_says_what_is_wrong(notebook: Path, double: Any, says: str) -> None:
    _, found = checking.check({"double": double}, notebook, 1)
    ((exercise, outcome),) = found
    assert (exercise.number, outcome.passed) == (1, not says)
    assert says in outcome.message and "Traceback" not in outcome.message


def test_what_was_not_run_yet_is_said_and_the_tests_names_do_not_spill(notebook: Path) -> None:
    namespace: dict[str, Any] = {}
    kept, found = checking.check(namespace, notebook)
    assert [outcome.passed for _, outcome in found] == [False, False]
    assert found[0][1].message == "There is no double yet. Run the cells above this check first."
    assert found[1][1].message == "Not answered yet."
    assert namespace == {}
    said = list(progress.lines(kept, found, magic.ASK))
    assert said[0] == "0 of 1 exercises pass their visible tests."
    assert "Hint 1 of 3: %check 1 --hint" in said[2]


def test_each_hint_is_a_larger_one_and_the_next_sitting_goes_on(notebook: Path) -> None:
    given = [progress.hint(notebook, 1) for _ in range(4)]
    assert [text.split("** ")[1] for text in given] == [*HINTS, HINTS[-1]]
    kept, found = checking.check({"double": lambda x: 0}, notebook)
    assert kept.of(found[0][0]).hints == 3
    assert "seen all hints" in progress.to_try(kept, *found[0], magic.ASK)
    with pytest.raises(CourseError, match=r"no exercise 7. The exercises are 1, 2"):
        progress.hint(notebook, 7)


def test_what_has_passed_before_is_remembered(notebook: Path) -> None:
    checking.check({"double": lambda x: 2 * x}, notebook)
    kept, found = checking.check({}, notebook)
    assert "It has passed before." in progress.sentence(kept, *found[0])
    assert json.loads(kept.path.read_text())["double"] == {"passed": False, "once": True, "checks": 2, "hints": 0}


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"double": {"passed": 1}}', '{"double": 3}', "\x00"])
def test_a_damaged_note_counts_as_none(notebook: Path, damage: str) -> None:
    exercise = find(read(notebook), notebook)[0]
    progress.Progress(notebook).path.write_text(damage)
    assert progress.Progress(notebook).of(exercise) == progress.Standing()
    assert "A nudge" in progress.hint(notebook, 1)


def test_a_folder_that_cannot_be_written_is_said(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    kept, found = checking.check({"double": lambda x: 2 * x}, notebook)
    assert "cannot be kept" in kept.problem and found[0][1].passed


def test_the_notebook_is_found(notebook: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert checking.here({}).resolve() == notebook
    (tmp_path / "other.ipynb").write_text("{}")
    with pytest.raises(CourseError, match="%check --notebook"):
        checking.here({})
    assert checking.here({"__vsc_ipynb_file__": str(notebook)}) == notebook
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    assert checking.here({}) == notebook


def test_the_magic_prints_where_no_widget_can_be_shown(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    magics: dict[str, Any] = {}
    shell = SimpleNamespace(
        user_ns={"double": lambda x: x**2},
        register_magic_function=lambda function, magic_name: magics.update({magic_name: function}),
    )
    magic.install(shell)
    for line in ("", "1 --hint", "--hint", "9"):
        magics["check"](f"{line} --notebook {notebook}")
    said = capsys.readouterr().out
    for words in ("when it is squared", "**Hint 1 of 3.** A nudge.", "For which exercise?", "There is no exercise 9"):
        assert words in said


def test_the_widget_shows_progress_and_gives_hints(notebook: Path) -> None:
    from ftlab.widgets.checklist import checklist

    kept, found = checking.check({"double": lambda x: "<b>"}, notebook)
    shown = checklist(kept, found)
    head, first, second = shown.children
    assert (head.children[0].value, head.children[0].max) == (0, 1)
    text, button, hints = first.children
    assert "✗ Exercise 1: Double it" in text.value and "<b>" not in text.value.replace("<b>✗", "")
    for number in (1, 2, 3):
        assert button.description == f"Hint {number} of 3"
        button.click()
    assert button.disabled and len(hints.outputs) == 3
    assert hints.outputs[1]["data"]["text/markdown"] == HINTS[1]
    assert len(second.children) == 1, "there are no hints to ask for"
    again = checklist(*checking.check({"double": lambda x: 0}, notebook)).children[1]
    assert len(again.children[2].outputs) == 3, "hints that were asked for stay"


def test_in_a_real_kernel_the_magic_is_there_after_the_first_import(notebook: Path) -> None:
    from nbclient import NotebookClient

    cells = [new_code_cell(text) for text in ("from ftlab import checks\ndouble = lambda x: x**2", "%check 1")]
    ran = new_notebook(cells=cells)
    NotebookClient(ran, kernel_name="python3", resources={"metadata": {"path": str(notebook.parent)}}).execute()
    output = ran.cells[1].outputs[0]
    assert "application/vnd.jupyter.widget-view+json" in output.data
    kept = progress.Progress(notebook)
    assert kept.of(find(read(notebook), notebook)[0]).checks == 1


def test_the_command_gives_hints_and_keeps_progress(notebook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(notebook), "--hint", "1"]) == 0
    assert "Hint 1 of 3" in capsys.readouterr().out
    assert main(["check", str(notebook)]) == 1
    said = capsys.readouterr().out
    assert "Hint 2 of 3" in said and "0 of 1 exercises pass" in said and "Not answered yet" in said
