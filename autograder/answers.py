"""What counts as a student's answer to each exercise, wherever it stands in the notebook and however it is labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autograder.master import Exercise
from autograder.recognise import Recogniser, Seen, between


@dataclass
class Answer:
    """What counts as the answer to one exercise."""

    exercise: Exercise
    index: int  # of its cell in the master
    chosen: list[Seen] = field(default_factory=list)  # one cell; several where free text stands in several
    dropped: list[Seen] = field(default_factory=list)  # other answers to it, which do not count
    own: list[Seen] = field(default_factory=list)  # the cells that are labelled as its answer cell and not empty
    known: list[Seen] = field(default_factory=list)  # these, and others that are an answer to it or its stub

    @property
    def text(self) -> str:
        """The student's text, or the stub where there is none."""
        return "\n\n".join(one.cell.source for one in self.chosen) or self.exercise.stub


def find(view: Recogniser, seen: Sequence[Seen]) -> dict[int, Answer]:
    """The answer to each exercise, by the index of its cell in the master."""
    return {
        index: (_words if exercise.manual else _code)(view, seen, Answer(exercise, index))
        for index, exercise in view.exercises.items()
    }


def _code(view: Recogniser, seen: Sequence[Seen], answer: Answer) -> Answer:
    """The last cell of the best rank that is not the stub. What a cell defines comes before how it is labelled."""
    index, stub = answer.index, view.released[answer.index]
    answer.own = [one for one in seen if _is_labelled(one, index)]
    answer.known = [one for one in seen if one.same is None and (index in one.owners or _is_labelled(one, index))]
    written = [one for one in answer.known if one.text != stub]
    ranks = {one.cell.number: _rank(view, one, index) for one in written}
    best = min(ranks.values(), default=0)
    answer.chosen = [one for one in written if ranks[one.cell.number] == best][-1:]
    if not answer.known:
        answer.chosen = [one for one in between(seen, index) if one.cell.kind == "code"][-1:]
    answer.dropped = [one for one in written if index in one.owners and _is_superseded(view, one, answer)]
    return answer


def _is_labelled(one: Seen, index: int) -> bool:
    """Whether this is labelled as the answer `index`, and defines that or nothing that another answer should."""
    return index in one.marks and one.same is None and one.text != "" and (index in one.owners or not one.owners)


def _rank(view: Recogniser, one: Seen, index: int) -> int:
    """How good a candidate is; the lowest is best. Between a proper answer and an empty promise stand strays."""
    if index not in one.owners:
        return 3  # labelled, and it does not define what it should
    if index in one.marks:
        return 0
    return 1 if _is_answer(view, one) else 2  # labelled as another answer; not labelled


def _is_answer(view: Recogniser, one: Seen) -> bool:
    return any(mark in view.exercises for mark in one.marks)


def _is_superseded(view: Recogniser, one: Seen, answer: Answer) -> bool:
    """Whether another cell counts instead of this one, so that it must not run after that cell."""
    chosen = answer.chosen[0]
    if one is chosen:
        return False
    stray = not _is_answer(view, chosen) and one.cell.number < chosen.cell.number
    return stray or _is_answer(view, one) or one.text == chosen.text


def _words(view: Recogniser, seen: Sequence[Seen], answer: Answer) -> Answer:
    """All that is labelled as the free-text answer; else the text cells that stand below it, or in its place."""
    index, stub = answer.index, view.released[answer.index]
    answer.own = answer.known = [one for one in seen if _is_labelled(one, index)]
    answer.chosen = _distinct(answer.own, stub)
    if answer.chosen:
        return answer
    loose = [one for one in seen if one.place is None and one.text and one.cell.kind != "code"]
    if any(index in one.marks for one in seen):
        answer.chosen = _distinct([one for one in loose if one.anchor == index], stub)
    else:
        here = [one for one in between(seen, index) if one in loose]
        only = sum(exercise.manual for exercise in view.exercises.values()) == 1
        answer.chosen = _distinct(here, stub) or (_distinct(loose, stub) if only else [])
    return answer


def _distinct(cells: Sequence[Seen], stub: str) -> list[Seen]:
    """Each text once, where it stands last, without the stub."""
    last = {one.text: one for one in cells if one.text != stub}
    return sorted(last.values(), key=lambda one: one.cell.number)
