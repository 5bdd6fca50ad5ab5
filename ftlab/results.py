"""Results of runs: one JSON file a run, summaries over seeds, tables. The only source of numbers.

A Result's key is made from what decides its numbers (runner, config, data), so a recorded run stays valid as
long as these are the same, and a run that was made already is found again.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab.errors import CourseError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1  # of the JSON file; raise it when a field changes its meaning
UNITS = {
    "accuracy": "share",
    "exact_match": "share",
    "share": "share",
    "f1": "share",
    "ratio": "plain",
    "loss": "loss",
    "seconds": "seconds",
    "bytes": "bytes",
    "parameters": "count",
    "lines": "count",
    "updates": "count",
    "models": "count",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run: what was asked (config), what came out (metrics, history), and under which circumstances."""

    runner: str
    config: dict[str, Any]
    metrics: dict[str, float]
    history: list[dict[str, float]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.config["seed"])

    @property
    def profile(self) -> str:
        """smoke, cpu or gpu."""
        return str(self.config["profile"])

    def save(self, folder: Path) -> Path:
        """Write this result to `folder`/`runner`/ and return the file. Never leaves half a file.

        Raises CourseError when a number in it is not finite, or when the disk refuses.
        """
        broken = [name for name, value in self.metrics.items() if not math.isfinite(value)]
        broken += [name for row in self.history for name, value in row.items() if not math.isfinite(value)]
        if broken:
            raise CourseError(
                f"The training diverged: {', '.join(dict.fromkeys(broken))} is not a finite number. Nothing was kept. "
                "A smaller learning rate usually helps: --set learning_rate=2e-5."
            )
        path = folder / self.runner / file_name(self.config, str(self.provenance["data"]))
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True, allow_nan=False)
        write_whole(path, text + "\n")
        return path


