"""Preferences: two completions of one prompt, and which of them was liked better. JSON lines on disk, one pair a line.

Christiano et al. 2017 (Deep Reinforcement Learning from Human Preferences), section 2.2.1: a comparison of two is
easier to give, and more alike between people, than a mark for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.errors import CourseError
from ftlab.results import write_whole

if TYPE_CHECKING:
    from datasets import Dataset

Reward = Callable[[Sequence[str], Sequence[str]], Sequence[float]]  # prompts, completions: a number for each


@dataclass(frozen=True)
class Pair:
    """A prompt and two ways to go on with it. A completion begins with its own space: the text is prompt + completion.

    Raises CourseError where there is nothing to compare: no prompt, an empty completion, or twice the same one. Whether
    a text fits a model is checked where a tokenizer is known (ftlab/policies.py).
    """

    prompt: str
    chosen: str
    rejected: str

    def __post_init__(self) -> None:
        for name in ("prompt", "chosen", "rejected"):
            text = getattr(self, name)
            if not isinstance(text, str):
                raise CourseError(f"A pair's {name!r} is text, not {text!r}. Write it in quotes.")
            if not text.strip():
                what = "Its prompt is empty" if name == "prompt" else f"Its {name} completion is empty"
                raise CourseError(f"A pair cannot be compared. {what}. Leave the pair out: {self._short()}.")
        if self.chosen == self.rejected:
            raise CourseError(
                f"Both completions of a pair are the same text, so none is better. Leave the pair out: {self._short()}."
            )

    def turned(self) -> Pair:
        """The same two completions with the opposite preference: what a wrong label is."""
        return Pair(self.prompt, self.rejected, self.chosen)

    def _short(self) -> str:
        """Enough of the pair to find it by."""
        return repr(f"{self.prompt}{self.chosen or self.rejected}"[:60])


def save(pairs: Iterable[Pair], path: Path) -> None:
    """Write the pairs to `path`, whole or not at all. Raises CourseError when the disk refuses."""
    write_whole(path, "".join(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs))


def load(path: Path | str) -> list[Pair]:
    """The pairs of a file that `save` wrote. Raises CourseError with the number of the first line that is none."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}. It should be a file of preferences, JSON lines.") from error
    return [_pair(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _pair(line: str, where: str) -> Pair:
    """The pair in one line. Other keys than those of a pair may stand there too; they are left alone."""
    names = [field.name for field in fields(Pair)]
    try:
        row = json.loads(line)
        return Pair(**{name: row[name] for name in names})
    except CourseError as error:
        raise CourseError(f"{where}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(
            f"{where} is not a pair ({type(error).__name__}: {error}). A line is a JSON object with the texts "
            f"{', '.join(names)}; one that was cut off can be deleted."
        ) from error


def dataset(pairs: Sequence[Pair]) -> Dataset:
    """The pairs as trl wants them: the columns prompt, chosen and rejected, text each."""
    from datasets import Dataset

    return Dataset.from_dict({field.name: [getattr(pair, field.name) for pair in pairs] for field in fields(Pair)})
