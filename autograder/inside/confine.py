"""How a freshly forked child locks itself in, before any code of a student runs in it.

The child is process 1 of its own process namespace. It gets private, sized /tmp and /dev/shm, resource limits, a user
id of its own, no capability, no way to new privileges, and a filter of system calls. Where no bubblewrap stands around
it, Landlock closes the file system as well. See bubblewrap's README on what namespaces alone do not close.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 4, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION = 0x20080522
SIGKILL, NETLINK = 9, 16

SERVICES = ("/run", "/var", "/home", "/srv", "/mnt", "/media")
# System calls that no exercise needs and that have opened sandboxes before.
FORBIDDEN = (  # noqa: SIM905 - a list of so many names is a page
    "unshare setns mount umount2 pivot_root chroot ptrace bpf keyctl add_key request_key perf_event_open userfaultfd "
    "io_uring_setup io_uring_enter io_uring_register open_by_handle_at name_to_handle_at process_vm_readv "
    "process_vm_writev fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr init_module finit_module "
    "delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl settimeofday clock_settime "
    "personality syslog kcmp pidfd_getfd lookup_dcookie sethostname setdomainname "
    # Memory that belongs to no process, so that nobody sees how much of it there is.
    "memfd_create memfd_secret shmget msgget"
).split()

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a submission may use. Seconds of the clock, bytes, numbers."""

    cell_seconds: float = 60.0  # one cell of the notebook
    call_seconds: float = 20.0  # one call of a function by a test
    total_seconds: float = 600.0  # the whole submission
    memory_bytes: int = 2 * 1024**3  # of all its processes together, above what the libraries take
    address_bytes: int = 8 * 1024**3  # address space of one process
    processes: int = 64  # processes and threads
    processor_seconds: float = 5.0  # computed beyond what one processor can do: other submissions need the others
    file_bytes: int = 100 * 1024**2  # one file
    disk_bytes: int = 64 * 1024**2  # /tmp; and as much again of shared memory
    output_bytes: int = 50 * 1024**2  # printed; then it is stopped
    open_files: int = 256


def confine(
    limits: Limits, uid: int | None, needed: Sequence[str], landlocked: bool, load_filter: Callable[[], None]
) -> None:
    """Lock this process in. `uid`: the user to become, None where a user namespace confines already.

    `needed`: what must stay readable, of which a part may lie below /tmp; with `landlocked`, Landlock closes the rest.
    Raises OSError where the kernel refuses a step: then nothing of a student may run.
    """
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS), "unshare")
    _mount_private(limits, needed)
    _limit(limits)
    _empty_bounding_set()  # takes a capability that goes with the user
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _prctl(PR_SET_PDEATHSIG, SIGKILL)  # after the change of user, which clears it
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _check(_libc.capset((ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()), "capset")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if landlocked:
        _landlock(needed)
    load_filter()


def new_process_namespace() -> None:
    """The next child of this process becomes the first of a new process namespace."""
    _check(_libc.unshare(CLONE_NEWPID), "unshare a process namespace")


def system_call_filter() -> Callable[[], None]:
    """A function that puts this process under the filter for good; what costs time is done now."""
    import pyseccomp

    found = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in FORBIDDEN:
        try:
            found.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
        except (OSError, ValueError):  # a name that this machine's libseccomp or processor does not have
            continue
    # clone3 hides its flags in memory, where a filter cannot look; the C library then falls back to clone.
    found.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    new_user = 0x10000000
    found.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, new_user, new_user))
    # Unix, the internet and netlink have lower numbers; a network namespace does not hold back all of the others.
    found.add_rule(pyseccomp.ERRNO(errno.EPERM), "socket", pyseccomp.Arg(0, pyseccomp.GT, NETLINK))
    # Linux shares its processors among sessions. Who makes more of them gets more, so a new one is only pretended.
    found.add_rule(pyseccomp.ERRNO(0), "setsid")
    return found.load


def open_up(needed: Sequence[str]) -> None:
    """Make folders readable that lie below one which only their owner may enter, in this mount namespace alone.

    An empty folder is mounted over the closed one, and what is needed is put back into it. Folders in which services
    keep their sockets are hidden, because Landlock does not stop anybody from connecting to one.
    """
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    for place in SERVICES:
        if Path(place).is_dir():
            _cover(place, "size=65536,mode=0755", needed)
    closed = (str(parent) for path in needed for parent in reversed(Path(path).parents) if not _open(parent))
    for parent in dict.fromkeys(closed):
        if not _open(Path(parent)):  # it may lie below one that is covered by now
            _cover(parent, "size=65536,mode=0755", needed)


def _open(folder: Path) -> bool:
    """Whether everybody may pass through it."""
    return bool(folder.stat().st_mode & 0o001)


def _mount_private(limits: Limits, needed: Sequence[str]) -> None:
    """A /tmp, a /dev/shm and a /proc of this process's own; nothing mounted here is seen outside."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    for place in ("/tmp", "/dev/shm"):
        if Path(place).is_dir():
            _cover(place, f"size={limits.disk_bytes},nr_inodes=10000,mode=1777", needed)
    try:
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    except OSError:  # inside some containers: then there is none at all
        _mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=4096,mode=0555")
    os.chdir("/tmp")


def _cover(place: str, options: str, needed: Sequence[str]) -> None:
    """Mount an empty folder over `place`, and put back what is needed of what lay below it."""
    kept = [(path, os.open(path, os.O_PATH)) for path in needed if path.startswith(f"{place}/")]
    _mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for path, handle in kept:
        source = f"/proc/self/fd/{handle}"
        _mount_point(Path(path), Path(source).is_dir())
        _mount(source, path, None, MS_BIND | MS_REC)
        os.close(handle)


def _mount_point(path: Path, is_folder: bool) -> None:
    """An empty folder or file to mount something on; the folders made for it can be read and not written."""
    made = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(made):
        parent.mkdir()
    if not path.exists():
        path.mkdir() if is_folder else path.touch()
    for parent in made:
        parent.chmod(0o555)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    done = _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), options.encode() or None)
    _check(done, f"mount {target}")


def _limit(limits: Limits) -> None:
    for what, most in (
        (resource.RLIMIT_AS, limits.address_bytes),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CPU, int(limits.total_seconds) + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _empty_bounding_set() -> None:
    """No program that is started from here on can bring a capability back."""
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # says no to numbers that this kernel does not know


def _landlock(readable: Sequence[str]) -> None:
    from landlock import FSAccess, Ruleset

    ctypes.set_errno(0)  # the library takes an error that an earlier call left for one of its own
    rules = Ruleset(restrict_rules=FSAccess.all())
    look = FSAccess.EXECUTE | FSAccess.READ_FILE
    for path in [path for path in readable if Path(path).exists()]:
        rules.allow(path, rules=look | FSAccess.READ_DIR if Path(path).is_dir() else look)
    rules.allow("/tmp", "/dev/shm", rules=FSAccess.all() & ~FSAccess.EXECUTE)
    rules.allow("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", rules=FSAccess.READ_FILE | FSAccess.WRITE_FILE)
    rules.apply()


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def _check(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
