"""Every master keeps the form that CONTRIBUTING.md describes; what `master.load` refuses is in test_master.py."""

import ast
import re

import pytest

from autograder.master import Exercise, Master, is_answer, is_helper, is_test, load

DIFFICULTIES = {"easy", "medium", "harder", "thinking"}
SUMMARY = re.compile(r"<summary>(Hint [^<]*)</summary>")
HINTS = ["Hint 1: a nudge", "Hint 2: the idea", "Hint 3: almost the line"]


def faults(master: Master) -> list[str]:
    """What a master does not keep of the form, one sentence each."""
    graded = [exercise for exercise in master.exercises if not exercise.manual]
    found = [] if 5 <= len(graded) <= 7 else [f"{len(graded)} exercises that tests mark: five to seven are wanted"]
    if len(graded) != len(master.exercises) - 1:
        found.append("one question that a person marks is wanted")
    for exercise in master.exercises:
        found += [f"{exercise.name}: {what}" for what in _of_one(exercise)]
    return found + _titles_of_hints(master) + _leaning(master)


def _of_one(exercise: Exercise) -> list[str]:
    found = []
    if exercise.difficulty not in DIFFICULTIES:
        found.append(f"the difficulty {exercise.difficulty!r} is none of {', '.join(sorted(DIFFICULTIES))}")
    if not 1 <= exercise.minutes <= 60:
        found.append(f"{exercise.minutes} minutes")
    if not (exercise.statement and all(exercise.hints)):
        found.append("the statement or a hint is empty")
    if exercise.manual:
        return found + ([] if exercise.rubric and exercise.solution.strip() else ["a model answer and a rubric"])
    mistakes = [wrong.mistake for wrong in exercise.wrong]
    if len(set(filter(None, mistakes))) < 2 or len(set(mistakes)) < len(mistakes):
        found.append("at least two anticipated mistakes, each with words of its own")
    if not exercise.visible_tests:
        found.append("a visible test")
    return found


def _titles_of_hints(master: Master) -> list[str]:
    """`ftlab check` and the book find the hints by these titles."""
    text = "\n".join(cell.source for cell in master.cells if cell.cell_type == "markdown")
    found = SUMMARY.findall(text)
    return [] if found == HINTS * len(master.exercises) else [f"the hints are titled {', '.join(HINTS)}"]


def _leaning(master: Master) -> list[str]:
    """Answers, tests and given cells that use what the student wrote in another exercise."""
    defined = {exercise.name: _defined(exercise.solution) for exercise in master.exercises if not exercise.manual}
    own = {exercise.test_name: exercise.name for exercise in master.exercises}
    found = []
    for cell in master.cells:
        if cell.cell_type != "code" or not (is_answer(cell) or is_test(cell) or is_helper(cell)):
            continue
        others = {name: names for name, names in defined.items() if name not in (cell.id, own.get(cell.id))}
        used = {node.id for node in ast.walk(ast.parse(_plain(cell.source))) if isinstance(node, ast.Name)}
        found += [f"the cell {cell.id} uses the answer of {name}" for name, names in others.items() if names & used]
    return found


def _plain(source: str) -> str:
    return "\n".join("" if line.startswith(("%", "!")) else line for line in source.split("\n"))


def _defined(solution: str) -> set[str]:
    body = ast.parse(_plain(solution)).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def test_every_assignment_keeps_the_form(assignment):
    assert faults(assignment) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("· easy ·", "· simple ·", "difficulty 'simple'"),
        ("Hint 2: the idea", "Hint 2: an idea", "the hints are titled"),
        ('checks.close(double(3), 6, mistakes={"it is squared": 9})\n', "", "a visible test"),
        ("mistake: it is squared", "mistake: ''", "at least two anticipated mistakes"),
        ("from ftlab import checks", "from ftlab import checks\ny = double(2)", "setup uses the answer of double"),
    ],
)
def test_what_is_missing_is_said(small, old, new, words):
    assert any(words in found for found in faults(load(small(old, new))))
