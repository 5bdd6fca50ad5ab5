"""The architecture, held by tests: who may import whom, and what the course's texts may use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ftlab

ROOT = Path(__file__).parents[1]
# From the ground up: a module imports only from those before it.
FLOORS = [
    "errors", "config", "hardware", "results", "figures", "checks", "provenance", "claims", "exercises", "notebooks",
    "progress", "checking", "costs", "explorers",
    "savings", "preferences", "comparisons", "labels", "sittings", "labelled", "labellers", "assets", "data", "leaks",
    "careless", "verdicts", "passages", "spans", "language", "masked", "models", "domains", "adapters", "anchors",
    "footprint", "readers", "probes", "completions", "policies", "divergence", "gold", "training", "two_ways",
    "classifier", "rewards", "ppo", "rloo", "best_of", "feedback", "stages", "preference_losses", "preference_training",
    "frontiers", "pretraining", "runners", "recording", "exhibits", "widgets", "magic", "cli", "__main__",
]  # fmt: skip

PUBLISHED = [
    "*.md", "*.txt", "*.toml", "*.yml", "Makefile", "tools/*", "ftlab/**/*.py", "autograder/**/*.py",
    "autograder/templates/*", "book/**/*.md", "book/**/*.py", "book/results/**/*.json", "solutions/**/*.md",
    "exercises/**/*.ipynb",
]  # fmt: skip


def imports(file: Path) -> Iterator[str]:
    """The dotted names that a Python file imports, 'from a import b' as 'a.b'."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """The module of ftlab that a dotted name lies in."""
    return name.split(".")[1]


def test_every_module_stands_on_a_floor() -> None:
    assert {file.stem for file in (ROOT / "ftlab").glob("*.py")} - {"__init__"} <= set(FLOORS)
    assert set(ftlab.__all__) <= set(FLOORS)


@pytest.mark.parametrize("file", sorted((ROOT / "ftlab").glob("*.py")), ids=lambda file: file.stem)
def test_modules_import_only_from_floors_below(file: Path) -> None:
    if file.stem == "__init__":
        return
    below = FLOORS[: FLOORS.index(file.stem)]
    used = {room(name) for name in imports(file) if name.startswith("ftlab.")}
    assert used <= set(below)


@pytest.mark.parametrize("file", sorted((ROOT / "ftlab" / "runners").glob("*.py")), ids=lambda file: file.stem)
def test_runners_import_only_from_below_and_not_one_another(file: Path) -> None:
    used = {room(name) for name in imports(file) if name.startswith("ftlab.")}
    assert used <= set(FLOORS[: FLOORS.index("runners")])


@pytest.mark.parametrize("file", sorted((ROOT / "ftlab" / "widgets").glob("*.py")), ids=lambda file: file.stem)
def test_widgets_import_only_from_below(file: Path) -> None:
    used = {room(name) for name in imports(file) if name.startswith("ftlab.")}
    assert used <= set(FLOORS[: FLOORS.index("widgets") + 1])


def test_ftlab_and_autograder_meet_at_checks_only() -> None:
    for file in (ROOT / "ftlab").rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("autograder")], file
    for file in (ROOT / "autograder").rglob("*.py"):
        used = {name for name in imports(file) if name.startswith("ftlab")}
        assert all(name.startswith("ftlab.checks") for name in used), (file, used)


def code_cells(text: str) -> Iterator[str]:
    """The code of a MyST notebook's cells, without their YAML heads and line magics."""
    for cell in re.findall(r"^```\{code-cell\}.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        body = re.sub(r"\A---\n.*?\n---\n", "", cell, flags=re.DOTALL)
        yield "\n".join(line for line in body.splitlines() if not line.startswith((":", "%", "!")))


@pytest.mark.parametrize("file", [*ROOT.glob("book/*.md"), *ROOT.glob("solutions/*/*.md")], ids=lambda file: file.stem)
def test_texts_use_only_what_ftlab_exports(file: Path, tmp_path: Path) -> None:
    cells = list(code_cells(file.read_text()))
    (tmp_path / "cells.py").write_text("\n".join(cells))
    for name in imports(tmp_path / "cells.py"):
        if name.startswith("ftlab"):
            assert room(name) in ftlab.__all__ and name.count(".") == 1, name
    if file.parent.name == "book":
        assert max((len(cell.strip().splitlines()) for cell in cells), default=0) <= 12, "cells are small"


def test_no_path_of_a_machine_and_no_registry_slipped_in() -> None:
    """Committed texts name no path of one machine and no host of a package registry."""
    forbidden = re.compile("|".join(["/" + "work/", "/" + "root/", "pypi" + r"\.org", "registry" + r"\.npmjs"]))
    for pattern in PUBLISHED:
        for file in ROOT.glob(pattern):
            if file.is_file():
                assert not forbidden.search(file.read_text()), file
