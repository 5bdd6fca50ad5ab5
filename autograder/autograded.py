"""The graded notebook that nbgrader's formgrader opens: the released one, with the student's answers and outcomes.

The formgrader shows Markdown cells as live HTML, scripts and all, in the instructor's session. So a student's free
text is rendered here, cleaned by bleach, and put in as one block of harmless HTML.
"""

from __future__ import annotations

import copy
from html import escape
from typing import TYPE_CHECKING, Any

from autograder.master import Master
from autograder.records import Graded, Outcome, State

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from autograder.ledger import Standing

TAGS = [
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
]  # fmt: skip
WORDS = {
    State.WAITING: "It waits to be graded.",
    State.REJECTED: "It was refused:",
    State.CRASHED: "It could not be run:",
    State.TIMED_OUT: "It ran out of time:",
    State.BROKEN: "The grader failed, which is not the student's fault. Grade it again:",
}


def autograded(master: Master, released: NotebookNode, standing: Standing) -> str:
    """The text of the notebook; `released` is what students got."""
    from nbformat import v4, writes

    notebook = copy.deepcopy(released)
    _show_rubrics(notebook, master)
    if standing.graded is not None and standing.scored:
        _fill(notebook, master, standing.graded)
    told = _told(standing)
    if told:
        items = "".join(f"<li>{escape(' '.join(line.split()))}</li>" for line in told)
        notebook.cells.insert(0, v4.new_markdown_cell(f"<div><ul>{items}</ul></div>", id="autograder-says"))
    return writes(notebook) + "\n"


def _show_rubrics(notebook: NotebookNode, master: Master) -> None:
    """Below each free-text answer what brings a point: it never was in the student's notebook, and nbgrader's own
    formgrader shows only what is in this one."""
    from nbformat import v4

    rubrics = {exercise.name: exercise for exercise in master.exercises if exercise.rubric}
    for cell in [cell for cell in notebook.cells if cell.id in rubrics]:
        exercise = rubrics[cell.id]
        text = f"**Rubric, for the person who marks ({exercise.points} points)**\n\n{exercise.rubric}"
        place = notebook.cells.index(cell) + 1
        notebook.cells.insert(place, v4.new_markdown_cell(text, id=f"rubric-{exercise.number}"))


def _told(standing: Standing) -> list[str]:
    """What a person who opens the notebook should know first."""
    error = standing.graded.error if standing.graded else ""
    lines = [] if standing.scored else [f"{WORDS[standing.state]} {error}".strip()]
    if standing.graded is not None:
        if standing.graded.box == "none":
            lines.append("It was graded without a sandbox, so the student's code could have changed the result.")
        lines += [f"{flag.where}: {flag.what}".strip(": ") for flag in standing.graded.flags]
    return lines


def _fill(notebook: NotebookNode, master: Master, graded: Graded) -> None:
    outcomes = {outcome.exercise: outcome for outcome in graded.outcomes}
    tests = {exercise.test_name: outcomes.get(exercise.name) for exercise in master.exercises if not exercise.manual}
    for cell in notebook.cells:
        if cell.id in graded.answers:
            cell.source = graded.answers[cell.id]
        if cell.id in graded.written:
            cell.source = harmless(graded.written[cell.id])
        outcome = tests.get(cell.id)
        if outcome is not None:
            cell.outputs = _outputs(outcome)


def harmless(text: str) -> str:
    """A student's Markdown as one line of clean HTML, which Markdown does not read a second time."""
    import bleach
    from nbconvert.filters import markdown2html

    attributes = {"*": ["class"], "a": ["href"]}
    html = bleach.clean(markdown2html(text), tags=TAGS, attributes=attributes, protocols=["http", "https", "mailto"])
    return "<div>" + html.replace("\r", "").replace("\n", "&#10;") + "</div>"


def _outputs(outcome: Outcome) -> list[Any]:
    """How a test went, as the output of its cell: nothing for a pass, an error with the check's words for a loss."""
    from nbformat.v4 import new_output

    if outcome.result == "passed":
        text = {} if outcome.credit is None else {"text/plain": repr(outcome.credit)}
        return [new_output("execute_result", text, execution_count=1)] if text else []
    message = outcome.message or outcome.result
    lines = [f"{outcome.result}: {message}"]
    return [new_output("error", ename=outcome.result, evalue=message, traceback=lines)]
