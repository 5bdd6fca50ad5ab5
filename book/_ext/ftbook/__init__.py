"""The book's own Sphinx extension: exercises from their masters, numbers from recorded runs, claims with verdicts.

Editions: `FTBOOK_EDITION=instructor` adds solutions and rubrics. A student build never reads them into a page.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

from . import (
    claims,
    diagrams,
    exercises,
    explorers,
    gates,
    notebooks,
    numbers,
    quizzes,
    readers,
    sources,
)

EDITIONS = ("student", "instructor")


def _check_edition(app: Sphinx, config: Config) -> None:
    """An unknown edition stops the build; so does an instructor edition that would lie where readers look."""
    edition = config.ftbook_edition
    if edition not in EDITIONS:
        raise ConfigError(f"There is no edition {edition!r}. FTBOOK_EDITION is one of: {', '.join(EDITIONS)}.")
    if edition == "instructor" and Path(app.outdir) == Path(app.srcdir) / "_build" / "html":
        raise ConfigError(
            "The instructor edition holds the solutions, and _build/html is what gets published. Build it elsewhere: "
            "FTBOOK_EDITION=instructor jupyter-book build . -W --keep-going --path-output _build/instructor"
        )


def _begin(app: Sphinx, config: Config) -> None:
    """Mark the build as unfinished. If the one before is still marked, forget what it had read.

    Sphinx remembers a page as read before it has written it, so a build that was stopped, or that warned, would
    leave old pages for good.
    """
    mark = _mark(app)
    if mark.exists():
        (mark.parent / "environment.pickle").unlink(missing_ok=True)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _end(app: Sphinx, exception: Exception | None) -> None:
    """A build without exception and warning is finished."""
    if not exception and not app._warncount:
        _mark(app).unlink(missing_ok=True)


def _mark(app: Sphinx) -> Path:
    return Path(app.doctreedir) / "unfinished"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything. Paths are relative to the root of the repository, which is the source folder."""
    app.add_config_value("ftbook_edition", os.environ.get("FTBOOK_EDITION", "student"), "env", [str])
    app.add_config_value("ftbook_masters", "solutions", "env", [str])
    app.add_config_value("ftbook_results", "book/results", "env", [str])
    app.add_config_value("ftbook_claims", "book/claims.yml", "env", [str])
    app.connect("config-inited", _check_edition)
    app.connect("config-inited", _begin)
    app.connect("build-finished", _end)
    app.add_css_file("ftbook.css")
    for module in (sources, numbers, claims, exercises, diagrams, quizzes, explorers, readers, notebooks, gates):
        module.setup(app)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
