"""Buttons above the exercises, and what Binder is told."""

from __future__ import annotations

import os
import re
import tomllib
from types import SimpleNamespace

import pytest
import yaml
from books import ROOT, Build, build
from conftest import Mini
from ftbook import buttons

from ftlab.errors import CourseError

OURS = buttons.Repository("some/course", "main")


def test_the_repository_is_the_one_of_the_configuration() -> None:
    options = {"repository_url": "https://github.com/some/course/", "repository_branch": "main"}
    assert buttons.repository(SimpleNamespace(html_theme_options=options)) == OURS
    with pytest.raises(CourseError, match="https://github.com/OWNER/REPO"):
        buttons.repository(SimpleNamespace(html_theme_options={"repository_url": "https://example.org/x"}))


def test_each_button_leads_to_the_notebook() -> None:
    text = buttons.markdown("05-sft", OURS, instructor=False)
    assert text.count("exercises/05-sft/05-sft.ipynb") == 3 and "solutions" not in text
    assert "https://colab.research.google.com/github/some/course/blob/main/exercises/05-sft/05-sft.ipynb" in text
    assert "https://mybinder.org/v2/gh/some/course/main?urlpath=lab/tree/exercises/05-sft/05-sft.ipynb" in text


def test_an_instructor_can_edit_the_master() -> None:
    text = buttons.markdown("05-sft", OURS, instructor=True)
    assert "https://github.com/some/course/edit/main/solutions/05-sft/05-sft.md" in text


@pytest.mark.slow
def test_an_exercise_without_its_notebook_fails_the_build(mini: Mini) -> None:
    tree = mini(home="# Home\n\n```{master-exercise} 05-sft\n```\n")
    (tree / "exercises" / "05-sft" / "05-sft.ipynb").unlink()
    failed = build(tree)
    assert failed.code != 0 and "05-sft.ipynb" in failed.said


@pytest.mark.slow
@pytest.mark.assets
def test_the_notebook_to_download_is_the_released_one(site: Build) -> None:
    page = site.html / "book" / "05-sft.html"
    [address] = re.findall(r'href="([^"]*_downloads/[^"]*/05-sft\.ipynb)"', page.read_text())
    released = ROOT / "exercises" / "05-sft" / "05-sft.ipynb"
    assert (page.parent / address).read_bytes() == released.read_bytes()
    where = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    assert f"{where['url']}/edit/{where['branch']}/book/05-sft.md" in page.read_text()


def test_binder_gets_a_python_and_extras_that_the_course_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())["dependencies"]
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    extras = re.findall(r"'\.\[(\w+)\]'", script.read_text())
    assert extras and set(extras) <= set(project["optional-dependencies"])
    assert f"pytorch-cpu{_bound(project['dependencies'], 'torch')}" in wanted and "python=3.11" in wanted


def _bound(dependencies: list[str], name: str) -> str:
    [found] = [bound for bound in dependencies if re.match(rf"{name}[<>=]", bound)]
    return found.removeprefix(name).split(",")[0]
