"""The attack suite's rows: what hostile and clumsy students hand in, and what is fair. Two tasks of five points each.

Each row changes the released notebook, in which both tasks are solved unless it says otherwise. The rows are those of
the project's measurements on nbgrader (A to H) and some of our own (I).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nbformat

from autograder.records import State

Notebook = nbformat.NotebookNode
MEAN = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
SLOPE = "def slope(x):\n    return (x ** 2).sum()"
WRONG_MEAN = "def mean(numbers):\n    return 0.5"
WRONG_SLOPE = "def slope(x):\n    return (x ** 3).sum()"
RIGHT = {"mean": MEAN, "slope": SLOPE}
WRONG = {"mean": WRONG_MEAN, "slope": WRONG_SLOPE}
TAMPERED = State.FLAGGED
LIMIT = 3.0  # seconds that one cell or one call may take in the suite


@dataclass(frozen=True)
class Attack:
    """One row: how the answers and the notebook are changed, the fair score of ten, the state it ends in."""

    row: str
    what: str
    fair: float
    answers: dict[str, str]
    change: Callable[[Notebook], Any] | None = None
    state: State = State.GRADED
    seconds: float = 15.0  # it must be over by then, on a busy machine


def _cell(notebook: Notebook, name: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == name)


def _tests(notebook: Notebook) -> list[Any]:
    return [cell for cell in notebook.cells if cell.id.startswith("test-")]


def _each_test(change: Callable[[Any], Any]) -> Callable[[Notebook], Any]:
    return lambda notebook: [change(cell) for cell in _tests(notebook)]


def _meta(name: str, **values: Any) -> Callable[[Notebook], Any]:
    return lambda notebook: _cell(notebook, name).metadata["nbgrader"].update(values)


def _remove(*names: str) -> Callable[[Notebook], Any]:
    def change(notebook: Notebook) -> None:
        notebook.cells = [cell for cell in notebook.cells if cell.id not in names]

    return change


def _copied(name: str, source: str | None = None) -> Callable[[Notebook], Any]:
    def change(notebook: Notebook) -> None:
        twin = copy.deepcopy(_cell(notebook, name))
        twin.source = twin.source if source is None else source
        notebook.cells.insert(notebook.cells.index(_cell(notebook, name)) + 1, twin)

    return change


def _swap(notebook: Notebook) -> None:
    one, other = (_cell(notebook, name).metadata["nbgrader"] for name in ("mean", "slope"))
    one["grade_id"], other["grade_id"] = other["grade_id"], one["grade_id"]


def _tests_first(notebook: Notebook) -> None:
    notebook.cells.sort(key=lambda cell: not cell.id.startswith("test-"))


def _below(name: str, source: str) -> Callable[[Notebook], Any]:
    cell = nbformat.v4.new_code_cell(source)
    return lambda notebook: notebook.cells.insert(notebook.cells.index(_cell(notebook, name)) + 1, cell)


def _extra(source: str, first: bool = False) -> Callable[[Notebook], Any]:
    cell = nbformat.v4.new_code_cell(source)
    return lambda notebook: notebook.cells.insert(0 if first else len(notebook.cells), cell)


def _to(kind: str) -> Callable[[Any], Any]:
    return lambda cell: cell.update(cell_type=kind)


def _in(name: str, body: str) -> dict[str, str]:
    """Both tasks solved, and code before one of the answers."""
    return {**RIGHT, name: f"{body}\n{RIGHT[name]}"}


def _wrong_with(body: str) -> dict[str, str]:
    """Both tasks wrong, and an attack on the grader before the first."""
    return {**WRONG, "mean": f"{body}\n{WRONG_MEAN}"}


FORK = "import os, time\nfor _ in range(1024):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)"
BUSY = "import os\nfor _ in range(60):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass\n"
EQUAL = """
class Equal(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return self
    def __abs__(self): return 0.0
    __hash__ = float.__hash__
def mean(numbers): return Equal(3)
"""
PATCHED = """
import ftlab.checks, sys
from autograder.inside import runner, wire
for name in ('close', 'grad', 'module', '_compare'):
    setattr(ftlab.checks, name, lambda *a, **k: None)
wire.pack = lambda value: b'\\0\\0\\0\\4null'
"""
STARTUP = """
import pathlib
folder = pathlib.Path.home() / '.ipython/profile_default/startup'
folder.mkdir(parents=True)
(folder / '99.py').write_text('raise SystemExit')
"""
SEARCH = """
import gc, sys
found = [o for o in gc.get_objects() if type(o) is str and 'reference.' in o]
frame, seen = sys._getframe(), []
while frame:
    seen += [repr(value)[:1000] for value in frame.f_locals.values()]
    frame = frame.f_back
assert not any('reference.mean' in text for text in [*found, *seen]), 'hidden tests found'
import glob
assert not glob.glob('/**/solutions', recursive=False) and not glob.glob('/*/*.db')
"""
SKIP = _each_test(lambda cell: cell.metadata.update(tags=["skip-execution"]))

ATTACKS: list[Attack] = [
    Attack("A", "correct work", 10, RIGHT),
    Attack("A", "released notebook handed in untouched", 0, {}),
    Attack("A", "wrong answers", 0, WRONG),
    Attack("A", "one of two tasks right", 5, {**RIGHT, "slope": WRONG_SLOPE}),
    Attack("A", "syntax error in one answer", 5, {**RIGHT, "mean": "def mean(numbers:\n    return"}),
    Attack("A", "one answer cell deleted", 5, RIGHT, _remove("mean")),
    Attack("B", "tag skip-execution on the tests, wrong code", 0, WRONG, SKIP),
    Attack("B", "tests replaced by pass", 0, WRONG, _each_test(lambda c: c.update(source="pass")), TAMPERED),
    Attack("B", "tests turned to markdown, wrong code", 0, WRONG, _each_test(_to("markdown")), TAMPERED),
    Attack("B", "all tests deleted, wrong code", 0, WRONG, _remove("test-mean", "test-slope")),
    Attack("B", "one test deleted, correct code", 10, RIGHT, _remove("test-slope")),
    Attack("B", "metadata removed from a test", 10, RIGHT, lambda n: _cell(n, "test-mean").metadata.clear()),
    Attack("B", "grade_id of a test changed", 10, RIGHT, _meta("test-mean", grade_id="other")),
    Attack("B", "two grade_ids swapped, one task wrong", 5, {**RIGHT, "slope": WRONG_SLOPE}, _swap),
    Attack("B", "points: 1000", 10, RIGHT, _meta("test-mean", points=1000)),
    Attack("B", "grade: false on a test, wrong code", 0, WRONG, _meta("test-mean", grade=False)),
    Attack("B", "schema_version: 1 in one cell", 10, RIGHT, _meta("mean", schema_version=1)),
    Attack("B", "an answer copied and pasted (innocent)", 10, RIGHT, _copied("mean")),
    Attack("B", "a test copied and emptied, wrong code", 0, WRONG, _copied("test-mean", "")),
    Attack("B", "tests moved before the answers", 10, RIGHT, _tests_first),
    Attack("D", "endless loop at top level", 5, _in("mean", "while True: pass")),
    Attack("D", "endless loop in a tested function", 5, {**RIGHT, "mean": "def mean(numbers):\n    while True: pass"}),
    Attack(
        "D", "interrupts ignored and asleep", 5,
        _in("mean", "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"),
    ),
    Attack("D", "os._exit(0)", 5, _in("mean", "import os\nos._exit(0)")),
    Attack("D", "segfault", 5, _in("mean", "import ctypes\nctypes.string_at(0)")),
    Attack("D", "exit() in a cell of its own", 10, RIGHT, _extra("exit()")),
    Attack("D", "sys.exit(0) at top level, of a cell of its own", 10, RIGHT, _extra("import sys\nsys.exit(0)", True)),
    Attack("D", "sys.exit in a tested function", 5, {**RIGHT, "mean": "def mean(n):\n    import sys; sys.exit(0)"}),
    Attack("D", "an interrupt raised in a call", 5, {**RIGHT, "mean": "def mean(n):\n    raise KeyboardInterrupt"}),
    Attack("D", "kills its parent", 10, RIGHT, _extra("import os\nos.kill(os.getppid(), 9)", True)),
    Attack("D", "kills every process it can", 10, RIGHT, _extra("import os\nos.kill(-1, 9)", True)),
    Attack("E", "300,000 lines of output", 10, _in("mean", "for n in range(300_000): print('line', n)")),
    Attack("E", "endless printing in a cell of its own", 10, RIGHT, _extra("while True: print('x' * 10_000)", True)),
    Attack("E", "memory without end", 5, _in("mean", "kept = []\nwhile True: kept.append(bytes([1]) * 10**7)")),
    Attack("E", "1,024 forks in a cell of its own", 10, RIGHT, _extra(FORK)),
    Attack("E", "60 busy processes, each in a session of its own", 10, RIGHT, _extra(BUSY + "while True: pass")),
    Attack("E", "writes a file of 200 MB", 10, RIGHT, _extra("open('/tmp/x', 'wb').write(bytes(200 * 1024**2))", True)),
    Attack("E", "a tensor of many gigabytes as an answer", 5,
           {**RIGHT, "mean": "import torch\ndef mean(n):\n    return torch.zeros(10**8)"}),
    Attack("E", "memory that belongs to no process", 5, _in("mean", "import os\nos.memfd_create('x')")),
    Attack("E", "shared memory of System V", 5,
           _in("mean", "import ctypes\nassert ctypes.CDLL(None).shmget(0, 10**8, 0o1600) >= 0")),
    Attack("F", "reads the source folder", 0, _wrong_with("print(open('../../../source/a/a.ipynb').read())")),
    Attack("F", "executes the instructor's solution", 0,
           _wrong_with("import glob\nexec(open(glob.glob('/**/solutions/*/*.md', recursive=True)[0]).read())")),
    Attack("F", "writes manual_score into the gradebook", 0,
           _wrong_with("import sqlite3\nsqlite3.connect('gradebook.db').execute('update grade set manual_score = 5')")),
    Attack("F", "plants a startup file", 10, _in("mean", STARTUP)),
    Attack("F", "leaves a process in the background", 10,
           _in("mean", "import subprocess\nsubprocess.Popen(['sleep', '86397.5'], start_new_session=True)")),
    Attack("F", "connects to a service here", 10, RIGHT,
           _extra("import socket\nsocket.create_connection(('127.0.0.1', 22), 1)", True)),
    Attack("F", "looks for hidden tests in frames and memory", 10, _in("mean", SEARCH)),
    Attack("F", "script in markdown and output", 10, RIGHT,
           lambda n: n.cells.append(nbformat.v4.new_markdown_cell("<script>alert(1)</script>"))),
    Attack("G", "an object that is always equal", 0, {**WRONG, "mean": EQUAL}),
    Attack("G", "an input transformer that empties the tests", 0,
           _wrong_with("get_ipython().input_transformers_cleanup.append(lambda lines: ['pass'])")),
    Attack("G", "checks, wire and runner patched", 0, _wrong_with(PATCHED)),
    Attack("G", "torch.equal and allclose patched", 0,
           _wrong_with("import torch, math\ntorch.equal = torch.allclose = math.isclose = lambda *a, **k: True")),
    Attack("G", "NaN printed as a result", 0, _wrong_with("print(float('nan'))\nfloat('nan')")),
    Attack("G", "the number of points printed as a result", 0, _wrong_with("print(5)\n5")),
    Attack("G", "NaN as an answer", 0, {**WRONG, "mean": "def mean(numbers):\n    return float('nan')"}),
    Attack("G", "a forged reply on the conversation", 0,
           _wrong_with("from autograder.inside import wire\nimport socket\n"
                       "wire.send(socket.socket(fileno=3), wire.pack({'value': 3.0}))")),
    Attack("H", "one line on stderr", 10, _in("mean", "import sys\nprint('a word', file=sys.stderr)")),
    Attack("H", "a warning", 10, _in("mean", "import warnings\nwarnings.warn('careful')")),
    Attack("H", "logs at import", 10, _in("mean", "import logging\nlogging.warning('a model logs')")),
    Attack("H", "pictures by a magic of Jupyter's", 10, _in("mean", "%matplotlib inline\n%matplotlib notebook")),
    Attack("I", "changes what it is given, then is right by it", 5,
           {**RIGHT, "mean": "def mean(numbers):\n    numbers[:] = [1.0]\n    return 1.0"}),
    Attack("I", "sets what it is given to zero", 5,
           {**RIGHT, "mean": "def mean(numbers):\n    numbers[:] = [0.0, 0.0, 0.0]\n    return 0.0"}),
    Attack("I", "half of a character as an answer", 5, {**RIGHT, "mean": "def mean(numbers):\n    return '\\ud800'"}),
    Attack("I", "three million letters as an answer", 5, {**RIGHT, "mean": "def mean(n):\n    return 'x' * 3_000_000"}),
    Attack("I", "a million lists as an answer", 5, {**RIGHT, "mean": "def mean(n):\n    return [[]] * 10**6"}),
    Attack("I", "a forged error in a line without end", 5,
           {**RIGHT, "mean": "from autograder.inside import runner\nrunner._told = lambda e: "
            "{'type': 'X', 'message': '', 'line': 16**5000, 'text': ''}\ndef mean(n):\n    raise ValueError"}),
    Attack("I", "the answer of the visible test, copied", 5, {**RIGHT, "mean": "def mean(numbers):\n    return 2.0"}),
    Attack("I", "answers by a cell magic", 10, {**RIGHT, "mean": f"%%time\n{MEAN}"}),
    Attack("I", "the answer in a cell below the stub", 10, {"slope": SLOPE}, _below("mean", MEAN)),
    Attack("I", "a wrong try in a cell of its own, below the test", 10, RIGHT, _below("test-mean", WRONG_MEAN)),
    Attack("I", "the gradient cut off", 5, {**RIGHT, "slope": "def slope(x):\n    return (x.detach() ** 2).sum()"}),
    Attack("I", "an endless repr and str", 5,
           {**RIGHT, "mean": "class E:\n    def __repr__(self):\n        while True: pass\nmean = lambda n: E()"}),
    Attack("I", "an error with a hostile message", 5,
           {**RIGHT, "mean": "class E(Exception):\n    def __str__(self):\n        raise SystemExit\n"
            "def mean(n):\n    raise E"}),
    Attack("I", "a thread that ends the process later", 5,
           {**RIGHT, "mean": "import os, threading, time\ndef mean(n):\n"
            "    threading.Thread(target=lambda: os._exit(0)).start()\n    time.sleep(2)"}),
    Attack("I", "a module named like one of ours", 10,
           _in("mean", "open('/tmp/torch.py', 'w').write('1/0')\nopen('/tmp/statistics.py', 'w').write('1/0')")),
]  # fmt: skip


def handed_in(attack: Attack, released: str) -> str:
    """The text of the notebook that a row hands in."""
    notebook = nbformat.reads(released, as_version=4)
    for cell in notebook.cells:
        cell.source = attack.answers.get(cell.id, cell.source)
    if attack.change is not None:
        attack.change(notebook)
    return json.dumps(notebook)
