"""What runs is the master with the student's answers in it, whatever was done to the notebook around them."""

import copy
import functools
import json
import random
import time
from functools import partial
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import master, notebooks, release
from autograder.rebuild import rebuild
from autograder.recognise import Recogniser, squeezed
from ftlab.errors import CourseError

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def real_master():
    return master.load(ROOT / "solutions" / "05-sft" / "05-sft.md")


@pytest.fixture
def real():
    return real_master()


@pytest.fixture(params=["small", "real"])
def course(request, small):
    """The small master and the real one in turn."""
    return master.load(small()) if request.param == "small" else real_master()


# --- notebooks as students hand them in ----------------------------------------------------------------------


@functools.cache
def released_text(path):
    return release.student_text(master.load(path))


def untouched(course):
    return json.loads(released_text(course.path))


def solved(course):
    """The released notebook with all answers in it, run from top to bottom."""
    notebook = untouched(course)
    for number, cell in enumerate(notebook["cells"], start=1):
        cell["source"] = reference(course).get(cell["id"], "".join(cell["source"]))
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [nbformat.v4.new_output("stream", text="done\n")]
            cell["metadata"]["collapsed"] = False
    return notebook


def reference(course):
    return {exercise.name: exercise.solution for exercise in course.exercises}


def stubs(course):
    return {exercise.name: exercise.stub for exercise in course.exercises}


def labelled(notebook, name):
    return next(cell for cell in notebook["cells"] if grade_id(cell) == name)


def grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def checks_of(notebook):
    return [cell for cell in notebook["cells"] if (grade_id(cell) or "").startswith("test-")]


def add(notebook, after, source, kind="code", **metadata):
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    notebook["cells"].insert(notebook["cells"].index(after) + 1, make(source, metadata=metadata))


def unlabel(cell):
    cell["metadata"].pop("nbgrader", None)
    cell.pop("id", None)


def built(course, notebook):
    return rebuild(course, json.dumps(notebook))


def answers(result):
    return {part.name: part.source for part in result.parts if part.kind == "answer"} | dict(result.written)


def extras(result):
    return [part.source for part in result.parts if part.kind == "extra"]


def flagged(result):
    return {(flag.kind, flag.where) for flag in result.flags}


def check_frame(course, result):
    """What holds for every submission: the master's given cells as they are, and no test."""
    given_cells = [(cell.id, cell.source) for cell in course.cells if master.is_helper(cell)]
    assert [(part.name, part.source) for part in result.parts if part.kind == "given"] == given_cells
    named = [part.name for part in result.parts if part.kind != "extra"]
    assert named == [cell.id for cell in course.cells if cell.id in named]
    places = [part.place for part in result.parts]
    assert places == sorted(places)
    assert all(course.cells[part.place].id == part.name for part in result.parts if part.kind != "extra")
    shown = {squeezed(exercise.visible_tests) for exercise in course.exercises if not exercise.manual}
    assert not [part for part in result.parts if squeezed(part.source) in shown]
    assert set(answers(result)) == {exercise.name for exercise in course.exercises}


# --- honest notebooks ----------------------------------------------------------------------------------------


def test_the_released_texts_are_those_of_the_released_notebook(course):
    assert [squeezed("".join(cell["source"])) for cell in untouched(course)["cells"]] == Recogniser(course).released


def test_the_released_notebook_has_only_stubs_and_no_flags(course):
    result = built(course, untouched(course))
    check_frame(course, result)
    assert answers(result) == stubs(course)
    assert result.untouched == set(stubs(course))
    assert not result.flags
    assert not extras(result)


def test_the_solved_notebook_has_all_answers_and_no_flags(course):
    result = built(course, solved(course))
    check_frame(course, result)
    assert answers(result) == reference(course)
    assert not result.untouched
    assert not result.flags
    assert not extras(result)


def windows_lines(notebook):
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n") + "\r\n"


def trailing_space(notebook):
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "  \n") + "\n\n"


