"""The parent in the box: imports what is heavy, never runs a student's code, and forks a confined child for each.

It listens on a socket that the grader gave it. `prepare` runs the master's leading given cells. `fork`, with three
descriptors (the child's conversation, its output, and a leash), makes a child; when the leash is cut, or the child has
taken too much memory or too many processors, the child and everything that it started is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from autograder.inside import confine, wire
from autograder.inside.runner import Notebook, serve

TICK = 0.1  # seconds between two looks at memory and processors


def main(descriptor: int, settings: dict[str, Any]) -> None:
    """Serve the grader's requests on the socket `descriptor` until it hangs up."""
    control = socket.socket(fileno=descriptor)
    if settings["open_up"]:
        confine.open_up(settings["open_up"])
    for library in settings["imports"]:
        __import__(library)
    _one_thread()
    notebook = Notebook()
    wire.send(control, wire.pack(notebook.prepare(settings["cells"])))
    load_filter = confine.system_call_filter()
    while True:
        message, handles, _, _ = socket.recv_fds(control, 1024**2, 3)
        if not message:
            return
        keeper = os.fork()
        if keeper == 0:
            try:
                _keep(notebook, json.loads(message), handles, load_filter)
            finally:
                os._exit(0)
        for handle in handles:
            os.close(handle)
        os.waitpid(keeper, 0)


def _one_thread() -> None:
    """A pool of threads does not survive a fork: torch computes with one."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)


def _keep(notebook: Notebook, wish: dict[str, Any], handles: list[int], load_filter: Callable[[], None]) -> None:
    """One child from its birth to its end, which is told through the leash.

    The keeper is a process of its own: who has once asked for a new process namespace bears all children there.
    """
    conversation, output, leash = handles
    limits = confine.Limits(**wish["limits"])
    if wish["confined"]:
        confine.new_process_namespace()
    child = os.fork()
    if child == 0:
        _child(notebook, wish, limits, (conversation, output), load_filter)
    os.close(conversation)
    os.close(output)
    line = socket.socket(fileno=leash)
    reason = _watch(child, line, limits)
    with line, contextlib.suppress(OSError):  # perhaps nobody waits for it any more
        line.sendall(reason.encode())


def _child(
    notebook: Notebook,
    wish: dict[str, Any],
    limits: confine.Limits,
    kept: tuple[int, int],
    load_filter: Callable[[], None],
) -> None:
    """Lock up and serve; never comes back."""
    try:
        connection = _only(*kept)
        if wish["confined"]:
            confine.confine(limits, wish["uid"], wish["needed"], wish["landlocked"], load_filter)
        wire.send(connection, wire.pack({"confined": True}))
        serve(notebook, connection, wish["seed"])
    except BaseException as error:  # before the first line of a student: it is our fault, and it is said
        os.write(2, f"the box: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(0)


def _only(conversation: int, output: int) -> socket.socket:
    """Keep the output as descriptors 1 and 2 and the conversation as 3; close every other one."""
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDONLY)
    spare = [os.dup2(number, 200 + place) for place, number in enumerate((nothing, output, output, conversation))]
    for place, number in enumerate(spare):
        os.dup2(number, place)
    os.closerange(len(spare), 4096)
    return socket.socket(fileno=3)


def _watch(child: int, leash: socket.socket, limits: confine.Limits) -> str:
    """Wait for the child's end and say how it came; kill it when the leash is cut or a limit is passed."""
    handle, reason, family = os.pidfd_open(child), "", _Family(child, limits)
    while True:
        ready, _, _ = select.select([handle, leash.fileno()], [], [], TICK)
        reason = "" if ready else family.too_much()
        if ready or reason:
            break
    os.close(handle)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # the first process of its namespace: the kernel kills all others with it
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return reason or (f"signal {-code}" if code < 0 else f"exit {code}")


class _Family:
    """What the child and its descendants take of the machine, together."""

    def __init__(self, child: int, limits: confine.Limits) -> None:
        self._child, self._limits = child, limits
        self._bytes = limits.memory_bytes + psutil.Process().memory_info().rss  # the libraries are in each of us
        self._clock, self._computed, self._beyond = time.monotonic(), 0.0, 0.0

    def too_much(self) -> str:
        """The limit that is passed: "memory" or "processors"; "" if none is."""
        try:
            members = [psutil.Process(self._child), *psutil.Process(self._child).children(recursive=True)]
            if self._memory(members) > self._bytes:
                return "memory"
            return "processors" if self._processors(members) > self._limits.processor_seconds else ""
        except psutil.Error:  # one of them has just ended; the next look is soon
            return ""

    def _memory(self, members: list[psutil.Process]) -> int:
        """Bytes. Shared pages are told apart only where the sum is too much."""
        held = sum(process.memory_info().rss for process in members)
        return held if held <= self._bytes else sum(process.memory_full_info().pss for process in members)

    def _processors(self, members: list[psutil.Process]) -> float:
        """Seconds computed beyond one processor's; a second on less than one wins nothing for later."""
        clock, computed = time.monotonic(), sum(sum(process.cpu_times()[:4]) for process in members)
        spent = max(0.0, computed - self._computed)  # less where one of them ended and nobody asked how
        self._beyond = max(0.0, self._beyond + spent - (clock - self._clock))
        self._clock, self._computed = clock, computed
        return self._beyond


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)  # nothing is to be saved, and to take torch down takes seconds
