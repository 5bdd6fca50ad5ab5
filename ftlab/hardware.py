"""What this machine has and what a run will use of it: device, dtype, threads, memory, batch. Says why, out loud.

`probe` looks at the machine; `resolve` decides, and is a pure function of what `probe` saw, so that every
decision can be tested without the machine in question.
"""

from __future__ import annotations

import gc
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ftlab.errors import CourseError

GB = 1024**3
CGROUP = Path("/sys/fs/cgroup")
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # options of glibc's malloc, from malloc.h
CUDA_BF16 = (8, 0)  # compute capability (Ampere) from which bfloat16 is done in hardware
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One GPU or the like: `kind` is 'cuda', 'xpu' or 'mps'; memory in bytes, free now."""

    kind: str
    name: str
    memory_bytes: int
    capability: tuple[int, int] | None = None  # CUDA only


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What was found. Memory in bytes, available to this process now (limits of a container included)."""

    cores: int
    memory_bytes: int
    accelerators: tuple[Accelerator, ...] = ()
    processes: int = 1  # of this run on this machine, when started by `accelerate launch`
    world_size: int = 1  # processes of this run on all machines


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a run will use. `dtype` is 'float32' or 'bfloat16'; memory in bytes; `reasons` are sentences."""

    device: str
    name: str
    dtype: str
    threads: int
    memory_bytes: int
    world_size: int = 1
    reasons: tuple[str, ...] = field(default=())


def probe() -> Machine:
    """Look at this machine. Imports torch, which takes a second or two."""
    import psutil

    cores = _cores()
    memory = min(psutil.virtual_memory().available, _cgroup_memory(), _address_space())
    return Machine(
        cores=cores,
        memory_bytes=memory,
        accelerators=_accelerators(),
        processes=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
    )


def resolve(machine: Machine | None = None, device: str = "auto") -> Hardware:
    """Choose device, dtype and threads for `machine` (this one by default).

    `device` is 'auto', 'cpu', or the kind of an accelerator that the machine has.
    Raises CourseError when that device is not there.
    """
    machine = machine or probe()
    found = {accelerator.kind: accelerator for accelerator in reversed(machine.accelerators)}
    if device == "auto":
        device = next((kind for kind in ("cuda", "xpu", "mps") if kind in found), "cpu")
    if device == "cpu":
        return _cpu(machine)
    if device not in found:
        here = ", ".join(["cpu", *sorted(found)])
        raise CourseError(f"There is no {device!r} device on this machine. It has: {here}. Try --device cpu.")
    return _accelerated(machine, found[device])


def _cpu(machine: Machine) -> Hardware:
    threads = max(1, machine.cores // machine.processes)
    why = (
        "The CPU is used, as asked." if machine.accelerators else "No GPU was found, so the CPU is used.",
        f"{threads} thread(s): {machine.cores} core(s) for {machine.processes} process(es).",
        "float32: most processors compute bfloat16 more slowly.",
    )
    return Hardware(
        device="cpu",
        name="CPU",
        dtype="float32",
        threads=threads,
        memory_bytes=machine.memory_bytes // machine.processes,
        world_size=machine.world_size,
        reasons=why,
    )


def _accelerated(machine: Machine, gpu: Accelerator) -> Hardware:
    bf16 = gpu.kind == "xpu" or (gpu.kind == "cuda" and (gpu.capability or (0, 0)) >= CUDA_BF16)
    dtype_reason = "it computes bfloat16 in hardware" if bf16 else "bfloat16 is not sure to be fast or exact here"
    why = (
        f"{gpu.name} ({gpu.kind}) is used: {gpu.memory_bytes / GB:.1f} GB free.",
        f"{'bfloat16' if bf16 else 'float32'}: {dtype_reason}.",
    )
    return Hardware(
        device=gpu.kind,
        name=gpu.name,
        dtype="bfloat16" if bf16 else "float32",
        threads=max(1, machine.cores // machine.processes),
        memory_bytes=gpu.memory_bytes,
        world_size=machine.world_size,
        reasons=why,
    )


@dataclass(frozen=True)
class Batches:
    """How a global batch is cut: `micro` examples a process at once, `accumulation` such steps a weight update."""

    micro: int
    accumulation: int

    def smaller(self) -> Batches:
        """The same global batch with less memory: half, or the next part that divides it evenly."""
        parts = next(parts for parts in range(2, self.micro + 1) if self.micro % parts == 0)
        return Batches(self.micro // parts, self.accumulation * parts)


def batches(hardware: Hardware, global_batch: int, bytes_per_example: int) -> Batches:
    """The largest micro batch that fits half of the memory, with the accumulation that keeps the global batch.

    Raises CourseError when `global_batch` does not divide by the number of processes.
    """
    share, rest = divmod(global_batch, hardware.world_size)
    if rest or share == 0:
        raise CourseError(
            f"A batch of {global_batch} cannot be shared equally by {hardware.world_size} processes. "
            f"Choose a multiple: --set batch_size={max(1, share) * hardware.world_size}."
        )
    cut = Batches(share, 1)
    while cut.micro > 1 and cut.micro * bytes_per_example > hardware.memory_bytes // 2:
        cut = cut.smaller()
    return cut


def require(hardware: Hardware, needed_bytes: int, what: str) -> None:
    """Raise CourseError when `what` needs more memory (bytes) than there is: better now than half-way."""
    if needed_bytes > hardware.memory_bytes:
        raise CourseError(
            f"{what} needs about {needed_bytes / GB:.1f} GB of memory, and {hardware.memory_bytes / GB:.1f} GB "
            f"are free on {hardware.name}. Close other programs, or use --profile smoke, which needs 1 GB."
        )


def with_smaller_batches(attempt: Callable[[Batches], T], first: Batches) -> tuple[T, Batches]:
    """Run `attempt`; after an out-of-memory error run it again with smaller micro batches.

    The global batch stays as it was, so the mathematics stays as it was. Raises CourseError when one example
    alone does not fit.
    """
    from accelerate.utils.memory import release_memory, should_reduce_batch_size

    cut = first
    while True:
        try:
            return attempt(cut), cut
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            if cut.micro == 1:
                raise CourseError(
                    "Even one example at a time does not fit in memory. Choose a smaller model or shorter texts "
                    "(--set max_length=64)."
                ) from error
        release_memory()
        cut = cut.smaller()


def use(hardware: Hardware) -> None:
    """Tell torch how many threads to use, and the C library to keep the memory that torch gives back."""
    import torch

    torch.set_num_threads(hardware.threads)
    if hardware.device == "cpu":
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """By default glibc returns every large tensor to the system and asks for a new one in the next step; the system
    then clears each page again. Keeping them made a GPT's training step a third to a half faster (see mallopt(3)).
    """
    if libc := _glibc():
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 256 * 1024**2)):
            libc.mallopt(option, value)


def _return_freed_memory() -> None:
    """Give back what is kept (malloc_trim(3)), so that a measurement does not count what an earlier training used."""
    gc.collect()
    if libc := _glibc():
        libc.malloc_trim(0)


def _glibc() -> Any:
    import ctypes

    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


class PeakMemory:
    """Measure the most memory (bytes) that this process, or the accelerator, holds inside a `with` block."""

    def __init__(self, hardware: Hardware, interval: float = 0.05) -> None:
        import psutil

        self.bytes = 0  # the most, in bytes
        self.start = 0  # what was held at the beginning; nothing counts on a GPU but its own bytes
        self._cuda = hardware.device == "cuda"
        self._interval = interval  # seconds between two looks at the process
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
        _return_freed_memory()
        self.start = 0 if self._cuda else self._resident_bytes()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._cuda:
            import torch

            self.bytes = torch.cuda.max_memory_allocated()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._resident_bytes())
            if self._stop.wait(self._interval):
                return

    def _resident_bytes(self) -> int:
        return int(self._process.memory_info().rss)


class Stopwatch:
    """Wall time in seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start


