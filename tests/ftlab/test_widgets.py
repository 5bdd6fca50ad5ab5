"""The labeller's desk without a browser: what it tells the page, and what it makes of the page's messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ftlab import comparisons, labels, widgets
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from ftlab.widgets.labelling import Labelling

PAIRS = comparisons.paired(
    [f"It was {n}" for n in range(4)], [f"fine {n}" for n in range(4)], [f"dull {n}" for n in range(4)], ("sft", "dpo")
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.jsonl"


@pytest.fixture
def desk(path: Path) -> Labelling:
    return widgets.label(PAIRS, path, labeller="ada")


def message(desk: Labelling, pressed: str, turn: int) -> None:
    """What the browser sends when a button is pressed."""
    desk._handle_custom_msg({"pressed": pressed, "turn": turn}, [])


def test_every_press_is_on_the_disk_before_the_next_pair_is_shown(desk: Labelling, path: Path) -> None:
    saved: list[int] = []
    desk.observe(lambda _: saved.append(len(labels.read(path).labels)), "view")
    for pressed in labels.ANSWERS:
        message(desk, pressed, desk.view["turn"])
    assert saved == [1, 2, 3, 4]
    assert [label.answer for label in labels.read(path).labels] == list(labels.ANSWERS)
    assert (desk.view["done"], desk.view["shown"], desk.view["said"]) == (4, "", "Saved: both are bad.")


def test_the_browser_is_told_nothing_of_the_models(desk: Labelling) -> None:
    for _ in PAIRS:
        assert not {"sft", "dpo"} & set(json.dumps(desk.get_state(), default=str).split('"'))
        desk.press("left")


def test_a_press_that_comes_twice_judges_nothing_unseen(desk: Labelling, path: Path) -> None:
    for _ in range(2):
        message(desk, "left", 0)
    message(desk, "undo", 0)
    assert len(labels.read(path).labels) == 1
    assert desk.view["turn"] == 3, "each message is answered, so that the page goes on"


def test_undo_shows_the_pair_again_on_the_same_sides(desk: Labelling) -> None:
    desk.press("undo")
    assert desk.view["said"] == "There is nothing to take back."
    before = desk.view
    desk.press("right")
    assert desk.view["shown"] != before["shown"]
    desk.press("undo")
    same = ("shown", "prompt", "left", "right", "done")
    assert [desk.view[name] for name in same] == [before[name] for name in same]


def test_a_second_desk_of_the_same_person_notices_what_was_answered_at_the_first(desk: Labelling, path: Path) -> None:
    other = widgets.label(PAIRS, path, labeller="ada")
    desk.press("left")
    other.press("right")
    assert other.view["said"] == "Not saved: that pair had an answer already. Here is the next."
    assert other.view["shown"] == desk.view["shown"] and len(labels.read(path).labels) == 1


def test_what_cannot_be_saved_is_shown_and_the_pair_stays(desk: Labelling, path: Path) -> None:
    shown = desk.view["shown"]
    path.unlink()
    path.mkdir()
    desk.press("left")
    assert "labels.jsonl" in desk.view["problem"] and (desk.view["shown"], desk.view["said"]) == (shown, "")
    path.rmdir()
    path.touch()
    desk.press("left")
    assert (desk.view["problem"], desk.view["done"]) == ("", 1)


def test_a_message_that_is_none_is_answered_with_a_sentence(desk: Labelling) -> None:
    message(desk, "<script>", 0)
    assert "There is no answer named '<script>'" in desk.view["problem"]


def test_a_cut_off_file_is_resumed_and_the_labeller_is_told(path: Path) -> None:
    widgets.label(PAIRS, path, labeller="ada").press("left")
    path.write_bytes(path.read_bytes() + b'{"comparison": "c", "ans')
    desk = widgets.label(PAIRS, path, labeller="ada")
    assert desk.view["done"] == 1 and "line 2 is cut off" in desk.view["notes"][0]
    desk.press("tie")
    assert desk.view["done"] == 2 and len(labels.read(path).labels) == 2


def test_without_its_package_it_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "ftlab.widgets.labelling", raising=False)
    with pytest.raises(CourseError, match=r"needs the package anywidget.*pip install 'ftlab\[lab\]'"):
        widgets.label(PAIRS, path, labeller="ada")
