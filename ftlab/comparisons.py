"""What people compare: two completions of one prompt, blind, in an order and on sides that chance decides.

Chance here is a hash of the pair, so the same pair comes again at the same place after a restart, on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ftlab.errors import CourseError
from ftlab.results import write_whole


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two completions of a prompt, and the models that wrote them (never shown to the person who labels)."""

    prompt: str
    completions: tuple[str, str]
    models: tuple[str, str]

    @property
    def id(self) -> str:
        """A short hash of the texts alone: it names the pair and tells nothing of the models."""
        return _hash(json.dumps([self.prompt, *self.completions]))[:12]


def paired(
    prompts: Sequence[str], ones: Sequence[str], others: Sequence[str], models: tuple[str, str]
) -> list[Comparison]:
    """The completions `ones` by models[0] beside `others` by models[1], one comparison for each prompt.

    Raises CourseError where the lists differ in length, and as `checked` does.
    """
    if not len(prompts) == len(ones) == len(others):
        raise CourseError(
            f"{len(prompts)} prompts have {len(ones)} and {len(others)} completions. Give two completions to each."
        )
    texts = zip(prompts, zip(ones, others, strict=True), strict=True)
    return checked(Comparison(prompt=prompt, completions=both, models=models) for prompt, both in texts)


def checked(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """These comparisons, if they can be labelled: one or more, each once, of two different texts. Or CourseError."""
    found = list(comparisons)
    if not found:
        raise CourseError("There is nothing to compare: the set has no pairs. Add some.")
    for number, comparison in enumerate(found, 1):
        if lack := _lack(comparison):
            raise CourseError(
                f"Pair {number} of the set ({comparison.prompt[:40]!r}) {lack}, so nobody can judge it. Leave it out."
            )
    name, times = Counter(comparison.id for comparison in found).most_common(1)[0]
    if times > 1:
        places = [str(number) for number, comparison in enumerate(found, 1) if comparison.id == name]
        raise CourseError(f"The pairs {' and '.join(places)} of the set have the same texts. Keep one of them.")
    return found


def _lack(comparison: Comparison) -> str:
    """What keeps a comparison from being judged; nothing where it can be."""
    one, other = comparison.completions
    if not comparison.prompt.strip():
        return "has no prompt"
    if not one.strip() or not other.strip():
        return "has an empty completion"
    return "has the same completion twice" if one == other else ""


def save(comparisons: Iterable[Comparison], path: Path | str) -> Path:
    """Write a set, one line of JSON a pair. Raises CourseError as `checked` does, and when the disk refuses."""
    lines = [json.dumps(asdict(comparison)) for comparison in checked(comparisons)]
    write_whole(Path(path), "\n".join(lines) + "\n")
    return Path(path)


def load(path: Path | str) -> list[Comparison]:
    """Read a set that `save` wrote. Raises CourseError where it is damaged, or as `checked` does."""
    from pydantic import TypeAdapter, ValidationError

    adapter, found = TypeAdapter(Comparison), list[Comparison]()
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"The pairs to compare cannot be read from {path}: {error}. Give another file.") from error
    for number, line in enumerate(lines, 1):
        try:
            found += [adapter.validate_json(line, strict=True)] if line.strip() else []
        except ValidationError as error:
            raise CourseError(
                f"{path}, line {number} is no pair to compare ({error.errors()[0]['msg']}). Each line is made by "
                "comparisons.save: a prompt, two completions and two models. Make the set again."
            ) from error
    return checked(found)


def dealt(comparisons: Iterable[Comparison], seed: int = 0) -> list[Comparison]:
    """The comparisons shuffled by `seed`: for everybody alike, so that two who stop early have judged the same ones."""
    return sorted(comparisons, key=lambda comparison: _hash(f"{seed} {comparison.id}"))


def left_of(comparison: Comparison, labeller: str, seed: int = 0) -> Literal[0, 1]:
    """Which of the two completions this person sees on the left; for each person and pair by a coin of its own."""
    return 1 if int(_hash(f"{seed} {comparison.id} {labeller}"), 16) % 2 else 0


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
