"""What comes in is one honest notebook a student, or a reason; nobody's rubbish stops anybody else."""

import io
import json
import os
import re
import socket
import string
import tempfile
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import master, release
from autograder.files import opened_folder
from autograder.intake import collect
from autograder.notebooks import Allowed, read
from autograder.rebuild import rebuild
from autograder.records import Submission
from autograder.senders import safe
from ftlab.errors import CourseError

NAME = "90-small"
FILE = f"{NAME}.ipynb"
GOOD = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("answer = 42", id="a")])).encode()
OTHER = GOOD.replace(b"42", b"43")
SAFE = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]{0,63}")


def gather(source, *assignments, **options) -> dict[str, Submission]:
    """The records by student; there is never more than one of a student."""
    found = list(collect(source, assignments or (NAME,), **options))
    assert len({(one.student, one.assignment) for one in found}) == len(found)
    for one in found:
        check(one)
    return {one.student: one for one in found}


def check(one):
    """What holds for every record."""
    assert SAFE.fullmatch(one.student)
    assert bool(one.refused) != bool(one.notebook), "taken or refused, and not both"
    assert datetime.fromisoformat(one.received).utcoffset() is not None
    "".join([one.student, one.refused, one.notebook, *one.notes]).encode("utf-8")
    if one.notebook:
        read(one.notebook)


def write(path, data=GOOD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zipped(path, entries):
    """A zip of (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


@pytest.fixture
def tree(tmp_path):
    """nbgrader's submitted/ with one student, ann, and a place for the one who is tried, bob."""
    folder = tmp_path / "submitted"
    write(folder / "ann" / NAME / FILE)
    (folder / "bob" / NAME).mkdir(parents=True)
    return folder


def bob(tree):
    """bob's record; ann's must be there and untouched, whatever he did."""
    found = gather(tree)
    assert set(found) == {"ann", "bob"}
    assert found["ann"].notebook == GOOD.decode()
    assert not found["ann"].notes
    return found["bob"]


# --- files: the rows of the measurements ---------------------------------------------------------------------


def nested(depth):
    return b'{"nbformat": 4, "cells": [], "metadata": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def with_cells(cells, **more):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | more).encode()


CODE = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None}

