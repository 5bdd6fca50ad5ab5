"""What stops a page from being published: each gate is broken once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from books import ROOT, build
from conftest import Mini
from ftbook import gates
from leaks import found_in, secrets

PICTURE = '<img src="../_images/own.png" srcset="../_images/own.png 2x">'


def faults(folder: Path, body: str) -> list[str]:
    """What the gates say of a page with this body, beside another page and a picture."""
    for name in ("book", "_images", "_static"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "_images" / "own.png").write_bytes(b"1")
    (folder / "_static" / "theme.js").write_bytes(b"1" * gates.LARGEST)
    one, two = folder / "book" / "one.html", folder / "book" / "two.html"
    one.write_text(f'<html><script src="../_static/theme.js"></script><p id="here">{body}</p></html>')
    two.write_text('<h1 id="there">Two</h1>')
    return [fault for _, fault in gates.faults([one, two])]


@pytest.mark.parametrize(
    "body",
    [
        PICTURE,
        '<a href="two.html#there">x</a><a href="#here">x</a><a href="#">x</a><a href="two.html">x</a>',
        '<a href="https://example.org/a?b#c">x</a><a href="mailto:a@example.org">x</a>',
        '<img src="data:image/png;base64,AAAA"><svg><use xlink:href="#here"/></svg>',
        '<link rel="canonical" href="https://example.org/">',
    ],
)
def test_a_sound_page_passes(tmp_path: Path, body: str) -> None:
    assert faults(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<a href="three.html">x</a>', "links to three.html, and there is no such file"),
        ('<a href="two.html#here">x</a>', "two.html has no place of that name"),
        ('<a href="#there">x</a>', "one.html has no place of that name"),
        ('<a href="http://example.org">x</a>', "begins with https://"),
        ('<a href="https://example .org">x</a>', "begins with https://"),
        ('<a href="file:///tmp/x">x</a>', "begins with https://"),
        ('<img src="../_images/none.png">', "fetches ../_images/none.png, and there is no such file"),
        ('<img src="https://example.org/x.png">', "from another host"),
        ('<script src="//example.org/x.js"></script>', "from another host"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "from another host"),
        ('<link rel="preconnect" href="https://example.org">', "from another host"),
        ('<img srcset="../_images/own.png, https://example.org/x.png 2x">', "from another host"),
        ('<iframe src="https://example.org"></iframe>', "from another host"),
        ("x" * gates.LARGEST, "at most 1,500,000 are allowed"),
    ],
)
def test_a_fault_is_told(tmp_path: Path, body: str, told: str) -> None:
    [fault] = faults(tmp_path, body)
    assert told in fault


def test_a_picture_counts_for_the_page_and_the_theme_does_not(tmp_path: Path) -> None:
    assert faults(tmp_path, PICTURE) == []
    (tmp_path / "_images" / "own.png").write_bytes(b"1" * gates.LARGEST)
    [(_, fault)] = gates.faults([tmp_path / "book" / "one.html"])
    assert "at most" in fault


@pytest.mark.slow
def test_faults_fail_the_build_until_they_are_mended(mini: Mini) -> None:
    raw = '<a href="gone.html">x</a> <img src="https://example.org/x.png" alt="x">'
    tree = mini(home=f"# Home\n\n{raw}\n\n[x](gone.md) and [y](#gone)\n")
    (tree / "book" / "stray.md").write_text("# Stray\n")
    first, second = build(tree), build(tree)
    for told in ("home.html links to gone.html", "from another host", "gone.md", "'gone'", "stray.md"):
        assert told in first.said
    assert "home.html links to gone.html" in second.said
    assert first.code != 0 and second.code != 0
    (tree / "book" / "home.md").write_text("# Home\n")
    (tree / "book" / "stray.md").unlink()
    assert build(tree).code == 0


@pytest.mark.slow
def test_a_solution_that_an_author_pasted_is_found(mini: Mini) -> None:
    solution = next(line for line in _solution().splitlines() if "=" in line and len(line) > 40)
    tree = mini(home=f"# Home\n\n```python\n{solution}\n```\n")
    built = build(tree)
    assert built.code == 0, built.said
    assert found_in(built.html, secrets(ROOT / "solutions").all)


def _solution() -> str:
    text = (ROOT / "solutions" / "05-sft" / "05-sft.md").read_text()
    held = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", text, re.DOTALL)
    return "".join(held)


def test_every_build_that_the_makefile_knows_makes_errors_of_warnings() -> None:
    builds = re.findall(r"jupyter-book build .*", (ROOT / "Makefile").read_text())
    assert len(builds) >= 3
    assert [line for line in builds if "-W --keep-going" not in line] == []
