"""What runs on a worker, here or on another machine: a job comes in as JSON, a result goes home as JSON.

A worker holds no database and no secret of the class. It has one judge at a time, kept from job to job, so that
nothing is started per submission; the head sends the jobs of one assignment after those of another.
"""

from __future__ import annotations

import functools
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import traceback
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.keys import Grader, content, digest
from autograder.master import load
from autograder.records import Flag, Graded, State, Submission
from autograder.release import write
from ftlab.checks import CourseError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MOST_BYTES = 1_000_000  # of a result
MOST_SLOTS = 1000
TOO_LONG = "The answers are too long to be kept with the result."

_one_at_a_time = threading.Lock()  # a worker of Dask may have several threads
_bench: Bench | None = None
_held: list[socket.socket] = []


@dataclass(frozen=True, kw_only=True)
class Job:
    """One submission to grade, with all that it takes; at most about 10 MB, because intake limits the notebook."""

    submission: Submission
    seed: int
    key: str
    master: str  # its text
    mode: str  # of the sandbox: auto, bubblewrap, namespaces, none
    judge: str  # the module that holds the class Judge

    def as_json(self) -> str:
        """What is sent."""
        return json.dumps(asdict(self))


class Bench:
    """A judge with its assignment, as one worker keeps it."""

    def __init__(self, job: Job) -> None:
        self.serves = _assignment(job)
        self._folder = tempfile.TemporaryDirectory(prefix="autograder-")
        name = job.submission.assignment
        path = Path(self._folder.name) / "solutions" / name / f"{name}.md"
        write(path, job.master)
        master = load(path)
        self._grader = Grader(master, job.judge, boxed=job.mode != "none")
        self._judge: Any = importlib.import_module(job.judge).Judge(master, mode=job.mode, slot=_slot())

    def grade(self, job: Job) -> Graded:
        """The result. Raises CourseError where this worker is not the grader that the key speaks of."""
        if self._grader.key(content(job.submission), job.seed) != job.key:
            where = socket.gethostname()
            raise CourseError(f"The worker on {where} has other versions of the grader or its libraries. Update it.")
        graded: Graded = self._judge.grade(job.submission, job.seed, job.key)
        return graded

    def sweep(self) -> None:
        """Leave no master behind, where there is no time for more: the box ends by itself."""
        shutil.rmtree(self._folder.name, ignore_errors=True)

    def close(self) -> None:
        """End the judge and its box."""
        self._judge.close()
        self._folder.cleanup()


def prepare() -> None:
    """Make this process a worker: one thread for tensors, deaf to Ctrl-C, and gone as soon as its head is."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_head, daemon=True).start()
    Finalize(None, leave, exitpriority=0)


def _end_with_head() -> None:
    head = multiprocessing.parent_process()
    if head is not None:
        wait([head.sentinel])
        if _bench is not None:
            _bench.sweep()
        os._exit(1)


def work(text: str, attempt: int) -> str:
    """Grade one job; `attempt` makes a second try another task for Dask. Returns {"graded"} or {"broken": why}."""
    global _bench
    with _one_at_a_time:
        try:
            job = read(Job, text)
            if _bench is None or _bench.serves != _assignment(job):
                leave()
                _bench = Bench(job)
            return _fitted(_bench.grade(job))
        except Exception as error:  # the judge raises for nothing that a student did, so it is our fault
            leave()
            told = str(error) if isinstance(error, CourseError) else traceback.format_exc(limit=-4)
            return json.dumps({"broken": told[-5000:]})


def read(kind: Any, text: str) -> Any:
    """A record from JSON, with every field's type checked. Raises ValueError where it is none."""
    return _adapter(kind).validate_json(text, strict=True)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once: to make one takes as long as to grade a small exercise."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def leave() -> None:
    """Put the judge away."""
    global _bench
    leaving, _bench = _bench, None
    if leaving is not None:
        leaving.close()


def _assignment(job: Job) -> str:
    return digest(job.master, job.mode, job.judge)


def _slot() -> int:
    """A number that no other worker on this machine has while this process lives.

    An abstract socket (Linux) holds it: its name is free again when the process ends, however it ends.
    """
    if not _held:
        for number in range(MOST_SLOTS):
            try:
                holder = socket.socket(socket.AF_UNIX)
                holder.bind(f"\0autograder-slot-{number}")
            except OSError:
                holder.close()
                continue
            _held.append(holder)
            break
        else:
            raise CourseError(f"{MOST_SLOTS} workers are at work on this machine; that is the most there can be.")
    return int(_held[0].getsockname().decode().rsplit("-", 1)[1])


def _fitted(graded: Graded) -> str:
    """The reply, without the texts of the answers where they are too long; the points do not change."""
    text = json.dumps({"graded": graded.as_dict()})
    if len(text) <= MOST_BYTES:
        return text
    flags = (*graded.flags[:100], Flag(kind="note", where="", what=TOO_LONG))
    state = State.FLAGGED if graded.state is State.GRADED else graded.state
    short = replace(graded, answers={}, written={}, flags=flags, state=state)
    text = json.dumps({"graded": short.as_dict()})
    if len(text) > MOST_BYTES:
        raise CourseError(f"A result of {len(text)} bytes is too long. Say so to the authors of the grader.")
    return text