RUBBISH = {
    "not JSON": (b"print('hello')", "no JSON from line 1"),
    "JSON but no notebook": (b'{"a": 1}', "it is no notebook"),
    "a list": (b"[1, 2]", "it is no notebook"),
    "no cells": (b'{"nbformat": 4}', "it is no notebook"),
    "truncated": (GOOD[: len(GOOD) // 2], "only a part of one"),
    "0 bytes": (b"", "empty"),
    "blanks": (b" \n\t\n", "empty"),
    "binary rubbish": (bytes(range(256)) * 9, "not text in UTF-8"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "not text in UTF-8"),
    "too large": (b" " * 5_000_001, "5.0 MB"),
    "80 MB": (b"x" * 80_000_000, "80.0 MB"),
    "too deep": (nested(101), "100 deep"),
    "far too deep": (nested(100_000), "100 deep"),
    "too many cells": (with_cells([CODE] * 501), "501 cells"),
    "a key twice": (GOOD.replace(b'"metadata"', b'"metadata": {}, "metadata"', 1), "a key stands twice"),
    "a cell that is a number": (with_cells([CODE, 7]), "Cell 2"),
    "a kind that is none": (with_cells([CODE | {"cell_type": "heading"}]), "Cell 1"),
    "a kind that is a list": (with_cells([CODE | {"cell_type": ["code"]}]), "Cell 1"),
    "source that is a number": (with_cells([CODE | {"source": 7}]), "what it holds is no text"),
    "source that is a list of numbers": (with_cells([CODE | {"source": [1, 2]}]), "what it holds is no text"),
    "a later format": (GOOD.replace(b'"nbformat": 4', b'"nbformat": 5'), "format 5"),
    "an earlier format": (GOOD.replace(b'"nbformat": 4', b'"nbformat": 2'), "no notebook"),
    "format 3 in name only": (GOOD.replace(b'"nbformat": 4', b'"nbformat": 3').replace(b"cells", b"worksheets"), "old"),
    "a format that is a long number": (b'{"nbformat": ' + b"4" * 4000 + b"}", "no notebook"),
    "a number too long to read": (b'{"nbformat": ' + b"4" * 5000 + b"}", "no JSON"),
}


@pytest.mark.parametrize("case", RUBBISH)
def test_rubbish_is_refused_with_what_where_and_what_to_do(tree, case):
    data, words = RUBBISH[case]
    write(tree / "bob" / NAME / FILE, data)
    refused = bob(tree).refused
    assert words in refused
    assert refused.startswith(FILE)
    assert re.search(r"(?i)again|delete|save it|clear", refused), "it says what to do"
    assert len(refused) < 400


ACCEPTED = {
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "the largest size": GOOD + b" " * (5_000_000 - len(GOOD)),
    "the greatest depth": nested(98),
    "500 cells": with_cells([CODE] * 500),
    "no cells at all": with_cells([]),
    "an old minor and no ids": with_cells([CODE], nbformat_minor=0),
    "no minor": json.dumps({"nbformat": 4, "cells": [CODE]}).encode(),
    "lists of lines": with_cells([CODE | {"source": ["1\n", "2"]}]),
    "NaN in an output": with_cells([CODE | {"outputs": [float("nan")]}]),
    "odd metadata": with_cells([CODE | {"metadata": [], "id": 7}, CODE | {"metadata": {"nbgrader": "x"}}]),
    "half an emoji": with_cells([CODE | {"source": "'\ud83d'"}]),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_editors_write_is_taken(tree, case):
    write(tree / "bob" / NAME / FILE, ACCEPTED[case])
    assert not bob(tree).refused


def test_half_an_emoji_is_replaced_and_lines_are_joined():
    cells = read(with_cells([CODE | {"source": ["'\ud83d'\r\n", "2"]}]).decode())
    assert [cell.source for cell in cells] == ["'\ufffd'\n2"]


def test_format_3_is_brought_to_4_and_is_the_same_text_each_time(tree):
    old = nbformat.v3.new_notebook(
        worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("answer = 42")])]
    )
    write(tree / "bob" / NAME / FILE, nbformat.v3.writes_json(old).encode())
    first = bob(tree).notebook
    assert [cell.source for cell in read(first)] == ["answer = 42"]
    assert first == bob(tree).notebook


# --- links and other odd files -------------------------------------------------------------------------------


def a_link(path, secret):
    path.symlink_to(secret)


def a_hard_link(path, secret):
    path.hardlink_to(secret)


def a_pipe(path, secret):
    os.mkfifo(path)


def a_socket(path, secret):
    with socket.socket(socket.AF_UNIX) as end:
        os.chdir(path.parent)
        end.bind(path.name)


def a_folder(path, secret):
    path.mkdir()


