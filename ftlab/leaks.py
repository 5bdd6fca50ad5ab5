"""Texts of the test set that stand in the training set too: repeated to the letter, word for word, or nearly.

Near-duplicates are found by MinHash and checked by the true overlap, so nothing is reported that is not alike.
Broder 1997 (On the Resemblance and Containment of Documents); Lee et al. 2022 (Deduplicating Training Data Makes
Language Models Better), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from ftlab.data import normalise
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from datasketch import MinHash

T = TypeVar("T")
SHINGLE = 3  # words in a row that are compared
HASHES = 128  # of a signature; more find pairs near the threshold more surely and take longer
WIDER = 0.15  # candidates are sought this far below the threshold, as the signatures only estimate the overlap


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A test text and the training text that gives it away."""

    kind: Literal["exact", "normalised", "near"]  # to the letter; the same words; most of the same words in a row
    train: int  # index of the training text
    test: int  # index of the test text
    overlap: float  # shared shingles among all of both texts (Jaccard), between 0 and 1


def find_leaks(train: Sequence[str], test: Sequence[str], threshold: float = 0.5) -> list[Leak]:
    """At most one leak a test text, the closest, in the order of `test`; empty where nothing leaks.

    `threshold` is the least overlap that counts as near. Raises CourseError when it is not between 0 and 1.
    """
    _checked(threshold)
    places: dict[str, int] = {}
    words: dict[str, int] = {}
    for index, text in enumerate(train):
        places.setdefault(text, index)
        words.setdefault(normalise(text), index)
    near = _Near(list(words), list(words.values()), threshold)
    found = (_closest(text, index, places, words, near) for index, text in enumerate(test))
    return [leak for leak in found if leak is not None]


def inject(train: Sequence[T], test: Sequence[T], overlap: float) -> list[T]:
    """`test`, its first part exchanged for training rows: a share `overlap` of what both have room for.

    Raises CourseError when `overlap` is not between 0 and 1.
    """
    if not 0 <= overlap <= 1:
        raise CourseError(f"overlap is {overlap}; it is a share between 0 (no leak) and 1 (a test of training rows).")
    count = min(len(train), len(test))
    leaked = int(count * overlap + 1e-9)
    return [*train[:leaked], *test[leaked:count]]


def groups(texts: Sequence[str], threshold: float = 0.5) -> list[int]:
    """For each text the number of its group: those of its words, and those alike, directly or over others.

    It is what sklearn's GroupShuffleSplit and GroupKFold take as `groups`, to keep such texts on one side.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    plain = [normalise(text) for text in texts]
    places: dict[str, int] = {}
    for index, text in enumerate(plain):
        places.setdefault(text, index)
    near = _Near(list(places), list(places.values()), _checked(threshold))
    pairs = [(index, other) for index, text in enumerate(plain) for other in (places[text], *near.alike(text))]
    ours, theirs = zip(*pairs, strict=True) if pairs else ((), ())
    linked = coo_array(([True] * len(pairs), (ours, theirs)), shape=(len(plain), len(plain)))
    return [int(group) for group in connected_components(linked, directed=False)[1]]


def _checked(threshold: float) -> float:
    if not 0 < threshold <= 1:
        raise CourseError(f"threshold is {threshold}; it is more than 0 and at most 1. 0.5 finds lightly edited texts.")
    return threshold


def _closest(text: str, index: int, places: dict[str, int], words: dict[str, int], near: _Near) -> Leak | None:
    if text in places:
        return Leak(kind="exact", train=places[text], test=index, overlap=1.0)
    if (plain := normalise(text)) in words:
        return Leak(kind="normalised", train=words[plain], test=index, overlap=1.0)
    overlap, where = near.closest(plain)
    return None if where is None else Leak(kind="near", train=where, test=index, overlap=overlap)


class _Near:
    """An index of normalised texts that finds those with many of the same shingles."""

    def __init__(self, texts: Sequence[str], numbers: Sequence[int], threshold: float) -> None:
        from datasketch import MinHashLSH

        self._threshold, self._numbers = threshold, numbers
        self._shingles = [shingles(text) for text in texts]
        self._index = MinHashLSH(threshold=max(0.1, threshold - WIDER), num_perm=HASHES)
        for key, some in enumerate(self._shingles):
            self._index.insert(key, _signature(some))

    def closest(self, text: str) -> tuple[float, int | None]:
        """The greatest overlap that reaches the threshold and the number of its text; 0 and None without one."""
        overlap, key = max(self._candidates(text), default=(0.0, 0))
        return (0.0, None) if overlap == 0.0 else (overlap, self._numbers[-key])

    def alike(self, text: str) -> list[int]:
        """The numbers of all texts whose overlap reaches the threshold, this one's own among them."""
        return [self._numbers[-key] for _, key in self._candidates(text)]

    def _candidates(self, text: str) -> list[tuple[float, int]]:
        """Overlaps that reach the threshold, each with the negative place of its text (so the first of equals wins)."""
        ours = shingles(text)
        found = [(jaccard(ours, self._shingles[key]), -key) for key in self._index.query(_signature(ours))]
        return [(overlap, key) for overlap, key in found if overlap >= self._threshold]


def shingles(text: str) -> frozenset[str]:
    """All runs of SHINGLE words in a text; a shorter text is one run."""
    words = text.split()
    return frozenset(" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """What both have, as a share of what either has."""
    return len(one & other) / len(one | other)


def _signature(some: frozenset[str]) -> MinHash:
    from datasketch import MinHash

    signature = MinHash(num_perm=HASHES)
    signature.update_batch([shingle.encode() for shingle in some])
    return signature
