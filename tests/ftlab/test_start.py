"""`import ftlab` and `ftlab --help` answer at once, because nothing heavy is loaded."""

import subprocess
import sys
import time

import pytest

import ftlab

HEAVY = ("torch", "transformers", "datasets", "numpy", "pandas", "matplotlib", "pydantic")


@pytest.mark.parametrize("code", ["import ftlab", "from ftlab import checks, hardware, results, config"])
def test_import_loads_nothing_heavy(code: str) -> None:
    probe = f"{code}; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_is_fast() -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    # The fastest of several: a busy machine slows single starts.
    assert min(seconds("import ftlab") for _ in range(5)) - min(seconds("pass") for _ in range(5)) < 0.3


def test_every_exported_name_is_there() -> None:
    for name in ftlab.__all__:
        assert getattr(ftlab, name).__doc__
    assert set(ftlab.__all__) < set(dir(ftlab))


def test_unknown_name_is_explained() -> None:
    with pytest.raises(AttributeError, match="it has assets"):
        _ = ftlab.nothing
