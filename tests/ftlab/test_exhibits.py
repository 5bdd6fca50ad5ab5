"""What is shown beside the metrics: made from the recorded runs, whole, and in step with the questions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ftlab import costs, exhibits, probes, recording, results


def recorded(name: str) -> list[results.Result]:
    return results.load_all(recording.RECORDED / name)


@pytest.mark.parametrize("name", [name for name in exhibits.EXHIBITS if (recording.RECORDED / name).is_dir()])
def test_every_exhibit_is_a_full_table(name: str) -> None:
    shown = exhibits.of(recorded(name))
    assert shown and shown.rows
    assert all(len(row) == len(shown.header) for row in shown.rows)
    assert all(isinstance(cell, str) for row in shown.rows for cell in row)


# What a model may write: any printable text, and all the marks of Markdown and HTML.
TEXTS = st.text(st.sampled_from("aZ09 .,;:!?'\"()*_`~|\\[]{}<>#$&+-=/^%@é"), max_size=30).map(str.strip)


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=4))
def test_a_notebook_shows_every_cell_as_it_was_written(rows: list[list[str]]) -> None:
    table = exhibits.Exhibit(["asked", "written"], rows)._repr_markdown_()
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(table)
    shown = ["".join(part.content for part in token.children or []) for token in tokens if token.type == "inline"]
    assert shown == ["asked", "written", *(cell for row in rows for cell in row)]


def test_a_line_break_in_a_cell_stays_one() -> None:
    assert exhibits.Exhibit(["a"], [["one\ntwo"]])._repr_markdown_().endswith("| one<br>two |")


def test_a_runner_whose_metrics_say_everything_has_none() -> None:
    assert exhibits.of(recorded("sft")) is None


def test_every_published_training_stands_beside_its_prediction() -> None:
    rows = {row[0]: row for row in exhibits.published([]).rows}
    assert set(rows) == {run.name for run in costs.published()}
    assert rows["GPT-3 175B"][2:5] == ["3.23e+23", "3.14e+23", "+2.9 %"]


def test_what_was_written_stands_beside_its_question() -> None:
    shown = exhibits.written(recorded("families"))
    assert set(shown.header) == {"task", "asked", "bert", "gpt", "llama"}
    (row,) = (row for row in shown.rows if row[1] == probes.load("translation").items[0].given)
    texts = {run.config["family"]: run.provenance["texts"] for run in recorded("families") if run.seed == 0}
    assert row[shown.header.index("llama")] == texts["llama"]["translation"][0]


def test_guesses_before_reading_are_the_same_whatever_is_read_then() -> None:
    """So that one column may stand for all."""
    before = [run.provenance["guesses"]["before"] for run in recorded("mlm")]
    assert all(found == before[0] for found in before)
    shown = exhibits.guessed(recorded("mlm"))
    assert "after: manual" in shown.header and "after: reviews, whole words hidden" in shown.header


def test_words_come_with_their_probabilities() -> None:
    assert exhibits.words([("floor", 0.058), ("wall", 0.03)]) == "floor (6 %), wall (3 %)"


def wrote(seed: int, **samples: str) -> results.Result:
    """A run whose config has a beta that is its seed, and one sample at each time."""
    kept = {when: [{"prompt": "The film", "completion": text}] for when, text in samples.items()}
    config = {"seed": 0, "beta": seed}
    return results.Result(runner="dpo", config=config, metrics={}, provenance={"samples": kept})


def test_how_a_policy_went_on_is_shown_before_and_after_in_each_setting() -> None:
    runs = [wrote(1, before=" was", after=" was fine"), wrote(2, before=" was", after=" was great")]
    shown = exhibits.of(runs)
    assert shown == exhibits.Exhibit(
        ["first words", "before", "after: as it is", "after: beta = 2"],
        [["The film", " was", " was fine", " was great"]],
    )


def test_how_a_policy_went_on_is_shown_stage_by_stage_for_the_run_with_most_stages() -> None:
    runs = [wrote(1, start=" a"), wrote(2, start=" a", self_supervised=" b")]
    assert exhibits.stage_by_stage(runs) == exhibits.Exhibit(
        ["first words", "start", "self supervised"], [["The film", " a", " b"]]
    )
