"""The judge gives what is due: the reference everything, the stub nothing, a wrong answer what the rest is worth."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from writing import write_master

from autograder import master as masters
from autograder.box import Limits
from autograder.judge import BoxBroken, Judge
from autograder.records import Graded, State, Submission
from autograder.release import notebook_text, student_text
from autograder.score import scores, total

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(cell_seconds=3, call_seconds=3, total_seconds=60)


class Desk:
    """A judge with its master, and a short way to hand in."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.master = masters.load(path)
        self.judge = Judge(self.master, limits=limits)
        self.most = {exercise.name: exercise.points for exercise in self.master.exercises}
        self.solved = {exercise.name: exercise.solution for exercise in self.master.exercises if not exercise.manual}

    def notebook(self, answers: Mapping[str, str]) -> nbformat.NotebookNode:
        found = nbformat.reads(student_text(self.master), as_version=4)
        for cell in found.cells:
            cell.source = answers.get(cell.id, cell.source)
        return found

    def grade(self, answers: Mapping[str, str], extra: str = "", seed: int = 1) -> Graded:
        notebook = self.notebook(answers)
        if extra:
            notebook.cells.append(nbformat.v4.new_code_cell(extra))
        return self.judge.grade(handed_in(notebook_text(notebook)), seed, key="k")

    def points(self, graded: Graded) -> dict[str, float | None]:
        return scores(self.most, graded.outcomes)


def handed_in(text: str, **more: str) -> Submission:
    return Submission(student="ada", assignment="a", notebook=text, received="2026-11-25T12:00:00+00:00", **more)


@pytest.fixture(scope="module")
def real() -> Iterator[Desk]:
    desk = Desk(ROOT / "solutions" / "05-sft" / "05-sft.md", Limits(total_seconds=120))
    yield desk
    desk.judge.close()


def test_the_reference_earns_all_and_a_person_marks_the_rest(real):
    graded = real.grade(real.solved)
    assert graded.state is State.GRADED and graded.flags == () and graded.box in ("bubblewrap", "namespaces")
    points = real.points(graded)
    assert [name for name, value in points.items() if value is None] == ["too-good"]
    assert total(points) == sum(most for name, most in real.most.items() if name != "too-good")


def test_the_released_notebook_earns_nothing_and_is_told_so(real):
    graded = real.grade({})
    assert graded.state is State.GRADED and total(real.points(graded)) == 0
    told = [outcome.message for outcome in graded.outcomes if outcome.result != "by hand"]
    assert all("not filled in yet" in message for message in told) and len(told) == 6


@pytest.mark.parametrize("place", range(6))
def test_each_anticipated_mistake_costs_its_exercise_only_and_is_named(real, place):
    exercise = [found for found in real.master.exercises if not found.manual][place]
    for wrong in exercise.wrong:
        graded = real.grade({exercise.name: wrong.code})
        outcome = next(found for found in graded.outcomes if found.exercise == exercise.name)
        assert outcome.result == "failed" and wrong.mistake in outcome.message, outcome


def test_the_same_seed_gives_the_same_result_and_a_rebuilt_record_is_the_same(real):
    answers = {name: real.solved[name] for name in ("accuracy", "pad-batch")}
    first, again = real.grade(answers, seed=7), real.grade(answers, seed=7)

    def plain(graded: Graded) -> dict[str, object]:
        found = graded.as_dict()
        found.pop("seconds")
        found["outcomes"] = [{**outcome, "seconds": 0} for outcome in found["outcomes"]]
        return found

    assert plain(first) == plain(again)
    assert Graded.from_dict(first.as_dict()) == first


# --- a master of our own with every kind of thing that crosses -----------------------------------------------

