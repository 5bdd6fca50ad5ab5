"""Small labelled probes, seven tasks, written for this course: what can a language model do without being trained?

The same questions go to every family. A model chooses among answers by their likelihood, or writes an answer itself.
Choosing: Holtzman et al. 2021 (Surface Form Competition), section 4. Overlap: Lin 2004 (ROUGE), section 2 (ROUGE-1 as
an F-score).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean as mean
from typing import Any

from ftlab.errors import CourseError, unknown
from ftlab.readers import Cloze, Reader

FOLDER = Path(__file__).parent / "probe_sets"
TASKS = (
    "sentiment",
    "fill_in",
    "generation",
    "conversation",
    "question_answering",
    "summarisation",
    "translation",
)
MORE = ("knowledge",)  # asked where forgetting is measured
FOUND = ("conversation", "question_answering")  # a written answer is right when it holds the words asked for
OVERLAP = ("summarisation", "translation")  # a written answer is compared with ours, word by word
GAP = "___"
OPTIONS = 4  # answers to choose among, at most


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question and its answer."""

    given: str
    answer: str
    wrong: tuple[str, ...] = ()  # wrong answers; where there are none, answers of other items serve
    accept: tuple[str, ...] = ()  # words (lower case) one of which a right written answer contains


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A task: its items, and how they are put to a model."""

    task: str
    prompt: str  # with {given} and {answer}, for a model that goes on with a text
    request: str = "{given}"  # with {given}, for a model that answers a person
    items: tuple[Item, ...]

    def cloze(self, given: str, answer: str) -> Cloze:
        """The item as a text with `answer` in its place."""
        if GAP in given:
            before, after = given.split(GAP)
            return Cloze(before, answer, after)
        before, after = self.prompt.format(given=given, answer=GAP).split(GAP)
        return Cloze(before, answer, after)

    def first(self, count: int | None) -> Probe:
        """The same with the first `count` items only; None: all."""
        return replace(self, items=self.items[:count])


def load(task: str) -> Probe:
    """The probe of one of TASKS or MORE. Raises CourseError, naming all tasks, when there is none."""
    import yaml

    if task not in (*TASKS, *MORE):
        raise unknown("probe", task, [*TASKS, *MORE])
    entry = yaml.safe_load((FOLDER / f"{task}.yml").read_text(encoding="utf-8"))
    items = tuple(_item(item) for item in entry.pop("items"))
    return Probe(task=task, items=items, **entry)


def _item(entry: dict[str, Any]) -> Item:
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    return Item(**{**entry, **lists})


def options(probe: Probe, seed: int) -> list[list[str]]:
    """For each item the right answer, then up to three wrong ones, drawn by `seed` among the others' answers."""
    draw = random.Random(seed)
    answers = sorted({item.answer for item in probe.items})
    if len(answers) < 2:
        raise CourseError(f"The probe {probe.task!r} has one answer only: there is nothing to choose. Take more items.")
    return [[item.answer, *(item.wrong or _others(answers, item, draw))] for item in probe.items]


def _others(answers: Sequence[str], item: Item, draw: random.Random) -> list[str]:
    others = [answer for answer in answers if answer != item.answer]
    return draw.sample(others, min(OPTIONS - 1, len(others)))


def choose(reader: Reader, probe: Probe, seed: int) -> list[bool]:
    """For each item, whether the right answer scores highest among its options.

    The score is by how much the question makes the answer likelier: log P(answer | question) - log P(answer | no
    question). Without the second part a short or common answer would win wherever it stood.
    """
    offered = options(probe, seed)
    asked = [(item.given, answer) for item, some in zip(probe.items, offered, strict=True) for answer in some]
    priors = sorted({answer for _, answer in asked})
    alone = dict(zip(priors, reader.log_likelihood([_unasked(probe, answer) for answer in priors]), strict=True))
    likely = reader.log_likelihood([probe.cloze(given, answer) for given, answer in asked])
    scores = iter(found - alone[answer] for found, (_, answer) in zip(likely, asked, strict=True))
    chosen = [[next(scores) for _ in some] for some in offered]
    return [max(row) == row[0] and row.count(row[0]) == 1 for row in chosen]


def _unasked(probe: Probe, answer: str) -> Cloze:
    return probe.cloze(GAP if probe.prompt == "{given}" else "", answer)


def chance(probe: Probe, seed: int) -> float:
    """The share of right answers that guessing gives."""
    shares = [1 / len(some) for some in options(probe, seed)]
    return sum(shares) / len(shares)


def written(reader: Reader, probe: Probe, tokens: int, sample: bool = False) -> list[str]:
    """What the model writes for each item, its first line; a model with a chat form is asked as a person would."""
    if reader.tokenizer.chat_template:
        beginnings = [_chat(reader, probe.request.format(given=item.given)) for item in probe.items]
    else:
        beginnings = [probe.cloze(item.given, "").before.rstrip() for item in probe.items]
    return [text.split("\n")[0] for text in reader.write(beginnings, tokens, sample)]


def _chat(reader: Reader, request: str) -> str:
    messages = [{"role": "user", "content": request}]
    return str(reader.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def found(text: str, item: Item) -> bool:
    """Whether `text` holds one of the accepted words, or the answer itself where none are named."""
    accepted = item.accept or (item.answer.lower(),)
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.lower()) for word in accepted)


def overlap(text: str, answer: str) -> float:
    """ROUGE-1 as an F-score: the words that both have, between 0 (none) and 1 (the same words)."""
    ours, theirs = (Counter(re.findall(r"\w+", part.lower())) for part in (text, answer))
    common = (ours & theirs).total()
    return 2 * common / (ours.total() + theirs.total()) if common else 0.0


def repeated(text: str) -> float:
    """The share of three words in a row that stood in `text` before; 0 for a text of fewer than four words."""
    words = text.lower().split()
    threes = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(threes)) / len(threes) if threes else 0.0


def marks(probe: Probe, answers: Sequence[str]) -> dict[str, float]:
    """The means of what is counted in the written answers to a probe, and in what copying the question would get."""
    pairs = list(zip(answers, probe.items, strict=True))
    if probe.task in FOUND:
        return {f"{probe.task}_written_accuracy": mean(found(text, item) for text, item in pairs)}
    if probe.task in OVERLAP:
        return {
            f"{probe.task}_f1": mean(overlap(text, item.answer) for text, item in pairs),
            f"{probe.task}_copied_f1": mean(overlap(item.given, item.answer) for item in probe.items),
        }
    return {f"{probe.task}_repeated_share": mean(repeated(text) for text in answers)}
