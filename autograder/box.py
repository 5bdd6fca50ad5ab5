"""The box around a student's code, seen from outside: a confined parent process, and one forked child a submission.

bubblewrap, where it is there, gives the parent a read-only system without network, without the course's solutions and
gradebook, and with a clean environment. Without it, and as root, the same is made from namespaces and Landlock.
Otherwise nothing runs. What happens inside is `autograder.inside`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autograder.inside import wire
from autograder.inside.confine import Limits as Limits
from autograder.records import InfrastructureError
from ftlab import checks

MODES = ("auto", "bubblewrap", "namespaces", "none")
FIRST_UID = 64000  # the child of slot n runs as the user FIRST_UID + n
IMPORTS = ("torch", "transformers", "numpy", "matplotlib", "ftlab")
START_SECONDS = 120.0
COURSE, ASSETS = "/course", "/assets"  # where ftlab and the fetched models are seen in the box
KEPT_OUTPUT = 10_000  # bytes of what is printed; the rest is counted and dropped


class BoxBroken(InfrastructureError):  # noqa: N818 - it reads better
    """The box itself failed: nobody's answer is to blame, and the submission can be tried again."""


class Ended(Exception):  # noqa: N818 - it is no error of ours
    """The child is gone, or had to be ended; the message says why, in words for the student."""

    def __init__(self, why: str, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


def choose(mode: str = "auto") -> str:
    """How students' code will be confined on this machine. Raises BoxBroken where it cannot be."""
    if mode not in MODES:
        raise BoxBroken(f"There is no sandbox {mode!r}. Choose one of {', '.join(MODES)}.")
    if mode != "auto":
        return mode
    if shutil.which("bwrap"):
        return "bubblewrap"
    if os.geteuid() == 0 and _landlock_there():
        return "namespaces"
    raise BoxBroken(
        "There is no sandbox here, so no student's code is run. Install bubblewrap (on Debian: apt-get install "
        "bubblewrap), or run as root on Linux 5.13 or newer. `autograder doctor` says more."
    )


def _landlock_there() -> bool:
    from landlock import landlock_abi_version

    with contextlib.suppress(OSError):
        return int(landlock_abi_version()) >= 1
    return False


class Box:
    """The confined parent, ready to fork: torch and transformers are imported, the leading given cells have run.

    `cells` are these, as (name, source). `slot` tells boxes that run at the same time apart. Use it as a context.
    """

    def __init__(
        self, cells: Sequence[tuple[str, str]] = (), mode: str = "auto", slot: int = 0, limits: Limits | None = None
    ) -> None:
        self.mode, self.limits, self._slot = choose(mode), limits or Limits(), slot
        self._latest: Session | None = None
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        alone = self.mode == "namespaces"
        self._needed = _readable() if alone else _python()
        open_up = self._needed if alone else []
        settings = json.dumps({"imports": IMPORTS, "cells": list(cells), "open_up": open_up})
        inside = [sys.executable, "-s", "-m", "autograder.inside", str(theirs.fileno()), settings]
        self._process = subprocess.Popen(
            [*_wrapping(self.mode), *inside],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_environment(COURSE if self.mode == "bubblewrap" else str(Path(__file__).parents[1])),
            cwd="/",
        )
        theirs.close()
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            self._said = _Drain(os.dup(stream.fileno()), 10**9)
        self._first_words(cells)

    def _first_words(self, cells: Sequence[tuple[str, str]]) -> None:
        try:
            reply = wire.unpack(wire.receive(self._control, START_SECONDS))
        except (EOFError, OSError, wire.Garbled) as error:
            self.close()
            raise BoxBroken(f"The sandbox ({self.mode}) did not start. {self._said.text() or error}") from error
        if "error" in reply:
            self.close()
            told = reply["error"]
            raise BoxBroken(f"The given cell {told['cell']!r} fails in the box: {told['type']}: {told['message']}")

    def session(self, seed: int) -> Session:
        """A new child for one submission. Raises BoxBroken where it cannot be made."""
        mine, theirs = socket.socketpair()
        leash, held = socket.socketpair()
        read, write = os.pipe()
        wish = {
            "limits": asdict(self.limits),
            "uid": FIRST_UID + self._slot if os.geteuid() == 0 and self.mode != "none" else None,
            "needed": self._needed,
            "landlocked": self.mode == "namespaces",
            "confined": self.mode != "none",
            "seed": seed,
        }
        try:
            socket.send_fds(self._control, [json.dumps(wish).encode()], [theirs.fileno(), write, held.fileno()])
        except OSError as error:
            raise BoxBroken(f"The sandbox has ended. {self._said.text()}") from error
        finally:
            theirs.close()
            held.close()
            os.close(write)
        self._latest = Session(mine, leash, _Drain(read, self.limits.output_bytes), self.limits)
        return self._latest

    def close(self) -> None:
        """End the parent, and with it all that still runs inside."""
        if self._latest is not None:
            self._latest.end()
        self._control.close()  # the parent hears it and leaves
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session:
    """One child: a conversation with a student's notebook. After `Ended`, it is over."""

    def __init__(self, conversation: socket.socket, leash: socket.socket, output: _Drain, limits: Limits) -> None:
        self._conversation, self._leash, self.output, self._limits = conversation, leash, output, limits
        self.alive = True
        try:
            ready = wire.unpack(wire.receive(conversation, START_SECONDS))
        except (EOFError, OSError, wire.Garbled) as error:
            self.end()
            raise BoxBroken(f"A child could not be confined. {self.output.text() or error}") from error
        if ready != {"confined": True}:
            raise BoxBroken("A child said something else than that it is confined.")

    def ask(self, seconds: float, **request: Any) -> dict[str, Any]:
        """The reply to a request, within so many seconds. Raises Ended where none came: the child is dead then."""
        if not self.alive:
            raise Ended("Your code has ended before.")
        message = wire.pack(request)
        deadline = time.monotonic() + seconds
        try:
            wire.send(self._conversation, message, seconds)
            reply = wire.unpack(wire.receive(self._conversation, max(0.001, deadline - time.monotonic())))
        except TimeoutError:
            self.end()
            raise Ended(f"It took longer than {seconds:g} seconds.", timed_out=True) from None
        except wire.Garbled:
            self.end()
            raise Ended("It wrote something that is no answer.") from None
        except (EOFError, OSError):
            raise Ended(self._why(self.end())) from None
        if type(reply) is not dict:
            self.end()
            raise Ended("It wrote something that is no answer.")
        return reply

    def end(self) -> str:
        """Kill the child and all that it started, wait until they are gone, and say how it ended."""
        if not self.alive:
            return ""
        self.alive = False
        self._conversation.close()
        reason = b""
        with self._leash, contextlib.suppress(OSError):
            self._leash.settimeout(10)
            self._leash.shutdown(socket.SHUT_WR)
            reason = self._leash.recv(100)
        return reason.decode()

    def _why(self, reason: str) -> str:
        if reason == "memory":
            return f"It took more than {self._limits.memory_bytes / 1024**3:.1f} GB of memory."
        if reason == "processors":
            return "It kept several processors busy at once. One is what a notebook has."
        if reason == f"signal {signal.SIGXCPU.value}":
            return "It computed for longer than the whole notebook may."
        return f"It ended the notebook's process ({reason or 'no reason is known'})."


class _Drain:
    """Reads what a process prints, so that it never waits; keeps the first part, and hangs up at `most` bytes."""

    def __init__(self, descriptor: int, most: int) -> None:
        self._descriptor, self._most, self._kept = descriptor, most, bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        count = 0
        with os.fdopen(self._descriptor, "rb", buffering=0) as stream:
            while count < self._most and (piece := stream.read(65536)):
                count += len(piece)
                self._kept += piece[: KEPT_OUTPUT - len(self._kept)] if len(self._kept) < KEPT_OUTPUT else b""

    def text(self) -> str:
        """What was printed, or its beginning."""
        self._thread.join(1)
        return self._kept.decode(errors="replace").strip()


# --- what stands around the parent ---------------------------------------------------------------------------


def _wrapping(mode: str) -> list[str]:
    if mode == "bubblewrap":
        return _bubblewrap()
    if mode == "namespaces":
        return ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    return []


def _bubblewrap() -> list[str]:
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--hostname", "grader", *_rights()]
    command += ["--clearenv", *_flat(("--setenv", name, value) for name, value in _environment(COURSE).items())]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(256 * 1024**2), "--tmpfs", "/tmp"]
    command += ["--perms", "1777", "--size", str(64 * 1024**2), "--tmpfs", "/dev/shm"]
    made: set[str] = set()
    for source, target in _mounts():
        for parent in reversed(Path(target).parents):
            if str(parent) not in made | {"/"}:
                made.add(str(parent))
                command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind", source, target]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--"]