def a_dangling_link(path, secret):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [a_link, a_hard_link, a_pipe, a_socket, a_folder, a_dangling_link])
def test_what_is_no_ordinary_file_is_refused_and_never_opened(tree, tmp_path, make, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = write(tmp_path / "secret" / "source.ipynb")
    make(tree / "bob" / NAME / FILE, secret)
    found = bob(tree)
    assert re.search("link|no ordinary file|no notebook|a folder", found.refused)
    assert not found.notebook


def test_links_beside_the_notebook_are_left_out_and_told(tree, tmp_path):
    secret = write(tmp_path / "gradebook.db", b"points")
    write(tree / "bob" / NAME / FILE)
    (tree / "bob" / NAME / "gradebook.db").symlink_to(secret)
    (tree / "bob" / NAME / "more").symlink_to(tmp_path)
    found = bob(tree)
    assert found.notebook == GOOD.decode()
    assert found.notes == ("Left out: gradebook.db (a link), more (a link).",)


@pytest.mark.parametrize("level", [1, 2])
def test_a_folder_that_is_a_link_is_refused(tree, tmp_path, level):
    elsewhere = write(tmp_path / "elsewhere" / NAME / FILE).parents[1]
    (tree / "bob" / NAME).rmdir()
    if level == 1:
        (tree / "bob").rmdir()
        (tree / "bob").symlink_to(elsewhere)
    else:
        (tree / "bob" / NAME).symlink_to(elsewhere / NAME)
    assert "link" in bob(tree).refused


@pytest.mark.parametrize("make", [a_link, a_hard_link, a_pipe, a_folder])
def test_a_file_that_is_exchanged_after_it_was_listed_is_not_read(tree, tmp_path, make):
    secret = write(tmp_path / "secret.ipynb")
    path = write(tree / "bob" / NAME / FILE)
    with opened_folder(tree, Allowed()) as files:
        listed = {file.path: file for file in files}
        path.unlink()
        make(path, secret)
        with pytest.raises(CourseError, match="link|ordinary|folder|could not be read"):
            listed["bob", NAME, FILE].read(100)


def test_a_folder_of_too_many_files_is_refused(tree):
    write(tree / "bob" / NAME / FILE)
    for number in range(20):
        write(tree / "bob" / NAME / f"{number}.txt", b"")
    found = gather(tree, allowed=Allowed(files=10))
    assert "more files" in found["bob"].refused
    assert found["ann"].notebook


# --- which notebook ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["90-small-Copy1.ipynb", "90-small(2).ipynb", "90-SMALL.ipynb", "x.IPYNB"])
def test_one_notebook_under_another_name_is_taken_with_a_note(tree, name):
    write(tree / "bob" / NAME / name)
    found = bob(tree)
    assert found.notebook
    assert name in found.notes[0]


def test_of_two_notebooks_the_rightly_named_counts(tree):
    write(tree / "bob" / NAME / FILE)
    write(tree / "bob" / NAME / "junk.ipynb", b"junk")
    write(tree / "bob" / NAME / "deeper" / FILE, OTHER)
    found = bob(tree)
    assert found.notebook == GOOD.decode()
    assert "junk.ipynb" in found.notes[0]


def test_of_two_wrongly_named_notebooks_none_is_guessed(tree):
    write(tree / "bob" / NAME / "one.ipynb")
    write(tree / "bob" / NAME / "two.ipynb")
    refused = bob(tree).refused
    assert "one.ipynb, two.ipynb" in refused
    assert FILE in refused


def test_where_there_is_no_notebook_it_says_what_there_is(tree):
    assert "nothing was handed in" in bob(tree).refused
    write(tree / "bob" / NAME / "work.zip", b"PK")
    assert "only work.zip" in bob(tree).refused


def test_junk_of_systems_and_editors_is_passed_over(tree):
    for junk in (".DS_Store", ".ipynb_checkpoints/90-small-checkpoint.ipynb", "__MACOSX/._90-small.ipynb", "._x.ipynb"):
        write(tree / "bob" / NAME / junk)
    write(tree / "bob" / NAME / FILE)
    assert not bob(tree).notes
    write(tree / ".DS_Store", b"")
    assert not bob(tree).notes


# --- time and names ------------------------------------------------------------------------------------------


def test_the_time_is_the_collectors_and_never_the_students(tree):
    path = write(tree / "bob" / NAME / FILE)
    write(tree / "bob" / NAME / "timestamp.txt", b"yesterday-ish")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    found = bob(tree)
    assert found.received == "2023-11-14T22:13:20+00:00"
    assert "timestamp.txt was ignored" in found.notes[0]
    assert gather(tree, received="2026-01-02T03:04:05+00:00")["bob"].received == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("seconds", [-1, 0, 2**40])
def test_odd_time_stamps_are_no_error(tree, seconds):
    path = write(tree / "bob" / NAME / FILE)
    os.utime(path, (seconds, seconds))
    assert bob(tree).notebook


NAMES = ["Ann Lee", "Änn Lee", "李雷", "..", "-rf", ".hidden", "a/b", "a" * 300, "=cmd()", "\udcff", "a\0b", "", " "]


@pytest.mark.parametrize("name", NAMES)
def test_names_become_safe_and_stay_apart(name):
    assert SAFE.fullmatch(safe(name))
    assert safe(name) == safe(name)
    assert len({safe(other) for other in NAMES}) == len(NAMES)


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_no_two_names_become_the_same(one, other):
    assert SAFE.fullmatch(safe(one))
    assert (safe(one) == safe(other)) == (one == other)


def test_a_name_that_is_safe_stays():
    for name in ("ann", "ann.lee@school.org", "s-1234_x"):
        assert safe(name) == name


# --- other sources -------------------------------------------------------------------------------------------


def test_a_tree_of_several_assignments_is_told_apart(tree):
    write(tree / "bob" / "91-other" / "91-other.ipynb", OTHER)
    write(tree / "cem" / "91-other" / "91-other.ipynb", OTHER)
    found = list(collect(tree, (NAME, "91-other")))
    refused = [(one.student, one.assignment) for one in found if one.refused]
    assert [(one.student, one.assignment) for one in found if one.notebook] == [
        ("ann", NAME),
        ("bob", "91-other"),
        ("cem", "91-other"),
    ]
    assert refused == [("bob", NAME)]
    assert set(gather(tree)) == {"ann", "bob"}, "cem handed in nothing for this one"


def test_a_folder_of_notebooks_and_a_folder_of_folders(tmp_path):
    write(tmp_path / "class" / "ann.ipynb")
    write(tmp_path / "class" / "bob" / FILE, OTHER)
    write(tmp_path / "class" / "Cem Öz.ipynb")
    write(tmp_path / "class" / "readme.txt", b"the collector's own")
    found = gather(tmp_path / "class")
    assert set(found) == {"ann", "bob", safe("Cem Öz")}
    assert not any(one.notes for one in found.values())
    assert found["bob"].notebook == OTHER.decode()


def test_one_student_in_two_places_is_refused_and_not_merged(tmp_path):
    write(tmp_path / "class" / "ann.ipynb")
    write(tmp_path / "class" / "ann" / FILE, OTHER)
    assert "ann, ann.ipynb" in gather(tmp_path / "class")["ann"].refused


MOODLE = ["Ann Lee_12_assignsubmission_file_", "Ann Lee_12_assignsubmission_file"]


@pytest.mark.parametrize("folder", MOODLE)
def test_moodles_zip_is_read(tmp_path, folder):
    entries = [
        (f"{folder}/{FILE}", GOOD),
        (f"{folder}/notes.txt", b"mine"),
        (f"{folder.replace('12', '34')}/{FILE}", OTHER),
        ("Bob Öz_56_assignsubmission_file/my work/90-small-1.ipynb", GOOD),
        ("Cem Ay_78_assignsubmission_onlinetext/onlinetext.html", b"<p>I have no file</p>"),
        (f"Participant 9_9_assignsubmission_file_{FILE}", GOOD),
        (f"Default group_assignsubmission_file_/{FILE}", GOOD),
    ]
    found = gather(zipped(tmp_path / "moodle.zip", entries))
    default = safe("Default group")
    assert set(found) == {"Ann-Lee_12", "Ann-Lee_34", "Bob-Oz_56", "Cem-Ay_78", "Participant-9_9", default}
    assert found["Ann-Lee_12"].notes == ("Left out: notes.txt.",)
    assert found["Ann-Lee_34"].notebook == OTHER.decode()
    assert "my work/90-small-1.ipynb" in found["Bob-Oz_56"].notes[0]
    assert "onlinetext.html" in found["Cem-Ay_78"].refused
    assert found["Participant-9_9"].notebook


def test_canvass_zip_is_read(tmp_path):
    entries = [
        (f"leeann_12_1001_{FILE}", GOOD),
        ("leeann_12_1002_90-small-1.ipynb", OTHER),
        (f"leeann_LATE_34_1003_{FILE}", GOOD),
        ("özbob_56_1004_90-small-2.ipynb", GOOD),
        ("aycem_78_text.html", b"<p>hello</p>"),
        (f"anon_a1B2c_1005_{FILE}", GOOD),
        (f"LATE_anon_d4E5f_1006_{FILE}", GOOD),
    ]
    found = gather(zipped(tmp_path / "canvas.zip", entries))
    assert set(found) == {"leeann_12", "leeann_34", "ozbob_56", "aycem_78", "anon_a1B2c", "anon_d4E5f"}
    assert found["leeann_12"].notebook == OTHER.decode(), "the newest counts"
    assert not found["ozbob_56"].notes, "Canvas added the -2"
    assert [name for name, one in found.items() if "Canvas marked it as late." in one.notes] == [
        "anon_d4E5f",
        "leeann_34",
    ]
    assert "typed into Canvas" in found["aycem_78"].refused


def test_nobody_can_hand_in_under_another_persons_name(tmp_path):
    """Names and file names are chosen by students and groups; they must not be read as somebody else's number."""
    entries = [
        (f"leeann_12_1001_{FILE}", GOOD),
        (f"leeann_12_99_2000_{FILE}", OTHER),  # a group that calls itself leeann_12, with the number 99
        (f"evil_99_1002_leeann_12_3000_{FILE}", OTHER),
    ]
    found = gather(zipped(tmp_path / "canvas.zip", entries))
    assert found["leeann_12"].notebook == GOOD.decode()
    assert not [one for one in found.values() if one.notebook == OTHER.decode() and one.student.startswith("leeann")]
    found = gather(zipped(tmp_path / "without her.zip", entries[1:]))
    assert "leeann_12" not in found
    assert "hides who sent it" in found["leeann_12_99"].refused
    entries = [
        (f"Ann_1_assignsubmission_file_/{FILE}", GOOD),
        (f"Eve_2_assignsubmission_file_/leeann_12_1001_{FILE}", OTHER),
        (f"Eve_2_assignsubmission_file_/Ann_1_assignsubmission_file_/{FILE}", OTHER),
    ]
    found = gather(zipped(tmp_path / "moodle.zip", entries))
    assert set(found) == {"Ann_1", "Eve_2"}
    assert found["Ann_1"].notebook == GOOD.decode()


def test_an_unpacked_zip_is_read_as_well(tmp_path):
    write(tmp_path / "unpacked" / MOODLE[0] / FILE)
    write(tmp_path / "unpacked" / f"leebob_34_1003_{FILE}")
    assert set(gather(tmp_path / "unpacked")) == {"Ann-Lee_12", "leebob_34"}


def test_the_time_in_a_zip_is_the_exact_one_where_there_is_one(tmp_path):
    plain = zipfile.ZipInfo(f"a_1_assignsubmission_file_/{FILE}", (2026, 1, 2, 3, 4, 6))
    exact = zipfile.ZipInfo(f"b_2_assignsubmission_file_/{FILE}", (2026, 1, 2, 3, 4, 6))
    exact.extra = b"UT\x05\x00\x01" + (1_700_000_000).to_bytes(4, "little")
    never = zipfile.ZipInfo(f"c_3_assignsubmission_file_/{FILE}")
    found = gather(zipped(tmp_path / "a.zip", [(plain, GOOD), (exact, GOOD), (never, GOOD)]))
    local = datetime(2026, 1, 2, 3, 4, 6).astimezone(UTC)
    assert datetime.fromisoformat(found["a_1"].received) == local
    assert found["b_2"].received == "2023-11-14T22:13:20+00:00"


# --- zips that mean harm -------------------------------------------------------------------------------------


def entry(name, mode=0, **fields):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    for field, value in fields.items():
        setattr(info, field, value)
    return info


EVE = "Eve_2_assignsubmission_file_"
HARM = {
    "a name that climbs": (entry(f"{EVE}/../../{FILE}"), GOOD, "out of its folder"),
    "a name with a backslash": (entry(f"{EVE}\\..\\{FILE}"), GOOD, "out of its folder"),
    "a link": (entry(f"{EVE}/{FILE}", 0o120777), b"/etc/passwd", "link"),
    "a pipe": (entry(f"{EVE}/{FILE}", 0o010666), b"", "no ordinary file"),
    "a bomb": (entry(f"{EVE}/{FILE}"), b" " * 50_000_000, "50.0 MB"),
    "a zip in a zip": (entry(f"{EVE}/work.zip"), GOOD, "only work.zip"),
    "a way of packing that is not read": (entry(f"{EVE}/{FILE}", compress_type=zipfile.ZIP_BZIP2), GOOD, "packed"),
}


@pytest.mark.parametrize("case", HARM)
def test_a_harmful_entry_is_refused_and_the_rest_is_taken(tmp_path, case):
    info, data, words = HARM[case]
    found = gather(zipped(tmp_path / "a.zip", [(f"Ann_1_assignsubmission_file_/{FILE}", GOOD), (info, data)]))
    assert set(found) == {"Ann_1", "Eve_2"}
    assert found["Ann_1"].notebook == GOOD.decode()
    assert words in found["Eve_2"].refused
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"], "nothing is unpacked"


def patched(path, changes):
    """A zip with its bytes changed."""
    data = path.read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    path.write_bytes(data)
    return path


def test_a_name_that_is_cut_off_by_a_zero_byte_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [(f"{EVE}/{FILE}#.exe", GOOD)])
    assert "out of its folder" in gather(patched(path, [(b"#.exe", b"\0.exe")]))["Eve_2"].refused


