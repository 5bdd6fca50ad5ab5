"""How tests are shared out between processes (`pytest -n 2 --dist loadgroup`), where that is asked for, each on its own
core; a browser; no limit of time for one example of hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("course", deadline=None)  # of a single example: a busy machine is no fault of the code
settings.load_profile("course")
GRADER = Path(__file__).parent / "autograder"
SITE_SECONDS = 1800  # the first test of the site waits for the whole book, which is built beside another worker
LONGEST = ("autograder", "test_real")  # begun first: one that begins last keeps a single process busy at the end


def pytest_configure(config: pytest.Config) -> None:
    """A worker, and all that it starts, keeps to one core. ftlab gives torch as many threads as it finds cores. Two
    workers that share out every sum between two threads each only wait for one another: some tests took four times as
    long.
    """
    if (worker := getattr(config, "workerinput", None)) and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker["workerid"].removeprefix("gw")) % len(cores)]})


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays in one process, for what its tests share. So does the grader, whose slots are the machine's."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        if _group(item) == "site":
            item.add_marker(pytest.mark.timeout(SITE_SECONDS))
    items.sort(key=lambda item: _group(item) not in LONGEST)


def _group(item: pytest.Item) -> str:
    if "site" in getattr(item, "fixturenames", ()):  # the whole book, which is built once
        return "site"
    return "autograder" if item.path.is_relative_to(GRADER) else item.path.stem


@pytest.fixture(scope="module")  # no longer: while one is open, Playwright refuses another in the same process
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()
