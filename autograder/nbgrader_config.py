"""The course's settings for nbgrader: `c.merge(settings())` in an nbgrader_config.py, or Config for its API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traitlets.config import Config

CELL_SECONDS = 120
START_SECONDS = 120
NO_SUCH_TAG = "no-cell-has-this-tag"


def settings(course: Path | None = None, url: str = "") -> Config:
    """nbgrader's configuration, for the course folder `course` and the gradebook at `url` if these are given."""
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.course_id = "ftlab"
    if course is not None:
        config.CourseDirectory.root = str(course)
    if url:
        config.CourseDirectory.db_url = url
    config.Execute.timeout = CELL_SECONDS
    config.Execute.startup_timeout = START_SECONDS
    # "graceful", the default, hangs for seconds in about one of nine notebooks.
    config.Execute.shutdown_kernel = "immediate"
    # As shipped, a cell with the tag skip-execution is not run, and no output counts as a pass.
    config.Execute.skip_cells_with_tag = NO_SUCH_TAG
    config.Execute.extra_arguments = ["--IPKernelApp.log_level=ERROR"]
    return config
