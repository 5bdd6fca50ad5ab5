"""Decisions about machines that are not here: each is described, and the choice is looked at."""

from __future__ import annotations

import platform
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import hardware
from ftlab.errors import CourseError
from ftlab.hardware import GB, Accelerator, Batches, Hardware, Machine, PeakMemory, batches, resolve

A100 = Accelerator(kind="cuda", name="A100", memory_bytes=80 * GB, capability=(8, 0))
T4 = Accelerator(kind="cuda", name="T4", memory_bytes=15 * GB, capability=(7, 5))
M3 = Accelerator(kind="mps", name="Apple GPU", memory_bytes=12 * GB)
ARC = Accelerator(kind="xpu", name="Arc", memory_bytes=16 * GB)


def machine(*accelerators: Accelerator, processes: int = 1, memory: int = 16 * GB) -> Machine:
    return Machine(cores=8, memory_bytes=memory, accelerators=accelerators, processes=processes, world_size=processes)


@pytest.mark.parametrize(
    ("found", "device", "dtype"),
    [
        ((), "cpu", "float32"),
        ((A100,), "cuda", "bfloat16"),
        ((T4,), "cuda", "float32"),
        ((M3,), "mps", "float32"),
        ((ARC,), "xpu", "bfloat16"),
        ((M3, A100), "cuda", "bfloat16"),
    ],
)
def test_device_and_dtype(found: tuple[Accelerator, ...], device: str, dtype: str) -> None:
    chosen = resolve(machine(*found))
    assert (chosen.device, chosen.dtype) == (device, dtype)
    assert any(dtype in reason for reason in chosen.reasons), "the reason is said"


def test_a_device_can_be_asked_for() -> None:
    assert resolve(machine(A100), device="cpu").device == "cpu"
    with pytest.raises(CourseError, match="It has: cpu, cuda"):
        resolve(machine(A100), device="mps")


def test_processes_share_cores_and_memory() -> None:
    chosen = resolve(machine(processes=2))
    assert (chosen.threads, chosen.memory_bytes) == (4, 8 * GB)
    assert resolve(Machine(cores=1, memory_bytes=GB, processes=4)).threads == 1


@given(
    st.integers(1, 512),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 10**9),
    st.integers(10**6, 10**11),
)
def test_the_global_batch_is_kept(share: int, processes: int, example: int, memory: int) -> None:
    there = Hardware(device="cpu", name="CPU", dtype="float32", threads=1, memory_bytes=memory, world_size=processes)
    cut = batches(there, share * processes, example)
    assert cut.micro * cut.accumulation * processes == share * processes
    assert cut.micro == 1 or cut.micro * example <= memory // 2


def test_a_batch_that_cannot_be_shared_is_explained() -> None:
    with pytest.raises(CourseError, match="batch_size=2"):
        batches(resolve(machine(processes=2)), 3, 1)


def test_two_gigabytes_are_refused_before_the_run_not_in_it() -> None:
    small = resolve(machine(memory=2 * GB))
    hardware.require(small, GB, "A small run")
    with pytest.raises(CourseError, match=r"A big run needs about 3.0 GB .* 2.0 GB are free .* --profile smoke"):
        hardware.require(small, 3 * GB, "A big run")


def test_out_of_memory_is_tried_again_with_half() -> None:
    tried: list[int] = []

    def attempt(cut: Batches) -> str:
        tried.append(cut.micro)
        if cut.micro > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return "done"

    assert hardware.with_smaller_batches(attempt, Batches(16, 1)) == ("done", Batches(4, 4))
    assert tried == [16, 8, 4]


def test_other_errors_are_not_tried_again() -> None:
    def attempt(cut: Batches) -> None:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="a mistake of ours"):
        hardware.with_smaller_batches(attempt, Batches(16, 1))


def test_a_batch_of_one_that_does_not_fit_is_explained() -> None:
    def attempt(cut: Batches) -> None:
        raise RuntimeError("CUDA out of memory.")

    with pytest.raises(CourseError, match="Even one example"):
        hardware.with_smaller_batches(attempt, Batches(6, 1))


def test_a_container_limit_counts(tmp_path, monkeypatch) -> None:
    (tmp_path / "memory.max").write_text(str(2 * GB))
    (tmp_path / "memory.current").write_text(str(2 * GB))
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GB}\n")  # files kept in memory, free to drop
    (tmp_path / "cpu.max").write_text("100000 100000")
    monkeypatch.setattr(hardware, "CGROUP", tmp_path)
    found = hardware.probe()
    assert found.memory_bytes == GB
    assert found.cores == 1


def test_peak_memory_sees_what_was_freed_again(cpu: Hardware) -> None:
    hardware.use(cpu)  # which keeps freed memory; what an earlier test left there must not hide this one's
    earlier = bytearray(400 * 1024**2)
    earlier[::4096] = b"x" * len(earlier[::4096])
    del earlier
    with PeakMemory(cpu, interval=0.005) as before:
        time.sleep(0.02)
    with PeakMemory(cpu, interval=0.005) as memory:
        block = bytearray(200 * 1024**2)
        block[::4096] = b"x" * len(block[::4096])
        time.sleep(0.05)
        del block
    assert memory.bytes - before.bytes > 150 * 1024**2


def test_several_machines_share_the_batch_and_not_the_memory() -> None:
    two_nodes = resolve(Machine(cores=4, memory_bytes=8 * GB, processes=1, world_size=2))
    assert two_nodes.memory_bytes == 8 * GB
    assert batches(two_nodes, 16, 1).micro == 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
def test_freed_memory_is_kept_by_the_process(cpu: Hardware) -> None:
    """In a process of its own, since the setting cannot be undone: less is given back to the system than was freed."""
    code = """
import torch, psutil
from ftlab import hardware
hardware.use(hardware.resolve(hardware.Machine(cores=1, memory_bytes=2**33)))
big = torch.ones(64, 1024, 1024)
del big
print(psutil.Process().memory_info().rss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 256 * 1024**2
