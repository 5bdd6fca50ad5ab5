"""Reviews: clean, distinct, and split for good."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import data
from ftlab.data import Review, clean, deduplicate, normalise, split_of
from ftlab.errors import CourseError

TEXTS = st.text(max_size=60)
ROWS = st.lists(
    st.builds(Review, st.sampled_from(["A b.", "a b", "A  B!", "c", "d", "?!"]), st.integers(0, 1), st.just("s")),
    max_size=12,
)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("one.<br /><br />Two", "one. Two"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("  much\n\tspace ", "much space"),
        ("a <b>bold</b> claim", "a bold claim"),
        ("3 < 4 > 2 and I <3 it", "3 < 4 > 2 and I <3 it"),
        ("", ""),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(TEXTS)
def test_normalise_is_stable_and_blind_to_case_and_punctuation(text: str) -> None:
    words = normalise(text)
    assert normalise(words) == words
    assert normalise(f" {text.casefold()} ,") == words or not any(c.isalnum() for c in words)


def test_splits_never_move() -> None:
    # Fixed on purpose: if one of these changes, every recorded result has been trained on its test set.
    texts = ["a fine film", "a dull film", "it moves", "the end", "not again", "so good", "never more", "why not"]
    assert [split_of(text) for text in texts] == GOLDEN


GOLDEN = ["train", "train", "validation", "train", "train", "train", "train", "validation"]


@given(TEXTS)
def test_a_split_depends_on_the_words_alone(text: str) -> None:
    if any(character.isalnum() for character in normalise(text)):
        assert split_of(text) == split_of(f"  {text.casefold()}!")


@given(ROWS)
def test_deduplicate(rows: list[Review]) -> None:
    kept, report = deduplicate(rows)
    words = [normalise(row.text) for row in kept]
    assert len(set(words)) == len(words), "no two have the same words"
    assert report.rows == len(rows)
    assert report.kept == len(kept) == report.rows - report.exact - report.normalised - report.conflicting
    for row in kept:
        assert {other.label for other in rows if normalise(other.text) == normalise(row.text)} == {row.label}
    assert deduplicate(kept)[0] == kept


def test_deduplicate_counts_by_kind() -> None:
    rows = [Review(t, y, "s") for t, y in [("A b", 1), ("A b", 1), ("a b!", 1), ("c", 0), ("C", 1), ("d", 0)]]
    assert deduplicate(rows)[1] == data.DedupReport(rows=6, exact=1, normalised=1, conflicting=2, kept=2)


@pytest.mark.assets
def test_the_real_reviews() -> None:
    assert data.report() == data.DedupReport(rows=33530, exact=98, normalised=3, conflicting=0, kept=33429)
    seen: dict[str, str] = {}
    for source in data.SOURCES:
        sizes = {split: data.reviews(source, split) for split in data.SPLITS}
        total = sum(map(len, sizes.values()))
        assert 0.78 < len(sizes["train"]) / total < 0.82
        for split, rows in sizes.items():
            assert 0.45 < sum(rows["label"]) / len(rows) < 0.55
            for text in rows["text"]:
                assert "<br" not in text
                assert seen.setdefault(normalise(text), split) == split, "the same words on two sides"
    assert len(seen) == 33429


@pytest.mark.assets
def test_a_limited_draw_is_balanced_and_repeatable() -> None:
    first, again, other = (data.reviews(limit=101, seed=seed) for seed in (1, 1, 2))
    assert sum(first["label"]) == 50
    assert first["text"] == again["text"] != other["text"]
    with pytest.raises(CourseError, match="there are 6786. Ask for fewer"):
        data.reviews(limit=7000)


def test_toy_reviews_are_balanced_and_differ_by_split() -> None:
    train, test = data.reviews("toy", "train", 40), data.reviews("toy", "test", 40)
    assert sum(train["label"]) == 20
    assert train["text"] != test["text"]
    assert data.fingerprint(train) != data.fingerprint(test)
    assert data.fingerprint(train) == data.fingerprint(data.reviews("toy", "train", 40))


@pytest.mark.parametrize("saved", ["csv", "save_to_disk"])
def test_a_local_folder_works_like_a_hub_id(tmp_path: Path, saved: str) -> None:
    from datasets import DatasetDict

    parts = DatasetDict({split: data.toy_reviews(8, seed=i) for i, split in enumerate(data.SPLITS)})
    if saved == "csv":
        for split, rows in parts.items():
            rows.to_csv(tmp_path / f"{split}.csv")
    else:
        parts.save_to_disk(tmp_path)
    assert data.reviews(str(tmp_path), "test")["text"] == parts["test"]["text"]


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="none of the course's sources"):
        data.reviews(str(tmp_path), "test")
    (tmp_path / "train.csv").write_text("text,stars\nfine,5\n")
    with pytest.raises(CourseError, match="no split 'test'; it has: train"):
        data.reviews(str(tmp_path), "test")
    with pytest.raises(CourseError, match="lacks the column.s. label"):
        data.reviews(str(tmp_path), "train")


def test_unknown_split() -> None:
    with pytest.raises(CourseError, match="Did you mean 'train'"):
        data.reviews("toy", "trian")