def _rights() -> list[str]:
    """As root: only what confining a child takes. Otherwise: everything, in a user namespace that owns nothing."""
    if os.geteuid() != 0:
        return ["--unshare-user", "--cap-add", "ALL"]
    needed = ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL", "SYS_PTRACE", "SYS_RESOURCE")
    return ["--cap-drop", "ALL", *_flat(("--cap-add", f"CAP_{name}") for name in needed)]


def _mounts() -> Iterator[tuple[str, str]]:
    """What can be read in the box, and where: the system's programs, Python, ftlab, and the fetched models."""
    system = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib64",
        "/lib32",
        "/etc/ld.so.cache",
        "/etc/alternatives",
        "/etc/fonts",
    ]
    yield from ((path, path) for path in system if Path(path).exists())
    yield from ((path, path) for path in _python() if not path.startswith("/usr/"))
    package = Path(__file__).parent
    yield str(Path(checks.__file__).parent), f"{COURSE}/ftlab"
    yield str(package / "__init__.py"), f"{COURSE}/autograder/__init__.py"
    yield str(package / "inside"), f"{COURSE}/autograder/inside"
    if _assets().is_dir():
        yield str(_assets()), ASSETS


def _readable() -> list[str]:
    """What Landlock leaves readable where no bubblewrap hides the rest."""
    own = [source for source, _ in _mounts()]
    return [*own, *_python(), "/proc"]


def _python() -> list[str]:
    """What this Python and its environment consist of; beside it, in the same folder, may lie a whole course."""
    parts = ("bin", "include", "lib", "lib64", "share", "pyvenv.cfg")
    found = [Path(prefix, part) for prefix in dict.fromkeys([sys.base_prefix, sys.prefix]) for part in parts]
    return [str(path) for path in found if path.exists()]


def _assets() -> Path:
    import platformdirs

    return Path(os.environ.get("FTLAB_HOME") or platformdirs.user_cache_path("ftlab")).resolve()


def _environment(course: str) -> dict[str, str]:
    """All the variables there are in the box; `course` is the folder that ftlab lies in."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONPATH": course,
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",  # a pool of threads does not survive a fork
        "TOKENIZERS_PARALLELISM": "false",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "IPYTHONDIR": "/tmp/ipython",
        "HF_HUB_OFFLINE": "1",
        "FTLAB_HOME": ASSETS if course == COURSE else str(_assets()),
    }


def _flat(groups: Iterable[Sequence[str]]) -> list[str]:
    return [word for group in groups for word in group]
