"""The figures of the course, in one style: each line has a colour, a marker and a dash of its own.

So lines can be told apart on white, on black, on paper without colour, and by eyes that see few colours (the hues are
of Okabe and Ito 2008, darkened or lightened until they stand out on white and on black alike).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab import results
from ftlab.errors import CourseError
from ftlab.results import Result, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0078b8", "#d0570a", "#0a8f6b", "#b9649a", "#8a7400", "#6f6fd8", "#7a7a7a")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DASHES = ("-", "--", "-.", ":")
NAMES = {
    "dpo": "DPO",
    "ppo": "PPO",
    "rloo": "RLOO",
    "ipo": "IPO",
    "lora": "LoRA",
    "dora": "DoRA",
    "ia3": "IA3",
    "bitfit": "BitFit",
    "minilm": "MiniLM",
    "smollm2": "SmolLM2",
    "flops": "FLOPs",
}


class Point(NamedTuple):
    """A mean with its interval, in both directions."""

    x: Summary
    y: Summary


def style(number: int) -> dict[str, Any]:
    """Colour, marker and dash of the line of that number, from 0; the first 70 differ in more than their colour."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)],
        "markersize": 5,
    }


def curves(runs: Sequence[Result], x: str, y: str, by: str, ax: Axes | None = None) -> Axes:
    """Draw `y` of the histories over `x`, one line for each value of the config field `by`: mean and 95 % band."""
    ax = ax or _axes()
    drawn = len(ax.get_lines())
    for number, ((value,), group) in enumerate(results.groups(runs, [by]).items(), start=drawn):
        found = {at: results.summarise(values) for at, values in results.points(group, x, y).items()}
        line(ax, found, f"{by} = {value}", number)
    ax.set(xlabel=x, ylabel=name(y))
    ax.legend()
    return ax


def gap(runs: Sequence[Result], ax: Axes | None = None) -> Axes:
    """Loss on the training and on the validation examples over the epochs: what lies between them was learned by heart.

    `runs` are of one setting. Means, with 95 % intervals where there are several seeds.
    """
    _require_one_setting(runs)
    ax = ax or _axes()
    for number, (metric, label) in enumerate((("loss", "training"), ("validation_loss", "validation"))):
        points = results.points(runs, "epoch", metric)
        line(ax, {x: results.summarise(values) for x, values in points.items()}, label, number)
    ax.set(xlabel="epochs (passes over the training examples)", ylabel="loss (nats)", ylim=(0, None))
    ax.legend()
    return ax


def inflation(runs: Sequence[Result], ax: Axes | None = None) -> Axes:
    """Accuracy as reported and as restored, over the part of the test set that was trained on (leakage runs)."""
    _require_one_setting(runs)
    ax = ax or _axes()
    for number, kind in enumerate(("reported", "restored")):
        overlaps = sorted(
            int(parts[1]) for name in runs[0].metrics if len(parts := name.split("_")) == 3 and parts[0] == kind
        )
        if not overlaps:
            raise CourseError(f"{runs[0].runner} has no metric {kind}_..._accuracy. This figure is of runs of leakage.")
        found: dict[float, Summary] = {
            overlap: results.summary(runs, f"{kind}_{overlap}_accuracy") for overlap in overlaps
        }
        line(ax, found, f"{kind}: " + ("all test rows" if kind == "reported" else "without the leaks found"), number)
    ax.set(xlabel="test rows that stood in the training data (%)", ylabel="accuracy")
    ax.legend()
    return ax


def trade_off(runs: Sequence[Result], learned: str, kept: str, ax: Axes | None = None) -> Axes:
    """What was learned against what was lost, look by look, one line for each setting (forgetting runs).

    `learned` and `kept` are names of losses in the history, with a `..._before` among the metrics. To the right: the
    first has fallen. Up: the second has risen. Every line begins at the origin; the best one stays low.
    """
    ax = ax or _axes()
    for number, (label, group) in enumerate(settings(runs).items()):
        _path(ax, [_start(), *_looks(group, learned, kept)], label, number)
    ax.axhline(0, color="0.5", linewidth=0.8)
    learned_name, kept_name = (name.removesuffix("_loss") for name in (learned, kept))
    ax.set(xlabel=f"learned: fall of the loss on {learned_name} (nats a token)")
    ax.set(ylabel=f"lost: rise of the loss on {kept_name} text (nats a token)")
    ax.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    return ax


