"""Buttons above the exercises of a chapter: the notebook to download, and where to open it.

The addresses follow from `repository` in _config.yml.
"""

from __future__ import annotations

from dataclasses import dataclass

from docutils import nodes
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from ftlab.errors import CourseError

from .markdown import parse

GITHUB = "https://github.com/"


@dataclass(frozen=True)
class Repository:
    """Where the course is published, `OWNER/REPO` on GitHub, and the branch that readers get."""

    name: str
    branch: str

    def colab(self, path: str) -> str:
        """Where Colab opens a notebook of the repository."""
        return f"https://colab.research.google.com/github/{self.name}/blob/{self.branch}/{path}"

    def binder(self, path: str) -> str:
        """Where Binder builds the repository (see binder/) and opens a file of it."""
        return f"https://mybinder.org/v2/gh/{self.name}/{self.branch}?urlpath=lab/tree/{path}"

    def edit(self, path: str) -> str:
        """Where a file is edited."""
        return f"{GITHUB}{self.name}/edit/{self.branch}/{path}"


def repository(config: Config) -> Repository:
    """The one that _config.yml names. Raises CourseError where it is not on GitHub, which Colab and Binder read."""
    url = str(config.html_theme_options.get("repository_url", ""))
    if not url.startswith(GITHUB):
        raise CourseError(f"repository.url in _config.yml is {url!r}. Write the one on GitHub: {GITHUB}OWNER/REPO")
    return Repository(url.removeprefix(GITHUB).strip("/"), config.html_theme_options.get("repository_branch") or "main")


def markdown(topic: str, found: Repository, instructor: bool) -> str:
    """The buttons of an assignment. The master, which holds the solutions, is for instructors to edit."""
    notebook = f"exercises/{topic}/{topic}.ipynb"
    links = [
        f"{{download}}`Download the notebook </{notebook}>`",
        f"[Open in Colab]({found.colab(notebook)})",
        f"[Open in Binder]({found.binder(notebook)})",
    ]
    links += [f"[Edit the master]({found.edit(f'solutions/{topic}/{topic}.md')})"] if instructor else []
    return "\n".join(f"- {link}" for link in links)


def show(directive: SphinxDirective, topic: str) -> nodes.Node:
    """The buttons as a list, for who hears the page; the style sheet puts them side by side."""
    config = directive.config
    box = nodes.container(classes=["ft-buttons"])
    box += parse(directive, markdown(topic, repository(config), config.ftbook_edition == "instructor"))
    return box
