"""The judge: runs the hidden tests here, and the student's code in the box.

A student's function is a proxy here: a call crosses to the boxed child, and the answer comes back as plain data. The
reference and the expected values never leave this process. A cell that dies or hangs is left out, and the rest is
replayed in a new child, so that it costs what that cell would have brought and no more.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import functools
import io
import itertools
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

from autograder.box import Box, BoxBroken, Limits
from autograder.inprocess import reference_of
from autograder.master import Exercise, Master, is_answer, is_helper
from autograder.rebuild import rebuild
from autograder.records import Flag, Graded, Outcome, Part, Rebuilt, State, Submission
from autograder.student import GivenUp, Originals, Proxy, Reference, Student, StudentError, clean
from ftlab import checks
from ftlab.checks import CheckFailed, CourseError

__all__ = ["BoxBroken", "Judge", "Limits"]


class Judge:
    """Grades submissions of one assignment, one after another, in a box of its own. Close it when it is done.

    Raises BoxBroken where there is no sandbox, or where the sandbox fails: that is never a student's fault.
    """

    def __init__(self, master: Master, *, mode: str = "auto", slot: int = 0, limits: Limits | None = None) -> None:
        import torch

        torch.set_num_threads(1)  # as in the box; small tensors only wait for a second one
        self._master = master
        self._leading = _leading(master)
        self._names = _namespace(self._leading)
        self._reference = reference_of(master.path)
        self._box = Box([(part.name, part.source) for part in self._leading], mode, slot, limits)

    def grade(self, submission: Submission, seed: int, key: str) -> Graded:
        """The result of one submission. `seed` decides the random inputs of its tests."""
        start = time.monotonic()
        found = self._examined(submission, seed)
        return Graded(
            student=submission.student,
            assignment=submission.assignment,
            key=key,
            seed=seed,
            box=self._box.mode,
            seconds=round(time.monotonic() - start, 3),
            **found,
        )

    def close(self) -> None:
        """End the box."""
        self._box.close()

    def _examined(self, submission: Submission, seed: int) -> dict[str, Any]:
        if submission.refused:
            return {"state": State.REJECTED, "error": submission.refused}
        try:
            rebuilt = rebuild(self._master, submission.notebook)
        except CourseError as error:
            return {"state": State.REJECTED, "error": str(error)}
        student = Student(self._box, seed)
        names, done = self._fresh(seed), {part.name for part in self._leading}
        sitting = _Sitting(self._master, rebuilt, student, self._reference, names, done)
        try:
            end = sitting.go_through()
        finally:
            student.end()
        flags = (*(Flag(kind="note", where="hand-in", what=note) for note in submission.notes), *rebuilt.flags)
        return {
            "state": _state(end, (*flags, *sitting.flags)),
            "outcomes": sitting.all_outcomes(end),
            "flags": (*flags, *sitting.flags),
            "written": dict(rebuilt.written),
            "answers": {part.name: part.source for part in rebuilt.parts if part.kind == "answer"},
            "error": str(end or ""),
        }

    def _fresh(self, seed: int) -> dict[str, Any]:
        """The names that the tests of one submission start with."""
        return {**self._names, "seeds": functools.partial(checks.seeds, base=seed)}


def _state(end: GivenUp | None, flags: tuple[Flag, ...]) -> State:
    if end is not None:
        return State.TIMED_OUT if end.timed_out else State.CRASHED
    return State.FLAGGED if any(flag.kind != "note" for flag in flags) else State.GRADED


def _leading(master: Master) -> list[Part]:
    """The given cells before the first answer: the same for everybody, so they run once."""
    found: list[Part] = []
    for cell in master.cells:
        if is_answer(cell) and cell.cell_type == "code":
            break
        if is_helper(cell):
            found.append(Part(kind="given", name=cell.id, source=cell.source))
    return found


def _namespace(parts: list[Part]) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "judge"}
    for part in parts:
        _run(part, names)
    return names


def _run(part: Part, names: dict[str, Any]) -> None:
    """A given cell on this side: the tests use what it defines."""
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(part.source, f"<given cell {part.name}>", "exec"), names)


class _Sitting:
    """One submission on its way through the cells and tests of the master."""

    def __init__(
        self,
        master: Master,
        rebuilt: Rebuilt,
        student: Student,
        solution: SimpleNamespace,
        names: dict[str, Any],
        done: set[str],
    ) -> None:
        self._master, self._rebuilt, self._student, self._done = master, rebuilt, student, done
        self._originals = Originals()
        self._names = {**names, "reference": Reference(solution, self._originals)}
        self._stopped: dict[str, str] = {}  # the sentence about the error that a cell ended with, by its name
        self._outcomes: dict[str, Outcome] = {}
        self.flags: list[Flag] = []

    def go_through(self) -> GivenUp | None:
        """Run the parts and the tests in the master's order; why it was given up half-way, if it was."""
        try:
            for step in _steps(self._master, self._rebuilt.parts):
                if isinstance(step, Exercise):
                    self._outcomes[step.name] = self._test(step)
                elif step.name not in self._done:
                    self._advance(step)
        except GivenUp as end:
            return end
        return None

    def all_outcomes(self, end: GivenUp | None) -> tuple[Outcome, ...]:
        """One outcome for each exercise, in order; what was not reached was not run."""
        found = []
        for exercise in self._master.exercises:
            missing = Outcome(exercise=exercise.name, result="by hand") if exercise.manual else None
            unreached = Outcome(exercise=exercise.name, result="not run", message=str(end or ""))
            found.append(missing or self._outcomes.get(exercise.name, unreached))
        return tuple(found)

    def _advance(self, part: Part) -> None:
        """Run a cell in the box; a given one here as well."""
        said = self._student.run(part)
        if said:
            self._stopped[part.name] = said
        if part.kind == "given":
            self._give(part)
        if part.kind == "answer":
            self._define(part.name)

    def _give(self, part: Part) -> None:
        """A given cell on this side. Where it fails, it does so by what a student's function gave it."""
        try:
            with _alarm(self._student.seconds_left):
                _run(part, self._names)
        except (GivenUp, BoxBroken):
            raise
        except Exception as error:
            self.flags.append(Flag(kind="note", where=part.name, what=f"The given cell stopped with {_short(error)}"))

    def _define(self, name: str) -> None:
        """The student's functions of this answer, as proxies."""
        exercise = next(found for found in self._master.exercises if found.name == name)
        functions = {id(value): key for key, value in self._names.items() if isinstance(value, FunctionType)}
        for defined in _defined(exercise.solution)[0]:
            self._names[defined] = Proxy(self._student, defined, functions, self._originals)

    def _test(self, exercise: Exercise) -> Outcome:
        start = time.monotonic()
        result, credit, message = self._tested(exercise)
        if result not in ("passed", "faulty") and exercise.name in self._stopped:
            message = self._stopped[exercise.name]
        spent = round(time.monotonic() - start, 3)
        return Outcome(exercise=exercise.name, result=result, credit=credit, message=clean(message), seconds=spent)

    def _tested(self, exercise: Exercise) -> tuple[str, float | None, str]:
        """Result, partial credit and message of an exercise's tests."""
        try:
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                _alarm(self._student.seconds_left),
            ):
                for name in _defined(exercise.solution)[1]:
                    self._names[name] = self._student.ask(name, verb="get", name=name)["value"]
                return "passed", _credit(exercise, self._names), ""
        except StudentError as error:
            return error.result, None, str(error)
        except CheckFailed as error:
            return "failed", None, str(error)
        except (GivenUp, BoxBroken):
            raise
        except CourseError as error:
            self.flags.append(Flag(kind="faulty test", where=exercise.test_name, what=clean(str(error))))
            return "faulty", None, "The test itself is at fault here. A person will look at your answer."
        except AssertionError as error:
            return "failed", None, str(error) or "A test of this exercise says no."
        except Exception as error:  # the test could not go on with what it was given
            _require_not_ours(error)
            what = _short(error)
            self.flags.append(Flag(kind="note", where=exercise.test_name, what=f"The test stopped with {what}"))
            return (
                "error",
                None,
                f"The test could not use what your code gives back ({what}). Look at its types and keys.",
            )


