"""Which answers share much that the rest of the class does not have: a report for a person to read, and no verdict.

An answer becomes pieces of neighbouring tokens, as in Schleimer, Wilkerson and Aiken, "Winnowing" (SIGMOD 2003): Python
by its own tokenizer, without comments and layout, and with one name for all names that a student may choose; free text
word by word. What the stub, the model solution or many others have too is taken out. What two students still share is
rare, and there may be good reasons for it: they learn together, or read the same page.
"""

from __future__ import annotations

import builtins
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.master import Exercise, Master
from autograder.records import Graded

TOKENS = 8  # in a row make one piece of code
WORDS = 5  # in a row make one piece of free text
SHARE = 0.5  # of the rare pieces of both have to be the same
FEWEST = 12  # so many same pieces are needed
FEWEST_STUDENTS = 4  # among fewer, nobody can say what is rare
PERMUTATIONS = 128

Pieces = Mapping[tuple[str, ...], frozenset[int]]  # each piece, with the numbers of the lines that it is in


@dataclass(frozen=True, kw_only=True)
class Side:
    """One student's answer: each line, and whether the other answer has it too."""

    student: str
    lines: tuple[tuple[str, bool], ...]

    @property
    def shared(self) -> int:
        """How many lines the other answer has too."""
        return sum(same for _, same in self.lines)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two answers to one exercise that share what is rare in the class."""

    number: int
    exercise: str
    left: Side
    right: Side


def pairs(master: Master, class_: Sequence[Graded]) -> list[Pair]:
    """The pairs of each exercise of an assignment, those with the most shared lines first."""
    found = [pair for exercise in master.exercises for pair in _of_exercise(exercise, class_)]
    return sorted(found, key=lambda pair: (-pair.left.shared - pair.right.shared, pair.number, pair.left.student))


def page(master: Master, found: Sequence[Pair], students: int) -> str:
    """The report as a page for instructors."""
    from autograder import pages

    few = students < FEWEST_STUDENTS
    return pages.render("similarity.html.j2", title=master.title, pairs=found, students=students, few=few)


def _of_exercise(exercise: Exercise, class_: Sequence[Graded]) -> Iterator[Pair]:
    texts = {one.student: {**one.answers, **one.written}.get(exercise.name, "") for one in class_}
    if len(texts) < FEWEST_STUDENTS:
        return
    rare = _rare(exercise, {student: pieces(text, exercise.manual) for student, text in sorted(texts.items())})
    for left, right in _alike(rare):
        same = rare[left].keys() & rare[right].keys()
        sides = [_side(student, texts[student], rare[student], same) for student in (left, right)]
        yield Pair(number=exercise.number, exercise=exercise.title, left=sides[0], right=sides[1])


def _rare(exercise: Exercise, all_: Mapping[str, Pieces]) -> dict[str, Pieces]:
    """Each student's pieces that are neither given nor expected nor common in the class."""
    given = {*pieces(exercise.stub, exercise.manual), *pieces(exercise.solution, exercise.manual)}
    count = Counter(piece for found in all_.values() for piece in found)
    many = min(max(3, len(all_) // 10), len(all_) // 2)
    return {
        student: {piece: lines for piece, lines in found.items() if piece not in given and count[piece] <= many}
        for student, found in all_.items()
    }


def _alike(rare: Mapping[str, Pieces]) -> list[tuple[str, str]]:
    """The pairs of students that share at least half of their rare pieces; datasketch finds where to look."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=SHARE, num_perm=PERMUTATIONS, weights=(0.2, 0.8))  # rather too many than too few
    candidates: set[tuple[str, str]] = set()
    for student, found in rare.items():
        if len(found) < FEWEST:
            continue
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch(["\0".join(piece).encode("utf-8", "surrogatepass") for piece in found])
        candidates |= {(min(student, other), max(student, other)) for other in index.query(sketch)}
        index.insert(student, sketch)
    return sorted(pair for pair in candidates if _much(rare[pair[0]], rare[pair[1]]))


def _much(left: Pieces, right: Pieces) -> bool:
    same, all_ = len(left.keys() & right.keys()), len(left.keys() | right.keys())
    return same >= FEWEST and same >= SHARE * all_


def _side(student: str, text: str, found: Pieces, same: set[tuple[str, ...]]) -> Side:
    marked = {number for piece in same for number in found[piece]}
    lines = tuple((line, number in marked) for number, line in enumerate(text.rstrip("\n").split("\n"), start=1))
    return Side(student=student, lines=lines)


def pieces(text: str, prose: bool) -> Pieces:
    """The pieces of an answer, with the lines that each is in."""
    tokens, length = (list(_words(text)), WORDS) if prose else (list(_tokens(text)), TOKENS)
    found: dict[tuple[str, ...], set[int]] = {}
    for start in range(len(tokens) - length + 1):
        row = tokens[start : start + length]
        found.setdefault(tuple(token for token, _ in row), set()).update(line for _, line in row)
    return {piece: frozenset(lines) for piece, lines in found.items()}


def _words(text: str) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield from ((word, number) for word in re.findall(r"\w+", line.lower()))


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """The tokens of Python code, up to where it is none, each with its line."""
    before = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP):
                yield _plain(token, before), token.start[0]
                before = token.string
    except (tokenize.TokenError, SyntaxError, UnicodeError):
        return


def _plain(token: tokenize.TokenInfo, before: str) -> str:
    """A token with its name taken away if a student may have chosen it."""
    fixed = keyword.iskeyword(token.string) or hasattr(builtins, token.string) or before == "."
    return "name" if token.type == tokenize.NAME and not fixed else token.string
