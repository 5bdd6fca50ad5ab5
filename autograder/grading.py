"""Grading a class: take in what was handed in, grade what has no result yet, and make the gradebook say the same.

To go on after whatever stopped it, call it again: what is graded under the same key is not graded again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.fleet import Fleet
from autograder.gradebook import GradebookWriter
from autograder.keys import Grader
from autograder.ledger import Ledger, Standing
from autograder.master import Master
from autograder.pools import DaskPool, LocalPool, Pool
from autograder.progress import Log, Step, Tell
from autograder.records import Graded, InfrastructureError, State, Submission
from autograder.worker import Job
from ftlab.checks import CourseError

JUDGE = "autograder.judge"
AT_ONCE = 10  # students entered into the gradebook in one transaction
SUSPICIOUS = 3  # so many infrastructure errors before anything is graded: it is the machine, so stop


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a class is graded. `folder` keeps the ledger, the log, and the nbgrader course with its gradebook."""

    folder: Path
    jobs: int = 1  # processes on this machine
    dask: str = ""  # or the address of a Dask cluster's scheduler
    gradebook: str = ""  # the URL of another database than gradebook.db in the folder
    unsafe: bool = False  # run students' code without a sandbox, as whoever grades
    every_attempt: bool = False  # grade earlier attempts too, which the rule `resubmission: best` looks at
    zero: bool = False  # 0 in the gradebook for what was refused, crashed or ran out of time
    judge: str = JUDGE  # the module that holds the class Judge

    @property
    def mode(self) -> str:
        """The sandbox to use."""
        return "none" if self.unsafe else "auto"

    def pool(self) -> contextlib.AbstractContextManager[Pool]:
        """The workers."""
        return DaskPool(self.dask) if self.dask else LocalPool(self.jobs)


@dataclass(frozen=True)
class Summary:
    """How a class stands: the newest submission of each student."""

    standings: tuple[Standing, ...]

    def counts(self) -> dict[State, int]:
        """How many submissions are in each state, in the order of the states."""
        found = Counter(standing.state for standing in self.standings)
        return {state: found[state] for state in State if found[state]}

    @property
    def exit_code(self) -> int:
        """0 if all are graded, 1 if some are not, 2 if some could not be for no fault of theirs."""
        if any(standing.state is State.BROKEN for standing in self.standings):
            return 2
        return 0 if all(standing.scored for standing in self.standings) else 1


def grade(
    masters: Sequence[Master],
    plan: Plan,
    source: Path | None = None,
    *,
    again: bool = False,
    step: Step = lambda done, total, what: None,
) -> Summary:
    """Take in what lies in `source`, if that is given, and grade what has no result, or an outdated one.

    `again` grades all newest submissions anew. Raises InfrastructureError where the machine is at fault; what was
    graded until then is kept.
    """
    with Ledger.writing(plan.folder) as ledger, GradebookWriter(plan.folder, plan.gradebook, plan.zero) as book:
        log = Log(plan.folder / "log.jsonl")
        log("started", assignments=[master.name for master in masters], jobs=plan.jobs, dask=plan.dask, mode=plan.mode)
        if source is not None:
            _take_in(ledger, masters, source, log, step)
        for master in masters:
            step(0, 0, f"{master.name}: the assignment in the gradebook")
            book.prepare(master)
        work = list(_pending(ledger, masters, plan, again))
        for some in _by(AT_ONCE, _recorded(ledger, work, plan, log, step)):
            book.enter(*some)
        summary = Summary(tuple(_newest(ledger, masters)))
        _reconcile(book, summary, step)
        log("finished", counts=summary.counts())
        return summary


def status(folder: Path, assignments: Iterable[str] = ()) -> Summary:
    """How a class stands, read from its ledger."""
    with Ledger(folder) as ledger:
        names = list(assignments) or ledger.assignments()
        return Summary(tuple(standing for name in names for standing in ledger.standings(name)))


def trial(
    masters: Sequence[Master], plan: Plan, *, step: Step = lambda done, total, what: None
) -> Iterator[tuple[Standing, Graded]]:
    """Grade every newest submission anew and write nothing: each standing with the result that it would get."""
    with Ledger(plan.folder) as ledger:
        yield from _results(ledger, list(_pending(ledger, masters, plan, again=True)), plan, _quiet, step)


def _quiet(event: str, **about: object) -> None:
    """A log that keeps nothing."""


