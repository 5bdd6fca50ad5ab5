"""Is the box tight on this machine? Tries to break out of it in every way that a student might, and says what held.

Each probe is a cell that runs in the box as a student's would. It sets `escaped` to what it got hold of; an OSError
means that the system said no. Probes of limits have to be stopped from outside.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from autograder.box import Box, BoxBroken, Ended, Limits

SMALL = Limits(cell_seconds=2.0, total_seconds=20.0, memory_bytes=256 * 1024**2, output_bytes=2 * 1024**2)
SECRET = "AUTOGRADER_DOCTOR_SECRET"
LEFTOVER = "86399.25"  # seconds: the argument by which a process that was left behind is found again

# Beside what they set, these cells know: PORT of a service on this machine, FILES that only the instructor may read,
# and PLACES where nothing may be written.
ESCAPES: dict[str, str] = {
    "read the course, its solutions and gradebook": """
escaped = []
for file in FILES:
    try:
        escaped.append(open(file, 'rb').read(20))
    except OSError:
        pass
""",
    "write outside its own /tmp": """
escaped = []
for place in PLACES:
    try:
        open(os.path.join(place, 'planted-by-the-doctor'), 'w').close()
        escaped.append(place)
    except OSError:
        pass
""",
    "read the passwords of the system": "escaped = open('/etc/shadow').read()",
    "see other processes": "escaped = {p for p in os.listdir('/proc') if p.isdigit()} - {'1', str(os.getpid())}",
    "kill the process above it": "escaped = os.getppid() != 0 and os.kill(os.getppid(), 9) is None",
    "reach a service on this machine": "escaped = socket.create_connection(('127.0.0.1', PORT), 1)",
    "reach the network": "escaped = socket.create_connection(('192.0.2.1', 80), 1)",
    "reach the machine that this one runs on": "escaped = socket.socket(40, socket.SOCK_STREAM)",
    "read the instructor's environment": f"escaped = os.environ.get('{SECRET}')",
    "become root": "os.setuid(0); escaped = True",
    "make a namespace of its own": "escaped = libc.unshare(0x10000000) == 0",
    "mount something": "escaped = libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None) == 0",
    "trace a process": "escaped = libc.ptrace(0, 0, 0, 0) == 0",
    "load a program into the kernel": "escaped = libc.syscall(321, 0, 0, 0) >= 0",
    "keep a capability": """
escaped = [line for line in open('/proc/self/status') if line.startswith('Cap') and int(line.split()[1], 16)]
""",
    "gain privileges by a program": "escaped = libc.prctl(39, 0, 0, 0, 0) != 1",
    "run as the instructor": "escaped = os.getuid() == 0",
    "use more than so many processes": f"""
escaped, born = False, 0
while born < {SMALL.processes + 10}:
    if os.fork() == 0:
        time.sleep(30)
    born += 1
escaped = True
""",
    "write a file of 200 MB": "open('/tmp/large', 'wb').write(bytes(200 * 1024**2)); escaped = True",
    "fill the memory that looks like a disk": """
for number in range(200):
    open(f'/dev/shm/{number}', 'wb').write(bytes(1024**2))
