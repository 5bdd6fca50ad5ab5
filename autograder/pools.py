"""The processes that grade: some on this machine, or those of a Dask cluster that is there already.

Processes of this machine come from the standard library, not from a Dask cluster of our own: no scheduler has to be
started, no port is opened, and they end with the head. Both are used in the same way, as `concurrent.futures` does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from typing import Protocol, Self

from autograder.records import InfrastructureError
from autograder.worker import leave, prepare, work

START_SECONDS = 60.0


class Pool(Protocol):
    """Where jobs run."""

    @property
    def width(self) -> int:
        """How many run at a time."""
        ...

    def submit(self, text: str, attempt: int) -> Future[str]:
        """Begin a job."""
        ...

    def mend(self) -> None:
        """Go on after a worker was lost."""
        ...


class LocalPool:
    """`width` processes on this machine. They are started afresh, not forked, so they share no state with the head."""

    def __init__(self, width: int) -> None:
        if width < 1:
            raise InfrastructureError(f"{width} processes can grade nothing. Give --jobs 1 or more.")
        self.width = width
        self._strangers = set(multiprocessing.active_children())
        self._executor = self._start()

    def _start(self) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.width, mp_context=context, initializer=prepare)

    def submit(self, text: str, attempt: int) -> Future[str]:
        """Begin a job."""
        try:
            return self._executor.submit(work, text, attempt)
        except BrokenExecutor:  # a worker died while it had nothing to do
            self.mend()
            return self._executor.submit(work, text, attempt)

    def mend(self) -> None:
        """New processes for those that are gone."""
        self._executor.shutdown(wait=True)
        self._executor = self._start()

    def workers(self) -> set[BaseProcess]:
        """The processes."""
        return set(multiprocessing.active_children()) - self._strangers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # nobody waits for the results any more
            for worker in self.workers():
                worker.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


class DaskPool:
    """A Dask cluster, by the address of its scheduler. It tries a job that kills its worker again by itself."""

    def __init__(self, address: str) -> None:
        from distributed import Client

        try:
            self._client = Client(address, timeout=START_SECONDS)
            self._client.wait_for_workers(1, timeout=START_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else "no answer"
            raise InfrastructureError(
                f"There is no Dask cluster with workers at {address}: {reason}. Start one (dask scheduler; "
                f"dask worker ADDRESS --nthreads 1), or leave out --dask."
            ) from error
        self._executor = self._client.get_executor(pure=True)

    @property
    def width(self) -> int:
        """The workers there are now: each grades one at a time."""
        return max(1, len(self._client.nthreads()))

    def submit(self, text: str, attempt: int) -> Future[str]:
        """Begin a job."""
        begun: Future[str] = self._executor.submit(work, text, attempt)
        return begun

    def mend(self) -> None:
        """Dask starts new workers by itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # whatever it says, the work is over
            self._client.run(leave)  # the cluster goes on; its boxes should not
        with contextlib.suppress(TimeoutError, OSError):
            self._client.close(timeout=5)
