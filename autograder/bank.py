"""The bank of wrong answers to an exercise: the anticipated mistakes, the reference spoiled, and its mutants."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import io
from collections.abc import Iterator
from typing import NamedTuple

from autograder import spoil
from autograder.inprocess import reference_of
from autograder.master import Exercise, Master
from autograder.mutants import mutants
from ftlab.checks import CourseError

ANTICIPATED, SPOILED, MUTANT = "anticipated", "spoiled", "mutant"
OF_CALLS = ("copied visible answers", "changes its input", "returns its input")  # there is none for a mere value


class Candidate(NamedTuple):
    """A wrong answer on trial: the text of an answer cell."""

    exercise: str
    kind: str  # anticipated, spoiled or mutant
    label: str  # for a mutant "was -> becomes"
    code: str
    mistake: str = ""  # the words that the visible test should say, where the master anticipates it
    was: str = ""  # of a mutant: the changed lines
    becomes: str = ""


def bank(master: Master) -> Iterator[Candidate]:
    """Every wrong answer to every exercise that tests mark, in the master's order."""
    for exercise in master.exercises:
        if not exercise.manual:
            yield from candidates(master, exercise)


def candidates(master: Master, exercise: Exercise) -> Iterator[Candidate]:
    """The wrong answers to one exercise."""
    for mistake, code in exercise.wrong:
        yield Candidate(exercise.name, ANTICIPATED, mistake, code, mistake)
    names = tested(exercise)
    for name, kind in names.items():
        calls = visible_calls(master, exercise, name) if kind != "value" else 0
        for label in _fitting(exercise, kind):
            code = _spoiled(exercise.solution, name, kind, label, calls)
            yield Candidate(exercise.name, SPOILED, label if len(names) == 1 else f"{label}: {name}", code)
    for was, becomes, code in mutants(exercise.solution):
        label = f"{was or '(nothing)'} -> {becomes or '(left out)'}"
        yield Candidate(exercise.name, MUTANT, label, code, was=was, becomes=becomes)


def tested(exercise: Exercise) -> dict[str, str]:
    """What the answer defines and its tests use, by name: "function", "class" or "value"."""
    kinds: dict[str, str] = {}
    for node in ast.parse(exercise.solution).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            kinds[node.name] = "class" if isinstance(node, ast.ClassDef) else "function"
        elif isinstance(node, ast.Assign):
            kinds |= {target.id: "value" for target in node.targets if isinstance(target, ast.Name)}
    tests = ast.walk(ast.parse(f"{exercise.visible_tests}\n{exercise.hidden_tests}"))
    used = {node.id for node in tests if isinstance(node, ast.Name)}
    found = {name: kind for name, kind in kinds.items() if name in used}
    if not found:
        raise CourseError(
            f"The tests of {exercise.name} use nothing that its model solution defines. Let them call it."
        )
    return found


def _fitting(exercise: Exercise, kind: str) -> list[str]:
    """The ways to spoil that give a wrong answer here."""
    gradients = "checks.grad(" in exercise.hidden_tests or "checks.module(" in exercise.hidden_tests
    unfit = {"detached"} if not gradients else set()  # without a gradient in the tests it is the right answer
    return [label for label in spoil.SPOILERS if label not in unfit and (kind != "value" or label not in OF_CALLS)]


def _spoiled(solution: str, name: str, kind: str, label: str, calls: int) -> str:
    """The solution and below it the lines that spoil what it defines. The box has no `autograder.spoil`, so its text
    goes along."""
    lines = [
        solution,
        "import types as _types",
        "_spoil = _types.ModuleType('spoil')",
        f"exec({inspect.getsource(spoil)!r}, vars(_spoil))",
        f"_spoiler = lambda function: _spoil.SPOILERS[{label!r}](function, {calls})",
    ]
    ending = {
        "function": f"{name} = _spoiler({name})",
        "class": f"{name} = _spoil.in_class({name}, _spoiler)",
        "value": f"{name} = _spoiler(lambda value={name}: value)()",
    }
    return "\n".join([*lines, ending[kind]])


def visible_calls(master: Master, exercise: Exercise, name: str) -> int:
    """How often the visible tests call the function, or the class's `forward`, of this name."""
    calls: list[None] = []
    count = functools.partial(spoil.counted, calls=calls)
    names = dict(vars(reference_of(master.path)))
    names[name] = spoil.in_class(names[name], count) if isinstance(names[name], type) else count(names[name])
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(exercise.visible_tests, f"<visible tests of {exercise.name}>", "exec"), names)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise CourseError(f"The visible tests of {exercise.name} fail with the model solution: {what}") from error
    return len(calls)
