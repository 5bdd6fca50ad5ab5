"""Quizzes: `{quiz} 05-sft` shows the questions of book/quizzes/05-sft.yml.

An answer is a dropdown of sphinx-design, which is HTML's own <details>: a click, or Enter or Space, opens its
explanation. So a quiz needs no script, keeps no state, and may hold Markdown, mathematics and the roles of the book.

Not jupyterquiz 2.9: its questions are made by script, so there are none without one; it knows no Markdown; it writes
to the console at every click; and where MathJax is late it fetches one from a CDN.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from docutils import nodes
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from ftlab.errors import CourseError, unknown

from . import sources
from .directives import CourseDirective
from .markdown import dropdown, parse

FOLDER = "book/quizzes"
HOW = "Choose an answer by a click, or with the Tab key and Enter. It opens and says why it is right or wrong."
SEVERAL = "*More than one answer is right.*"
STRICT = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, strict=True)


class Answer(BaseModel):
    """One choice, and what to say to a reader who takes it."""

    model_config = STRICT

    answer: str = Field(min_length=1)
    correct: bool = False
    feedback: str = Field(min_length=1)


class Question(BaseModel):
    """A question with three or four answers, of which one is right; several where it says so."""

    model_config = STRICT

    question: str = Field(min_length=1)
    several: bool = False
    answers: list[Answer] = Field(min_length=3, max_length=4)

    @model_validator(mode="after")
    def _has_right_answers(self) -> Question:
        right = sum(answer.correct for answer in self.answers)
        if self.several and not 2 <= right < len(self.answers):
            raise ValueError(f"{right} answers are correct; `several: true` wants two or more, and one that is wrong")
        if not self.several and right != 1:
            raise ValueError(f"{right} answers are correct; mark one by `correct: true`, or write `several: true`")
        return self


QUIZ = TypeAdapter(list[Question])


class group(nodes.General, nodes.Element):  # noqa: N801 - docutils names its nodes so
    """A question with its answers, named by the question for who hears the page."""


class QuizDirective(CourseDirective):
    """The quiz named in the argument."""

    kind = "quiz"
    required_arguments = 1

    def show(self) -> list[nodes.Node]:
        """The questions."""
        questions = self._questions(self.arguments[0])
        quiz = nodes.container(classes=["ft-quiz"])
        quiz += parse(self, HOW)
        for number, question in enumerate(questions, start=1):
            quiz += self._group(f"quiz-{self.arguments[0]}-{number}", number, question)
        return [quiz]

    def _questions(self, name: str) -> list[Question]:
        sources.stand_on(self.env, *sources.SHOWING, f"{FOLDER}/{name}.yml")
        path = Path(self.env.srcdir) / FOLDER / f"{name}.yml"
        if not path.is_file():
            raise unknown("quiz", name, sorted(found.stem for found in path.parent.glob("*.yml")))
        return load(path)

    def _group(self, label: str, number: int, question: Question) -> nodes.Node:
        found = group(label=label)
        asked = nodes.container(ids=[label], classes=["ft-question"])
        asked += parse(self, f"**{number}.** {question.question}" + (f"\n\n{SEVERAL}" if question.several else ""))
        found += asked
        found += [node for answer in question.answers for node in parse(self, markdown(answer))]
        return found


def load(path: Path) -> list[Question]:
    """The five questions of a file. Raises CourseError, which names file and question, where it is malformed."""
    try:
        found = QUIZ.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is not YAML: {error}. Texts with a colon go below a `>-`.") from error
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        raise CourseError(f"{path}: {problems}. Correct it; book/quizzes/05-sft.yml shows how it goes.") from error
    if len(found) != 5:
        raise CourseError(f"{path} has {len(found)} questions; a quiz has five. Write more, or leave some out.")
    return found


def _problem(error: ErrorDetails) -> str:
    """What pydantic found, with places counted from one, as a reader of the file counts."""
    place = ", ".join(str(at + 1) if isinstance(at, int) else at for at in ("question", *error["loc"]))
    return f"{place.replace('question, ', 'question ', 1).replace('answers, ', 'answer ')}: {error['msg']}"


def markdown(answer: Answer) -> str:
    """An answer as a dropdown; its text opens with the verdict, so that colour is not all that tells."""
    verdict, css = ("Right.", "ft-right") if answer.correct else ("Not so.", "ft-wrong")
    return dropdown(" ".join(answer.answer.split()), f"**{verdict}** {answer.feedback}", f"ft-answer {css}")


def _visit_html(writer: HTML5Translator, node: group) -> None:
    named = {"role": "group", "aria-labelledby": node["label"]}
    writer.body.append(writer.starttag(node, "div", "", CLASS="ft-choices", **named))


def _depart_html(writer: HTML5Translator, node: group) -> None:
    writer.body.append("</div>")


def _nothing(writer: object, node: nodes.Node) -> None:
    """Other formats show the texts one after the other."""


def setup(app: Sphinx) -> None:
    """Register the directive and its look."""
    app.add_css_file("quiz.css")
    plain = (_nothing, _nothing)
    app.add_node(group, html=(_visit_html, _depart_html), latex=plain, text=plain, man=plain, texinfo=plain)
    app.add_directive("quiz", QuizDirective)
