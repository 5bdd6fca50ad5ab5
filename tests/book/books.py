"""Books to test on: copies of the repository's sources, runs that we made up, and jupyter-book itself."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ftbook import pdf

from ftlab.results import Result

ROOT = Path(__file__).parents[2]
NEEDED = ("_config.yml", "book/_ext", "book/_static", "book/references.bib", "exercises", "ftlab", "solutions")
OPEN_ALL = "document.querySelectorAll('details').forEach(e => { e.open = true })"  # what is folded, in a browser
NOT_SOURCES = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "jupyter_execute")


@dataclass(frozen=True)
class Build:
    """One run of jupyter-book: where it read, where it wrote, its exit code, what it said, how long it took."""

    tree: Path
    html: Path
    code: int
    said: str
    seconds: float


def build(tree: Path, edition: str = "student", out: Path | None = None) -> Build:
    """Build the book in `tree` as the Makefile does."""
    out = out or tree / "out"
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", ".", "-W", "--keep-going"]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "--path-output", str(out)],
        cwd=tree,
        env={**os.environ, "FTBOOK_EDITION": edition, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    return Build(tree, out / "_build" / "html", done.returncode, said, time.monotonic() - start)


def address(built: Build, name: str) -> str:
    """Where a browser opens this page of the book from the disk."""
    return (built.html / "book" / f"{name}.html").as_uri()


def copy(paths: tuple[str, ...], tree: Path) -> None:
    """Copy these files and folders of the repository to the same places below `tree`."""
    for name in paths:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_SOURCES)
        else:
            shutil.copy(source, target)


def pages() -> list[str]:
    """The names of the book's pages, in the order of _toc.yml."""
    return [Path(name).name for name in pdf.pages()]


def fake_run(seed: int, pretrained: bool, **metrics: float) -> Result:
    """A result as the sft runner writes it, with numbers of ours."""
    chance = random.Random(seed)
    found = {"accuracy": 0.8 + chance.uniform(-0.01, 0.01), "accuracy_before": 0.5 + chance.uniform(-0.01, 0.01)}
    config = {"profile": "cpu", "seed": seed, "pretrained": pretrained}
    command = f"ftlab run sft --profile cpu --seed {seed} --set pretrained={pretrained}"
    return Result(
        runner="sft",
        config=config,
        metrics={**found, **metrics},
        provenance={"data": "fake", "command": command},
    )


CODE_PAGE = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

# Code

```{{code-cell}} ipython3
{code}
```
"""


def code_page(code: str) -> str:
    """A page with one code cell."""
    return CODE_PAGE.format(code=code)