def new_ids(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"


def no_ids(notebook):
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        del cell["id"]


def colab(notebook):
    """As Colab saves: its own metadata in every cell, its own ids, lists of lines, no execution counts kept."""
    notebook["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook["nbformat_minor"] = 0
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id")
        cell["metadata"] |= {"id": f"aB3{number}", "colab": {"base_uri": "https://localhost:8080/"}, "outputId": "c0"}
        cell["source"] = cell["source"].splitlines(keepends=True)


def vs_code(notebook):
    notebook["metadata"]["language_info"] |= {"version": "3.12.1", "file_extension": ".py"}
    for cell in notebook["cells"]:
        cell["metadata"]["vscode"] = {"languageId": "python"}
        cell["source"] = cell["source"].rstrip() + "\n"


def formatted(notebook):
    """As a formatter leaves code that is given: other quotes, other breaks of lines."""
    for cell in checks_of(notebook):
        cell["source"] = cell["source"].replace('"', "'").replace("(", "(\n    ").replace("3)", "3,\n)")


def all_metadata_lost(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def empty_cells(notebook):
    add(notebook, notebook["cells"][-1], "")
    add(notebook, notebook["cells"][2], "  \n")


NOISE = [windows_lines, trailing_space, new_ids, no_ids, colab, vs_code, formatted, all_metadata_lost, empty_cells]


def test_an_extra_behind_a_test_is_told_from_one_before_it(course):
    """So that what a student plays with after the test does not spoil what the test sees."""
    exercise, notebook = first(course), solved(course)
    add(notebook, labelled(notebook, exercise.name), "before = 1")
    add(notebook, labelled(notebook, exercise.test_name), "after = 1")
    again = exercise.wrong[0].code
    add(notebook, labelled(notebook, exercise.test_name), again)
    result = built(course, notebook)
    placed = {part.source: course.cells[part.place].id for part in result.parts if part.kind == "extra"}
    assert placed == {"before = 1": exercise.name, again: exercise.test_name, "after = 1": exercise.test_name}
    assert answers(result) == reference(course)
    assert not result.flags


def test_a_notebook_saved_in_the_old_format_3_is_the_same(course):
    old = nbformat.convert(nbformat.from_dict(solved(course)), 3)
    text = notebooks.accept(nbformat.v3.writes_json(old).encode(), notebooks.Allowed())
    result = rebuild(course, text)
    assert answers(result) == reference(course)
    assert not result.flags
    assert not extras(result)


@pytest.mark.parametrize("noise", NOISE)
def test_what_editors_do_by_themselves_changes_nothing_and_is_not_flagged(course, noise):
    notebook = solved(course)
    noise(notebook)
    result = built(course, notebook)
    check_frame(course, result)
    assert {name: text.rstrip() for name, text in answers(result).items()} == {
        name: trim(noise, text) for name, text in reference(course).items()
    }
    assert not result.flags
    assert not extras(result)


def trim(noise, text):
    return text.replace("\n", "  \n") if noise is trailing_space else text


# --- structure and metadata: the rows of the measurements ------------------------------------------------------


def first(course):
    return course.exercises[0]


def last_code(course):
    return [exercise for exercise in course.exercises if not exercise.manual][-1]


def wrong_with_skipped_tests(notebook, course):
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
    labelled(notebook, first(course).name)["source"] = first(course).wrong[0].code


def empty_tests(notebook, course):
    for cell in checks_of(notebook):
        cell["source"] = "pass"


def words_for_tests(notebook, course):
    for cell in checks_of(notebook):
        cell["cell_type"] = "markdown"


def delete_tests(notebook, course):
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in checks_of(notebook)]


def delete_one_test(notebook, course):
    notebook["cells"].remove(checks_of(notebook)[0])


def unlabel_test(notebook, course):
    unlabel(checks_of(notebook)[0])


def rename_test(notebook, course):
    checks_of(notebook)[0]["metadata"]["nbgrader"]["grade_id"] = "something-else"


def change_points(notebook, course):
    checks_of(notebook)[0]["metadata"]["nbgrader"]["points"] = 1000


def no_grade(notebook, course):
    checks_of(notebook)[0]["metadata"]["nbgrader"]["grade"] = False


def old_schema(notebook, course):
    labelled(notebook, first(course).name)["metadata"]["nbgrader"]["schema_version"] = 1


def unlocked(notebook, course):
    for cell in notebook["cells"]:
        if grade_id(cell):
            cell["metadata"]["nbgrader"] |= {"locked": False, "solution": True}


def copy_answer(notebook, course):
    """Copy and paste of an answer cell, as in Jupyter: all of its metadata goes with it."""
    cell = labelled(notebook, first(course).name)
    notebook["cells"].insert(notebook["cells"].index(cell) + 1, copy.deepcopy(cell) | {"id": "pasted"})


def copy_and_empty_test(notebook, course):
    cell = checks_of(notebook)[0]
    notebook["cells"].insert(notebook["cells"].index(cell) + 1, copy.deepcopy(cell) | {"id": "pasted", "source": ""})


def move_tests(notebook, course):
    tests = checks_of(notebook)
    notebook["cells"] = tests + [cell for cell in notebook["cells"] if cell not in tests]


def change_setup(notebook, course):
    labelled(notebook, "setup")["source"] += "\nchecks.close = print"


def delete_setup(notebook, course):
    notebook["cells"].remove(labelled(notebook, "setup"))


def change_test_and_unlabel(notebook, course):
    cell = checks_of(notebook)[0]
    unlabel(cell)
    cell["source"] = cell["source"].rstrip(")") + ", rtol=1e9)"


def raw_answer(notebook, course):
    labelled(notebook, first(course).name)["cell_type"] = "raw"


def markdown_answer(notebook, course):
    labelled(notebook, first(course).name)["cell_type"] = "markdown"


def relabel_answer(notebook, course):
    labelled(notebook, first(course).name)["metadata"]["nbgrader"]["grade_id"] = "mine"


def unlabel_answer(notebook, course):
    unlabel(labelled(notebook, first(course).name))


def swap_answer_and_test(notebook, course):
    answer, test = labelled(notebook, first(course).name), labelled(notebook, first(course).test_name)
    answer["metadata"], test["metadata"] = test["metadata"], answer["metadata"]
    answer["id"], test["id"] = test["id"], answer["id"]


def all_tests(course, kind):
    return {(kind, exercise.test_name) for exercise in course.exercises if not exercise.manual}


def of_first(kind, what):
    return lambda course: {(kind, first(course).name if what == "answer" else first(course).test_name)}


def nothing(course):
    return set()


ROWS = [
    (wrong_with_skipped_tests, nothing),
    (empty_tests, partial(all_tests, kind="tampered")),
    (words_for_tests, partial(all_tests, kind="tampered")),
    (delete_tests, partial(all_tests, kind="note")),
    (delete_one_test, of_first("note", "test")),
    (unlabel_test, nothing),
    (rename_test, of_first("note", "test")),
    (change_points, nothing),
    (no_grade, nothing),
    (old_schema, nothing),
    (unlocked, nothing),
    (copy_answer, of_first("note", "answer")),
    (copy_and_empty_test, of_first("note", "test")),
    (change_setup, lambda course: {("tampered", "setup")}),
    (delete_setup, lambda course: {("note", "setup")}),
    (change_test_and_unlabel, of_first("tampered", "test")),
    (raw_answer, of_first("note", "answer")),
    (markdown_answer, of_first("note", "answer")),
    (relabel_answer, nothing),
    (unlabel_answer, nothing),
    (swap_answer_and_test, lambda course: {("note", first(course).name), ("note", first(course).test_name)}),
]


@pytest.mark.parametrize(("change", "expected"), ROWS, ids=[change.__name__ for change, _ in ROWS])
def test_no_change_of_structure_costs_or_brings_anything_and_what_matters_is_flagged(course, change, expected):
    notebook = solved(course)
    right = reference(course)
    if change is wrong_with_skipped_tests:
        right[first(course).name] = first(course).wrong[0].code
    change(notebook, course)
    result = built(course, notebook)
    check_frame(course, result)
    assert answers(result) == right
    assert flagged(result) == expected(course)
    assert not extras(result)


def test_tests_that_stand_before_the_answers_are_put_back(course):
    notebook = solved(course)
    move_tests(notebook, course)
    result = built(course, notebook)
    check_frame(course, result)
    assert answers(result) == reference(course)
    assert flagged(result) == all_tests(course, "note")


def test_a_deleted_answer_is_the_stub_with_a_flag(course):
    notebook = solved(course)
    notebook["cells"].remove(labelled(notebook, first(course).name))
    result = built(course, notebook)
    check_frame(course, result)
    assert answers(result) == reference(course) | {first(course).name: first(course).stub}
    assert result.untouched == {first(course).name}
    assert flagged(result) == {("note", first(course).name)}


def test_an_emptied_answer_is_the_stub_with_a_flag(course):
    notebook = solved(course)
    labelled(notebook, first(course).name)["source"] = " \n"
    result = built(course, notebook)
    assert answers(result)[first(course).name] == first(course).stub
    assert flagged(result) == {("note", first(course).name)}


def test_wrong_answers_and_syntax_errors_are_handed_on_as_they_are(course):
    broken = first(course).wrong[0].code + "\n    return (("
    notebook = solved(course)
    labelled(notebook, first(course).name)["source"] = broken
    result = built(course, notebook)
    assert answers(result) == reference(course) | {first(course).name: broken}
    assert not result.flags


@pytest.mark.parametrize("ids", [True, False])
def test_of_two_swapped_answers_each_counts_for_what_it_defines(real, ids):
    notebook = solved(real)
    one, other = labelled(notebook, "accuracy"), labelled(notebook, "pad-batch")
    one["metadata"], other["metadata"] = other["metadata"], one["metadata"]
    if ids:
        one["id"], other["id"] = other["id"], one["id"]
    one["source"] = wrong = real.exercises[1].wrong[0].code
    result = built(real, notebook)
    check_frame(real, result)
    assert answers(result) == reference(real) | {"accuracy": wrong}
    assert flagged(result) == {("note", "accuracy"), ("note", "pad-batch")}


# --- the same answer more than once, or elsewhere --------------------------------------------------------------


def test_of_copies_of_an_answer_the_last_counts_that_is_not_the_stub(course):
    exercise, notebook = first(course), solved(course)
    cell = labelled(notebook, exercise.name)
    for text in (exercise.stub, exercise.wrong[0].code):
        notebook["cells"].insert(notebook["cells"].index(cell), copy.deepcopy(cell) | {"source": text})
    notebook["cells"].insert(notebook["cells"].index(cell) + 1, copy.deepcopy(cell) | {"source": exercise.stub})
    result = built(course, notebook)
    check_frame(course, result)
    assert answers(result) == reference(course)
    assert flagged(result) == {("note", exercise.name)}
    assert not extras(result), "an earlier attempt must not run after the one that counts"


def test_an_answer_written_below_the_stub_counts(course):
    exercise, notebook = first(course), solved(course)
    cell = labelled(notebook, exercise.name)
    cell["source"] = exercise.stub
    add(notebook, cell, exercise.wrong[0].code)
    add(notebook, notebook["cells"][-1], exercise.solution)
    result = built(course, notebook)
    check_frame(course, result)
    assert answers(result) == reference(course)
    assert flagged(result) == {("note", exercise.name)}
    assert not extras(result)


def test_an_answer_split_into_two_cells_keeps_both_halves(course):
    """Jupyter copies a cell's metadata into both halves."""
    exercise, notebook = first(course), solved(course)
    cell = labelled(notebook, exercise.name)
    half = copy.deepcopy(cell) | {"source": "def helper(x):\n    return x", "id": "half"}
    notebook["cells"].insert(notebook["cells"].index(cell), half)
    result = built(course, notebook)
    assert answers(result) == reference(course)
    names = [part.name for part in result.parts]
    number = notebook["cells"].index(half) + 1
    assert names.index(f"cell {number}") + 1 == names.index(exercise.name), "the half above stays above"


def test_two_answers_in_one_cell_count_for_both(real):
    notebook = solved(real)
    merged = real.exercises[1].solution + "\n\n\n" + real.exercises[2].solution
    labelled(notebook, "accuracy")["source"] = merged
    labelled(notebook, "pad-batch")["source"] = real.exercises[2].stub
    result = built(real, notebook)
    assert answers(result) == reference(real) | {"accuracy": merged, "pad-batch": merged}


def test_an_answer_in_its_own_cell_comes_before_one_in_anothers(real):
    notebook, right = solved(real), reference(real)
    merged = right["pad-batch"] + "\n\n\n" + real.exercises[1].wrong[0].code
    labelled(notebook, "pad-batch")["source"] = merged
    assert answers(built(real, notebook)) == right | {"pad-batch": merged}


def test_the_answer_of_another_exercise_is_no_answer(real):
    notebook = solved(real)
    labelled(notebook, "accuracy")["source"] = reference(real)["pad-batch"]
    result = built(real, notebook)
    assert answers(result) == reference(real) | {"accuracy": real.exercises[1].stub}
    assert ("note", "accuracy") in flagged(result)
    assert not extras(result)


def test_an_answer_that_defines_nothing_is_found_by_its_place(course):
    exercise, notebook = first(course), solved(course)
    cell = labelled(notebook, exercise.name)
    unlabel(cell)
    cell["source"] = "print('no idea')"
    result = built(course, notebook)
    assert answers(result)[exercise.name] == "print('no idea')"
    assert flagged(result) == {("note", exercise.name)}


# --- cells that students add -----------------------------------------------------------------------------------


def test_added_cells_run_after_the_cell_that_they_follow_and_magics_stay(course):
    notebook, name = solved(course), last_code(course).name
    add(notebook, labelled(notebook, name), "%timeit 1\n!ls")
    add(notebook, labelled(notebook, "setup"), "import collections")
    notebook["cells"].insert(0, nbformat.v4.new_code_cell("top = 1"))
    result = built(course, notebook)
    check_frame(course, result)
    order = [part.source if part.kind == "extra" else part.name for part in result.parts]
    assert order[0] == "top = 1"
    assert order.index("import collections") == order.index("setup") + 1
    assert order.index("%timeit 1\n!ls") == order.index(name) + 1
    placed = {part.source: part.place for part in result.parts}
    assert placed["top = 1"] == -1
    assert course.cells[placed["%timeit 1\n!ls"]].id == name
    assert answers(result) == reference(course)
    assert not result.flags


def test_demonstrations_run_only_where_a_student_changed_them(real):
    notebook = solved(real)
    demo = next(cell for cell in notebook["cells"] if "sizes = [25, 50" in cell["source"])
    assert not extras(built(real, notebook))
    demo["source"] = demo["source"].replace("[25, 50, 100, 200, 400]", "[25, 400]")
    result = built(real, notebook)
    assert extras(result) == [demo["source"]]
    assert not result.flags
    names = [part.name for part in result.parts]
    assert names.index("head-judge") < names.index(f"cell {notebook['cells'].index(demo) + 1}")


def test_a_changed_demonstration_stays_where_it_was_even_if_it_defines_an_answers_name(real):
    notebook = solved(real)
    demo = next(cell for cell in notebook["cells"] if "sizes = [25, 50" in cell["source"])
    place = notebook["cells"].index(demo)
    demo["source"] += "\naccuracy = None"
    result = built(real, notebook)
    assert [part.place for part in result.parts if part.kind == "extra"] == [place]
    assert answers(result) == reference(real)


def test_a_changed_copy_of_a_locked_cell_does_not_run(course):
    notebook = solved(course)
    for cell in [labelled(notebook, "setup"), checks_of(notebook)[0]]:
        changed = copy.deepcopy(cell) | {
            "id": f"pasted-{cell['id']}",
            "source": cell["source"] + "\nchecks.close = print",
        }
        notebook["cells"].append(changed)
    result = built(course, notebook)
    assert not extras(result)
    assert flagged(result) == {("note", "setup"), ("note", first(course).test_name)}


def test_copies_of_given_cells_do_not_run_again(course):
    notebook = solved(course)
    for cell in [*checks_of(notebook), labelled(notebook, "setup")]:
        add(notebook, notebook["cells"][-1], cell["source"])
    result = built(course, notebook)
    assert not extras(result)
    assert not result.flags


# --- free text -------------------------------------------------------------------------------------------------


def words(change, real):
    notebook = solved(real)
    cell = labelled(notebook, "too-good")
    cell["source"] = "Two reasons."
    change(notebook, cell)
    return built(real, notebook)


def below_the_stub(notebook, cell):
    cell["source"] = "YOUR ANSWER HERE"
    add(notebook, cell, "Two reasons.", kind="markdown")


def no_label(notebook, cell):
    unlabel(cell)


def as_code(notebook, cell):
    cell["cell_type"] = "code"


def other_cells_lost(notebook, cell):
    notebook["cells"] = [cell]
    unlabel(cell)


@pytest.mark.parametrize(
    ("change", "notes"), [(below_the_stub, 1), (no_label, 1), (as_code, 1), (lambda notebook, cell: None, 0)]
)
def test_free_text_is_found_wherever_it_stands_and_never_runs(real, change, notes):
    result = words(change, real)
    assert result.written == {"too-good": "Two reasons."}
    assert "too-good" not in result.untouched
    assert len(result.flags) == notes
    assert "Two reasons." not in [part.source for part in result.parts]


def test_free_text_is_found_even_alone(real):
    assert words(other_cells_lost, real).written == {"too-good": "Two reasons."}


def test_both_halves_of_a_free_text_are_kept(real):
    def split(notebook, cell):
        half = copy.deepcopy(cell) | {"source": "And a third.", "id": "half"}
        notebook["cells"].insert(notebook["cells"].index(cell) + 1, half)

    result = words(split, real)
    assert result.written == {"too-good": "Two reasons.\n\nAnd a third."}
    assert flagged(result) == {("note", "too-good")}


# --- properties ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), strip=st.floats(0, 1), double=st.floats(0, 0.5))
def test_the_reference_is_found_however_its_cells_are_permuted_copied_and_stripped(seed, strip, double):
    real, draw = real_master(), random.Random(seed)
    cells = [copy.deepcopy(cell) for cell in solved(real)["cells"] for _ in range(1 + (draw.random() < double))]
    draw.shuffle(cells)
    for cell in cells:
        if draw.random() < strip:
            unlabel(cell)
    result = built(real, untouched(real) | {"cells": cells})
    check_frame(real, result)
    assert answers(result) == reference(real)
    assert not [flag for flag in result.flags if flag.kind == "tampered"]


TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
PLACES = st.tuples(
    st.integers(0, 36),
    st.sampled_from(["cell", "metadata", "nbgrader", "notebook"]),
    st.sampled_from(["cells", "id", "source", "cell_type", "metadata", "nbgrader", "grade_id", "nbformat", "outputs"]),
)


def spoil(notebook, number, level, key, value):
    cell = notebook["cells"][number]
    levels = {"cell": cell, "metadata": cell["metadata"], "notebook": notebook}
    levels["nbgrader"] = cell["metadata"].setdefault("nbgrader", {})
    levels[level][key] = value


@settings(max_examples=150, deadline=None)
@given(place=PLACES, value=STRANGE)
def test_strange_notebooks_are_rebuilt_or_refused_as_intake_refuses_them(place, value):
    real = real_master()
    notebook = solved(real)
    spoil(notebook, *place, value)
    text = json.dumps(notebook)
    try:
        taken = notebooks.accept(text.encode(), notebooks.Allowed())
    except CourseError:
        with pytest.raises(CourseError):
            rebuild(real, text)
        return
    result = rebuild(real, taken)
    check_frame(real, result)
    for part in result.parts:
        part.source.encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(
    sources=st.lists(TEXT | st.sampled_from(["def accuracy(:", "class \0", "accuracy = 1 = 2", "-" * 9999]), max_size=9)
)
def test_no_text_of_a_cell_is_an_error(sources):
    real = real_master()
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    result = built(real, untouched(real) | {"cells": cells})
    check_frame(real, result)
    assert not [flag for flag in result.flags if flag.kind == "tampered"]


@pytest.mark.parametrize("text", [" ", ", ", "a", "a=\n", "def f():\n", "def ", "('\"", "a:"])
def test_the_largest_text_of_one_kind_takes_no_long_time(real, text):
    """Rebuilding is not confined: no pattern in it may be slow on a hostile text."""
    cell = {"cell_type": "code", "metadata": {}, "source": text * (500_000 // len(text))}
    start = time.process_time()
    check_frame(real, built(real, untouched(real) | {"cells": [cell]}))
    assert time.process_time() - start < 3
