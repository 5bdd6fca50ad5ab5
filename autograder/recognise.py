"""Which cell of the master is it? A student's cells, recognised by what editors and people leave of them.

The text decides for cells that students leave alone, the name that it defines for code answers, and the grade_id or the
cell's id for all others. Points, tags and whatever else stands in a cell's metadata is never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from autograder.master import Exercise, Master, grade_id, is_answer, is_helper, is_test
from autograder.notebooks import Cell

_NOISE = re.compile(r"\s+|,(?=\s*[)\]}])")
# Lines and not a syntax tree: an answer with a syntax error is still an answer, and hostile code can crash the parser.
_DEFINES = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)


def squeezed(text: str) -> str:
    """What is left of a text when everything is gone that editors and formatters change: equal texts are the same."""
    return _NOISE.sub("", text).replace("'", '"')


def defined(code: str) -> frozenset[str]:
    """The names that code defines at its top level: functions, classes, variables."""
    return frozenset(first or second for first, second in _DEFINES.findall(code))


@dataclass(frozen=True)
class Seen:
    """A student's cell, and what it has in common with the master. Cells of the master are given by their index."""

    cell: Cell
    text: str  # squeezed
    marks: frozenset[int]  # the master's cells whose grade_id or id it carries
    owners: frozenset[int]  # the code answers whose names it defines
    same: int | None  # the cell that is no answer and has this very text
    place: int | None  # the cell that it is, all in all
    anchor: int  # the cell that it is, or else the one that it follows; -1 for none


class Recogniser:
    """The master as students got it, ready to be compared with what they hand in."""

    def __init__(self, master: Master) -> None:
        self.master = master
        self.exercises: dict[int, Exercise] = dict(_by_index(master))
        self.texts = released(master)
        self.released = [squeezed(text) for text in self.texts]
        self.locked = frozenset(index for index, cell in enumerate(master.cells) if is_test(cell) or is_helper(cell))

    def name(self, index: int) -> str:
        """The master's cell `index` in words: its grade_id, if it has one."""
        return grade_id(self.master.cells[index]) or f"cell {index + 1} of the assignment"

    @cached_property
    def _by_name(self) -> dict[str, int]:
        """Each grade_id and cell id, and the cell that has it."""
        cells = enumerate(self.master.cells)
        return {name: index for index, cell in cells for name in (cell.id, grade_id(cell)) if name}

    @cached_property
    def _by_text(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, text in enumerate(self.released):
            if text and index not in self.exercises:
                found.setdefault(text, []).append(index)
        return found

    @cached_property
    def _by_definition(self) -> dict[str, int]:
        """The names that one code answer is asked to define, and no other cell of the master."""
        names: dict[str, int] = {}
        taken = [name for index, cell in self._given_code() for name in defined(cell)]
        for index, exercise in self.exercises.items():
            if not exercise.manual:
                asked = defined(exercise.solution)
                for name in asked & defined(exercise.stub) or asked:
                    taken += [name] if name in names else []
                    names[name] = index
        return {name: index for name, index in names.items() if name not in taken}

    def _given_code(self) -> Iterator[tuple[int, str]]:
        for index, cell in enumerate(self.master.cells):
            if cell.cell_type == "code" and index not in self.exercises and not is_test(cell):
                yield index, cell.source

    def recognise(self, cells: Sequence[Cell]) -> list[Seen]:
        """What each of a student's cells is, in their order."""
        seen: list[Seen] = []
        used: set[int | None] = set()
        anchor = -1
        for cell in cells:
            one = self._one(cell, used, anchor)
            used.add(one.same)
            anchor = one.anchor
            seen.append(one)
        return seen

    def _one(self, cell: Cell, used: set[int | None], before: int) -> Seen:
        text = squeezed(cell.source)
        named = [self._by_name[name] for name in (cell.grade_id, cell.id) if name in self._by_name]
        twins = self._by_text.get(text, [])
        same = next((index for index in [*named, *twins] if index in twins and index not in used), None)
        same = twins[0] if same is None and twins else same
        answered = [index for index in named if index in self.exercises]
        owners = frozenset(self._owners(cell) if cell.kind == "code" or answered else ())
        sure = [same] if same is not None else [index for index in answered if index in owners]
        sure += [index for index in named if index not in self.exercises]
        place = next(iter([*sure, *sorted(owners), *answered]), None)
        anchor = before if place is None else place
        if not sure and owners:  # what defines an answer's name below its test stays below it
            anchor = max(before, anchor)
        return Seen(cell, text, frozenset(named), owners, same, place, anchor)

    def _owners(self, cell: Cell) -> Iterator[int]:
        return (self._by_definition[name] for name in defined(cell.source) if name in self._by_definition)


def _by_index(master: Master) -> Iterator[tuple[int, Exercise]]:
    named = {exercise.name: exercise for exercise in master.exercises}
    for index, cell in enumerate(master.cells):
        if is_answer(cell) and grade_id(cell) in named:
            yield index, named[grade_id(cell)]


def released(master: Master) -> list[str]:
    """The text of each of the master's cells as students get it: stubs, and tests without their hidden part."""
    stubs = {exercise.name: exercise.stub for exercise in master.exercises}
    tests = {exercise.test_name: exercise.visible_tests for exercise in master.exercises if not exercise.manual}
    texts = {**stubs, **tests}
    return [texts.get(grade_id(cell), cell.source) for cell in master.cells]


def between(seen: Sequence[Seen], index: int) -> list[Seen]:
    """The unrecognised cells that stand where the master's cell `index`, which was not recognised, should be."""
    before = max((one.place for one in seen if one.place is not None and one.place < index), default=-1)
    return [one for one in seen if one.place is None and one.text and one.anchor == before]
