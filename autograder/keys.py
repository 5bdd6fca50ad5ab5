"""What a result depends on, as hashes: the same key means the same result, so nothing is graded twice.

Masters and grader are Python that may import any of our own modules. Which of these decide is read from their import
statements, so that none can be forgotten here.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import hmac
import importlib.util
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.checks import CourseError

if TYPE_CHECKING:
    from autograder.master import Master
    from autograder.records import Submission

OURS = ("autograder", "ftlab")
LIBRARIES = ("nbgrader", "numpy", "torch", "transformers")
INSIDE = "autograder.inside.__main__"  # started in the box by its name, so no import statement leads to it


def digest(*parts: str) -> str:
    """A hash of some texts; where one ends and the next begins counts."""
    found = hashlib.sha256()
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        found.update(f"{len(text)}:".encode() + text)
    return found.hexdigest()


def content(submission: Submission) -> str:
    """The hash that tells one submission of a student from another: what was handed in, or why it was refused."""
    return digest(submission.notebook, submission.refused)


def seed(secret: str, submission: Submission) -> int:
    """The seed of a submission's random inputs: always the same, and not to be foreseen without the class's secret."""
    message = digest(submission.assignment, submission.student, content(submission))
    return int(hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()[:8], 16)


class Grader:
    """One assignment with all that grades it, as a hash; `judge` is the module that holds the judge."""

    def __init__(self, master: Master, judge: str, boxed: bool) -> None:
        if _file(judge) is None:
            raise CourseError(f"There is no module {judge}, which should hold the judge. Install the course again.")
        modules = sorted(_reached([judge, INSIDE], "\n".join(_code(master))))
        texts = [digest(name, path.read_text(encoding="utf-8")) for name in modules if (path := _file(name))]
        libraries = [f"{name}=={version(name)}" for name in LIBRARIES]
        self._hash = digest(master.path.read_text(encoding="utf-8"), *texts, *libraries, f"boxed={boxed}")

    def key(self, content: str, seed: int) -> str:
        """The key of a submission's result."""
        return digest(self._hash, content, str(seed))


def _code(master: Master) -> Iterator[str]:
    return (cell.source for cell in master.cells if cell.cell_type == "code")


def _reached(roots: Iterable[str], code: str) -> set[str]:
    """The modules of ours that `roots` and a piece of code import, directly or not, by their dotted names."""
    reached: set[str] = set()
    waiting = [*roots, *_imported(code)]
    while waiting:
        name = waiting.pop()
        if name not in reached and (file := _file(name)):
            reached.add(name)
            waiting += _imported(file.read_text(encoding="utf-8"))
    return reached


@functools.lru_cache(maxsize=256)
def _imported(code: str) -> tuple[str, ...]:
    """What a text imports from our packages: 'from a import b' is both the module a and, if there is one, a.b."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:  # a line magic in a cell of the master; its whole text is part of the hash anyway
        nodes = [node for line in code.splitlines() if "import" in line for node in _statement(line)]
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] in OURS)


def _statement(line: str) -> list[ast.stmt]:
    try:
        return ast.parse(line.strip()).body
    except SyntaxError:
        return []


@functools.lru_cache(maxsize=1024)
def _file(name: str) -> Path | None:
    """The file of a module, or None where the name is something inside a module."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
