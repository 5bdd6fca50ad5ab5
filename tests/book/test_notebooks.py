"""Chapters as plain notebooks: nothing of MyST is left in them, and one is run from beginning to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from books import ROOT
from ftbook import notebooks
from ftbook.plain import Plain

from ftlab.errors import CourseError

CHAPTERS = notebooks.chapters()


@pytest.fixture
def plain() -> Plain:
    return Plain(frozenset({"05-sft"}))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("```{admonition} Title\n:class: note\nA *word*.\n```", "> **Title**\n>\n> A *word*."),
        ("`````{dropdown} More\n:class-container: x\n\n```python\n1\n```\n`````", "</summary>\n\n```python\n1\n```"),
        ("```{else} transfer\n```", "The book has more in this place"),
        ("a {term}`logit` and {term}`logits <logit>`", "a logit and logits"),
        (
            "[here](05-sft.md#x), [there](claims.md), [out](https://example.org)",
            "[here](05-sft.ipynb), there, [out](https",
        ),
        ("{cite:p}`devlin2019bert,pang2005stars`", "(Devlin et al. 2019; Pang and Lee 2005)"),
        ("{cite:t}`lhoest2021datasets`", "Lhoest et al. (2021)"),
        ("{setting}`sft train_examples pretrained=true`", "2,000"),
        ("{setting}`sft\nepochs pretrained=true` `a` {term}`b`", "2 `a` b"),
        ("{mean}`sft train_examples_seen pretrained=true`", None),
        ("{cite:p}`nobody2000`", None),
        ("`{mean}` and ``a`b``", "`{mean}` and ``a`b``"),
        ("before <!-- a note --> after", "before  after"),
        ("```{master-exercise} 05-sft accuracy\n```", "`exercises/05-sft/05-sft.ipynb`"),
    ],
)
def test_what_is_written_is_shown(plain: Plain, written: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(CourseError):
            plain.text(written)
    else:
        assert shown in plain.text(written)


def test_a_number_shows_where_it_comes_from(plain: Plain) -> None:
    shown = plain.text("{result}`sft accuracy pretrained=true`")
    assert re.fullmatch(r'<abbr title="[^"]+ftlab run sft[^"]+">[\d.]+\s%.* 5 seeds\)</abbr>', shown)


def test_an_explorer_is_a_cell_with_sliders() -> None:
    made = nbformat.reads(notebooks.notebook(ROOT / "book" / "03-transfer.md"), as_version=4)
    [cell] = [cell for cell in made.cells if "widgets.explore" in cell.source]
    assert cell.cell_type == "code" and 'explore("transfer"' in cell.source
    assert not [c for c in made.cells if "{explorer}" in c.source]


def test_diagrams_claims_and_quizzes_are_whole(plain: Plain) -> None:
    drawn = plain.text("```{diagram} figures/sft.svg\n:alt: A [box].\nThe *caption*.\n```")
    assert drawn.startswith("![A (box).](data:image/svg+xml;base64,") and "*The *caption*.*" in drawn
    assert "> **Verdict: holds" in plain.text("```{claim} sft-pretraining-pays\n```")
    quiz = plain.text("```{quiz} 05-sft\n```")
    assert quiz.count("<details>") >= 15 and quiz.count("**Right.**") == 5


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_nothing_of_myst_is_left_in_a_chapter(page: Path) -> None:
    text = notebooks.notebook(page)
    made = nbformat.reads(text, as_version=4)
    nbformat.validate(made)
    assert text == notebooks.notebook(page)
    assert made.cells[0].source.startswith("# ")
    prose = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert re.findall(r"^[`~:]{3,}\{.*|\{[a-z:-]+\}`.*", prose, re.MULTILINE) == []


@pytest.mark.slow
@pytest.mark.assets
def test_a_chapter_runs_as_a_notebook(tmp_path: Path) -> None:
    from nbclient import NotebookClient

    written = {path.stem: path for path in notebooks.write_all(tmp_path)}
    assert set(written) == {page.stem for page in CHAPTERS}
    made = nbformat.read(written["13-families"], as_version=4)
    NotebookClient(made, timeout=300, resources={"metadata": {"path": str(ROOT / "tests")}}).execute()
    assert "image/svg+xml" in json.dumps(made)  # the figure of the recorded runs


def test_a_notebook_far_from_the_course_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="make course"):
        exec(notebooks.BEGIN, {})