def before_and_after(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The metrics of both looks, their names ending in _before and _after."""
    return {f"{name}_before": value for name, value in before.items()} | {
        f"{name}_after": value for name, value in after.items()
    }


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` completely or not at all. Raises CourseError when the disk will not take it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder) / path.name
            whole.write_text(text, encoding="utf-8")
            whole.replace(path)
    except OSError as error:
        raise CourseError(f"Could not write {path}: {error.strerror}. Free some space or choose --out.") from error


def file_name(config: dict[str, Any], data: str) -> str:
    """The file of a run: profile and seed for the eye, and a hash of everything that decides its numbers."""
    decides = json.dumps([FORMAT, config, data], sort_keys=True)
    digest = hashlib.sha256(decides.encode()).hexdigest()[:10]
    return f"{config['profile']}-seed{config['seed']}-{digest}.json"


def load(path: Path | str) -> Result:
    """Read one result. Raises CourseError when the file is not one."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise CourseError(f"{path} was written by another version of ftlab. Record it again: make results.")
        return Result(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path} is not a result of ftlab ({error}). Delete it and run it again.") from error


def load_all(folder: Path | str) -> list[Result]:
    """All results below `folder`, in a fixed order (by config, then seed)."""
    runs = [load(path) for path in sorted(Path(folder).rglob("*.json"))]
    return sorted(runs, key=lambda run: (run.runner, _order(run.config), run.seed))


def _order(config: Mapping[str, Any]) -> list[tuple[bool, float, str]]:
    """What configs are sorted by: numbers by their size, everything else by its text; the seed does not count."""
    values = [value for name, value in sorted(config.items()) if name != "seed"]
    return [(False, value, "") if isinstance(value, int | float) else (True, 0, str(value)) for value in values]


def select(runs: Sequence[Result], **wanted: Any) -> list[Result]:
    """The runs whose config has these values. Raises CourseError, naming what there is, when none has."""
    found = [run for run in runs if all(run.config.get(name) == value for name, value in wanted.items())]
    if found:
        return found
    there = {name: sorted({str(run.config.get(name)) for run in runs}) for name in wanted}
    raise CourseError(f"No recorded run has {wanted}. Recorded are: {there}. To record runs: make results.")


def varying(runs: Sequence[Result]) -> list[str]:
    """The config fields, beside the seed, in which these runs (at least one) differ."""
    return [f for f in runs[0].config if f != "seed" and len({str(run.config.get(f)) for run in runs}) > 1]


@dataclass(frozen=True)
class Summary:
    """A mean with its 95 % interval (Student's t over seeds); without spread when there is one value."""

    mean: float
    low: float
    high: float
    n: int
    values: tuple[float, ...]

    @property
    def same(self) -> bool:
        """Whether several seeds gave one and the same value: nothing was drawn, so their spread says nothing."""
        return self.n > 1 and len(set(self.values)) == 1

    @property
    def scale(self) -> float:
        """The size of the largest of its numbers, for `show`: they stand side by side, and are rounded alike."""
        return max(abs(value) for value in (self.mean, self.low, self.high) if math.isfinite(value))


def summarise(values: Sequence[float]) -> Summary:
    """Mean and 95 % interval of independent values; needs at least one finite value."""
    if not values or not all(math.isfinite(value) for value in values):
        raise CourseError(f"There is no summary of {list(values)}: every run needs a finite value.")
    mean = sum(values) / len(values)
    if len(values) == 1:
        return Summary(mean, math.nan, math.nan, 1, tuple(values))
    from scipy import stats

    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(stats.sem(values))
    return Summary(mean, mean - half, mean + half, len(values), tuple(values))


def summary(runs: Sequence[Result], metric: str) -> Summary:
    """Mean and 95 % interval of `metric` over runs."""
    return summarise([_metric(run, metric) for run in runs])


def difference(
    runs: Sequence[Result], metric: str, baseline: Sequence[Result], baseline_metric: str | None = None
) -> Summary:
    """Mean and 95 % interval of the difference, run minus baseline, paired by seed.

    Raises CourseError where the two sides were not run with the same seeds, once each.
    """
    ours, theirs = [sorted(side, key=lambda run: run.seed) for side in (runs, baseline)]
    if [run.seed for run in ours] != [run.seed for run in theirs] or len({r.seed for r in ours}) < len(ours):
        seeds = f"{[run.seed for run in ours]} against {[run.seed for run in theirs]}"
        raise CourseError(f"A paired difference needs the same seeds, once each, on both sides; here: {seeds}.")
    other = baseline_metric or metric
    return summarise([_metric(a, metric) - _metric(b, other) for a, b in zip(ours, theirs, strict=True)])


def _metric(run: Result, metric: str) -> float:
    if metric not in run.metrics:
        raise CourseError(f"{run.runner} has no metric {metric!r}; it has: {', '.join(sorted(run.metrics))}.")
    return run.metrics[metric]


def unit(metric: str) -> str:
    """The unit of a metric, read from the words in its name: share, loss, seconds, bytes, count, or plain."""
    return next((unit for word, unit in UNITS.items() if word in metric), "plain")


def show(metric: str, value: float, scale: float | None = None) -> str:
    """`value` for a reader: '83.1 %', '41 s', '1.2 GB', '0.423'. Beside a number of size `scale`, as exact as that."""
    size = abs(value if scale is None else scale)
    match unit(metric):
        case "share":
            return f"{100 * value:.1f} %"
        case "seconds":
            return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"
        case "bytes":
            return _bytes(value)
        case "count":
            return f"{value:,.0f}"
        case _ if value == 0 or 0.001 <= size < 10:
            return f"{round(value, 3) + 0.0:.3f}"
        case _ if 10 <= size < 1000:
            return f"{value:.1f}"
        case _:
            return f"{value:,.0f}" if 1000 <= size < 1e7 else f"{value:.2e}"


def _bytes(value: float) -> str:
    if 0 < abs(value) < 1e5:
        return f"{value / 1e3:.1f} kB"
    return f"{value / 1e9:.2f} GB" if abs(value) >= 1e8 else f"{value / 1e6:.1f} MB"


def show_summary(metric: str, found: Summary) -> str:
    """A summary for a reader: '83.1 % (82.0 % to 84.2 %, 5 seeds)'; where no seed differs, there is no interval."""
    if found.n == 1:
        return f"{show(metric, found.mean)} (1 seed)"
    if found.same:
        return f"{show(metric, found.mean)} (in all {found.n} seeds)"
    mean, low, high = (show(metric, value, found.scale) for value in (found.mean, found.low, found.high))
    return f"{mean} ({low} to {high}, {found.n} seeds)"


def table(runs: Sequence[Result], by: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """One row for each combination of the config fields `by`, one column for each metric, ready to read.

    A metric that not every run of a row has is a dash, or says how many have it.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for key, group in groups(runs, by).items():
        shown = {metric: _cell(group, metric) for metric in metrics}
        rows.append({**dict(zip(by, key, strict=True)), **shown})
    return pd.DataFrame(rows, columns=[*by, *metrics])


def _cell(group: Sequence[Result], metric: str) -> str:
    having = sum(metric in run.metrics for run in group)
    if having == len(group):
        return show_summary(metric, summary(group, metric))
    return f"{having} of {len(group)} runs have it" if having else "-"


def groups(runs: Sequence[Result], by: Sequence[str]) -> dict[tuple[Any, ...], list[Result]]:
    """The runs by their values of the config fields `by`."""
    found: dict[tuple[Any, ...], list[Result]] = {}
    for run in runs:
        found.setdefault(tuple(run.config.get(name) for name in by), []).append(run)
    return found


def points(runs: Sequence[Result], x: str, y: str) -> dict[float, list[float]]:
    """The values of `y` in the histories of these runs, by `x`. Raises CourseError where no row has it."""
    found: dict[float, list[float]] = {}
    for run in runs:
        for row in run.history:
            if y in row:
                found.setdefault(row[x], []).append(row[y])
    if not found:
        raise CourseError(
            f"No history row has {y!r}. They have: {sorted({k for r in runs for h in r.history for k in h})}."
        )
    return found