def _take_in(ledger: Ledger, masters: Sequence[Master], source: Path, log: Tell, step: Step) -> None:
    from autograder.intake import collect

    step(0, 0, f"taking in what lies in {source}")
    for submission in collect(source, [master.name for master in masters]):
        _take(ledger, submission, log)


def _take(ledger: Ledger, submission: Submission, log: Tell) -> None:
    """Write one submission down; one that cannot be is told of, and stops no other."""
    about = {"student": submission.student, "assignment": submission.assignment}
    try:
        if ledger.take(submission):
            log("taken", **about, refused=submission.refused)
    except InfrastructureError:
        raise
    except CourseError as error:
        log("not taken", **about, why=str(error))


@dataclass(frozen=True)
class Task:
    """A submission that is to be graded, and the key that its result will have."""

    standing: Standing
    master: Master
    key: str

    def job(self, ledger: Ledger, plan: Plan) -> Job:
        """What a worker is sent."""
        return Job(
            submission=ledger.submission(self.standing),
            seed=self.standing.seed,
            key=self.key,
            master=self.master.path.read_text(encoding="utf-8"),
            mode=plan.mode,
            judge=plan.judge,
        )


def _pending(ledger: Ledger, masters: Iterable[Master], plan: Plan, again: bool) -> Iterator[Task]:
    """The submissions that have no result under today's key. What was refused has no text to grade."""
    for master in masters:
        grader = Grader(master, plan.judge, boxed=not plan.unsafe)
        found = ledger.attempts(master.name) if plan.every_attempt else ledger.standings(master.name)
        for standing in found:
            task = Task(standing, master, grader.key(standing.content, standing.seed))
            result = standing.graded
            if result is None or (not standing.refused and (again or outdated(result, task.key))):
                yield task


def outdated(result: Graded, key: str) -> bool:
    """Whether a result is not the one that grading now would give."""
    return result.key != key or result.state is State.BROKEN


def _recorded(ledger: Ledger, tasks: Sequence[Task], plan: Plan, log: Log, step: Step) -> Iterator[Standing]:
    """Each result, written down as it is ready: where the student stands now."""
    for standing, graded in _results(ledger, tasks, plan, log, step):
        ledger.record(graded, standing.content)
        log("recorded", student=graded.student, assignment=graded.assignment, **_about(graded))
        yield from ledger.standings(standing.assignment, standing.student)


def _by(count: int, standings: Iterable[Standing]) -> Iterator[list[Standing]]:
    """So many at a time."""
    waiting = iter(standings)
    while some := list(itertools.islice(waiting, count)):
        yield some


def _results(
    ledger: Ledger, tasks: Sequence[Task], plan: Plan, log: Tell, step: Step
) -> Iterator[tuple[Standing, Graded]]:
    """Each submission with its result, as they are ready."""
    if not tasks:
        return
    of = {task.key: task.standing for task in tasks}

    def lost(job: Job, why: str) -> None:
        log("tried again", student=job.submission.student, assignment=job.submission.assignment, why=why)

    step(0, len(tasks), "grading")
    with plan.pool() as pool:
        found = Fleet(pool, lost).run(task.job(ledger, plan) for task in tasks)
        for done, (job, graded) in enumerate(_sound(found), start=1):
            yield of[job.key], graded
            step(done, len(tasks), "grading")


def _sound(found: Iterable[tuple[Job, Graded]]) -> Iterator[tuple[Job, Graded]]:
    """What came home; but where nothing does except infrastructure errors, stop before a class is marked by them."""
    held: list[tuple[Job, Graded]] = []
    sound = False
    for job, graded in found:
        sound = sound or graded.state is not State.BROKEN
        held.append((job, graded))
        if sound:
            yield from held
            held.clear()
        elif len(held) == SUSPICIOUS:
            raise InfrastructureError(
                f"Nothing can be graded here, and no result is changed. {graded.error} "
                "`autograder doctor` says what is missing."
            )
    yield from held


def _newest(ledger: Ledger, masters: Iterable[Master]) -> Iterator[Standing]:
    return (standing for master in masters for standing in ledger.standings(master.name))


def _reconcile(book: GradebookWriter, summary: Summary, step: Step) -> None:
    """Whatever was killed when: at the end the gradebook says what the ledger says."""
    total = len(summary.standings)
    for done, some in enumerate(_by(AT_ONCE, summary.standings)):
        book.enter(*some)
        step(AT_ONCE * done + len(some), total, "comparing the gradebook with the ledger")


def _about(graded: Graded) -> dict[str, object]:
    return {"state": graded.state, "error": graded.error, "seconds": graded.seconds, "box": graded.box}
