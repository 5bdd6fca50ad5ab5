"""Exercises, embedded from their master: `{master-exercise} 05-sft` for all of it, `05-sft accuracy` for one.

The student edition takes statement, stub, visible tests and hints. Solution and rubric are read by the
instructor edition alone, so that no page, index or cache of the other can hold them.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from autograder.master import Exercise, Master, load
from ftlab.errors import unknown

from . import buttons, sources
from .directives import CourseDirective
from .markdown import code, dropdown, fence, parse

OPENING = "The notebook begins with a short introduction, and with a cell of what is given. The exercises follow:"
HINTS = ("a nudge", "the idea", "almost the line")
READING = ("autograder/master.py", "_config.yml")


class MasterExercise(CourseDirective):
    """All exercises of a master, or the ones named."""

    kind = "exercise"
    required_arguments = 1
    optional_arguments = 20

    def show(self) -> list[nodes.Node]:
        """The exercises."""
        topic, *names = self.arguments
        chosen = choose(self._master(topic), names)
        solved = self.config.ftbook_edition == "instructor"
        shown = [node for exercise in chosen for node in parse(self, markdown(topic, exercise, solved))]
        notebook = buttons.show(self, topic)
        notebook += parse(self, OPENING)
        return [notebook, *shown]

    def _master(self, topic: str) -> Master:
        folder = Path(self.env.srcdir) / self.config.ftbook_masters
        sources.stand_on(self.env, *sources.SHOWING, *READING, f"{self.config.ftbook_masters}/{topic}/*.md")
        path = folder / topic / f"{topic}.md"
        if not path.is_file():
            raise unknown("master", topic, sorted(p.parent.name for p in folder.glob("*/*.md")))
        return load(path)


def choose(found: Master, names: list[str]) -> list[Exercise]:
    """The exercises of these names, in this order; all where none is named. Raises CourseError for an unknown one."""
    by_name = {exercise.name: exercise for exercise in found.exercises}
    for name in names:
        if name not in by_name:
            raise unknown(f"exercise of {found.name}", name, list(by_name))
    return [by_name[name] for name in names] or list(found.exercises)


def markdown(topic: str, exercise: Exercise, solved: bool) -> str:
    """One exercise as an admonition; with solution and rubric where `solved`."""
    parts = [f"*{about(exercise)}*", exercise.statement]
    parts += [] if exercise.manual else [code(exercise.stub)]
    if exercise.visible_tests.strip():
        parts.append(dropdown("The tests you can see", code(exercise.visible_tests), "ft-dropdown ft-tests"))
    for number, (hint, kind) in enumerate(zip(exercise.hints, HINTS, strict=False), start=1):
        parts.append(dropdown(f"Hint {number}: {kind}", hint, "ft-dropdown ft-hint"))
    parts += solution(exercise) if solved else []
    options = f":class: ft-exercise\n:name: exercise-{topic}-{exercise.name}"
    return fence(f"{{admonition}} Exercise {exercise.number}: {exercise.title}", "\n\n".join(parts), options, depth=3)


def about(exercise: Exercise) -> str:
    """Minutes, difficulty, points, what it needs, and who marks it, on one line."""
    points = f"{exercise.points:g} point{'' if exercise.points == 1 else 's'}"
    marked = "answered in words, marked by a person" if exercise.manual else "marked by tests"
    return f"{exercise.minutes} minutes · {exercise.difficulty} · {points} · needs: {exercise.needs} · {marked}"


def solution(exercise: Exercise) -> list[str]:
    """Solution and, where a person marks it, the rubric: the instructor edition's part."""
    answer = exercise.solution if exercise.manual else code(exercise.solution)
    parts = [dropdown("Solution", answer, "ft-dropdown ft-solution")]
    return parts + ([dropdown("Rubric", exercise.rubric, "ft-dropdown ft-solution")] if exercise.rubric else [])


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("master-exercise", MasterExercise)
