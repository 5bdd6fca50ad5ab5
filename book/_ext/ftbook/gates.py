"""What no page of the built book may do: lead nowhere, fetch from another host, weigh too much.

Each page is looked at after every build, also where none was read again, so that a fault stays a warning until it is
mended. `-W` makes an error of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
LARGEST = 1_500_000  # bytes of a page with its own pictures
LOADING = {"src", "srcset", "data", "poster"}  # attributes whose address a browser fetches by itself
FETCHED_LINKS = {"stylesheet", "icon", "shortcut", "preload", "prefetch", "preconnect", "modulepreload", "manifest"}
ADDRESS = re.compile(r"https://[\w-]+(\.[\w-]+)+([/?#]\S*)?")


@dataclass
class Page(HTMLParser):
    """The names in a page that one can link to, where it leads, and what it fetches."""

    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names, links and loads."""
        found = {name: value or "" for name, value in attrs}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and FETCHED_LINKS & set(found.get("rel", "").split()):
            self.loads.append(found.get("href", ""))
        for name in sorted(LOADING & set(found)):
            parts = found[name].split(",") if name == "srcset" else [found[name]]
            self.loads += [part.split()[0] for part in parts if part.strip()]


def read(path: Path) -> Page:
    """A page of the built book."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(pages: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each fault of these pages: where it is, and what to do."""
    known = {path: read(path) for path in pages}
    for path, page in known.items():
        yield from ((path, fault) for fault in _weight(path, page))
        yield from ((path, fault) for address in page.loads if (fault := _load(path, address)))
        yield from ((path, fault) for address in page.links if (fault := _link(path, address, known)))


def _weight(path: Path, page: Page) -> Iterator[str]:
    """Too many bytes, of the page and the pictures that are its own; scripts and styles of the theme are shared."""
    own = {target for address in page.loads if "_static" not in address and (target := _target(path, address))}
    size = sum(file.stat().st_size for file in (path, *own) if file.is_file())
    if size > LARGEST:
        yield f"{size:,} bytes with its pictures; at most {LARGEST:,} are allowed. Draw less, or split the page."


def _load(path: Path, address: str) -> str | None:
    if re.match(r"data:|#", address):
        return None
    target = _target(path, address)
    if target is None:
        return f"fetches {address} from another host, so it does not work offline. Keep a copy in book/_static."
    return None if target.is_file() else f"fetches {address}, and there is no such file."


def _link(path: Path, address: str, known: dict[Path, Page]) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        fine = parts.scheme == "mailto" or ADDRESS.fullmatch(address)
        return None if fine else f"links to {address}: write a whole address that begins with https://."
    target = _target(path, address)
    if target is None or not target.exists():
        return f"links to {address}, and there is no such file."
    page, anchor = known.get(target), unquote(parts.fragment)
    if page and anchor and anchor not in page.names:
        return f"links to {address}, and {target.name} has no place of that name."
    return None


def _target(path: Path, address: str) -> Path | None:
    """The file that a relative address means, or None for one on another host."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    return (path.parent / unquote(parts.path)).resolve() if parts.path else path


def _check(app: Sphinx, exception: Exception | None) -> None:
    """Warn of every fault, where HTML was built."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir).resolve()
    pages = [out / app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)]
    for path, fault in faults(pages):
        LOGGER.warning("%s %s", path.relative_to(out), fault, type="ftbook", subtype="gate")


def setup(app: Sphinx) -> None:
    """Look at the pages once they are written, after the build was marked as finished: nothing need be read again."""
    app.connect("build-finished", _check, priority=900)
