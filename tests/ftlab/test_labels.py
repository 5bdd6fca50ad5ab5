"""Whatever happens to a label file, every label that was saved is still in it, and the last word counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab import labels
from ftlab.errors import CourseError
from ftlab.labels import ANSWERS, Answer, Event, Label, TakenBack

WRITER = """
import sys
from ftlab.labels import Label, append
for number in range(int(sys.argv[3])):
    append(sys.argv[1], Label(comparison=f"c{number}", answer="left", left=0, labeller=sys.argv[2], simulated=False))
    print(number, flush=True)
"""


def label(comparison: str = "c", answer: Answer = "left", labeller: str = "ada", left: int = 0) -> Label:
    return Label(comparison=comparison, answer=answer, left=left, labeller=labeller, simulated=False)  # type: ignore[arg-type]


class Act(NamedTuple):
    """What one writer does: a label, or taking back the own latest one; `cut` bytes of it come onto the disk."""

    labeller: str
    answer: Answer | None  # None takes back
    comparison: str
    left: int
    cut: int | None  # None: all of them


ACTS = st.builds(
    Act,
    st.sampled_from(["ada", "bob", "zoë"]),
    st.sampled_from([*ANSWERS, None]),
    st.sampled_from(["c1", "c2", "c3"]),
    st.integers(0, 1),
    st.none() | st.integers(0, 260),
)


def counted(events: list[Event]) -> list[Label]:
    """The textbook's answer: what stands after every event, the last one for each labeller and comparison."""
    gone = {event.takes_back for event in events if isinstance(event, TakenBack)}
    standing = [event for event in events if isinstance(event, Label) and event.label not in gone]
    last = {(event.labeller, event.comparison): event for event in standing}
    return [event for event in standing if last[event.labeller, event.comparison] is event]


def event_of(act: Act, events: list[Event]) -> Event | None:
    if act.answer is not None:
        return label(act.comparison, act.answer, act.labeller, act.left)
    mine = [each.label for each in counted(events) if each.labeller == act.labeller]
    return TakenBack(takes_back=mine[-1], labeller=act.labeller, simulated=False) if mine else None


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=12))
def test_labels_survive_any_sequence_of_labels_undos_and_kills_at_any_byte(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, events, torn = Path(folder) / "labels.jsonl", list[Event](), 0
        labels.append(path)
        for act in acts:
            event, before = event_of(act, events), path.read_bytes()
            if event is None:
                continue
            labels.append(path, event)
            after = path.read_bytes()
            assert after.startswith(before), "the file is only ever added to"
            written = after[len(before) :][: act.cut]
            os.truncate(path, len(before) + len(written))
            whole = b"}" in written
            events += [event] if whole else []
            torn += not whole and bool(written.strip())
            found = labels.read(path)
            assert list(found.labels) == counted(events)
            assert any("cut off" in note for note in found.notes) == bool(torn)


@given(st.integers(0, 2000))
def test_a_file_that_is_cut_anywhere_is_read_up_to_there_and_goes_on_on_a_new_line(
    tmp_path_factory: pytest.TempPathFactory, byte: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "labels.jsonl"
    given_labels = [label(f"c{number}") for number in range(5)]
    labels.append(path, *given_labels)
    kept = path.read_bytes()[:byte]
    path.write_bytes(kept)
    whole, rest = kept.count(b"}"), kept.rpartition(b"\n")[2]
    found = labels.read(path)
    assert list(found.labels) == given_labels[:whole]
    assert (f"line {whole + 1} is cut off" in " ".join(found.notes)) == (rest != b"" and b"}" not in rest)
    labels.append(path, more := label("more"))
    assert list(labels.read(path).labels) == [*given_labels[:whole], more]


def test_an_undo_brings_back_what_was_said_before_and_leaves_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    labels.append(path, first := label(answer="tie"), second := label(answer="left"))
    labels.append(path, TakenBack(takes_back=second.label, labeller="ada", simulated=False))
    assert labels.read(path).labels == (first,)
    assert [json.loads(line).get("answer") for line in path.read_text().splitlines()] == ["tie", "left", None]


def test_the_last_of_opposite_answers_counts_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    labels.append(path, label("pair", "left"), label("pair", "left", "bob"), last := label("pair", "right"))
    found = labels.read(path)
    assert found.by("ada") == {"pair": last} and len(found.labels) == 2
    assert found.notes == ("ada labelled 1 pair more than once, and differently: pair. The last answer counts.",)


def test_the_same_text_chosen_on_the_other_side_is_the_same_answer(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    labels.append(path, label("pair", "left", left=0), label("pair", "right", left=1))
    assert labels.read(path).notes == ()
    assert [label("pair", answer, left=1).verdict for answer in ANSWERS] == ["second", "first", "tie", "both bad"]


def test_a_file_each_is_read_as_one_file_for_all_and_a_copy_counts_once(tmp_path: Path) -> None:
    ours, theirs = label("pair", "left"), label("pair", "right", "bob")
    labels.append(tmp_path / "ada.jsonl", ours)
    labels.append(tmp_path / "bob.jsonl", theirs)
    found = labels.read(*sorted(tmp_path.glob("*.jsonl")), tmp_path / "ada.jsonl")
    assert found.labels == (ours, theirs) and found.notes == ()


def test_lines_that_are_no_labels_are_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    labels.append(path, label("one"))
    with path.open("a") as stream:
        stream.write('{"comparison": "c", "answer": "maybe"}\n\n\0\0\0\n')
    labels.append(path, label("two"))
    found = labels.read(path)
    assert [each.comparison for each in found.labels] == ["one", "two"]
    assert found.notes == ("labels.jsonl: lines 2, 4 are cut off or damaged, and left out. All other labels count.",)


def test_two_processes_write_to_one_file_at_once(tmp_path: Path) -> None:
    path, names = tmp_path / "labels.jsonl", ("ada", "bob")
    commands = [[sys.executable, "-c", WRITER, str(path), name, "100"] for name in names]
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = labels.read(path)
    assert found.notes == () and [len(found.by(name)) for name in names] == [100, 100]


def test_a_killed_writer_leaves_every_label_that_it_reported_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "ada", "100000"], stdout=subprocess.PIPE)
    assert writer.stdout
    for _ in range(50):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    reported = 50 + len(writer.stdout.read().splitlines())
    writer.wait(20)
    assert reported <= len(labels.read(path).labels) <= reported + 1
    labels.append(path, label("after", labeller="bob"))
    assert "after" in labels.read(path).by("bob")


def test_a_disk_that_refuses_is_reported(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    with pytest.raises(CourseError, match="Not saved: .*full.jsonl cannot be written .No space left"):
        labels.append(tmp_path / "full.jsonl", label())
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="Not saved: .* cannot be written"):
        labels.append(tmp_path / "file" / "labels.jsonl", label())
    with pytest.raises(CourseError, match="No labels can be read from .*none.jsonl"):
        labels.read(tmp_path / "none.jsonl")


def test_a_writer_that_hangs_is_not_waited_for_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(labels, "PATIENCE", 0.05)
    path = tmp_path / "labels.jsonl"
    with FileLock(f"{path}.lock"), pytest.raises(CourseError, match="another program holds it"):
        labels.append(path, label())
