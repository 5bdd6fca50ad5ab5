"""The border post: what students handed in, one record each, taken or refused with a reason, and none stops another.

A source is a folder (nbgrader's submitted/STUDENT/ASSIGNMENT/, a folder a student, or one notebook a student) or the
zip that Moodle or Canvas gives. Of each student one notebook is taken. It is read where it lies: no file is copied, and
nothing gets a name that a student chose. The time of receipt is the collector's, never one that a student wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autograder.archives import opened_archive
from autograder.files import FOLDER, HARD_LINK, File, opened_folder
from autograder.notebooks import Allowed, accept
from autograder.records import Submission
from autograder.senders import Place, place
from ftlab.checks import CourseError

_OURS = ("timestamp.txt",)  # nbgrader writes it into the student's folder, where the student can write as well
_NOISE = (".", "__MACOSX", "Thumbs.db", "desktop.ini")  # what systems and editors leave behind


@dataclass(frozen=True)
class _Sent:
    """A file and where it belongs."""

    file: File
    place: Place

    @property
    def name(self) -> str:
        """The file's path in what the student handed in, fit for a sentence."""
        return _shown("/".join(self.place.file) or self.place.origin)

    @property
    def is_notebook(self) -> bool:
        return self.place.file[-1].lower().endswith(".ipynb") if self.place.file else False

    @property
    def problem(self) -> str:
        return self.place.problem or self.file.problem


def collect(
    source: Path, assignments: Sequence[str], *, received: str = "", allowed: Allowed | None = None
) -> Iterator[Submission]:
    """What was handed in for each of the `assignments` (names of masters), by student: one record a student.

    `received` replaces the times in the source (ISO 8601). Times in a zip are those of its download. Raises CourseError
    if the source itself cannot be read, or if it holds nothing for these assignments.
    """
    allowed, count = allowed or Allowed(), 0
    opened = opened_folder if source.is_dir() else opened_archive
    for assignment in assignments:
        with opened(source, allowed) as files:
            sent = _by_student(files, assignment, alone=len(assignments) == 1)
            for student in sorted(sent):
                yield _submission(student, assignment, sent[student], received, allowed)
                count += 1
    if not count:
        raise CourseError(
            f"{source} holds nothing that was handed in for {', '.join(assignments)}. Give nbgrader's folder "
            "submitted/, or, for one assignment, a folder of notebooks or the zip of Moodle or Canvas."
        )


def _by_student(files: Iterator[File], assignment: str, *, alone: bool) -> dict[str, list[_Sent]]:
    sent: dict[str, list[_Sent]] = defaultdict(list)
    for file in files:
        found = place(file.path, assignment, alone=alone)
        if found is not None and _counts(file, found, assignment):
            sent[found.student].append(_Sent(file, found))
    return sent


def _counts(file: File, found: Place, assignment: str) -> bool:
    """Whether this is something of a student's: not the collector's own files, and not a folder of other work."""
    if file.problem == FOLDER:
        return file.path[1:] == (assignment,)
    return bool(found.file) or file.problem not in ("", HARD_LINK)


def _submission(student: str, assignment: str, sent: list[_Sent], received: str, allowed: Allowed) -> Submission:
    """One student's record. Whatever is wrong with the files is its reason, and no error."""
    chosen, text, refused = None, "", ""
    try:
        chosen = _choose(sent, assignment, allowed)
        text = accept(_bytes(chosen, allowed), allowed)
    except CourseError as error:
        refused = f"{chosen.name}: {error}" if chosen else str(error)
    times = [chosen.file.received] if chosen else [one.file.received for one in sent]
    return Submission(
        student=student,
        assignment=assignment,
        notebook=text,
        received=received or _moment(max(times)),
        refused=refused,
        notes=tuple(_notes(sent, chosen, assignment)),
    )


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")


