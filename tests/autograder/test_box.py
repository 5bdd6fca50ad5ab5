"""The box is tight, as root and without, by bubblewrap and by the kernel's own means; it would be seen if not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from autograder import doctor
from autograder.box import Box, BoxBroken, Ended, Limits, choose
from autograder.cli import main
from autograder.inside import __main__ as watching

ROOT = Path(__file__).resolve().parents[2]
FAST = Limits(cell_seconds=3, call_seconds=3, total_seconds=30)


def failures(examination: doctor.Examination) -> list[doctor.Finding]:
    return [finding for finding in examination.findings if not finding.held]


def test_bubblewrap_holds_against_every_attempt():
    found = doctor.examine("bubblewrap", ROOT)
    assert found.refused == "" and failures(found) == [] and found.tight
    assert len(found.findings) == len(doctor.ESCAPES) + len(doctor.STOPPED) + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="this way needs root")
def test_namespaces_and_landlock_hold_against_every_attempt():
    found = doctor.examine("namespaces", ROOT)
    assert found.refused == "" and failures(found) == [] and found.tight


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
def test_bubblewrap_holds_without_root_and_namespaces_refuse():
    script = (
        "import json\nfrom pathlib import Path\nfrom autograder.doctor import examine\n"
        f"both = [examine(mode, Path({str(ROOT)!r})) for mode in ('bubblewrap', 'namespaces')]\n"
        "print(json.dumps([[e.tight, e.refused, [f.attempt for f in e.findings if not f.held]] for e in both]))"
    )
    command = [sys.executable, str(Path(__file__).with_name("nobody.py")), sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    bubblewrap, namespaces = json.loads(done.stdout)
    assert bubblewrap == [True, "", []]
    assert namespaces[0] is False and "did not start" in namespaces[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="this way needs root")
@pytest.mark.parametrize("mode", ["namespaces", "bubblewrap"])
def test_a_course_below_a_folder_that_only_its_owner_enters_is_seen_in_the_box(tmp_path, mode):
    for package in ("ftlab", "autograder"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("pretrained"))
    tmp_path.chmod(0o700)
    cell = "from ftlab import checks\nchecks.close(1.0, 1.0)\nimport os\nassert os.getuid() != 0"
    script = (
        "from autograder.box import Box\n"
        f"with Box(mode={mode!r}) as box:\n    print(box.session(1).ask(20, verb='run', name='a', source={cell!r}))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.stdout.strip() == "{'ok': True}", done.stderr


HARMLESS = [
    "read the course, its solutions and gradebook",
    "reach a service on this machine",
    "read the instructor's environment",
    "see other processes",
    "keep a capability",
    "gain privileges by a program",
    "run as the instructor",
]


@pytest.mark.skipif(os.geteuid() != 0, reason="several of these need root to succeed at all")
def test_the_same_attempts_succeed_where_there_is_no_box(monkeypatch):
    """The control: a probe that cannot succeed would prove nothing."""
    monkeypatch.setattr(doctor, "ESCAPES", {name: doctor.ESCAPES[name] for name in HARMLESS})
    monkeypatch.setattr(doctor, "STOPPED", {})
    found = doctor.examine("none", ROOT)
    open_there = [finding.attempt for finding in failures(found)]
    assert set(HARMLESS) - {"read the instructor's environment"} <= set(open_there)
    assert not found.tight
    assert "leave a process behind" in open_there


def test_without_any_sandbox_nothing_runs(monkeypatch):
    monkeypatch.setattr("autograder.box.shutil.which", lambda name: None)
    monkeypatch.setattr("autograder.box.os.geteuid", lambda: 1000)
    with pytest.raises(BoxBroken, match="apt-get install"):
        choose("auto")
    with pytest.raises(BoxBroken, match="Choose one of"):
        choose("docker")


@pytest.fixture(scope="module")
def box():
    with Box([("setup", "import torch\ndef double(x):\n    return 2 * x\n")], limits=FAST) as found:
        yield found


@pytest.fixture
def session(box):
    found = box.session(seed=3)
    yield found
    found.end()


def test_the_leading_cells_have_run_and_one_child_knows_nothing_of_another(box, session):
    assert session.ask(3, verb="run", name="a", source="mine = double(21)") == {"ok": True}
    assert session.ask(3, verb="get", name="mine") == {"value": 42}
    session.end()
    other = box.session(seed=3)
    assert other.ask(3, verb="get", name="mine")["error"]["type"] == "NameError"
    other.end()


def test_an_error_is_told_with_the_line_of_the_students_own_cell(session):
    reply = session.ask(3, verb="run", name="a", source="def f(x):\n    return x / 0\n\nf(1)")
    error = {"type": "ZeroDivisionError", "message": "division by zero", "line": 2, "text": "return x / 0"}
    assert reply == {"error": error}


@pytest.mark.parametrize(
    "code", ["exit()", "quit()", "import sys; sys.exit(3)", "raise KeyboardInterrupt", "raise SystemExit"]
)
def test_leaving_is_an_error_of_one_cell(session, code):
    assert "error" in session.ask(3, verb="run", name="a", source=code)
    assert session.ask(3, verb="run", name="b", source="1") == {"ok": True}


def test_magics_and_await_work_as_in_a_notebook(session):
    cells = ["%time x = 1", "import asyncio\nawait asyncio.sleep(0)", "!echo hello", "%%capture\nprint(1)"]
    assert [session.ask(3, verb="run", name="a", source=cell) for cell in cells] == [{"ok": True}] * 4


DRAW = "import random, numpy\nd = [random.random(), numpy.random.rand(), torch.rand(1).item()]"


def test_random_numbers_are_the_same_in_every_child_with_this_seed(box):
    draws = []
    for seed in (3, 3, 4):
        child = box.session(seed)
        child.ask(3, verb="run", name="a", source=DRAW)
        draws.append(child.ask(3, verb="get", name="d")["value"])
        child.end()
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.write(3, b'\\0' * 8 + b'rubbish')",
        "import os\nos.write(3, b'\\xff' * 100)",
        "import os\nos.close(3)",
    ],
)
def test_rubbish_on_the_conversation_ends_the_child_and_nothing_else(box, code):
    child = box.session(0)
    with pytest.raises(Ended):
        child.ask(3, verb="run", name="a", source=code)
        child.ask(3, verb="run", name="b", source="1")
        child.ask(3, verb="run", name="c", source="1")
    assert not child.alive
    well = box.session(0)
    assert well.ask(3, verb="run", name="a", source="1") == {"ok": True}
    well.end()


def test_a_forged_reply_is_only_an_answer(session):
    """Who writes to the judge himself has given an answer, a wrong one as good as any."""
    forged = (
        "from autograder.inside import wire\nimport socket\nwire.send(socket.socket(fileno=3), wire.pack({'value': 7}))"
    )
    assert session.ask(3, verb="run", name="a", source=forged) == {"value": 7}


def test_much_output_is_cut_and_does_not_stop_the_cell(session):
    assert session.ask(3, verb="run", name="a", source="for n in range(300_000): print('line', n)") == {"ok": True}
    assert session.output.text().startswith("line 0")


@pytest.fixture(scope="module")
def loud():
    with Box(slot=1, limits=FAST) as found:
        yield found


BUSY = "import os\nfor _ in range(60):\n    if os.fork() == 0:\n        os.setsid()\n        break\nwhile True: pass"
WORK = """
import time
start, used = time.monotonic(), time.process_time()
while time.process_time() < used + 0.5: pass
assert time.monotonic() < start + 10
"""


@pytest.mark.parametrize("measure", ["processes are counted", "sessions share"])
def test_many_busy_processes_do_not_take_the_time_of_another_submission(box, loud, measure):
    """Half a second of computing among 60 busy processes; without a measure it would get a thirtieth of a core."""
    loud.limits = replace(FAST, processor_seconds=5.0 if measure == "processes are counted" else 1e9)
    with ThreadPoolExecutor(1) as threads:
        disturber = loud.session(1)
        held = threads.submit(disturber.ask, 30, verb="run", name="a", source=BUSY)
        time.sleep(1)
        quiet = box.session(1)
        reply = quiet.ask(12, verb="run", name="a", source=WORK)
        quiet.end()
        disturber.end()
        assert isinstance(held.exception(), Ended)
    assert reply == {"ok": True}


def test_what_is_computed_beyond_one_processor_adds_up_and_idle_time_wins_nothing(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 10.0, 11.0])
    monkeypatch.setattr(watching.time, "monotonic", lambda: next(clock))
    family = watching._Family(os.getpid(), FAST)
    computed = [2.0, 5.0, 5.0, 7.0]  # two seconds in one, three in one, none in eight, two in one
    found = [family._processors([SimpleNamespace(cpu_times=lambda sum_=sum_: (sum_, 0, 0, 0))]) for sum_ in computed]
    assert found == [1.0, 3.0, 0.0, 1.0]


def test_who_takes_too_many_processors_is_stopped_and_told(loud):
    loud.limits = replace(FAST, processor_seconds=-1.0)  # so that it does not depend on how busy the machine is
    with pytest.raises(Ended, match="several processors"):
        loud.session(1).ask(20, verb="run", name="a", source="while True: pass")


def test_closing_the_box_leaves_no_process(box):
    with Box(limits=FAST) as other:
        child = other.session(0)
        child.ask(3, verb="run", name="a", source="import subprocess\nsubprocess.Popen(['sleep', '86398.75'])")
        parent = other._process.pid
    assert not psutil.pid_exists(parent)
    gone = [process for process in psutil.process_iter(["cmdline"]) if "86398.75" in (process.info["cmdline"] or [])]
    assert gone == []


def test_a_given_cell_that_fails_is_the_authors_fault_and_says_so():
    with pytest.raises(BoxBroken, match="'setup' fails in the box: ZeroDivisionError"):
        Box([("setup", "1 / 0")], limits=FAST)


def test_the_doctor_says_what_held_and_its_exit_code_is_that_of_the_way_that_is_used(monkeypatch, capsys):
    seen = [doctor.Finding("read the course", True, "nothing to be had"), doctor.Finding("crash", False, "it went on")]
    found = {
        "bubblewrap": doctor.Examination("bubblewrap", tuple(seen[:1]), 2.0, 0.01),
        "namespaces": doctor.Examination("namespaces", tuple(seen), 2.0, 0.01),
    }
    monkeypatch.setattr(doctor, "examine", lambda way, course: found[way])
    monkeypatch.setattr("autograder.box.choose", lambda: "bubblewrap")
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "held  read the course" in said and "OPEN  crash: it went on" in said and "uses bubblewrap" in said
    monkeypatch.setattr("autograder.box.choose", lambda: "namespaces")
    assert main(["doctor"]) == 2
