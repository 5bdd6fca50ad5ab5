"""Pairs: what is written is read back, and what cannot be compared is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import preferences
from ftlab.errors import CourseError
from ftlab.preferences import Pair

TEXT = st.text(min_size=1).filter(str.strip).filter(lambda text: text.isprintable() or "\n" in text)
PAIRS = st.builds(lambda a, b, c: Pair(a, b, c + b), TEXT, TEXT, TEXT)


@given(pairs=st.lists(PAIRS, max_size=4))
def test_what_is_saved_is_loaded(pairs: list[Pair], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    preferences.save(pairs, file)
    assert preferences.load(file) == pairs
    assert len(file.read_text().splitlines()) >= len(pairs)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (("The film", "", " is bad"), "Its chosen completion is empty"),
        (("The film", " is good", " \n"), "Its rejected completion is empty"),
        (("", " is good", " is bad"), "Its prompt is empty"),
        (("The film", " is good", " is good"), "same text, so none is better"),
        (("The film", " is good", 3), "'rejected' is text, not 3"),
    ],
)
def test_nothing_to_compare_is_refused(texts: tuple[str, str, str], problem: str) -> None:
    with pytest.raises(CourseError, match=problem):
        Pair(*texts)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"prompt": "a", "chosen": "b", "rej', "line 2 is not a pair .*JSONDecodeError"),
        ('{"prompt": "a", "chosen": "b"}', "line 2 is not a pair .*rejected"),
        ("[1, 2]", "line 2 is not a pair"),
        ('{"prompt": "a", "chosen": "b", "rejected": ""}', "line 2: A pair cannot be compared"),
    ],
)
def test_a_broken_line_is_named(line: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    preferences.save([Pair("The film", " is good", " is bad")], file)
    file.write_text(file.read_text() + line)
    with pytest.raises(CourseError, match=problem):
        preferences.load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        preferences.load(tmp_path / "none.jsonl")


def test_other_keys_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"prompt": "a", "chosen": "b", "rejected": "c", "labeller": "ann"}\n\n')
    assert preferences.load(tmp_path / "a") == [Pair("a", "b", "c")]


def test_a_turned_pair_prefers_the_other() -> None:
    pair = Pair("a", "b", "c")
    assert pair.turned() == Pair("a", "c", "b") and pair.turned().turned() == pair


def test_trl_gets_its_columns() -> None:
    rows = preferences.dataset([Pair("a", "b", "c"), Pair("d", "e", "f")])
    assert rows.column_names == ["prompt", "chosen", "rejected"] and rows[1]["chosen"] == "e"
