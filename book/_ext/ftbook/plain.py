"""MyST Markdown of a chapter as the plain Markdown that Jupyter shows: directives and roles are written out."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from html import escape
from pathlib import Path

from pybtex.database import BibliographyData

from ftlab import claims

from . import citations, numbers, quizzes
from .claims import markdown as claim_markdown

ROOT = Path(__file__).parents[3]
IN_BOOK = "*(The book has more in this place.)*"
_FENCE = re.compile(
    r"^(?P<marks>`{3,}|~{3,})\{(?P<name>[\w-]+)\} ?(?P<argument>[^\n]*)\n(?P<body>.*?)^(?P=marks)$\n?", re.M | re.S
)
_CODE = r"^(?:`{3,}|~{3,})(?!\{).*?^(?:`{3,}|~{3,})$|`[^`\n]+`(?!`)"  # nothing is changed in there
_ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<text>[^`]*)`|" + _CODE, re.M | re.S)
_OPTION = re.compile(r"\A(?::[\w-]+:[^\n]*\n)+")
_COMMENT = re.compile(r"<!--.*?-->\n?|^%[^\n]*\n", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[(?P<label>[^\]]+)\]\((?!https?:)(?P<page>[^)#\s]*)(?:#[^)\s]*)?\)|" + _CODE, re.M | re.S)


@dataclass
class Plain:
    """Turns the texts of one chapter into plain Markdown; `cited` collects what they cite."""

    chapters: frozenset[str]  # the pages that have a notebook
    root: Path = ROOT
    cited: list[str] = field(default_factory=list)

    def text(self, source: str) -> str:
        """One Markdown cell. Raises CourseError where it names what there is not."""
        return self._inline(_FENCE.sub(self._directive, _COMMENT.sub("", source))).strip()

    def _directive(self, found: re.Match[str]) -> str:
        body = found["body"]
        options = _OPTION.match(body)
        show: Callable[[str, str, str], str] = getattr(self, f"_{found['name'].replace('-', '_')}", self._other)
        return (
            show(
                found["argument"].strip(),
                body[options.end() if options else 0 :].strip(),
                options[0] if options else "",
            )
            + "\n"
        )

    def _other(self, argument: str, body: str, options: str) -> str:
        return IN_BOOK

    def _admonition(self, argument: str, body: str, options: str) -> str:
        return "\n".join(f"> {line}".rstrip() for line in f"**{argument}**\n\n{self.text(body)}".splitlines())

    def _dropdown(self, argument: str, body: str, options: str) -> str:
        return f"<details><summary>{argument}</summary>\n\n{self.text(body)}\n\n</details>\n"

    def _diagram(self, argument: str, body: str, options: str) -> str:
        drawing = (
            (self.root / "book" / argument)
            .read_text(encoding="utf-8")
            .replace("<svg", '<svg style="background:#fff;width:40em"', 1)
        )
        alt = options.partition(":alt:")[2].strip().replace("[", "(").replace("]", ")")
        return (
            f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()})\n\n*{self.text(body)}*"
        )

    def _claim(self, argument: str, body: str, options: str) -> str:
        claim = claims.get(self._claims, argument)
        runs = self._runs(claim.runner)
        verdict = claims.judge(claim, runs)
        return self.text(claim_markdown(verdict, claims.commands(verdict, runs)))

    def _quiz(self, argument: str, body: str, options: str) -> str:
        asked = quizzes.load(self.root / quizzes.FOLDER / f"{argument}.yml")
        return "\n\n".join(self._question(number, question) for number, question in enumerate(asked, start=1))

    def _question(self, number: int, question: quizzes.Question) -> str:
        answers = "\n\n".join(quizzes.markdown(answer) for answer in question.answers)
        return self.text(f"**{number}.** {question.question}\n\n{answers}")

    def _master_exercise(self, argument: str, body: str, options: str) -> str:
        topic = argument.split()[0]
        return f"The exercises are a notebook of their own: `exercises/{topic}/{topic}.ipynb` in the repository."

    def _inline(self, text: str) -> str:
        """Roles and links outside of code."""
        text = _ROLE.sub(lambda found: self._role(found) if found["name"] else found[0], text)
        return _LINK.sub(lambda found: self._link(found) if found["label"] else found[0], text)

    def _link(self, found: re.Match[str]) -> str:
        page = Path(found["page"]).stem
        return f"[{found['label']}]({page}.ipynb)" if page in self.chapters else found["label"]

    def _role(self, found: re.Match[str]) -> str:
        text = " ".join(found["text"].split())  # a role may go on in the next line
        match found["name"]:
            case "result" | "mean" as name:
                shown, tip = numbers.tell(text, self._runs, short=name == "mean")
                return f'<abbr title="{escape(tip)}">{shown}</abbr>'
            case "setting":
                return numbers.tell_setting(text, self._runs)
            case "cite:p" | "cite:t" as name:
                self.cited += [key.strip() for key in text.split(",")]
                return citations.cite(self._library, text, in_text=name == "cite:t")
        return re.sub(r"\s*<[^>]*>$", "", text)

    def references(self) -> str:
        """What was cited so far, as a list."""
        return citations.listed(self._library, self.cited)

    @cached_property
    def _claims(self) -> dict[str, claims.Claim]:
        return claims.load(self.root / "book" / "claims.yml")

    @cached_property
    def _library(self) -> BibliographyData:
        return citations.load(self.root / "book" / "references.bib")

    @cached_property
    def _runs(self) -> numbers.Find:
        return cache(partial(numbers.runs_in, self.root, "book/results"))