def _bytes(chosen: _Sent, allowed: Allowed) -> bytes:
    """The file's content. Its size is looked at before and after reading, as an archive can lie about it."""
    if chosen.problem:
        raise CourseError(chosen.problem)
    data = b"" if chosen.file.size > allowed.notebook_bytes else chosen.file.read(allowed.notebook_bytes + 1)
    size = max(chosen.file.size, len(data))
    if size > allowed.notebook_bytes:
        raise CourseError(
            f"The file has {size / 1e6:.1f} MB; at most {allowed.notebook_bytes / 1e6:.1f} MB are taken. Clear the "
            "outputs (in Jupyter: Edit, Clear Outputs of All Cells), save, and hand it in again."
        )
    return data


# --- which notebook ------------------------------------------------------------------------------------------


def _choose(sent: list[_Sent], assignment: str, allowed: Allowed) -> _Sent:
    """The notebook that counts: the rightly named one, else the only one. Raises CourseError with the reason."""
    origins = {one.place.origin for one in sent}
    if len(origins) > 1:
        names = _listed(map(_shown, origins))
        raise CourseError(f"Two students, or one in two places, have the same name: {names}. Rename one of them.")
    for one in sent:
        if not one.place.file and one.problem not in ("", FOLDER):
            raise CourseError(f"{one.name}: {one.problem}")
    if len(sent) > allowed.files:
        raise CourseError(f"These are more than {allowed.files} files. Hand in the notebook alone.")
    notebooks = [one for one in sent if one.is_notebook and not _is_noise(one)]
    right = [one for one in notebooks if one.place.file[-1] == f"{assignment}.ipynb"]
    candidates = _best(right) if right else notebooks
    if not candidates:
        raise CourseError(_nothing(sent, assignment))
    if len(candidates) > 1:
        names = _listed(one.name for one in candidates)
        raise CourseError(f"There are {len(candidates)} notebooks: {names}. Hand in one, named {assignment}.ipynb.")
    return candidates[0]


def _best(right: list[_Sent]) -> list[_Sent]:
    """Of several rightly named notebooks those that lie highest up, and of these Canvas's newest."""
    depth = min(len(one.place.file) for one in right)
    highest = [one for one in right if len(one.place.file) == depth]
    newest = max(one.place.attachment for one in highest)
    return [one for one in highest if one.place.attachment == newest]


def _nothing(sent: list[_Sent], assignment: str) -> str:
    names = [one.name for one in sent if one.file.problem != FOLDER and not _is_noise(one)]
    there = f"There is no notebook, only {_listed(names)}." if names else "There is no notebook: nothing was handed in."
    return f"{there} Hand in the file {assignment}.ipynb itself, not packed into an archive."


def _notes(sent: list[_Sent], chosen: _Sent | None, assignment: str) -> Iterator[str]:
    """What an instructor may want to know about files that were tolerated."""
    if any(one.place.late for one in sent):
        yield "Canvas marked it as late."
    if any(one.place.file[-1:] == _OURS for one in sent):
        yield "timestamp.txt was ignored: the time of receipt is the collector's."
    if chosen is None:
        return
    if chosen.place.file[-1] != f"{assignment}.ipynb":
        yield f"The notebook is named {chosen.name}. It was taken, as there is no other."
    left = [one for one in sent if one is not chosen and one.problem != FOLDER and not _is_noise(one)]
    if left:
        yield f"Left out: {_listed(one.name + (' (a link)' if 'link' in one.problem else '') for one in left)}."


def _is_noise(one: _Sent) -> bool:
    return one.place.file[-1:] == _OURS or any(part.startswith(_NOISE) for part in one.place.file if part != "..")


def _listed(names: Iterable[str], most: int = 5) -> str:
    found = sorted(names)
    rest = [f"and {len(found) - most} more"] if len(found) > most else []
    return ", ".join([*found[:most], *rest])


def _shown(name: str) -> str:
    """A name that a student chose, fit for a sentence: what cannot be printed becomes a question mark."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= 80 else plain[:77] + "..."