def test_an_entry_that_lies_about_its_size_or_is_encrypted_or_damaged_is_refused(tmp_path):
    bomb = b" " * 50_000_000
    path = zipped(tmp_path / "a.zip", [(f"{EVE}/{FILE}", bomb), (f"Ann_1_assignsubmission_file_/{FILE}", GOOD)])
    patched(path, [(len(bomb).to_bytes(4, "little"), (100).to_bytes(4, "little"))])
    tracemalloc.start()
    found = gather(path)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert "damaged" in found["Eve_2"].refused
    assert found["Ann_1"].notebook
    path = zipped(tmp_path / "b.zip", [(f"{EVE}/{FILE}", GOOD)])
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"))
    assert "encrypted" in gather(path)["Eve_2"].refused


def test_an_honest_notebook_that_repeats_itself_is_no_bomb(tmp_path):
    output = {"output_type": "stream", "name": "stdout", "text": ["step\n"] * 300_000}
    data = with_cells([CODE | {"outputs": [output]}])
    path = zipped(tmp_path / "a.zip", [(f"{EVE}/{FILE}", data)])
    assert len(data) > 100 * path.stat().st_size
    assert gather(path)["Eve_2"].notebook


def test_absolute_names_and_names_of_nobody_are_refused_under_a_safe_name(tmp_path):
    names = [f"/etc/{FILE}", f"../{FILE}", f"C:/{FILE}", f"./../x/{FILE}"]
    found = gather(zipped(tmp_path / "a.zip", [(f"{EVE}/{FILE}", GOOD), *((name, OTHER) for name in names)]))
    assert found.pop("Eve_2").notebook
    assert found
    assert all("out of its folder" in one.refused for one in found.values())