EXERCISES = {
    "gradient": (
        "def loss(x, scale):\n    return (scale * x ** 2).sum()",
        "for seed in seeds(3):\n"
        "    case = {'x': torch.randn(4, generator=torch.Generator().manual_seed(seed)), 'scale': 3.0}\n"
        "    checks.close(checks.grad(loss, case, wrt='x'), checks.grad(reference.loss, case, wrt='x'))",
    ),
    "layer": (
        "class Layer(torch.nn.Module):\n"
        "    def __init__(self, size):\n        super().__init__()\n        self.inner = torch.nn.Linear(size, 2)\n"
        "    def forward(self, x):\n        return torch.tanh(self.inner(x))",
        "state = {'inner.weight': torch.randn(2, 3), 'inner.bias': torch.randn(2)}\n"
        "inputs = {'x': torch.randn(5, 3)}\n"
        "right = checks.module(reference.Layer, {'size': 3}, state, inputs)\n"
        "checks.close(checks.module(Layer, {'size': 3}, state, inputs), right)",
    ),
    "takes-a-function": (
        "def twice(f, x):\n    return f(f(x))",
        "for seed in seeds(3):\n    checks.close(twice(bump, seed), reference.twice(bump, seed))",
    ),
    "in-place": (
        "def negate(values):\n    values['t'].neg_()\n    values['l'].reverse()",
        "mine = {'t': torch.arange(1.0, 4.0), 'l': [1, 2]}\nnegate(mine)\n"
        "checks.close(mine, {'t': torch.tensor([-1.0, -2.0, -3.0]), 'l': [2, 1]})",
    ),
    "value": ("answer = 6 * 7", "checks.close(answer, reference.answer)"),
    "partly": (
        "def parts():\n    return [1, 2, 3, 4]",
        "sum(mine == right for mine, right in zip(parts(), reference.parts()))",
    ),
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[Desk]:
    path = write_master(
        tmp_path_factory.mktemp("course"), "91-kinds", EXERCISES, given="def bump(x):\n    return x + 1"
    )
    found = Desk(path)
    yield found
    found.judge.close()


def test_gradients_modules_functions_changed_inputs_values_and_partial_credit_cross(desk):
    graded = desk.grade(desk.solved)
    assert desk.points(graded) == dict.fromkeys(EXERCISES, 4.0), graded
    assert desk.points(desk.grade({})) == dict.fromkeys(EXERCISES, 0.0)


@pytest.mark.parametrize(
    ("name", "code", "points", "says"),
    [
        ("gradient", "def loss(x, scale):\n    return (scale * x ** 2).sum().detach()", 0, "detached"),
        ("gradient", "def loss(x, scale):\n    return (scale * x ** 3).sum()", 0, "should be"),
        ("layer", "class Layer:\n    def __init__(self, size):\n        pass", 0, "should be a torch.nn.Module"),
        ("layer", "def Layer(size):\n    return torch.nn.Linear(size, 2)", 0, "no parameter"),
        ("takes-a-function", "def twice(f, x):\n    return f(x)", 0, "should be"),
        ("in-place", "def negate(values):\n    values['t'] = -values['t']", 0, "should be"),
        ("in-place", "def negate(values):\n    values['t'] = print", 0, "does not fit"),
        ("value", "answer = 41", 0, "should be 42"),
        ("value", "answer = object()", 0, "of type object"),
        ("partly", "def parts():\n    return [1, 2, 0, 0]", 2, ""),
        ("partly", "def parts():\n    return None", 0, "could not use what your code gives back"),
        ("partly", "def parts():\n    return parts()", 0, "RecursionError"),
        ("value", "answer = 42\nraise ValueError('\\ud800 \\x00\\x1b[31m red')", 4, ""),
        ("gradient", "def loss(x, scale)\n    return 1", 0, "SyntaxError in line 1"),
        ("gradient", "def loss(x, scale):\n    import os\n    os._exit(0)", 0, "ended the notebook's process"),
        ("gradient", "def loss(x, scale):\n    while True: pass", 0, "longer than 3 seconds"),
        ("gradient", "while True: pass", 0, "longer than 3 seconds"),
        ("gradient", "import os\nos._exit(3)", 0, "This cell was stopped"),
        ("gradient", "def other(): pass", 0, "name 'loss' is not defined"),
    ],
)
def test_a_wrong_answer_costs_that_exercise_only_and_says_why(desk, name, code, points, says):
    graded = desk.grade({**desk.solved, name: code})
    assert desk.points(graded) == {**dict.fromkeys(EXERCISES, 4.0), name: points}, graded.outcomes
    outcome = next(found for found in graded.outcomes if found.exercise == name)
    assert says in outcome.message, outcome.message
    assert outcome.message.isprintable()


def test_a_cell_of_the_students_own_that_dies_costs_nothing(desk):
    graded = desk.grade(desk.solved, extra="import os\nos._exit(0)")
    assert desk.points(graded) == dict.fromkeys(EXERCISES, 4.0) and graded.state is State.GRADED


def test_who_dies_again_and_again_is_given_up(desk, monkeypatch):
    monkeypatch.setattr("autograder.student.MOST_DEATHS", 2)
    deadly = {
        "gradient": "def loss(x, scale):",
        "takes-a-function": "def twice(f, x):",
        "in-place": "def negate(values):",
    }
    graded = desk.grade(
        {**desk.solved, **{name: f"{head}\n    import os; os._exit(1)" for name, head in deadly.items()}}
    )
    assert graded.state is State.CRASHED and "more than 2 times" in graded.error
    results = [outcome.result for outcome in graded.outcomes]
    assert results == ["died", "passed", "died", "not run", "not run", "not run"]


def test_the_time_of_the_whole_submission_ends(tmp_path, small):
    desk = Desk(small(), Limits(cell_seconds=1, call_seconds=1, total_seconds=2))
    graded = desk.grade({"double": "import time\ntime.sleep(0.9)"}, extra="")
    slow = copy.deepcopy(desk.notebook({"double": "import time\ntime.sleep(0.9)"}))
    for _ in range(4):
        slow.cells.insert(0, nbformat.v4.new_code_cell("import time\ntime.sleep(0.9)"))
    timed = desk.judge.grade(handed_in(notebook_text(slow)), 1, "k")
    desk.judge.close()
    assert graded.state is State.GRADED
    assert timed.state is State.TIMED_OUT and "2 seconds in all" in timed.error
    assert [outcome.result for outcome in timed.outcomes] == ["not run"]


def test_what_intake_refused_and_what_is_no_notebook_is_rejected_with_the_reason(desk):
    refused = desk.judge.grade(handed_in("", refused="It is larger than 5 MB."), 1, "k")
    assert (refused.state, refused.error, refused.outcomes) == (State.REJECTED, "It is larger than 5 MB.", ())
    broken = desk.judge.grade(handed_in("{}"), 1, "k")
    assert broken.state is State.REJECTED and broken.error


def test_a_test_that_is_itself_at_fault_charges_nobody(tmp_path, small):
    desk = Desk(small("reference.double(1 + seed)", "0 * reference.double(1)"))
    graded = desk.grade(desk.solved)
    desk.judge.close()
    assert desk.points(graded) == {"double": None} and graded.state is State.FLAGGED
    assert graded.flags[0].kind == "faulty test" and "a stub would pass" in graded.flags[0].what


def test_a_fault_of_the_graders_own_is_no_students_error(desk, monkeypatch):
    monkeypatch.setattr("autograder.student._change", lambda *_: 1 / 0)
    with pytest.raises(BoxBroken, match="The grader has a fault"):
        desk.grade(desk.solved)


@pytest.mark.parametrize("threaded", [False, True], ids=["process", "a_thread_as_Dask_has"])
def test_a_test_that_a_students_number_keeps_busy_ends_with_the_submission(tmp_path, threaded):
    exercises = {"steps": ("steps = 3", "checks.close(sum(1 for _ in range(steps)), 3)")}
    desk = Desk(write_master(tmp_path, "93-steps", exercises), Limits(cell_seconds=2, call_seconds=2, total_seconds=2))
    busy = {"steps": "steps = 10**15"}
    with ThreadPoolExecutor(1) as threads:
        graded = threads.submit(desk.grade, busy).result() if threaded else desk.grade(busy)
    right = desk.grade(desk.solved)
    desk.judge.close()
    assert (graded.state, graded.outcomes[0].result) == (State.TIMED_OUT, "not run")
    assert graded.seconds < 10 and desk.points(right) == {"steps": 4.0}


def test_arguments_that_cannot_be_changed_here_are_the_students_error(tmp_path):
    exercises = {
        "scale": (
            "def scale(m):\n    return 2 * m",
            "m = torch.ones(1).expand(3)\nchecks.close(scale(m), reference.scale(m))",
        )
    }
    desk = Desk(write_master(tmp_path, "94-scale", exercises))
    graded = desk.grade({"scale": "def scale(m):\n    m *= 2\n    return m"})
    desk.judge.close()
    assert desk.points(graded) == {"scale": 0.0} and "Work on a copy" in graded.outcomes[0].message
