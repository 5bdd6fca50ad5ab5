"""Runs that are kept: find one that was made already, make what is missing, tell what older code recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ftlab import hardware, provenance, results, runners
from ftlab.config import RunConfig
from ftlab.errors import CourseError

SEEDS = 5  # of every recorded run; the 95 % intervals of the book rest on these
RECORDED = Path("book/results")


def run_once(
    name: str, config: RunConfig, machine: hardware.Hardware, folder: Path, again: bool = False
) -> tuple[results.Result, Path, bool]:
    """The result of runner `name` with `config`, its file, and whether it was run just now.

    A result in `folder` with the same config and data, from the same kind of device, is returned as it is, unless
    `again`. Among several processes, the first alone writes.
    """
    runner = runners.get(name)
    path = folder / name / results.file_name(config.as_dict(), runner.data_version(config))
    if path.exists() and not again:
        kept = results.load(path)
        if kept.provenance.get("hardware", {}).get("device") == machine.device:
            return kept, path, False
    _require_writable(folder)
    result = runner.run(config, machine)
    if os.environ.get("RANK", "0") == "0":
        path = result.save(folder)
    return result, path, True


def _require_writable(folder: Path) -> None:
    """Find out before a run of minutes that its result could not be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CourseError(
            f"Results cannot be written to {folder}: {error.strerror}. Choose another folder with --out."
        ) from error


def planned(names: Sequence[str], seeds: int = SEEDS) -> Iterator[tuple[str, RunConfig]]:
    """Every run that the book shows: each variation of each runner, seed by seed."""
    for name in names:
        runner = runners.get(name)
        for seed in range(seeds):
            for variation in runner.RECORDED:
                yield name, runner.Config.make(runner.PROFILES, "cpu", {**variation, "seed": seed})


def record(names: Sequence[str], folder: Path, seeds: int, say: Callable[[str], None]) -> list[Path]:
    """Make the planned runs that `folder` lacks; an interrupted recording goes on where it stopped."""
    machine, files = hardware.resolve(), []
    plan = list(planned(names, seeds))
    for number, (name, config) in enumerate(plan, start=1):
        say(f"[{number}/{len(plan)}] {command(name, config)}")
        files.append(run_once(name, config, machine, folder)[1])
    return files


def stale(folder: Path) -> list[results.Result]:
    """The recorded runs whose numbers come from older code than what is here now."""
    return [
        run
        for run in results.load_all(folder)
        if run.runner not in runners.NAMES or run.provenance.get("code") != provenance.code_version(run.runner)
    ]


def command(name: str, config: RunConfig) -> str:
    """What to type for this run."""
    runner = runners.get(name)
    defaults: dict[str, Any] = runner.Config.make(runner.PROFILES, config.profile, {}).as_dict()
    return provenance.command(name, config.as_dict(), defaults)
