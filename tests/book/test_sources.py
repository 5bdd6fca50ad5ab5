"""When a page counts as changed; how drawings get into it."""

from __future__ import annotations

import os
from pathlib import Path

from ftbook import diagrams, sources
from sphinx.environment import BuildEnvironment


def test_contents_and_names_count_and_times_do_not(tmp_path: Path) -> None:
    one = tmp_path / "runs" / "one.json"
    one.parent.mkdir()
    one.write_text("1")
    first = sources.digest(tmp_path, "runs/*.json")
    os.utime(one, (0, 0))
    assert sources.digest(tmp_path, "runs/*.json") == first
    (one.parent / "two.json").write_text("1")
    second = sources.digest(tmp_path, "runs/*.json")
    one.rename(one.with_name("three.json"))
    third = sources.digest(tmp_path, "runs/*.json")
    (one.parent / "two.json").write_text("2")
    assert len({first, second, third, sources.digest(tmp_path, "runs/*.json")}) == 4


def test_a_page_reads_the_same_thing_once_and_the_next_page_reads_anew() -> None:
    env, asked = BuildEnvironment.__new__(BuildEnvironment), []
    env.temp_data = {}

    def read(name: str) -> str:
        asked.append(name)
        return name.upper()

    found = [sources.once(env, read, name) for name in ("sft", "dpo", "sft")]
    assert (found, asked) == (["SFT", "DPO", "SFT"], ["sft", "dpo"])
    env.temp_data.clear()  # as Sphinx does after each page
    assert (sources.once(env, read, "sft"), asked) == ("SFT", ["sft", "dpo", "sft"])


def test_a_drawing_gets_its_description() -> None:
    svg = '<?xml version="1.0"?>\n<!-- by us -->\n<svg viewBox="0 0 1 1"></svg>'
    found = diagrams.inline(svg, 'A "box" & an arrow')
    assert found == '<svg role="img" aria-label="A &quot;box&quot; &amp; an arrow" viewBox="0 0 1 1"></svg>'