def frontier(runs: Sequence[Result], ax: Axes | None = None) -> Axes:
    """Gold reward against divergence, look by look, one line for each setting of each way to learn (frontier runs).

    To the right: the policy has gone further from its reference. Up: it is better. So the best line is the uppermost.
    Every line begins with the reference itself. Means over seeds; at the end of each line its 95 % intervals in both
    directions, and its beta, if it has one. The lines of one way look alike.
    """
    from matplotlib.patheffects import withStroke

    ax = ax or _axes()
    for number, ((way,), some) in enumerate(results.groups(runs, ["way"]).items()):
        for first, ((beta,), group) in enumerate(sorted(results.groups(some, ["beta"]).items())):
            points = _frontier_points(group)
            _path(ax, points, name(way) if first == 0 else "_", number)  # "_": not in the legend
            if len(results.groups(some, ["beta"])) > 1:
                end, colour = (points[-1].x.mean, points[-1].y.mean), style(number)["color"]
                mark = ax.annotate(f"{beta:g}", end, (6, 8), textcoords="offset points", color=colour, fontsize="small")
                mark.set_path_effects([withStroke(linewidth=3, foreground="white")])  # it may lie on a line
    ax.set(xlabel="divergence from the reference: KL (nats a completion)", ylabel="gold reward (log-odds of positive)")
    ax.legend(fontsize="small", loc="lower right")
    return ax


def _frontier_points(group: Sequence[Result]) -> list[Point]:
    """Where these runs began, and where they were at each look, in order of the step."""
    xs, ys = (results.points(group, "step", name) for name in ("kl", "gold_reward"))
    start = results.summary(group, "gold_reward_before")
    looks = [Point(results.summarise(xs[step]), results.summarise(ys[step])) for step in sorted(xs)]
    return [Point(_start().x, start), *looks]


def settings(runs: Sequence[Result]) -> dict[str, list[Result]]:
    """The runs by what their settings differ in, in words: 'replay = 0.25'."""
    fields = results.varying(runs)
    usual = {field: _commonest([run.config.get(field) for run in runs]) for field in fields}
    groups: dict[str, list[Result]] = {}
    for run in runs:
        changed = [field for field in fields if run.config.get(field) != usual[field]]
        said = ", ".join(f"{name(field)} = {name(run.config.get(field))}" for field in changed)
        groups.setdefault(said or "as it is", []).append(run)
    return groups


def name(value: Any) -> str:
    """A value of a setting as it is written in a text: 'DPO', 'best of n', '0.25'."""
    return NAMES.get(value, str(value).replace("_", " "))


def line(ax: Axes, found: Mapping[float, Summary], label: str, number: int) -> None:
    """A line through means, with a band of 95 % intervals where there are several seeds."""
    xs = sorted(found)
    ax.plot(xs, [found[x].mean for x in xs], label=label, **style(number))
    low, high = ([getattr(found[x], end) for x in xs] for end in ("low", "high"))
    ax.fill_between(xs, low, high, color=style(number)["color"], alpha=0.2, linewidth=0)


def _path(ax: Axes, points: Sequence[Point], label: str, number: int) -> None:
    """A line through points, at its end with 95 % intervals in both directions.

    At every point they would hide the lines.
    """
    xs, ys = zip(*points, strict=True)
    errors = {f"{axis}err": [_half(some) for some in side] for axis, side in (("x", xs), ("y", ys))}
    ax.errorbar(
        [some.mean for some in xs],
        [some.mean for some in ys],
        **errors,
        errorevery=(len(points) - 1, len(points)),
        label=label,
        capsize=2,
        elinewidth=0.8,
        **style(number),
    )


def _looks(group: Sequence[Result], learned: str, kept: str) -> list[Point]:
    """For each look of these runs the fall of the one loss and the rise of the other, since before the training."""
    steps = sorted({row["step"] for run in group for row in run.history if learned in row})
    if not steps:
        raise CourseError(f"No history row has {learned!r}. This figure is of runs of forgetting.")
    return [
        Point(
            results.summarise([-_change(run, learned, step) for run in group]),
            results.summarise([_change(run, kept, step) for run in group]),
        )
        for step in steps
    ]


def _change(run: Result, loss: str, step: float) -> float:
    after = next((row[loss] for row in run.history if row["step"] == step and loss in row), None)
    if after is None or f"{loss}_before" not in run.metrics:
        raise CourseError(f"A run of {run.runner} has no {loss!r} at step {step} or before. Its seed is {run.seed}.")
    return after - run.metrics[f"{loss}_before"]


def _start() -> Point:
    nothing = Summary(0.0, 0.0, 0.0, 1, (0.0,))
    return Point(nothing, nothing)


def _half(found: Summary) -> float:
    return 0.0 if math.isnan(found.high) else found.high - found.mean


def _commonest(values: Sequence[Any]) -> Any:
    return max(dict.fromkeys(values), key=values.count)


def _require_one_setting(runs: Sequence[Result]) -> None:
    if not runs:
        raise CourseError("There is nothing to draw: no runs. To record them: make results.")
    if fields := results.varying(runs):
        raise CourseError(f"These runs differ in {', '.join(fields)}. Choose one setting: results.select(runs, ...).")


def _axes() -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7, 4))[1]
