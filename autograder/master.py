"""Masters: the one text in which an assignment is written, and the exercises read from it.

A master is a MyST Markdown file, solutions/NN-topic/NN-topic.md, with nbgrader's metadata in its cells. One kind of
cell is ours: a code cell with `wrong: {answer: <grade_id>, mistake: <words of the message>}` in its metadata holds an
anticipated wrong answer. It serves the audit and never leaves the master.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab.checks import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
RUBRIC = ("### BEGIN MARK SCHEME", "### END MARK SCHEME")

_HEADING = re.compile(r"^## Exercise (\d+): (.+)$", re.MULTILINE)
_EFFORT = re.compile(r"^\*(\d+) minutes · ([^·*]+) · needs: ([^*]+)\*$", re.MULTILINE)
_HINT = re.compile(r"<details>\s*<summary>Hint (\d): [^<]*</summary>\s*(.*?)\s*</details>", re.DOTALL)
_RUBRIC_POINTS = re.compile(r"^- (\d+) points?:", re.MULTILINE)
_GRADE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WrongAnswer(NamedTuple):
    """An anticipated mistake: words that the visible test's message must hold, and an answer cell that makes it."""

    mistake: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of a master; `name` is the grade_id of its answer cell."""

    name: str
    number: int
    title: str
    points: int
    minutes: int
    difficulty: str
    needs: str
    statement: str  # Markdown, without heading, effort line and hints
    answer: str  # the answer cell as the master has it, markers and all
    solution: str  # the answer cell without the marker lines, and without the mark scheme
    visible_tests: str
    hidden_tests: str
    hints: tuple[str, str, str]
    manual: bool  # a free-text answer, marked by a person
    rubric: str | None
    wrong: tuple[WrongAnswer, ...]
    test_name: str  # the grade_id of the cell that carries the points

    @functools.cached_property
    def stub(self) -> str:
        """What the student finds in the answer cell, by nbgrader's own ClearSolutions."""
        from nbformat.v4 import new_code_cell, new_markdown_cell
        from nbgrader.preprocessors import ClearSolutions

        cell = (new_markdown_cell if self.manual else new_code_cell)(self.answer)
        cell.metadata["nbgrader"] = {"solution": True}
        return ClearSolutions().preprocess_cell(cell, {"language": "python"}, 0)[0].source


@dataclass(frozen=True, kw_only=True)
class Master:
    """A master as read: `cells` are those of the notebook, without the wrong answers."""

    path: Path
    name: str
    title: str
    metadata: dict[str, Any]
    cells: tuple[NotebookNode, ...]
    exercises: tuple[Exercise, ...]


def load(path: Path) -> Master:
    """Read and check the master at `path`. Raises CourseError with file, cell and remedy."""
    cells, metadata = read_cells(path)
    kept = tuple(cell for cell in cells if "wrong" not in cell.metadata)
    exercises = tuple(_exercise(group, cells, path) for group in _groups(kept))
    if not exercises:
        raise CourseError(f"{path} holds no exercise. Start one with a Markdown cell '## Exercise 1: Title'.")
    _check_exercises(exercises, cells, path)
    title = re.search(r"^# (.+)$", kept[0].source, re.MULTILINE)
    if title is None:
        raise CourseError(f"{path}: the first cell has no title. Begin it with a line '# Title'.")
    name = path.stem
    return Master(path=path, name=name, title=title[1], metadata=metadata, cells=kept, exercises=exercises)


def load_all(solutions: Path) -> list[Master]:
    """Every master in `solutions`, by name. Raises CourseError if the folder or its masters are missing."""
    if not solutions.is_dir():
        raise CourseError(f"There is no folder {solutions}. Run this in the course's folder, or give --course.")
    paths = sorted(folder / f"{folder.name}.md" for folder in solutions.iterdir() if folder.is_dir())
    if not paths:
        raise CourseError(f"There is no master in {solutions}. A master is a file NN-topic/NN-topic.md.")
    return [load(path) for path in paths]


def read_cells(path: Path) -> tuple[list[NotebookNode], dict[str, Any]]:
    """The checked cells of a master, with stable ids, and its notebook metadata (no nbgrader is needed)."""
    notebook = _parse(path)
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells, start=1):
        _check_cell(cell, _place(path, number, cell), seen)
    _set_ids(notebook.cells)
    metadata = {key: value for key, value in notebook.metadata.items() if key != "jupytext"}
    return notebook.cells, metadata


def _parse(path: Path) -> NotebookNode:
    import jupytext

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseError(f"There is no master {path}. It should be solutions/NN-topic/NN-topic.md.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read as UTF-8 text ({error}). Save it as a text file.") from error
    if "format_name: myst" not in text.split("\n---", 1)[0]:
        raise CourseError(f"{path} is no master: it lacks the MyST header. Copy the first lines of another master.")
    try:
        return jupytext.reads(text, fmt="md:myst")
    except Exception as error:  # whatever the parsers of Markdown and YAML raise
        reason = " ".join(str(error).split())[:200]
        raise CourseError(f"{path} cannot be parsed: {reason}. Look at the YAML of its cells.") from error


