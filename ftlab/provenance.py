"""Under which circumstances a number came about: versions, machine, code, commit, and the command to repeat it."""

from __future__ import annotations

import ast
import datetime
import functools
import hashlib
import importlib.metadata
import platform
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftlab.config import RunConfig
from ftlab.hardware import Batches, Hardware

LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "peft", "trl", "numpy")
HERE = Path(__file__).parent
# These check, name, show and keep numbers, and make none: a change in them leaves recorded runs as good as they were.
MAKES_NO_NUMBERS = {"config", "errors", "provenance", "results"}


def of(
    runner: str,
    config: RunConfig,
    presets: Mapping[str, Mapping[str, Any]],
    hardware: Hardware,
    data: str,
    batches: Batches | None = None,
) -> dict[str, Any]:
    """The provenance of one run; `data` is the fingerprint of what it saw, `batches` how a global batch was cut."""
    defaults = type(config).make(presets, config.profile, {}).as_dict()
    found = circumstances(runner, config.as_dict(), defaults, hardware, data)
    return found | ({"batch": {"micro": batches.micro, "accumulation": batches.accumulation}} if batches else {})


def circumstances(
    runner: str, config: Mapping[str, Any], defaults: Mapping[str, Any], hardware: Hardware, data: str
) -> dict[str, Any]:
    """The provenance of one run; `data` is the fingerprint of what it trained and tested on."""
    return {
        "command": command(runner, config, defaults),
        "data": data,
        "code": code_version(runner),
        "commit": commit(),
        "recorded": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {
            "device": hardware.device,
            "name": machine_name(hardware),
            "dtype": hardware.dtype,
            "threads": hardware.threads,
            "processes": hardware.world_size,
        },
    }


def command(runner: str, config: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """What to type to repeat a run: only the fields that differ from the profile's own values."""
    changed = {k: v for k, v in config.items() if v != defaults.get(k) and k not in ("profile", "seed")}
    sets = "".join(f" --set {shlex.quote(f'{name}={value}')}" for name, value in changed.items())
    return f"ftlab run {runner} --profile {config['profile']} --seed {config['seed']}{sets}"


@functools.cache
def code_version(runner: str) -> str:
    """A short hash of the code that makes this runner's numbers: the runner, and all that it imports from ftlab."""
    digest = hashlib.sha256()
    for file in sorted(_code_of(HERE / "runners" / f"{runner}.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _code_of(file: Path) -> set[Path]:
    """`file` and the files of ftlab that it imports, directly or by others."""
    found, open_ends = {file}, [file]
    while open_ends:
        new = _imported(open_ends.pop()) - found
        found |= new
        open_ends += new
    return found


def _imported(file: Path) -> set[Path]:
    """The modules of ftlab that `file` imports in its code (and not for types alone)."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {id(n) for block in ast.walk(tree) if _for_types(block) for n in ast.walk(block)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in typing_only]
    dotted = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    names = {name.split(".")[1] for name in dotted if name.startswith("ftlab.")} - MAKES_NO_NUMBERS
    return {HERE / f"{name}.py" for name in names if (HERE / f"{name}.py").is_file()}


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@functools.cache
def commit() -> str:
    """The git commit of this checkout, '+' behind it where code of ftlab was changed; 'unknown' outside of git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """The installed version of each library that can change a number."""
    found = {name: importlib.metadata.version(name) for name in LIBRARIES if _installed(name)}
    return dict(found)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def machine_name(hardware: Hardware) -> str:
    """The accelerator's name, or the processor's."""
    return hardware.name if hardware.device != "cpu" else _processor()


def _processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
