"""The notebook to run: the master's cells in the master's order, with only the student's answers in them.

Nothing that a student handed in is repaired. Only texts are taken from it: those of the answer cells, and those of code
cells that the student added. Tests are not in it at all, as the judge runs them elsewhere. So it does not matter what
was deleted, moved, copied, relabelled or tagged; what a person should know of that becomes a flag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from autograder.answers import Answer, find
from autograder.flags import altered, flags
from autograder.master import Master, grade_id, is_helper
from autograder.notebooks import Allowed, read
from autograder.recognise import Recogniser, Seen, squeezed
from autograder.records import Part, Rebuilt


def rebuild(master: Master, notebook: str, allowed: Allowed | None = None) -> Rebuilt:
    """What is graded of a student's `notebook`: the text of a file of nbformat 4, as intake hands it on.

    Raises CourseError where intake would have refused the notebook, and for nothing else.
    """
    view = Recogniser(master)
    seen = view.recognise(read(notebook, allowed))
    answers = find(view, seen)
    placed = [*_given(master), *_answers(answers), *_extras(view, seen, answers)]
    return Rebuilt(
        parts=tuple(part for _, part in sorted(placed, key=lambda one: (one[1].place, one[0]))),
        written={one.exercise.name: one.text for one in answers.values() if one.exercise.manual},
        untouched=frozenset(
            one.exercise.name for one in answers.values() if squeezed(one.text) == view.released[one.index]
        ),
        flags=tuple(flags(view, seen, answers)),
    )


# A part with its number among those of the same place: the student's cell, or 0 for what stands first.
_Placed = tuple[int, Part]


def _given(master: Master) -> Iterator[_Placed]:
    for index, cell in enumerate(master.cells):
        if is_helper(cell):
            yield 0, Part(kind="given", name=grade_id(cell), source=cell.source, place=index)


def _answers(answers: Mapping[int, Answer]) -> Iterator[_Placed]:
    for index, answer in answers.items():
        if not answer.exercise.manual:
            here = [one.cell.number for one in answer.chosen if one.anchor == index]
            part = Part(kind="answer", name=answer.exercise.name, source=answer.text, place=index)
            yield max(here, default=0), part


def _extras(view: Recogniser, seen: Sequence[Seen], answers: Mapping[int, Answer]) -> Iterator[_Placed]:
    """The code cells that a student added, or made from a demonstration, each after the cell that it follows."""
    used = [one for answer in answers.values() for one in [*answer.chosen, *answer.dropped]]
    used += [one for index in view.locked for one in altered(view, seen, index)]
    taken = {one.cell.number for one in used}
    closed = view.locked | {index for index, answer in answers.items() if answer.exercise.manual}
    stubs = {view.released[index] for index in answers}
    before = -1  # a cell that was added stands where the student put it, whatever it defines
    for one in seen:
        own = one.same is None and one.text not in stubs and not one.marks & closed
        if own and one.text and one.cell.kind == "code" and one.cell.number not in taken:
            name = f"cell {one.cell.number}"
            place = one.anchor if one.marks else before
            yield one.cell.number, Part(kind="extra", name=name, source=one.cell.source, place=place)
        elif one.place is not None:
            before = one.place
