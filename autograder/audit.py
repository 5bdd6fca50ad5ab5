"""Is the grader itself right? The reference must earn everything, the stub nothing, and a wrong answer not all.

Reference and stub go through the real judge and through plain nbgrader. The wrong answers (`autograder.bank`) go
through the real judge, one at a time, each in a notebook whose other answers are empty. An anticipated mistake must
also be told by name, in the visible test. All of it is recorded; `again` judges a part of it once more.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from autograder.audit_record import Report, Row, key_of, path_beside, read
from autograder.bank import ANTICIPATED, MUTANT, Candidate, bank
from autograder.classroom import Classroom
from autograder.equivalent import Equivalent, load
from autograder.examiner import Examiner, Verdict
from autograder.master import Master

Step = Callable[[int, int, str], None]  # how many are done, of how many, and what is going on


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


def audit(master: Master, step: Step = silent) -> Report:
    """Audit one master in full."""
    start = time.monotonic()
    equivalent = load(master)
    rows = {exercise.name: Row(exercise.name, exercise.points) for exercise in master.exercises}
    seconds, broken = _by_nbgrader(master, rows, step)
    with Examiner(master) as examiner:
        _by_judge(master, rows, examiner)
        candidates = list(bank(master))
        for number, candidate in enumerate(candidates):
            step(number, len(candidates), f"{master.name}: wrong answers")
            note(rows[candidate.exercise], candidate, *tried(examiner, candidate))
    for name, row in rows.items():
        _account(row, [one for one in candidates if one.exercise == name], equivalent.get(name, []))
    spent = round(time.monotonic() - start)
    return Report(master.name, key_of(master), spent, seconds, broken, list(rows.values()))


def _by_nbgrader(master: Master, rows: dict[str, Row], step: Step) -> tuple[float, list[str]]:
    """What the reference and the stub earn in plain nbgrader; the seconds that the notebook takes with all model
    solutions, and the cells of it that fail."""
    folder = Path(tempfile.mkdtemp(prefix="audit-"))
    try:
        room = Classroom(folder, master)
        step(0, 0, f"{master.name}: release by nbgrader")
        room.release()
        room.submit("reference", {exercise.name: exercise.solution for exercise in master.exercises})
        room.submit("stub", {})
        step(0, 0, f"{master.name}: reference and stub, graded by nbgrader")
        start = time.monotonic()
        reference = room.grade("reference")
        seconds = round(time.monotonic() - start, 1)
        broken = [f"{cell}: {error[:200]}" for cell, error in room.errors("reference").items()]
        stub = room.grade("stub")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, row in rows.items():
        row.nbgrader = (reference[name].points, stub[name].points)
    return seconds, broken


def _by_judge(master: Master, rows: dict[str, Row], examiner: Examiner) -> None:
    """What the reference and the stub earn by the judge; and each model solution when all others are missing."""
    solved = {exercise.name: exercise.solution for exercise in master.exercises if not exercise.manual}
    together, empty = examiner.grade(solved), examiner.grade({})
    for name, row in rows.items():
        row.reference, row.stub = together[name].points, empty[name].points
        row.alone = examiner.grade({name: solved[name]})[name].points if name in solved else None


def tried(examiner: Examiner, candidate: Candidate) -> tuple[Verdict, Verdict | None]:
    """How the tests took a wrong answer; for an anticipated mistake also how the visible tests alone did."""
    answer = {candidate.exercise: candidate.code}
    seen = examiner.grade(answer, visible_only=True) if candidate.kind == ANTICIPATED else None
    return examiner.grade(answer)[candidate.exercise], seen[candidate.exercise] if seen else None


def note(row: Row, candidate: Candidate, verdict: Verdict, seen: Verdict | None) -> None:
    """Write into `row` how a wrong answer was taken: it should earn less than all."""
    passes = verdict.points == row.points
    if verdict.fault:
        row.faulty.append(f"{candidate.label}: {verdict.fault}")
    if candidate.kind == MUTANT:
        row.mutants += 1
        row.ends = dict(Counter(row.ends) + Counter([verdict.result]))
        row.survivors += [_lines_of(candidate)] if passes else []
        return
    row.wrong += 1
    row.escaped += [candidate.label] if passes else []
    if seen is not None and not (seen.result == "failed" and candidate.mistake in seen.message):
        row.unnamed.append(f"{candidate.label} (it says: {seen.message or 'nothing'})")


def _lines_of(mutant: Candidate) -> dict[str, str]:
    return {"was": mutant.was, "becomes": mutant.becomes}


def _account(row: Row, candidates: Sequence[Candidate], listed: Sequence[Equivalent]) -> None:
    """Take the equivalent mutants out of the survivors; an entry of the list must be a survivor."""
    mutants = [_lines_of(one) for one in candidates if one.kind == MUTANT]
    for entry in listed:
        lines = {"was": entry.was, "becomes": entry.becomes}
        count = mutants.count(lines)
        if not count or row.survivors.count(lines) != count:
            reason = "the tests catch it" if count else "no mutant is like this"
            row.untrue.append(f"{entry.was} -> {entry.becomes} ({reason})")
            continue
        row.equivalent += count
        row.survivors = [survivor for survivor in row.survivors if survivor != lines]


# --- a part of it again --------------------------------------------------------------------------------------


def outdated(master: Master) -> str:
    """Why the record beside a master does not hold; '' if it does."""
    found = read(path_beside(master))
    if found is None:
        return "it was never audited"
    return "" if found.key == key_of(master) else "it has changed since it was audited"


def part_of(masters: Sequence[Master], number: int, parts: int = 10) -> dict[str, range]:
    """Which wrong answers of which masters, by their place in the bank, are the part `number` of all of them."""
    sizes = {master.name: sum(row.wrong + row.mutants for row in _recorded(master).rows) for master in masters}
    return parts_of(sizes, number, parts)


def parts_of(sizes: Mapping[str, int], number: int, parts: int) -> dict[str, range]:
    """The part `number` of so many things by name. The parts are even and cover everything once, and each lies in as
    few names as can be, since each master costs a start."""
    total = sum(sizes.values())
    first, last = total * number // parts, total * (number + 1) // parts
    found, start = {}, 0
    for name, size in sizes.items():
        mine = range(max(first - start, 0), min(last - start, size))
        if mine:
            found[name] = mine
        start += size
    return found


def again(master: Master, places: range, step: Step = silent) -> list[str]:
    """Judge these wrong answers, the reference and the stub once more; what is not as recorded, a sentence each."""
    recorded = {row.name: row for row in _recorded(master).rows}
    equivalent = {name: {(one.was, one.becomes) for one in entries} for name, entries in load(master).items()}
    fresh = {exercise.name: Row(exercise.name, exercise.points) for exercise in master.exercises}
    with Examiner(master) as examiner:
        _by_judge(master, fresh, examiner)
        candidates = list(bank(master))[places.start : places.stop]
        for number, candidate in enumerate(candidates):
            step(number, len(candidates), f"{master.name}: a tenth of the wrong answers again")
            if (candidate.was, candidate.becomes) not in equivalent.get(candidate.exercise, set()):
                note(fresh[candidate.exercise], candidate, *tried(examiner, candidate))
    return [f"{name}: {problem}" for name, row in fresh.items() for problem in _differences(row, recorded[name])]


def _differences(fresh: Row, recorded: Row) -> list[str]:
    found = []
    for what in ("reference", "alone", "stub"):
        if getattr(fresh, what) != getattr(recorded, what):
            found.append(f"{what}: {getattr(fresh, what)} points, and {getattr(recorded, what)} are recorded")
    for what in ("escaped", "unnamed", "faulty", "survivors"):
        new = [label for label in getattr(fresh, what) if label not in getattr(recorded, what)]
        found += [f"{what}, and this is not recorded: {label}" for label in new]
    return found


def _recorded(master: Master) -> Report:
    found = read(path_beside(master))
    assert found is not None, "`outdated` is asked before"
    return found
