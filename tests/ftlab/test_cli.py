"""The command line: right use works, and every wrong use is one sentence and an exit code that is not 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftlab import assets
from ftlab.cli import main


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rn"], "Did you mean 'run'"),
        (["run", "stf"], "Did you mean 'sft'"),
        (["run", "sft", "--profile", "smokey"], "The profiles are: smoke, cpu, gpu"),
        (["run", "sft", "--seed", "one"], "valid integer"),
        (["run", "sft", "--set", "learning_rte=1"], "Did you mean 'learning_rate'"),
        (["run", "sft", "--set", "learning_rate"], "FIELD=VALUE"),
        (["run", "sft", "--set", "epochs=0"], "greater than 0"),
        (["run", "sft", "--set", "seed=3"], "--seed 3"),
        (["run", "sft", "--profile", "smoke", "--device", "tpu"], "There is no 'tpu' device"),
        (["fetch", "minilmm"], "Did you mean 'minilm'"),
        (["check", "/nowhere.ipynb"], "not a notebook that can be read"),
        (["results", "/nowhere"], "There are no results"),
    ],
)
def test_wrong_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("ftlab: ")
    assert says in error


def test_wrong_options_exit_with_2() -> None:
    for arguments in ([], ["run"], ["run", "sft", "--nothing"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ["sft", "minilm", "smollm2", "reviews", "rotten_tomatoes"])


def test_doctor_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTLAB_HOME", str(tmp_path))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "core(s)" in shown and "float32" in shown
    assert f"ftlab fetch {' '.join(assets.ASSETS)}" in shown


def test_run_twice_and_look_at_the_results(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = ["run", "sft", "--profile", "smoke", "--set", "epochs=1", "--out", str(tmp_path)]
    assert main(run) == 0
    assert "--set epochs=1" in capsys.readouterr().out
    assert main(run) == 0
    assert "made already" in capsys.readouterr().out
    assert main(["results", str(tmp_path)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert main(["results", str(tmp_path), "--stale"]) == 0
