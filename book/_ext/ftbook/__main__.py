"""`python -m ftbook notebooks FOLDER` and `python -m ftbook pdf HTML FILE`: editions that are no website."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ftlab.errors import CourseError

from . import notebooks, pdf


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="ftbook", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("notebooks").add_argument("folder", type=Path)
    printing = verbs.add_parser("pdf")
    printing.add_argument("html", type=Path, help="the built book")
    printing.add_argument("file", type=Path)
    asked = parser.parse_args()
    try:
        return _notebooks(asked.folder) if asked.verb == "notebooks" else _pdf(asked.html, asked.file)
    except CourseError as error:
        print(f"ftbook: {error}", file=sys.stderr)
        return 1


def _notebooks(folder: Path) -> int:
    print(f"{len(notebooks.write_all(folder))} notebooks in {folder}")
    return 0


def _pdf(html: Path, file: Path) -> int:
    pdf.write(html.resolve(), file, pdf.pages())
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
