"""Each chapter with code as a plain Jupyter notebook: `python -m ftbook notebooks FOLDER` writes them all.

The built book offers the same file on the chapter's page. It holds no output: whoever runs it makes their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx
from sphinx.util import logging

from ftlab.errors import CourseError

from .plain import ROOT, Plain

LOGGER = logging.getLogger(__name__)
_EXPLORER = re.compile(r"^`{3}\{explorer\} (\S+)\n`{3}$", re.M)
BEGIN = """\
# The chapter reads recorded runs in the folder book/ of the course, so it works in there.
import os
from pathlib import Path

here = [folder / "book" for folder in (Path.cwd(), *Path.cwd().parents)]
book = next((folder for folder in here if (folder / "results").is_dir()), None)
if book is None:
    raise FileNotFoundError("Open this notebook inside a copy of the course's repository, after `make course` there.")
os.chdir(book)"""


def chapters(root: Path = ROOT) -> list[Path]:
    """The pages of the book that have code cells."""
    return [page for page in sorted((root / "book").glob("*.md")) if "```{code-cell}" in page.read_text("utf-8")]


def notebook(page: Path, root: Path = ROOT) -> str:
    """The text of a chapter's notebook, the same each time. Raises CourseError where it names what there is not."""
    import jupytext

    plain = Plain(frozenset(found.stem for found in chapters(root)), root)
    made = jupytext.read(page, fmt="md:myst")
    made.cells = [part for cell in made.cells for part in _with_explorers(cell)]
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = plain.text(cell.source)
    made.cells.insert(1, new_code_cell(BEGIN))
    if plain.cited:
        made.cells.append(new_markdown_cell(f"## References\n\n{plain.references()}"))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    made.metadata = {"kernelspec": made.metadata["kernelspec"], "language_info": {"name": "python"}}
    return nbformat.writes(made)


def _with_explorers(cell: Any) -> Iterator[Any]:
    """The cell, cut where its text has explorers: each is a code cell here, which shows sliders of ipywidgets."""
    if cell.cell_type != "markdown":
        yield cell
        return
    texts = _EXPLORER.split(cell.source)
    for place, text in enumerate(texts):
        if place % 2:
            yield new_code_cell(f'from ftlab import widgets\n\nwidgets.explore("{text}", root="..")')
        elif text.strip():
            yield new_markdown_cell(text.strip())


def write_all(folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the notebook of every chapter into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in chapters(root):
        target = folder / f"{page.stem}.ipynb"
        target.write_text(notebook(page, root), encoding="utf-8")
        written.append(target)
    return written


def _offer(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Put a chapter's notebook beside its source, where the theme's download button looks for it."""
    root = Path(app.srcdir)
    source = root / f"{page}.md"
    if source not in chapters(root):
        return
    target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_text(notebook(source, root), encoding="utf-8")
    except CourseError as error:
        LOGGER.warning("%s", error, location=page, type="ftbook", subtype="notebook")
    else:
        context["ipynb_source"] = f"{page}.ipynb"


def setup(app: Sphinx) -> None:
    """Offer the notebooks, before the theme makes its buttons."""
    app.connect("html-page-context", _offer, priority=400)