def test_an_archive_of_too_many_files_is_an_error_with_a_remedy(tmp_path):
    path = zipped(tmp_path / "a.zip", [(f"{number}.txt", b"") for number in range(20)])
    with pytest.raises(CourseError, match="more than 10 files"):
        gather(path, allowed=Allowed(entries=10))


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x05\x06" + b"\xff" * 18])
def test_a_source_that_is_none_is_an_error_with_a_remedy(tmp_path, content):
    path = tmp_path / "source.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CourseError, match=r"source\.zip"):
        gather(path)


def test_a_source_without_submissions_is_an_error_with_a_remedy(tmp_path):
    write(tmp_path / "class" / "readme.txt")
    with pytest.raises(CourseError, match=r"holds nothing.*90-small"):
        gather(tmp_path / "class")


# --- as a whole ------------------------------------------------------------------------------------------------


def test_the_released_notebook_goes_from_every_source_to_its_stubs(small, tmp_path):
    course = master.load(small())
    data = release.student_text(course).encode()
    sources = [
        write(tmp_path / "tree" / "ann" / NAME / FILE, data).parents[2],
        write(tmp_path / "flat" / "ann.ipynb", data).parent,
        zipped(tmp_path / "moodle.zip", [(f"{MOODLE[0]}/{FILE}", data)]),
        zipped(tmp_path / "canvas.zip", [(f"leeann_12_1001_{FILE}", data)]),
    ]
    for source in sources:
        (one,) = gather(source, course.name).values()
        result = rebuild(course, one.notebook)
        assert result.untouched == {"double"}
        assert not result.flags
        assert not one.notes


