"""The grader against nbgrader's own autograde, one worker against two, and ten submissions against a thousand.

    python benchmarks/grading.py nbgrader [submissions]     pairs, as a ratio of throughputs
    python benchmarks/grading.py workers [submissions]      one worker, then two
    python benchmarks/grading.py course [submissions]       the same with the course's own 05-sft
    python benchmarks/grading.py size [submissions ...]     time a submission, and memory, as a class grows

The notebooks import torch and transformers and hold two small exercises, where it is not the course's own. The
sandbox is on. Start-up is part of every time, except with `workers` and `course`.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import nbformat
import psutil

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests" / "autograder")]

from attacks import RIGHT, WRONG  # noqa: E402 - the path comes first
from test_attacks import TESTS  # noqa: E402
from writing import write_master  # noqa: E402

from autograder import master as masters  # noqa: E402
from autograder.classroom import Classroom, surroundings  # noqa: E402
from autograder.master import Master  # noqa: E402
from autograder.release import student_text  # noqa: E402

BENCH = "93-bench"
COURSE = "05-sft"
GIVEN = "import transformers\nfrom transformers import AutoModel, AutoTokenizer, Trainer"


def course(folder: Path, name: str) -> Master:
    """A course with this assignment alone."""
    if name == BENCH:
        return masters.load(write_master(folder, name, TESTS, given=GIVEN, points=5))
    shutil.copytree(HERE.parent / "solutions" / name, folder / "solutions" / name)
    return masters.load(folder / "solutions" / name / f"{name}.md")


def answers_of(master: Master, number: int) -> dict[str, str]:
    """What a student hands in: three of four all right."""
    if master.name == BENCH:
        return RIGHT if number % 4 else WRONG
    right = {exercise.name: exercise.solution for exercise in master.exercises if not exercise.manual}
    return right if number % 4 else {**right, next(iter(right)): "pass"}


def hand_in(master: Master, folder: Path, count: int) -> None:
    """Submissions of so many students, all different."""
    released = student_text(master)
    for number in range(count):
        notebook = nbformat.reads(released, as_version=4)
        answers = answers_of(master, number)
        for cell in notebook.cells:
            if cell.id in answers:
                cell.source = f"{answers[cell.id]}\n# {number}"
        path = folder / f"student{number:05d}" / master.name / f"{master.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook))


def command(folder: Path, work: Path, verb: str, *more: object) -> list[str]:
    """A verb of `autograder` for the class in `work`."""
    words = [sys.executable, "-m", "autograder.cli", verb, "--course", folder, "--work", work, *more]
    return [str(word) for word in words]


def grade(folder: Path, work: Path, jobs: int = 2) -> list[str]:
    """The command that grades what was handed in."""
    return command(folder, work, "grade", "--from", folder / "submitted", "--jobs", jobs)


def ours(folder: Path, count: int, jobs: int, name: str = BENCH) -> tuple[float, float]:
    """Seconds of `autograder grade` on so many submissions, and the most memory of all its processes, in GB."""
    master = course(folder, name)
    hand_in(master, folder / "submitted", count)
    start = time.monotonic()
    process = subprocess.Popen(grade(folder, folder / "grading", jobs), stderr=-3, stdout=-3)
    memory = Memory(process.pid)
    code = process.wait()
    assert code == 0, f"autograder grade ended with {code}"
    return time.monotonic() - start, memory.most


class Memory:
    """The most memory (GB, shared pages once) that a process and all below it held, looked at every half second."""

    def __init__(self, pid: int) -> None:
        self.most, self._root = 0.0, psutil.Process(pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                family = [self._root, *self._root.children(recursive=True)]
                self.most = max(self.most, sum(p.memory_full_info().pss for p in family) / 1024**3)
            except psutil.NoSuchProcess:
                if not self._root.is_running():
                    return
            time.sleep(0.5)


def theirs(folder: Path, count: int) -> float:
    """Seconds of `nbgrader autograde` on so many submissions, in one command, as an instructor would type it."""
    master = course(folder, BENCH)
    room = Classroom(folder / "theirs", master)
    room.release()
    hand_in(master, folder / "theirs" / "submitted", count)
    with surroundings(folder / "solutions"):
        start = time.monotonic()
        command = [
            "nbgrader",
            "autograde",
            BENCH,
            "--CourseDirectory.course_id=ftlab",
            "--ExecutePreprocessor.timeout=120",
        ]
        done = subprocess.run(command, cwd=folder / "theirs", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return time.monotonic() - start


def within(what: object, *arguments: object) -> object:
    """Call it with a folder of its own, which is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        return what(folder, *arguments)  # type: ignore[operator]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def against_nbgrader(count: int = 12, pairs: int = 3, many: int = 240) -> None:
    for pair in range(pairs):
        slow = within(theirs, count) / count  # type: ignore[operator]
        fast = within(ours, many, 2)[0] / many  # type: ignore[index]
        print(f"pair {pair}: nbgrader {slow:.2f} s each, ours {fast:.3f} s each: {slow / fast:.1f} times")


def workers(count: int = 240, name: str = BENCH) -> None:
    for pair in range(3):
        one, two = (within(swing, count, jobs, name) for jobs in (1, 2))
        print(f"pair {pair}: one worker {one:.3f} s a submission, two {two:.3f} s: {one / two:.2f} times")  # type: ignore[operator]


def swing(folder: Path, count: int, jobs: int, name: str) -> float:
    """Seconds a submission once all workers are up: between the first results and the last one, by the log."""
    ours(folder, count, jobs, name)
    events = [json.loads(line) for line in (folder / "grading" / "log.jsonl").read_text().splitlines()]
    times = [datetime.fromisoformat(event["time"]) for event in events if event["event"] == "recorded"][20:]
    return (times[-1] - times[0]).total_seconds() / (len(times) - 1)


def size(*counts: int) -> None:
    for count in counts or (10, 100, 1000):
        seconds, memory = within(ours, count, 2)  # type: ignore[misc]
        print(f"{count} submissions: {seconds:.1f} s, {1000 * seconds / count:.0f} ms each, {memory:.2f} GB at most")


def main(what: str, numbers: Sequence[int]) -> None:
    whole = functools.partial(workers, name=COURSE)
    {"nbgrader": against_nbgrader, "workers": workers, "course": whole, "size": size}[what](*numbers)


if __name__ == "__main__":
    main(sys.argv[1], [int(number) for number in sys.argv[2:]])
