"""Results: kept whole, found again, summarised by the textbook."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ftlab import hardware, provenance, recording, results, runners
from ftlab.errors import CourseError
from ftlab.results import Result

FLOATS = st.floats(-1e6, 1e6)


def make(seed: int = 0, accuracy: float = 0.5, **config: object) -> Result:
    return Result(
        runner="sft",
        config={"profile": "cpu", "seed": seed, **config},
        metrics={"accuracy": accuracy, "accuracy_before": 0.5},
        history=[{"step": 1, "epoch": 0.5, "loss": 0.7}, {"step": 2, "epoch": 1.0, "loss": 0.6 + seed / 100}],
        provenance={"data": "d"},
    )


@given(st.lists(FLOATS, min_size=2, max_size=9))
def test_the_interval_is_students(values: list[float]) -> None:
    found = results.summarise(values)
    assert found.low <= found.mean + 1e-9 and found.mean <= found.high + 1e-9
    if stats.sem(values) > 1e-6:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / len(values), scale=stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high))


def test_one_seed_has_no_interval() -> None:
    found = results.summarise([0.5])
    assert math.isnan(found.low) and found.n == 1
    assert results.show_summary("accuracy", found) == "50.0 % (1 seed)"


def test_where_no_seed_differs_no_interval_is_shown() -> None:
    assert results.show_summary("accuracy", results.summarise([0.6] * 5)) == "60.0 % (in all 5 seeds)"
    assert " to " in results.show_summary("accuracy", results.summarise([0.6, 0.6, 0.61]))


def test_settings_are_in_the_order_of_their_size(tmp_path: Path) -> None:
    for labels in (3000, 50, 1000):
        for start in (True, False):
            make(pretrained=start, train_examples=labels).save(tmp_path)
    found = [(run.config["pretrained"], run.config["train_examples"]) for run in results.load_all(tmp_path)]
    assert found == sorted(found)


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_no_summary_of_nothing_or_nan(values: list[float]) -> None:
    with pytest.raises(CourseError, match="finite"):
        results.summarise(values)


def test_differences_are_paired_by_seed() -> None:
    ours = [make(1, 0.9), make(0, 0.6)]
    theirs = [make(0, 0.5), make(1, 0.8)]
    assert results.difference(ours, "accuracy", theirs).values == pytest.approx((0.1, 0.1))
    assert results.difference(ours, "accuracy", ours, "accuracy_before").mean == pytest.approx(0.25)
    with pytest.raises(CourseError, match="same seeds"):
        results.difference(ours, "accuracy", theirs[:1])
    with pytest.raises(CourseError, match="same seeds"):
        results.difference([make(0), make(0)], "accuracy", [make(0), make(0)])


def test_select_names_what_there_is() -> None:
    runs = [make(pretrained=True), make(pretrained=False)]
    assert results.select(runs, pretrained=True) == [runs[0]]
    with pytest.raises(CourseError, match="1000"):
        results.select([make(train_examples=1000)], train_examples=2000)


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("accuracy_before", 0.8312, "83.1 %"),
        ("loss", 0.4231, "0.423"),
        ("seconds", 41.4, "41 s"),
        ("seconds", 2.25, "2.2 s"),
        ("peak_memory_bytes", 1.5e9, "1.50 GB"),
        ("saved_bytes", 1.76e6, "1.8 MB"),
        ("saved_bytes", 3080, "3.1 kB"),
        ("trainable_parameters", 22713986, "22,713,986"),
        ("something", 1.0, "1.000"),
        ("something", -116.0587, "-116.1"),
    ],
)
def test_show(metric: str, value: float, shown: str) -> None:
    assert results.show(metric, value) == shown


def test_a_table_has_a_row_for_each_setting() -> None:
    runs = [make(seed, 0.5 + seed / 10, pretrained=True) for seed in range(3)]
    frame = results.table(runs, ["pretrained"], ["accuracy"])
    assert list(frame.columns) == ["pretrained", "accuracy"]
    assert frame["accuracy"][0].startswith("60.0 % (") and frame["accuracy"][0].endswith("3 seeds)")


def test_a_metric_that_some_runs_lack_does_not_spoil_the_table() -> None:
    runs = [make(seed, method=method) for method in ("full", "lora") for seed in range(3)]
    for run in runs[3:]:
        run.metrics["merge_difference"] = 1e-6
    runs[0].metrics["updates_to_quality"] = 20.0
    frame = results.table(runs, ["method"], ["accuracy", "merge_difference", "updates_to_quality"])
    assert list(frame["merge_difference"]) == ["-", "1.00e-06 (in all 3 seeds)"]
    assert list(frame["updates_to_quality"]) == ["1 of 3 runs have it", "-"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 99}', "\x00"])
def test_what_is_no_result_is_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(CourseError, match="x.json"):
        results.load_all(tmp_path)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = make().save(tmp_path)
    before = path.read_text()
    broken = dataclasses.replace(make(), metrics={"accuracy": math.nan})
    with pytest.raises(CourseError, match="diverged: accuracy"):
        broken.save(tmp_path)
    assert path.read_text() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_run_is_found_again_and_made_again_only_when_asked(tmp_path: Path) -> None:
    sft = runners.get("sft")
    config = sft.Config.make(sft.PROFILES, "smoke", {"epochs": 1, "train_examples": 32})
    machine = hardware.resolve()
    first, path, fresh = recording.run_once("sft", config, machine, tmp_path)
    assert fresh and path.exists()
    assert recording.run_once("sft", config, machine, tmp_path) == (first, path, False)
    assert recording.run_once("sft", config, machine, tmp_path, again=True)[2]


def test_a_folder_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sft = runners.get("sft")
    with pytest.raises(CourseError, match="Choose another folder with --out"):
        recording.run_once("sft", sft.Config.make(sft.PROFILES, "smoke", {}), hardware.resolve(), tmp_path / "file")


def test_every_variation_is_planned_with_every_seed() -> None:
    plan = [(config.seed, config.as_dict()["pretrained"]) for _, config in recording.planned(["sft"], seeds=2)]
    assert plan == [(0, True), (0, False), (1, True), (1, False)]


def test_older_code_makes_a_result_stale(tmp_path: Path) -> None:
    now = dataclasses.replace(make(), provenance={"data": "d", "code": provenance.code_version("sft")})
    now.save(tmp_path)
    assert recording.stale(tmp_path) == []
    old = dataclasses.replace(make(seed=1), provenance={"data": "d", "code": "0"})
    old.save(tmp_path)
    assert recording.stale(tmp_path) == [old]


def test_the_command_repeats_the_run() -> None:
    sft = runners.get("sft")
    config = sft.Config.make(sft.PROFILES, "cpu", {"pretrained": False, "seed": 2})
    assert recording.command("sft", config) == "ftlab run sft --profile cpu --seed 2 --set pretrained=False"


def test_every_recorded_run_fits_a_laptop() -> None:
    """Four GiB; five for forgetting, which trains all of SmolLM2, and for the pull beside a copy of its first weights.

    The hybrid does not measure its memory: its stages are those of other runners. One of its runs took 1.5 GiB."""
    for run in results.load_all(recording.RECORDED):
        peaks = [value for name, value in run.metrics.items() if name.startswith(("peak_memory_bytes", "measured_mem"))]
        most = 5 if run.runner == "forgetting" else 4
        assert max(peaks, default=0) < most * 1024**3, (run.runner, run.config)
        said = run.runner == "hybrid" or "peak_memory_bytes was taken out" in run.provenance.get("note", "")
        assert peaks or said, "nothing goes missing unsaid"


@pytest.mark.assets
@pytest.mark.parametrize("name", sorted(folder.name for folder in recording.RECORDED.iterdir()))
def test_every_recorded_run_is_one_that_is_planned(name: str) -> None:
    """A recorded run whose config or data no longer is what a run would have must be recorded again.

    A runner may be recorded in part: the most important variations stand first in its plan. Each version of the data
    is made again once, for one of the runs that share it: to do so for each of hundreds of runs takes minutes.
    """
    plan = {results.file_name(config.as_dict(), ""): config for _, config in recording.planned([name])}
    versions = {}
    for run in results.load_all(recording.RECORDED / name):
        assert set(run.provenance) >= {"command", "commit", "versions", "hardware", "data", "code", "recorded"}
        assert (recording.RECORDED / name / results.file_name(run.config, run.provenance["data"])).exists()
        versions[run.provenance["data"]] = plan[results.file_name(run.config, "")]
    assert versions, "a folder of results holds some"
    for version, config in versions.items():
        assert runners.get(name).data_version(config) == version, "made with other data than there are now"


def test_the_code_of_a_run_is_the_runner_and_what_it_stands_on() -> None:
    names = {file.stem for file in provenance._code_of(provenance.HERE / "runners" / "sft.py")}
    assert names == {"sft", "classifier", "training", "models", "masked", "data", "assets", "hardware"}


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("anything", 0.0, "0.000"),
        ("anything", 0.4234, "0.423"),
        ("anything", 3.2e-7, "3.20e-07"),
        ("anything", 1829.02, "1,829"),
        ("flops", 3.14e23, "3.14e+23"),
        ("lines_by_hand", 34.0, "34"),
        ("models_in_memory", 3.0, "3"),
    ],
)
def test_numbers_of_every_size_are_readable(metric: str, value: float, shown: str) -> None:
    assert results.show(metric, value) == shown
