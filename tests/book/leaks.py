"""Text of the masters that no student may find in the book, and where it is found."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder import master

TEXT = {".html", ".js", ".json", ".txt", ".md", ".ipynb", ".inv", ".css", ".svg", ".xml", ""}
SHORTEST = 12  # letters and digits; shorter lines (`return`, `else`) say nothing


@dataclass(frozen=True)
class Secrets:
    """Lines that stand in the masters and in nothing that students get, squeezed."""

    solutions: tuple[str, ...]  # with model answers and rubrics
    tests: tuple[str, ...]  # hidden tests and anticipated wrong answers
    words: tuple[str, ...]  # long words that occur in solutions and model answers alone

    @property
    def all(self) -> tuple[str, ...]:
        return self.solutions + self.tests


def squeeze(text: str) -> str:
    """A page without tags, entities, white space and punctuation: highlighting and quotes make no difference."""
    return bare(html.unescape(re.sub(r"<[^>]*>", "", text)))


def bare(text: str) -> str:
    """The same of a source, in which `<` is no tag: one would swallow what follows, up to some `>` far below."""
    return re.sub(r"[\W_]+", "", text).lower()


def secrets(solutions: Path) -> Secrets:
    masters = master.load_all(solutions)
    found = [exercise for made in masters for exercise in made.exercises]
    shown = [part for e in found for part in (e.title, e.statement, e.stub, e.visible_tests, *e.hints, e.needs)]
    public = "\n".join(shown + [text for made in masters for text in _given(made)])
    answers = [part for e in found for part in (e.solution, e.rubric or "")]
    tests = [part for e in found for part in (e.hidden_tests, *(wrong.code for wrong in e.wrong))]
    words = _words(answers) - _words([public])
    return Secrets(_lines(answers, public), _lines(tests, public), tuple(sorted(words)))


def _given(made: master.Master) -> list[str]:
    """The cells that are no answers and no tests: students get them as they are."""
    return [cell.source for cell in made.cells if not (master.is_answer(cell) or master.is_test(cell))]


def _lines(texts: Iterable[str], public: str) -> tuple[str, ...]:
    lines, shown = {bare(line) for text in texts for line in text.splitlines()}, bare(public)
    return tuple(sorted(line for line in lines if len(line) >= SHORTEST and line not in shown))


def _words(texts: Iterable[str]) -> set[str]:
    return {word.lower() for text in texts for word in re.findall(r"[A-Za-z]{6,}", text)}


def found_in(folder: Path, lines: Iterable[str]) -> list[tuple[str, str]]:
    """(line, file) for every one of `lines` that stands somewhere below `folder`."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in TEXT]
    ours = {path: squeeze(path.read_text(errors="replace")) for path in files if "_static" not in path.parts}
    return [(line, path.name) for line in lines for path, text in ours.items() if line in text]
