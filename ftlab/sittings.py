"""One person's work through a set of comparisons. Its whole state lies in the label file, so it can always go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ftlab import comparisons as sets
from ftlab import labels
from ftlab.comparisons import Comparison
from ftlab.errors import CourseError, unknown
from ftlab.labels import Answer, Label, TakenBack


@dataclass(frozen=True, kw_only=True)
class View:
    """What a labeller may see: texts and counts, and nothing of the models."""

    shown: str = ""  # the id of the comparison, to be given back with the answer; empty when all is done
    prompt: str = ""
    left: str = ""
    right: str = ""
    done: int
    total: int
    notes: tuple[str, ...]


class Sitting:
    """A labeller before a set. Several sittings may share a label file, and one may be opened again at any time."""

    def __init__(
        self,
        comparisons: Iterable[Comparison],
        path: Path | str,
        *,
        labeller: str,
        simulated: bool = False,
        seed: int = 0,
    ) -> None:
        """Open a sitting; the label file is made if there is none. Raises CourseError where labels could not be kept.

        `seed` decides the order, the same for everybody, and the sides, which differ from labeller to labeller.
        """
        self.labeller, self.simulated = _name(labeller), simulated
        self.order = sets.dealt(sets.checked(comparisons), seed)
        self.path, self.seed = Path(path), seed
        labels.append(self.path)

    def given(self) -> tuple[dict[str, Label], tuple[str, ...]]:
        """This labeller's labels on this set by comparison, the latest last, and the notes on the file."""
        found, known = labels.read(self.path), {comparison.id for comparison in self.order}
        mine = found.by(labels.who(self.labeller, self.simulated))
        return {name: label for name, label in mine.items() if name in known}, found.notes

    def todo(self) -> list[Comparison]:
        """The comparisons that this labeller has still to judge, in order."""
        given, _ = self.given()
        return [comparison for comparison in self.order if comparison.id not in given]

    def sides(self, comparison: Comparison) -> tuple[str, str]:
        """The completions as this labeller sees them: left, right."""
        left = sets.left_of(comparison, self.labeller, self.seed)
        return comparison.completions[left], comparison.completions[1 - left]

    def view(self) -> View:
        """What to show now."""
        given, notes = self.given()
        counts = View(done=len(given), total=len(self.order), notes=notes)
        for comparison in self.order:
            if comparison.id not in given:
                left, right = self.sides(comparison)
                texts = {"prompt": comparison.prompt, "left": left, "right": right}
                return View(**{**vars(counts), **texts, "shown": comparison.id})
        return counts

    def answer(self, answer: Answer, shown: str) -> bool:
        """Keep an answer to the comparison that was `shown`; False where that is not the one to judge now.

        So a double click judges nothing unseen. Raises CourseError for an unknown answer and when it was not saved.
        """
        if answer not in labels.ANSWERS:
            raise unknown("answer", answer, list(labels.ANSWERS))
        todo = self.todo()
        if not todo or todo[0].id != shown:
            return False
        self.keep([(todo[0], answer)])
        return True

    def keep(self, answers: Iterable[tuple[Comparison, Answer]]) -> None:
        """Append answers under this labeller's name, each with the side that the completions stood on."""
        events = [
            Label(
                comparison=comparison.id,
                answer=answer,
                left=sets.left_of(comparison, self.labeller, self.seed),
                labeller=self.labeller,
                simulated=self.simulated,
            )
            for comparison, answer in answers
        ]
        labels.append(self.path, *events)

    def undo(self) -> bool:
        """Take back this labeller's latest label on this set; False where there is none. It is to be judged again."""
        given, _ = self.given()
        if not given:
            return False
        latest = list(given.values())[-1].label
        labels.append(self.path, TakenBack(takes_back=latest, labeller=self.labeller, simulated=self.simulated))
        return True


def _name(labeller: str) -> str:
    name = labeller.strip()
    if not name or name.endswith(labels.SIMULATED.strip()):
        raise CourseError(
            f"{labeller!r} cannot name a labeller: two people's labels are told apart by their names, and those of "
            f"programs by {labels.SIMULATED.strip()!r} at the end. Give your name or a word of your own."
        )
    return name
