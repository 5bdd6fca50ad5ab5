"""What a page is made from beside its own text, so that a rebuild reads again exactly the pages that changed.

Sphinx compares times of single files. A page of ours also stands on whole folders (recorded runs, the code its
cells import), where files come and go; so each page keeps a hash of the contents of what it stands on.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ParamSpec, TypeVar

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

CODE = ("ftlab/**/*.py",)  # what a page with code cells can import
SHOWING = ("book/_ext/ftbook/*.py", "ftlab/results.py", "ftlab/claims.py")  # what turns sources into text

_RESULTS = re.compile(r"results/(\w+)")

Stamps = dict[str, dict[str, str]]  # page -> pattern -> hash of the files it matches
P = ParamSpec("P")
T = TypeVar("T")


def stand_on(env: BuildEnvironment, *patterns: str) -> None:
    """Note that the page being read is made from the files that these patterns match, from the root."""
    page = _stamps(env).setdefault(env.docname, {})
    page.update({pattern: digest(Path(env.srcdir), pattern) for pattern in patterns if pattern not in page})


def once(env: BuildEnvironment, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`read(*args)`, done once for the page being read: it may ask for hundreds of numbers of the same runs."""
    kept: dict[Callable[..., T], Callable[P, T]] = env.temp_data.setdefault("ftbook_once", {})
    return kept.setdefault(read, functools.cache(read))(*args, **kwargs)


def digest(root: Path, pattern: str) -> str:
    """A hash of names and contents of the files that match; of nothing, where none does."""
    found = hashlib.sha256()
    for file in sorted(root.glob(pattern)):
        found.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()


def _stamps(env: BuildEnvironment) -> Stamps:
    if not hasattr(env, "ftbook_stamps"):
        env.ftbook_stamps = {}  # type: ignore[attr-defined]
    return env.ftbook_stamps  # type: ignore[attr-defined, no-any-return]


def _note_code(app: Sphinx, page: str, text: list[str]) -> None:
    """A page with code cells stands on ftlab, and on the recorded runs that its cells name."""
    if "{code-cell}" in text[0]:
        recorded = [f"book/results/{name}/*.json" for name in sorted(set(_RESULTS.findall(text[0])))]
        stand_on(app.env, *CODE, *recorded)


def _outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """The pages of which some source is no longer what it was."""
    root = Path(env.srcdir)
    patterns = {pattern for page in _stamps(env).values() for pattern in page}
    now = {pattern: digest(root, pattern) for pattern in patterns}
    return [page for page, then in _stamps(env).items() if any(now[p] != old for p, old in then.items())]


def _purge(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    _stamps(env).pop(page, None)


def _merge(app: Sphinx, env: BuildEnvironment, pages: Iterable[str], other: BuildEnvironment) -> None:
    _stamps(env).update({page: stamps for page, stamps in _stamps(other).items() if page in pages})


def setup(app: Sphinx) -> None:
    """Watch reading and rebuilding."""
    app.connect("source-read", _note_code)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
