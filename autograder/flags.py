"""What a person should know of a notebook besides its points: changed cells, and honest accidents.

A changed cell that students must leave alone is "tampered", although it has no effect. All else is a "note". What
editors do by themselves is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from autograder.answers import Answer
from autograder.recognise import Recogniser, Seen, between
from autograder.records import Flag

_WORD = re.compile(r"\w+")


def altered(view: Recogniser, seen: Sequence[Seen], index: int) -> list[Seen]:
    """The cells that are the master's locked cell `index`, changed by the student; none where it stands untouched."""
    if any(one.same == index for one in seen):
        return []
    labelled = [one for one in seen if index in one.marks and one.same is None]
    return labelled or [one for one in between(seen, index) if _alike(view, one, index)]


def _alike(view: Recogniser, one: Seen, index: int) -> bool:
    """Whether most of the words are still those of the master's cell, in a text of about its length."""
    if len(one.cell.source) > 2 * len(view.texts[index]):
        return False
    words = set(_WORD.findall(view.texts[index]))
    kept = words & set(_WORD.findall(one.cell.source))
    return 4 * len(kept) >= 3 * len(words) > 0


def flags(view: Recogniser, seen: Sequence[Seen], answers: Mapping[int, Answer]) -> Iterator[Flag]:
    """All flags of a notebook, in the master's order. A notebook that is only solved and run has none."""
    moved = _moved([one.place for one in seen if one.place in view.locked or one.place in answers])
    for index in sorted(view.locked | set(answers)):
        where = view.name(index)
        if index in answers:
            yield from (Flag(kind="note", where=where, what=what) for what in _on_answer(view, seen, answers[index]))
        elif what := _tampered(view, seen, index):
            yield Flag(kind="tampered", where=where, what=what)
        else:
            notes = _on_locked(view, seen, index, index in moved)
            yield from (Flag(kind="note", where=where, what=what) for what in notes)


def _moved(places: Sequence[int | None]) -> set[int]:
    """The fewest cells that one would have to move to get the master's order again."""
    rows: dict[int, list[int]] = {}  # the longest orderly row of cells that ends in each cell
    for place in places:
        if place is not None and place not in rows:
            rows[place] = [*_longest([row for last, row in rows.items() if last < place]), place]
    return set(rows) - set(_longest(list(rows.values())))


def _longest(rows: list[list[int]]) -> list[int]:
    return max(rows, key=len) if rows else []


# --- locked cells --------------------------------------------------------------------------------------------


def _tampered(view: Recogniser, seen: Sequence[Seen], index: int) -> str:
    there = [one.cell for one in seen if one.same == index]
    kind = view.master.cells[index].cell_type
    if there and all(cell.kind != kind for cell in there):
        return f"Cell {there[0].number} was turned into a cell of the kind {there[0].kind}. It was put back."
    changed = altered(view, seen, index)
    if not changed:
        return ""
    advice = "What your answers need, say an import, belongs into an answer or a cell of your own."
    return f"Its text was changed ({_numbers(changed)}). It was put back. {advice}"


def _on_locked(view: Recogniser, seen: Sequence[Seen], index: int, moved: bool) -> Iterator[str]:
    there = [one for one in seen if one.same == index]
    copies = [one for one in seen if index in one.marks]
    if not there:
        yield "It was deleted. It was put back, and nothing is lost."
    elif moved:
        yield f"It was moved ({_numbers(there)}). It was put back in its place, and nothing is lost."
    if there and len(copies) > 1:
        yield f"It stands more than once ({_numbers(copies)}). Copies do not count."
    strange = [one for one in there if one.cell.grade_id not in ("", view.name(index))]
    if strange and len(strange) == len(there):
        yield f"Its grade_id was changed ({_numbers(strange)}). It was recognised by its text."


# --- answers -------------------------------------------------------------------------------------------------


def _on_answer(view: Recogniser, seen: Sequence[Seen], answer: Answer) -> Iterator[str]:
    if not answer.chosen and not answer.known:
        yield "No answer was found: its cell is missing, is empty, or answers another exercise."
    copies = answer.own if len(answer.own) > 1 else []
    several = {one.cell.number: one for one in [*copies, *answer.dropped, *answer.chosen]}
    if len(several) > 1:
        counted = f"what counts is {_numbers(answer.chosen)}" if answer.chosen else "none of them is an answer"
        yield f"Its answer stands more than once ({_numbers(list(several.values()))}); {counted}."
    for one in answer.chosen:
        yield from _on_chosen(view, seen, answer, one)


def _on_chosen(view: Recogniser, seen: Sequence[Seen], answer: Answer, one: Seen) -> Iterator[str]:
    """What is odd about a cell that counts."""
    number, kind = one.cell.number, view.master.cells[answer.index].cell_type
    others = sorted(one.marks - {answer.index})
    if others:
        yield f"Cell {number} carries the grade_id or id of {view.name(others[0])}. What it defines decided."
    elif answer.index not in one.marks and any(answer.index in other.marks for other in seen):
        yield f"The answer was found in cell {number}, which is not its own."
    elif answer.index not in one.marks | one.owners:
        yield f"The answer cell was not recognised. Cell {number} was taken, as it stands in its place."
    if one.cell.kind != kind:
        yield f"Cell {number} is of the kind {one.cell.kind} and should be {kind}. Its text counts."


def _numbers(cells: Sequence[Seen]) -> str:
    listed = ", ".join(str(number) for number in sorted(one.cell.number for one in cells))
    return f"cells {listed}" if len(cells) > 1 else f"cell {listed}"
