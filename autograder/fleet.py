"""Jobs over workers: results come home as they are ready, a lost worker's job is tried again, a student's error never.

What a result is does not depend on how many workers there are, on the order, or on what was lost on the way: a job
carries all that decides it, and its answer is checked before it is believed.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait

from autograder.pools import Pool
from autograder.records import Graded, InfrastructureError, State
from autograder.worker import MOST_BYTES, Job, read

MOST_TRIES = 3
AHEAD = 2  # jobs begun for each worker: it takes up the next one while the head writes its last result down
Lost = Callable[[Job, str], None]  # is told of a job that will be tried again, and why


class Fleet:
    """One run of jobs over a pool."""

    def __init__(self, pool: Pool, lost: Lost = lambda job, why: None) -> None:
        self._pool, self._lost = pool, lost
        self._tries: Counter[str] = Counter()
        self._again: deque[Job] = deque()
        self._running: dict[Future[str], Job] = {}

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Graded]]:
        """Each job with its result, in the order in which they are ready. Jobs are taken when there is room.

        Raises InfrastructureError if the whole cluster is gone; what came home before stays.
        """
        fresh = iter(jobs)
        while self._fill(fresh):
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), BrokenExecutor) for future in done if not future.cancelled()):
                done, _ = wait(self._running)  # a dead process takes all the others of its pool with it
                self._pool.mend()
            for future in done:
                job = self._running.pop(future)
                if (graded := self._settle(job, future)) is not None:
                    yield job, graded

    def _fill(self, fresh: Iterator[Job]) -> bool:
        """Begin as many jobs as keep all workers busy; whether any is running.

        A job that was lost is tried alone, so that one that kills its worker takes no other one along.
        """
        while self._again and not self._running:
            self._begin(self._again.popleft())
        while not self._again and len(self._running) < AHEAD * self._pool.width and not self._alone():
            job = next(fresh, None)
            if job is None:
                break
            self._begin(job)
        return bool(self._running)

    def _alone(self) -> bool:
        return any(self._tries[job.key] > 1 for job in self._running.values())

    def _begin(self, job: Job) -> None:
        self._tries[job.key] += 1
        self._running[self._pool.submit(job.as_json(), self._tries[job.key])] = job

    def _settle(self, job: Job, future: Future[str]) -> Graded | None:
        """The result; None if the job is to be tried again."""
        try:
            return _believed(future.result(), job)
        except CancelledError as error:
            raise InfrastructureError(
                "The Dask cluster is gone. What came home is recorded: start the cluster and run this again."
            ) from error
        except Exception as error:  # whatever a pool says of a lost worker, and what ails a reply
            why = str(error) or type(error).__name__
            final = type(error).__name__ == "KilledWorker"  # Dask has tried it on several workers already
        if self._tries[job.key] >= MOST_TRIES or final:
            return _broken(job, f"Tried {self._tries[job.key]} times. {why}")
        self._lost(job, why)
        self._again.append(job)
        return None


def _believed(text: str, job: Job) -> Graded:
    """The result in a worker's reply. Raises InfrastructureError or ValueError if it is not this job's."""
    if len(text) > MOST_BYTES:
        raise InfrastructureError(f"A worker sent {len(text)} bytes; a result has at most {MOST_BYTES}.")
    reply = json.loads(text)
    if "broken" in reply:
        raise InfrastructureError(str(reply["broken"]))
    graded: Graded = read(Graded, json.dumps(reply["graded"]))
    wanted = (job.submission.student, job.submission.assignment, job.key, job.seed)
    if (graded.student, graded.assignment, graded.key, graded.seed) != wanted:
        raise InfrastructureError("A worker sent the result of another job.")
    return graded


def _broken(job: Job, why: str) -> Graded:
    return Graded(
        student=job.submission.student,
        assignment=job.submission.assignment,
        key=job.key,
        seed=job.seed,
        state=State.BROKEN,
        error=why,
    )