def _set_ids(cells: list[NotebookNode]) -> None:
    """Give each cell an id that follows from its grade_id, or else from its place and text."""
    for index, cell in enumerate(cells):
        digest = hashlib.sha256(f"{index}:{cell.source}".encode()).hexdigest()[:12]
        cell["id"] = grade_id(cell) or digest


# --- cells ---------------------------------------------------------------------------------------------------


def _nbgrader(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("nbgrader") or {}


def grade_id(cell: NotebookNode) -> str:
    """The cell's grade_id, or '' for an ordinary cell."""
    return _nbgrader(cell).get("grade_id", "")


def is_answer(cell: NotebookNode) -> bool:
    """Whether the student writes here."""
    return bool(_nbgrader(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """Whether the cell holds tests that give points."""
    return bool(_nbgrader(cell).get("grade")) and not is_answer(cell)


def is_helper(cell: NotebookNode) -> bool:
    """Whether the cell is code that is given to the student and restored before grading."""
    return cell.cell_type == "code" and bool(_nbgrader(cell).get("locked")) and not is_test(cell)


def without_lines(source: str, marks: tuple[str, str]) -> str:
    """`source` without the two marker lines; what lies between them stays."""
    return "\n".join(line for line in source.split("\n") if line.strip() not in marks)


def split_region(source: str, marks: tuple[str, str]) -> tuple[str, str]:
    """`source` outside the marked region, and the region itself, without the marker lines."""
    outside: list[str] = []
    inside: list[str] = []
    where = outside
    for line in source.split("\n"):
        if line.strip() in marks:
            where = inside if line.strip() == marks[0] else outside
        else:
            where.append(line)
    return "\n".join(outside).strip("\n"), "\n".join(inside).strip("\n")


def _place(path: Path, number: int, cell: NotebookNode) -> str:
    name = grade_id(cell)
    return f"{path}, cell {number}" + (f" ({name})" if name else "")


def _check_cell(cell: NotebookNode, place: str, seen: set[str]) -> None:
    _check_metadata(cell, place, seen)
    _check_marks(cell, SOLUTION, is_answer(cell), "a solution", place)
    _check_marks(cell, HIDDEN, is_test(cell), "a hidden part", place)
    _check_marks(cell, RUBRIC, is_answer(cell) and cell.cell_type == "markdown", "a mark scheme", place)
    if cell.cell_type == "code":
        _check_code(cell.source, place)


def _check_metadata(cell: NotebookNode, place: str, seen: set[str]) -> None:
    """nbgrader's rules, said by file and cell."""
    meta = _nbgrader(cell)
    if not meta:
        return
    missing = [key for key in ("grade", "solution", "locked", "grade_id", "schema_version") if key not in meta]
    if missing:
        raise CourseError(f"{place}: the nbgrader metadata lacks {', '.join(missing)}. Copy it from another cell.")
    name = meta["grade_id"]
    if not isinstance(name, str) or not _GRADE_ID.fullmatch(name):
        raise CourseError(f"{place}: the grade_id {name!r} is none. Use letters, digits and hyphens, at most 64.")
    if name in seen:
        raise CourseError(f"{place}: there is already a cell with the grade_id {name!r}. Give each cell its own.")
    seen.add(name)
    points = meta.get("points")
    if meta["grade"] and (type(points) is not int or points < 1):
        raise CourseError(f"{place}: it is graded and its points are {points!r}. Add a whole number, points: 2.")


def _check_marks(cell: NotebookNode, marks: tuple[str, str], allowed: bool, what: str, place: str) -> None:
    """Each region begins once, ends once, in this order, and in the right kind of cell."""
    kinds = {mark.removeprefix("### "): mark for mark in marks}
    found = [kinds[kind] for line in cell.source.split("\n") for kind in kinds if kind in line]
    if not found:
        return
    if not allowed:
        raise CourseError(f"{place}: {what} does not belong into this kind of cell. Check its nbgrader metadata.")
    if found != list(marks):
        raise CourseError(f"{place}: {what} needs one line '{marks[0]}' and after it one line '{marks[1]}'.")
    lines = [line.strip() for line in cell.source.split("\n")]
    if any(mark not in lines for mark in marks):
        raise CourseError(f"{place}: write the lines '{marks[0]}' and '{marks[1]}' exactly so, alone on a line.")


def _check_code(source: str, place: str) -> None:
    lines = ["" if line.startswith(("%", "!")) else line for line in source.split("\n")]
    try:
        compile("\n".join(lines), place, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CourseError(f"{place}: line {error.lineno} of its code is no Python ({error.msg}). Mend it.") from error


# --- exercises -----------------------------------------------------------------------------------------------


def _groups(cells: tuple[NotebookNode, ...]) -> Iterator[list[NotebookNode]]:
    """The cells of each exercise: from its heading to the next one."""
    group: list[NotebookNode] = []
    for cell in cells:
        if cell.cell_type == "markdown" and not is_answer(cell) and _HEADING.search(cell.source):
            if group:
                yield group
            group = []
        if group or _HEADING.search(cell.source):
            group.append(cell)
    if group:
        yield group


def _exercise(group: list[NotebookNode], cells: list[NotebookNode], path: Path) -> Exercise:
    heading = _HEADING.search(group[0].source)
    assert heading is not None
    place = f"{path}, exercise {heading[1]}"
    answer, graded = _answer_and_test(group, place)
    statement, hints, effort = _statement(group[: group.index(answer)], place)
    visible, hidden = split_region(graded.source, HIDDEN) if graded is not answer else ("", "")
    if graded is not answer and not hidden:
        raise CourseError(f"{place}: its test has no hidden part, so copied answers would pass. Add {HIDDEN[0]}.")
    solution, rubric = split_region(answer.source, RUBRIC)
    manual = graded is answer
    _check_rubric(rubric if manual else None, graded.metadata.nbgrader.points, place)
    return Exercise(
        name=grade_id(answer),
        number=int(heading[1]),
        title=heading[2].strip(),
        points=graded.metadata.nbgrader.points,
        minutes=int(effort[1]),
        difficulty=effort[2].strip(),
        needs=effort[3].strip(),
        statement=statement,
        answer=answer.source,
        solution=without_lines(solution, SOLUTION),
        visible_tests=visible,
        hidden_tests=hidden,
        hints=hints,
        manual=manual,
        rubric=rubric if manual else None,
        wrong=tuple(_wrong_answers(cells, grade_id(answer))),
        test_name=grade_id(graded),
    )


def _answer_and_test(group: list[NotebookNode], place: str) -> tuple[NotebookNode, NotebookNode]:
    """The one answer cell and the one cell that carries the points; for a free-text answer they are the same."""
    answers = [cell for cell in group if is_answer(cell)]
    graded = [cell for cell in group if _nbgrader(cell).get("grade")]
    if len(answers) != 1:
        raise CourseError(f"{place} has {len(answers)} answer cells. It needs one, with solution: true.")
    if len(graded) != 1:
        raise CourseError(f"{place} has {len(graded)} graded cells. It needs one, with grade: true and points.")
    if group.index(graded[0]) < group.index(answers[0]):
        raise CourseError(f"{place}: the test stands before the answer. Move it below.")
    return answers[0], graded[0]


def _statement(group: list[NotebookNode], place: str) -> tuple[str, tuple[str, str, str], re.Match[str]]:
    """The statement, the three hints and the effort line from the cells before the answer."""
    text = "\n\n".join(_as_markdown(cell) for cell in group)
    text = text[next(_HEADING.finditer(text)).end() :]  # what stands above the heading belongs to the exercise before
    effort = _EFFORT.search(text)
    if effort is None:
        line = "'*5 minutes · easy · needs: tensors*'"
        raise CourseError(f"{place}: the second paragraph should be one line such as {line}.")
    hints = [(number, hint) for number, hint in _HINT.findall(text)]
    if [number for number, _ in hints] != ["1", "2", "3"]:
        raise CourseError(f"{place} has {len(hints)} hints. It needs <details><summary>Hint 1: ... to Hint 3: ...")
    statement = _HINT.sub("", text.replace(effort[0], "", 1))
    first, second, third = (hint for _, hint in hints)
    return re.sub(r"\n{3,}", "\n\n", statement).strip(), (first, second, third), effort


def _as_markdown(cell: NotebookNode) -> str:
    """A cell as a part of the statement: code that is given is shown."""
    return cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"


def _check_rubric(rubric: str | None, points: int, place: str) -> None:
    if rubric is None:
        return
    total = sum(map(int, _RUBRIC_POINTS.findall(rubric)))
    if total != points:
        raise CourseError(
            f"{place}: its mark scheme adds up to {total} of {points} points. "
            f"Write lines '- 1 point: ...' between {RUBRIC[0]} and {RUBRIC[1]} in the model answer."
        )


def _wrong_answers(cells: list[NotebookNode], name: str) -> Iterator[WrongAnswer]:
    for cell in cells:
        wrong = cell.metadata.get("wrong") or {}
        if wrong.get("answer") == name:
            yield WrongAnswer(str(wrong.get("mistake", "")), cell.source)


def _check_exercises(exercises: tuple[Exercise, ...], cells: list[NotebookNode], path: Path) -> None:
    numbers = [exercise.number for exercise in exercises]
    if numbers != list(range(1, len(numbers) + 1)):
        raise CourseError(f"{path}: the exercises are numbered {numbers}. Number them from 1 on, without a gap.")
    names = {exercise.name for exercise in exercises}
    for number, cell in enumerate(cells, start=1):
        wrong = cell.metadata.get("wrong")
        if wrong is not None and (not isinstance(wrong, dict) or wrong.get("answer") not in names):
            raise CourseError(f"{path}, cell {number}: 'wrong' needs answer: one of {', '.join(sorted(names))}.")