# --- fuzzing -------------------------------------------------------------------------------------------------


def mutated(draw):
    """A good notebook with some of its bytes changed, cut out or put in."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(data)


CONTENT = st.binary(max_size=200) | st.composite(mutated)()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "source", "metadata", "nbformat", "cell_type", "worksheets"]), inner
        )
    ),
    max_leaves=12,
)
NOTEBOOK = JSON.map(lambda cells: json.dumps({"nbformat": 4, "cells": cells}).encode())
OLD = JSON.map(lambda sheets: json.dumps({"nbformat": 3, "metadata": {}, "worksheets": sheets}).encode())


@settings(max_examples=100, deadline=None)
@given(st.lists(CONTENT | NOTEBOOK | OLD, min_size=1, max_size=5))
def test_any_bytes_give_exactly_one_record_a_student(contents):
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(contents):
            write(Path(folder) / f"s{number}" / NAME / FILE, data)
        assert set(gather(Path(folder))) == {f"s{number}" for number in range(len(contents))}


PART = st.sampled_from(
    ["..", ".", "", "a", FILE, "Ann_1_assignsubmission_file_", "x_1_2_y.ipynb", "C:", "\x7f", "ä" * 90]
)
ENTRY = st.lists(PART | st.text(string.printable, max_size=9), min_size=1, max_size=4).map("/".join)


@settings(max_examples=200, deadline=None)
@given(
    names=st.lists(ENTRY, unique=True, max_size=6),
    modes=st.lists(st.integers(0, 2**16 - 1), min_size=6, max_size=6),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), max_size=3),
)
def test_any_archive_gives_records_or_one_sentence(names, modes, cuts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"Good_7_assignsubmission_file_/{FILE}", GOOD)
        for name, mode in zip(names, modes, strict=False):
            archive.writestr(entry(name, mode), OTHER)
    data = bytearray(buffer.getvalue())
    for place, change in cuts:
        data[place : place + len(change)] = change
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.zip", bytes(data))
        try:
            found = gather(path)
        except CourseError:
            assert cuts, "a whole archive is read"
        else:
            assert cuts or found["Good_7"].notebook == GOOD.decode()
        assert [path.name for path in Path(folder).iterdir()] == ["a.zip"]
