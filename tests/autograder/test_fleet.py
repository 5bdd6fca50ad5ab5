"""Results are the same whatever the number of workers and their order, and survive lost workers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import psutil
import pytest

from autograder import grading
from autograder.fleet import Fleet
from autograder.keys import Grader
from autograder.ledger import Ledger
from autograder.pools import DaskPool, LocalPool
from autograder.records import InfrastructureError, State
from autograder.worker import MOST_BYTES, Job, work


def jobs(small_class):
    """The jobs of all that was handed in."""
    with Ledger(small_class.folder) as ledger:
        plan = small_class.plan()
        return [task.job(ledger, plan) for task in grading._pending(ledger, small_class.masters, plan, again=True)]


def run(pool, work):
    return {graded.student: graded for _, graded in Fleet(pool).run(work)}


def test_results_are_the_same_with_one_worker_and_three_in_any_order(small_class):
    for number in range(12):
        small_class.hand_in(f"s{number:02}", double="passed" if number % 3 else "failed", sleep=0.01 * (number % 4))
    wanted = jobs(small_class)
    with LocalPool(1) as one, LocalPool(3) as three:
        alone, together = run(one, wanted), run(three, reversed(wanted))
    assert alone == together
    assert len(alone) == 12
    assert {graded.state for graded in alone.values()} == {State.GRADED}


def test_a_lost_worker_costs_nobody_anything(small_class, tmp_path):
    small_class.hand_in("unlucky", double="passed", kill={"count": str(tmp_path / "count"), "times": 1})
    for number in range(6):
        small_class.hand_in(f"s{number}", double="passed", sleep=0.05)
    lost = []
    with LocalPool(2) as pool:
        fleet = Fleet(pool, lambda job, why: lost.append(job.submission.student))
        found = {graded.student: graded.state for _, graded in fleet.run(jobs(small_class))}
    assert set(found.values()) == {State.GRADED}
    assert len(found) == 7
    assert "unlucky" in lost


def test_a_job_that_always_kills_its_worker_is_given_up_and_takes_no_other_along(small_class, tmp_path):
    small_class.hand_in("killer", double="passed", kill={"count": str(tmp_path / "count"), "times": 99})
    for number in range(6):
        small_class.hand_in(f"s{number}", double="passed", sleep=0.05)
    with LocalPool(3) as pool:
        found = run(pool, jobs(small_class))
    assert found["killer"].state is State.BROKEN
    assert "Tried 3 times" in found["killer"].error
    assert (tmp_path / "count").stat().st_size == 3
    assert {graded.state for name, graded in found.items() if name != "killer"} == {State.GRADED}


@pytest.mark.parametrize(("times", "state"), [(2, State.GRADED), (3, State.BROKEN)])
def test_a_broken_box_is_tried_three_times(small_class, tmp_path, times, state):
    small_class.hand_in("ada", double="passed", broken={"count": str(tmp_path / "count"), "times": times})
    with LocalPool(1) as pool:
        found = run(pool, jobs(small_class))
    assert found["ada"].state is state
    assert ("The sandbox did not start" in found["ada"].error) == (state is State.BROKEN)


def test_an_error_of_a_student_is_never_tried_again(small_class):
    small_class.hand_in("ada", double="error", state="crashed")
    lost = []
    with LocalPool(1) as pool:
        ((_, graded),) = Fleet(pool, lambda *what: lost.append(what)).run(jobs(small_class))
    assert graded.state is State.CRASHED
    assert not lost


def test_a_result_that_is_too_long_is_kept_without_its_texts(small_class):
    small_class.hand_in("ada", double="passed", big=True)
    with LocalPool(1) as pool:
        graded = run(pool, jobs(small_class))["ada"]
    assert graded.state is State.FLAGGED
    assert "too long" in graded.flags[0].what
    assert graded.outcomes[0].result == "passed"
    assert not graded.answers


def test_a_worker_with_another_grader_refuses_to_grade(small_class):
    small_class.hand_in("ada", double="passed")
    (job,) = jobs(small_class)
    assert "other versions" in work(replace(job, key="0" * 64).as_json(), 1)
    assert "graded" in work(job.as_json(), 1)


class Liar:
    """A pool whose workers reply whatever they are told to."""

    width = 1

    def __init__(self, reply):
        self.reply = reply

    def submit(self, text, attempt):
        future: Future[str] = Future()
        future.set_result(self.reply)
        return future

    def mend(self):
        pass


@pytest.mark.parametrize(
    "reply",
    ["", "[]", "null", "{}", '{"graded": {}}', '{"graded": {"student": 1}}', "x" * (MOST_BYTES + 1)],
    ids=lambda reply: reply[:20],
)
def test_a_reply_that_is_no_result_is_never_believed(small_class, reply):
    small_class.hand_in("ada", double="passed")
    assert run(Liar(reply), jobs(small_class))["ada"].state is State.BROKEN


def test_the_result_of_another_student_is_never_believed(small_class):
    small_class.hand_in("ada", double="passed")
    (job,) = jobs(small_class)
    reply = work(job.as_json(), 1)
    assert run(Liar(reply), [job])["ada"].state is State.GRADED
    assert run(Liar(reply.replace("ada", "bob")), [job])["ada"].state is State.BROKEN
    assert run(Liar(reply.replace('"passed"', "1")), [job])["ada"].state is State.BROKEN


def test_workers_on_one_machine_have_slots_of_their_own(small_class, tmp_path):
    with LocalPool(3) as pool:
        futures = [pool._executor.submit(slot_of_worker, 0.3) for _ in range(3)]
        slots = [future.result() for future in futures]
    assert len({pid for pid, _, _ in slots}) == len({slot for _, slot, _ in slots})
    assert {threads for _, _, threads in slots} == {"1"}


def slot_of_worker(seconds):
    from autograder.worker import _slot

    time.sleep(seconds)
    return os.getpid(), _slot(), os.environ["OMP_NUM_THREADS"]


def test_workers_end_when_the_head_is_killed(tmp_path):
    code = (
        "import time, multiprocessing\nfrom autograder.pools import LocalPool\n"
        "if __name__ == '__main__':\n"
        "    with LocalPool(2) as pool:\n"
        "        jobs = [pool._executor.submit(time.sleep, 60) for _ in range(2)]\n"
        "        print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "        time.sleep(60)\n"
    )
    (tmp_path / "head.py").write_text(code)
    head = subprocess.Popen([sys.executable, tmp_path / "head.py"], stdout=subprocess.PIPE, text=True)
    assert head.stdout is not None
    pids = [int(pid) for pid in head.stdout.readline().split()]
    assert len(pids) == 2
    time.sleep(1.5)  # until they are at work
    head.send_signal(signal.SIGKILL)
    head.wait()
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
    assert not alive


def test_an_interrupted_head_leaves_no_worker(small_class):
    small_class.hand_in("ada", double="passed", sleep=60)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), LocalPool(1) as pool:
        pool.submit(jobs(small_class)[0].as_json(), 1)
        time.sleep(1)
        workers = pool.workers()
        assert workers
        raise KeyboardInterrupt
    assert time.monotonic() - start < 30
    assert not workers & set(multiprocessing.active_children())


def test_a_machine_that_can_grade_nothing_marks_no_class(small_class, tmp_path):
    for number in range(5):
        accident = {"count": str(tmp_path / "count"), "times": 99}
        small_class.hand_in(f"s{number}", double="passed", broken=accident)
    with pytest.raises(InfrastructureError, match="sandbox did not start"):
        small_class.grade()
    assert set(grading.status(small_class.folder).counts()) == {State.WAITING}


def test_a_key_depends_on_all_that_decides(small, small_class):
    def key(boxed=True, content="c", seed=1):
        return Grader(small_class.masters[0], "fake_judge", boxed).key(content, seed)

    first = key()
    assert first == key()
    others = [key(boxed=False), key(content="d"), key(seed=2)]
    small("return 2 * x", "return x * 2")
    others.append(key())
    assert len({first, *others}) == 5


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(**settings) as cluster:
        yield cluster


def test_dask_gives_the_same_results_and_survives_a_killed_worker(small_class, tmp_path, cluster):
    small_class.hand_in("unlucky", double="passed", kill={"count": str(tmp_path / "count"), "times": 1})
    for number in range(6):
        small_class.hand_in(f"s{number}", double="passed" if number % 2 else "failed")
    wanted = jobs(small_class)
    with DaskPool(cluster.scheduler_address) as pool:
        found = run(pool, wanted)
    with LocalPool(1) as one:
        assert run(one, wanted) == found
    assert {graded.state for graded in found.values()} == {State.GRADED}
    assert (tmp_path / "count").stat().st_size >= 2, "the worker was killed and the job tried again"


def test_dask_gives_up_a_job_that_always_kills_its_worker(small_class, tmp_path, cluster):
    small_class.hand_in("killer", double="passed", kill={"count": str(tmp_path / "count"), "times": 99})
    small_class.hand_in("ada", double="passed")
    with DaskPool(cluster.scheduler_address) as pool:
        found = run(pool, jobs(small_class))
    assert found["killer"].state is State.BROKEN
    assert found["ada"].state is State.GRADED


def test_a_cluster_that_goes_away_is_said_in_a_sentence(small_class, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr("autograder.pools.START_SECONDS", 10)  # so long it is hoped to come back
    small_class.hand_in("ada", double="passed", sleep=600)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as short_lived,
        DaskPool(short_lived.scheduler_address) as pool,
    ):
        closing = threading.Timer(5, short_lived.close)
        closing.start()
        with pytest.raises(InfrastructureError, match="cluster is gone"):
            run(pool, jobs(small_class))
        closing.join()


def test_an_address_without_a_cluster_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr("autograder.pools.START_SECONDS", 1)
    with pytest.raises(InfrastructureError, match="no Dask cluster"):
        DaskPool("tcp://127.0.0.1:9")


def test_a_job_is_plain_json(small_class):
    from autograder.worker import read

    small_class.hand_in("ada", double="passed")
    (job,) = jobs(small_class)
    assert read(Job, job.as_json()) == job
