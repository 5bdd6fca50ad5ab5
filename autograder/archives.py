"""The files in a zip archive, which is read in place and never unpacked.

What comes out of an entry is bounded while it is read, so no entry can be a bomb. The ratio of its sizes is no reason
to refuse it: honest output repeats itself as much.
"""

from __future__ import annotations

import contextlib
import functools
import stat
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from autograder.files import LINK, ODD, File, moment
from autograder.notebooks import Allowed
from ftlab.checks import CourseError


@contextlib.contextmanager
def opened_archive(source: Path, allowed: Allowed) -> Iterator[Iterator[File]]:
    """The files in the zip archive `source`. Raises CourseError where it is none."""
    with _archive(source, allowed) as archive:
        yield (_entry(archive, info, source) for info in archive.infolist() if not info.filename.endswith("/"))


def _archive(source: Path, allowed: Allowed) -> zipfile.ZipFile:
    if not source.is_file():
        raise CourseError(f"There is no file {source}. Give a folder of notebooks, or the zip of Moodle or Canvas.")
    try:
        archive = zipfile.ZipFile(source)
    except Exception as error:  # a damaged archive can break the reader in more ways than BadZipFile
        reason = " ".join(str(error).split())[:100]
        raise CourseError(f"{source} is no folder and no zip archive ({reason}). Download it once more.") from error
    if len(archive.infolist()) > allowed.entries:
        archive.close()
        raise CourseError(f"{source} holds more than {allowed.entries} files. Split it, or allow more.")
    return archive


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Path) -> File:
    path = tuple(part for part in info.filename.replace("\\", "/").split("/") if part != ".")
    read = functools.partial(_extract, archive, info)
    return File(path or ("",), _entry_time(info, source), info.file_size, read, _flaw(info))


def _flaw(info: zipfile.ZipInfo) -> str:
    """Why an entry must not be read; "" where it may be."""
    parts = info.filename.replace("\\", "/").split("/")
    if ".." in parts or "" in parts or ":" in parts[0] or "\0" in info.orig_filename:
        return "Its name in the archive leads out of its folder. Hand it in under a plain name."
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return LINK
    if kind not in (0, stat.S_IFREG):
        return ODD
    if info.flag_bits & 1:
        return "It is encrypted. Hand it in without a password."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is packed in a way that is not read here. Hand in the notebook itself."
    return ""


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with archive.open(info) as stream:
            return stream.read(most)
    except Exception as error:  # zipfile and zlib have many words for a damaged entry
        raise CourseError("It is damaged in the archive. Hand it in again.") from error


def _entry_time(info: zipfile.ZipInfo, source: Path) -> datetime:
    """An entry's time as UTC: the exact one where the archive has it, else its clock time, taken as of this place.

    Moodle and Canvas both write the moment of the download here, not that of the submission.
    """
    with contextlib.suppress(struct.error):
        if (seconds := _extended_time(info.extra)) is not None:
            return moment(seconds)
    try:
        return datetime(*info.date_time).astimezone(UTC)
    except (OverflowError, ValueError):
        return moment(source.stat().st_mtime)


def _extended_time(extra: bytes) -> int | None:
    """The modification time in an extended time stamp (header 0x5455, by Info-ZIP's extra fields), if there is one."""
    while len(extra) >= 4:
        header, size = struct.unpack_from("<HH", extra)
        if header == 0x5455 and size >= 5 and extra[4] & 1:
            return int(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + size :]
    return None