def _short(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}"[:300])


class _TooLong(GivenUp):
    def __init__(self) -> None:
        super().__init__("It took longer than the whole notebook may.", timed_out=True)


def _alarm(seconds: float) -> contextlib.AbstractContextManager[None]:
    """Raise GivenUp after so many seconds: a test runs on this side, with numbers that a student may have chosen."""
    of_process = threading.current_thread() is threading.main_thread()
    return _signal_after(max(seconds, 0.01)) if of_process else _interrupt_after(max(seconds, 0.01))


@contextlib.contextmanager
def _signal_after(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _interrupt_after(seconds: float) -> Iterator[None]:
    """For a thread of Dask's, which no signal reaches: Python itself raises between two of its instructions."""
    thread, lock, running = ctypes.c_ulong(threading.get_ident()), threading.Lock(), [True]

    def ring() -> None:
        with lock:
            if running:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_TooLong))

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            running.clear()
        timer.cancel()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)  # what is under way comes too late


def _require_not_ours(error: Exception) -> None:
    """A fault in the grader's own code is no student's: raise BoxBroken for it."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    below = itertools.dropwhile(lambda found: not found[0].name.startswith("<tests of"), frames)
    for file, line in below:
        if file.parent == Path(__file__).parent:
            what = f"{type(error).__name__} in {file.name}, line {line}: {error}"
            raise BoxBroken(f"The grader has a fault: {what}") from error


def _steps(master: Master, parts: tuple[Part, ...]) -> Iterator[Part | Exercise]:
    """The parts, and each exercise where its test stands in the master."""
    by_test = {exercise.test_name: exercise for exercise in master.exercises if not exercise.manual}
    tests = deque((index, by_test[cell.id]) for index, cell in enumerate(master.cells) if cell.id in by_test)
    for part in parts:
        while tests and tests[0][0] < part.place + (part.kind == "extra"):  # an extra follows the cell at its place
            yield tests.popleft()[1]
        yield part
    yield from (exercise for _, exercise in tests)


def _defined(solution: str) -> tuple[list[str], list[str]]:
    """What an answer defines at its top level: functions and classes, and names of values."""
    functions, values = [], []
    for node in ast.parse(solution).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            functions.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values += [target.id for target in targets if isinstance(target, ast.Name)]
    return functions, values


def _credit(exercise: Exercise, names: dict[str, Any]) -> float | None:
    """Run the visible and the hidden tests. The number that they end in, if they end in one: partial credit."""
    body, last = _compiled(exercise)
    exec(body, names)
    value: Any = eval(last, names) if last is not None else None
    return float(value) if type(value) in (int, float) else None


@functools.cache
def _compiled(exercise: Exercise) -> tuple[CodeType, CodeType | None]:
    tree = ast.parse(f"{exercise.visible_tests}\n{exercise.hidden_tests}")
    label, last = f"<tests of {exercise.name}>", None
    if tree.body and isinstance(ending := tree.body[-1], ast.Expr):
        tree.body.pop()
        last = compile(ast.Expression(ending.value), label, "eval")
    return compile(tree, label, "exec"), last