def _cores() -> int:
    """Cores that this process may use: its affinity, and the quota of a container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _read(CGROUP / "cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        allowed = min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return allowed


def _cgroup_memory() -> int:
    """Bytes left under a container's memory limit; without a limit, more than any machine has.

    Files that the system keeps in memory and would drop when asked (inactive_file) count as free.
    """
    limit = _read(CGROUP / "memory.max")
    if not limit.isdigit():
        return 2**62
    used = int(_read(CGROUP / "memory.current") or 0)
    pairs = [line.split() for line in _read(CGROUP / "memory.stat").splitlines()]
    return int(limit) - used + sum(int(value) for name, value in pairs if name == "inactive_file")


def _address_space() -> int:
    """Bytes that `ulimit -v` leaves; without a limit, more than any machine has."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 2**62
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return 2**62 if soft == resource.RLIM_INFINITY else soft


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _accelerators() -> tuple[Accelerator, ...]:
    import torch

    found: list[Accelerator] = []
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        name, capability = torch.cuda.get_device_name(), torch.cuda.get_device_capability()
        found.append(Accelerator(kind="cuda", name=name, memory_bytes=free, capability=capability))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        properties: Any = torch.xpu.get_device_properties()
        found.append(Accelerator(kind="xpu", name=properties.name, memory_bytes=properties.total_memory))
    if torch.backends.mps.is_available():
        memory = torch.mps.recommended_max_memory()
        found.append(Accelerator(kind="mps", name="Apple GPU", memory_bytes=memory))
    return tuple(found)
