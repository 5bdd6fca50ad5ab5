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


def test_our_gpt_goes_on_with_a_text_the_same_way_for_the_same_seed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for seed in ("0", "0", "1"):
        assert main(["write", "The movie was", "--seed", seed]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != shown[2]
    assert all(text.startswith("> The movie was") and len(text.split()) > 10 for text in shown)


@pytest.mark.assets
def test_the_encoder_fills_a_gap_with_sensible_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", "She drank a cup of [MASK]."]) == 0
    assert "coffee" in capsys.readouterr().out
    assert main(["fill"]) == 0
    assert "The cat sat on the [MASK]." in capsys.readouterr().out
    assert main(["fill", "Nothing is missing."]) == 1
    assert "no [MASK]" in capsys.readouterr().err


def test_every_claim_is_shown_with_its_verdict_also_one_that_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims"]) == 0
    shown = capsys.readouterr().out
    assert "Nothing is lost elsewhere." in shown and "does not hold here" in shown and "holds only when" in shown


def test_no_name_is_cut_off_where_many_settings_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten settings in one table left a few letters a column."""
    assert main(["results", "book/results/transfer"]) == 0
    shown = capsys.readouterr().out
    assert "validation_accuracy_early" in shown and "random weights" in shown
    assert "…" not in shown
