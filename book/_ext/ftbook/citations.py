"""Citations as plain text, `Devlin et al. 2019`, for where sphinxcontrib-bibtex does not reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pybtex.database import BibliographyData, Entry, parse_string
from pybtex.richtext import Text

from ftlab.errors import unknown


def load(path: Path) -> BibliographyData:
    """The entries of a .bib file."""
    return parse_string(path.read_text(encoding="utf-8"), "bibtex")


def cite(library: BibliographyData, keys: str, *, in_text: bool) -> str:
    """`(Devlin et al. 2019; Wu 2020)`, or `Devlin et al. (2019)` where the sentence names them."""
    found = [_entry(library, key.strip()) for key in keys.split(",")]
    if in_text:
        return ", ".join(f"{_names(entry)} ({entry.fields['year']})" for entry in found)
    return f"({'; '.join(_short(entry) for entry in found)})"


def listed(library: BibliographyData, keys: Sequence[str]) -> str:
    """The entries of these keys as a Markdown list, in the order of their names."""
    found = sorted((_entry(library, key) for key in set(keys)), key=_short)
    return "\n".join(f"- {_short(entry)}: *{_clean(entry.fields['title'])}*.{_where(entry)}" for entry in found)


def _entry(library: BibliographyData, key: str) -> Entry:
    if key not in library.entries:
        raise unknown("reference", key, sorted(library.entries))
    return library.entries[key]


def _short(entry: Entry) -> str:
    return f"{_names(entry)} {entry.fields['year']}"


def _names(entry: Entry) -> str:
    people = [_clean(" ".join(person.last_names)) for person in entry.persons.get("author", ())]
    if len(people) > 2 or people[-1] == "others":
        return f"{people[0]} et al."
    return " and ".join(people)


def _where(entry: Entry) -> str:
    place = next((entry.fields[name] for name in ("url", "booktitle", "journal") if name in entry.fields), "")
    return f" {_clean(place)}." if place else ""


def _clean(text: str) -> str:
    """Text of TeX as plain text: accents and dashes in, braces out."""
    return str(Text.from_latex(text))