escaped = True
""",
    "print without end": "while True: print('x' * 10_000)",
}
STOPPED: dict[str, str] = {
    "compute without end": "while True: pass",
    "sleep and ignore interrupts": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)",
    "take all memory": "kept = [bytes([n % 255 + 1]) * 10**7 for n in range(10**6)]",
    "end its own process": "os._exit(0)",
    "crash": "ctypes.string_at(0)",
}
_SYSTEM_SAYS_NO: list[type] = [OSError, *OSError.__subclasses__(), *ConnectionError.__subclasses__()]
REFUSALS = [error.__name__ for error in _SYSTEM_SAYS_NO]
PRELUDE = "import ctypes, os, socket, subprocess, sys, time\nlibc = ctypes.CDLL(None)\nescaped = None\n"


class Finding(NamedTuple):
    """How one attempt ended: `held` is what it should be; `seen` says what came of it."""

    attempt: str
    held: bool
    seen: str


@dataclass(frozen=True)
class Examination:
    """The findings in one mode; `refused` says why the mode is not to be had here."""

    mode: str
    findings: tuple[Finding, ...] = ()
    start_seconds: float = 0.0
    child_seconds: float = 0.0
    refused: str = ""

    @property
    def tight(self) -> bool:
        """Whether the mode works here and every attempt failed."""
        return bool(self.findings) and all(finding.held for finding in self.findings)


def examine(mode: str, course: Path) -> Examination:
    """Try everything in one mode. `course` is the folder whose files must not be readable."""
    start = time.monotonic()
    try:
        with _surroundings(course) as known, Box(mode=mode, limits=SMALL) as box:
            started = time.monotonic() - start
            before = time.monotonic()
            box.session(0).end()
            child = time.monotonic() - before
            return Examination(mode, tuple(_findings(box, known)), round(started, 1), round(child, 3))
    except BoxBroken as error:
        return Examination(mode, refused=str(error))


@contextlib.contextmanager
def _surroundings(course: Path) -> Iterator[dict[str, object]]:
    """What the probes try to get at: a service, a secret variable, the course's own files."""
    own = Path(__file__).resolve()
    files = [*course.glob("solutions/*/*.md"), *course.glob("*.db"), own.with_name("judge.py"), own]
    os.environ[SECRET] = "found"
    try:
        with socket.create_server(("127.0.0.1", 0)) as service:
            yield {
                "PORT": service.getsockname()[1],
                "FILES": [str(path.resolve()) for path in files],
                "PLACES": ["/", "/usr", "/etc", "/var/tmp", str(Path.home()), str(course.resolve()), str(own.parent)],
            }
    finally:
        del os.environ[SECRET]


def _findings(box: Box, known: Mapping[str, object]) -> Iterator[Finding]:
    setting = PRELUDE + "".join(f"{name} = {value!r}\n" for name, value in known.items())
    for attempt, code in ESCAPES.items():
        yield _escape(box, attempt, setting + code)
    for attempt, code in STOPPED.items():
        yield _stopped(box, attempt, setting + code)
    yield _left_behind(box, setting)


def _escape(box: Box, attempt: str, code: str) -> Finding:
    """The box holds where the system says no, where the cell gets hold of nothing, and where it is stopped."""
    session = box.session(0)
    try:
        reply = session.ask(20, verb="run", name="probe", source=code + "\nescaped = repr(escaped) if escaped else ''")
        if "error" in reply:
            kind, message = reply["error"]["type"], reply["error"]["message"]
            return Finding(attempt, kind in REFUSALS, f"{kind}: {message}"[:80])
        escaped = session.ask(5, verb="get", name="escaped").get("value")
        return Finding(attempt, escaped == "", str(escaped)[:80] or "nothing to be had")
    except Ended as end:
        return Finding(attempt, True, str(end))
    finally:
        session.end()


def _stopped(box: Box, attempt: str, code: str) -> Finding:
    """The box holds where the child is ended within its time, and the next one is well."""
    session, start = box.session(0), time.monotonic()
    try:
        session.ask(SMALL.cell_seconds * 3, verb="run", name="probe", source=code)
        return Finding(attempt, False, "it went on")
    except Ended as end:
        seen = f"{end} ({time.monotonic() - start:.1f} s)"
    finally:
        session.end()
    return Finding(attempt, _well(box), seen)


def _well(box: Box) -> bool:
    session = box.session(0)
    try:
        return session.ask(10, verb="run", name="probe", source="1 + 1") == {"ok": True}
    except Ended:
        return False
    finally:
        session.end()


def _left_behind(box: Box, setting: str) -> Finding:
    """A process that was sent into the background is gone when the child has ended."""
    import psutil

    session = box.session(0)
    start = f"child = subprocess.Popen(['sleep', '{LEFTOVER}'], start_new_session=True)"
    started = session.ask(10, verb="run", name="probe", source=setting + start) == {"ok": True}
    session.end()
    left = [process for process in psutil.process_iter(["cmdline"]) if LEFTOVER in (process.info["cmdline"] or [])]
    for process in left:
        process.kill()
    return Finding(
        "leave a process behind", started and not left, f"{len(left)} left" if left else "gone with the child"
    )
