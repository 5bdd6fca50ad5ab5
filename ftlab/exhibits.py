"""What recorded runs show beside their metrics: texts that were written, words that were guessed, predictions held
against publications, labels that were saved. Each is a table, ready to read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab import costs, figures, savings

if TYPE_CHECKING:
    from ftlab.results import Result

SHOWN = 2  # questions of each task whose answers are shown


class Exhibit(NamedTuple):
    """A table: what stands over each column, and the rows. A notebook shows it as one."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def _repr_markdown_(self) -> str:
        """The table in Markdown, in which every cell is read as it is written: models write stars and bars, too."""
        lines = [[_literal(cell) for cell in row] for row in (self.header, *self.rows)]
        lines.insert(1, ["---"] * len(self.header))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def of(runs: Sequence[Result]) -> Exhibit | None:
    """The table that belongs to these runs, all of one runner; None where their metrics say everything."""
    make = EXHIBITS.get(runs[0].runner)
    return make(runs) if make else None


def labels(runs: Sequence[Result]) -> Exhibit:
    """How many labels random weights need, at the same number of weight updates; see ftlab/savings.py."""
    frame = savings.table(runs)
    return Exhibit(list(frame.columns), frame.to_numpy().tolist())


def published(_: Sequence[Result]) -> Exhibit:
    """What 6 N D and attention predict for trainings that were published, and what their authors say."""
    header = ["published training", "counts", "predicted", "published", "error", "source"]
    return Exhibit(header, [_beside(row) for row in costs.compare(costs.published())])


def _beside(row: costs.Row) -> list[str]:
    numbers = [f"{row.predicted:.3g}", f"{row.published:.3g}", f"{100 * row.error:+.1f} %"]
    return [row.name, figures.name(row.quantity), *numbers, row.source]


def written(runs: Sequence[Result]) -> Exhibit:
    """The first questions of each task, and what each family wrote; of the first seed."""
    from ftlab import probes

    texts = {run.config["family"]: run.provenance["texts"] for run in _first_seed(runs)}
    rows = [
        [task, item.given, *(texts[family][task][number] for family in texts)]
        for task in next(iter(texts.values()))
        for number, item in enumerate(probes.load(task).items[:SHOWN])
    ]
    return Exhibit(["task", "asked", *texts], rows)


def guessed(runs: Sequence[Result]) -> Exhibit:
    """The likeliest words for a gap, before and after reading; of the first seed."""
    first = _first_seed(runs)
    guesses = {"before": first[0].provenance["guesses"]["before"]}
    for run in first:
        how = ", whole words hidden" if run.config["whole_words"] else ""
        guesses[f"after: {run.config['domain']}{how}"] = run.provenance["guesses"]["after"]
    rows = [[sentence, *(words(found[sentence]) for found in guesses.values())] for sentence in guesses["before"]]
    return Exhibit(["sentence", *guesses], rows)


def continued(runs: Sequence[Result]) -> Exhibit:
    """First words, how the policy went on before it learned, and how after, in each setting; of the first seed."""
    settings = {label: some[0].provenance["samples"] for label, some in figures.settings(_first_seed(runs)).items()}
    before = next(iter(settings.values()))["before"]
    rows = [
        [sample["prompt"], sample["completion"], *(found["after"][number]["completion"] for found in settings.values())]
        for number, sample in enumerate(before)
    ]
    return Exhibit(["first words", "before", *(f"after: {label}" for label in settings)], rows)


def stage_by_stage(runs: Sequence[Result]) -> Exhibit:
    """First words, and how the policy went on at the start and after each stage, where none was left out."""
    samples = max((run.provenance["samples"] for run in _first_seed(runs)), key=len)
    stages = list(samples)
    rows = [
        [row[0]["prompt"], *(sample["completion"] for sample in row)] for row in zip(*samples.values(), strict=True)
    ]
    return Exhibit(["first words", *map(figures.name, stages)], rows)


def words(guesses: Sequence[tuple[str, float]]) -> str:
    """Words with their probabilities (0 to 1), for a reader: 'floor (6 %), wall (3 %)'."""
    return ", ".join(f"{word} ({100 * chance:.0f} %)" for word, chance in guesses)


def _literal(text: str) -> str:
    """A text as a cell of a Markdown table (CommonMark 2.4: a backslash takes punctuation for what it is)."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", text).replace("\n", "<br>")


def _first_seed(runs: Sequence[Result]) -> list[Result]:
    first = min(run.seed for run in runs)
    return [run for run in runs if run.seed == first]


EXHIBITS: Mapping[str, Callable[[Sequence[Any]], Exhibit]] = {
    "transfer": labels,
    "cost": published,
    "families": written,
    "mlm": guessed,
    "rlhf": continued,
    "dpo": continued,
    "frontier": continued,
    "hybrid": stage_by_stage,
}
