"""Measured numbers in prose, read from recorded runs.

{result}`sft accuracy pretrained=true`                             76.9 % (76.0 % to 77.8 %, 5 seeds)
{mean}`sft accuracy pretrained=true`                               76.9 %, the rest as a tooltip
{mean}`sft accuracy pretrained=true - accuracy pretrained=false`   12.1 points, paired by seed
{setting}`sft train_examples pretrained=true`                      2,000, a field of the runs' config
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.writers.html5 import HTML5Translator

from ftlab import results
from ftlab.errors import CourseError, unknown

from . import sources

LOGGER = logging.getLogger(__name__)
Find = Callable[[str], list[results.Result]]  # the recorded runs of a runner
MINUS, NBSP = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Quantity:
    """A metric of the runs whose config has these values."""

    metric: str
    config: Mapping[str, Any]

    def runs(self, runner: str, runs: Sequence[results.Result]) -> list[results.Result]:
        """Its runs: one setting, several seeds. Raises CourseError where there are none, or several settings."""
        try:
            found = results.select(runs, **self.config)
        except CourseError as error:
            raise CourseError(f"{error} This one alone: {self.command(runner)}") from error
        _require_one_setting(found, runner)
        return found

    def command(self, runner: str) -> str:
        """What to type to record its first run."""
        sets = "".join(f" --set {name}={value}" for name, value in self.config.items())
        return f"ftlab run {runner} --seed 0{sets} --out book/results"


def _require_one_setting(runs: Sequence[results.Result], runner: str) -> None:
    if unnamed := results.varying(runs):
        raise CourseError(
            f"These recorded runs of {runner} differ in more than the seed: {', '.join(unnamed)}. "
            f"Say which you mean, for example {unnamed[0]}={runs[0].config[unnamed[0]]}."
        )


def parse(text: str) -> tuple[str, Quantity, Quantity | None]:
    """The runner, the quantity, and what is subtracted from it, if anything."""
    runner, _, rest = text.strip().partition(" ")
    sides = [_quantity(side.split(), text) for side in rest.split(" - ")]
    if not 1 <= len(sides) <= 2:
        raise CourseError(f"`{text}` subtracts more than once. Write `runner metric field=value - metric field=value`.")
    return runner, sides[0], sides[1] if len(sides) == 2 else None


def _quantity(words: Sequence[str], text: str) -> Quantity:
    if not words or "=" in words[0] or not all("=" in word for word in words[1:]):
        raise CourseError(f"`{text}` is not a result. Write `runner metric field=value ...`, such as `sft accuracy`.")
    pairs = [word.split("=", 1) for word in words[1:]]
    return Quantity(words[0], {name: yaml.safe_load(value) for name, value in pairs})


def recorded(env: BuildEnvironment, runner: str) -> list[results.Result]:
    """All recorded runs of `runner`; the page stands on them from now on. Raises CourseError if there are none."""
    folder = env.config.ftbook_results
    sources.stand_on(env, *sources.SHOWING, f"{folder}/{runner}/*.json")
    return sources.once(env, runs_in, Path(env.srcdir), folder, runner)


def runs_in(root: Path, folder: str, runner: str) -> list[results.Result]:
    """All recorded runs of `runner`. Raises CourseError if there are none."""
    if runs := results.load_all(root / folder / runner):
        return runs
    raise CourseError(
        f"No run of {runner!r} is recorded in {folder}/{runner}. Record it (and check the name with `ftlab list`): "
        "ftlab results --record"
    )


def show(metric: str, value: float, *, scale: float | None = None, change: bool = False) -> str:
    """`value` as `results.show` has it, unbreakable, with a real minus sign; a change of a share is in points."""
    points = change and results.unit(metric) == "share"
    text = f"{round(100 * value, 1) + 0.0:.1f} points" if points else results.show(metric, value, scale)
    return text.replace("-", MINUS).replace(" ", NBSP)


def show_mean(metric: str, found: results.Summary, *, change: bool = False) -> str:
    """The mean alone, as exact as the ends of its interval."""
    return show(metric, found.mean, scale=found.scale, change=change)


def show_range(metric: str, found: results.Summary, *, change: bool = False) -> str:
    """Interval and number of seeds, in words: '76.0 % to 77.8 %, 5 seeds', or 'in all 5 seeds' where none differs."""
    if found.n == 1:
        return "1 seed"
    if found.same:
        return f"in all {found.n} seeds"
    return f"{show_interval(metric, found, change=change)}, {found.n} seeds"


def show_interval(metric: str, found: results.Summary, *, change: bool = False) -> str:
    """The 95 % interval alone: '76.0 % to 77.8 %', '5.0 to 15.0 points'."""
    ends = found.low, found.high
    if results.unit(metric) == "share" and not change:  # more than all of them is no place where the mean can be
        ends = max(found.low, min((0.0, *found.values))), min(found.high, max((1.0, *found.values)))
    low, high = (show(metric, value, scale=found.scale, change=change) for value in ends)
    return f"{low.removesuffix(NBSP + 'points')} to {high}"


class number(nodes.inline):  # noqa: N801 - docutils names its nodes so
    """A measured number; `tip` says where it comes from."""


class ResultRole(SphinxRole):
    """A mean over seeds, with (`result`) or without (`mean`) its interval in the text."""

    def __init__(self, *, short: bool) -> None:
        self.short = short

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The number, or a warning that says what to do and a mark in the text."""
        try:
            text, tip = tell(self.text, partial(recorded, self.env), short=self.short)
            return [number("", text, classes=["ft-number"], tip=tip)], []
        except CourseError as error:
            LOGGER.warning("%s", error, location=self.get_location(), type="ftbook", subtype="result")
            return [nodes.strong("", f"[no result: {self.text}]")], []


def tell(text: str, find: Find, *, short: bool) -> tuple[str, str]:
    """A measured number as the role shows it, and its tip: where it comes from. Raises CourseError."""
    runner, value, minus = parse(text)
    runs = find(runner)
    ours = value.runs(runner, runs)
    found = results.summary(ours, value.metric)
    if minus:
        found = results.difference(ours, value.metric, minus.runs(runner, runs), minus.metric)
    mean = show_mean(value.metric, found, change=bool(minus))
    spread = show_range(value.metric, found, change=bool(minus))
    interval = spread if found.same else f"95 % interval {spread}"
    tip = f"{mean}: mean over {found.n} seeds; {interval}. To repeat: {_commands(ours)}"
    return mean if short else f"{mean} ({spread})", tip


def tell_setting(text: str, find: Find) -> str:
    """A field of the runs' config as the role shows it. Raises CourseError."""
    runner, field, _ = parse(text)
    runs = field.runs(runner, find(runner))
    if field.metric not in runs[0].config:
        raise unknown(f"setting of {runner}", field.metric, sorted(runs[0].config))
    value = runs[0].config[field.metric]
    return f"{value:,}" if type(value) is int else str(value)


class SettingRole(SphinxRole):
    """A field of the config that the runs share: settings, too, are read and not typed."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The value, or a warning that says what to do and a mark in the text."""
        try:
            return [nodes.Text(tell_setting(self.text, partial(recorded, self.env)))], []
        except CourseError as error:
            LOGGER.warning("%s", error, location=self.get_location(), type="ftbook", subtype="result")
            return [nodes.strong("", f"[no setting: {self.text}]")], []


def _commands(runs: Sequence[results.Result]) -> str:
    more = f" (and seeds {', '.join(str(run.seed) for run in runs[1:])})" if runs[1:] else ""
    return f"{runs[0].provenance['command']}{more}"


def _visit_html(writer: HTML5Translator, node: number) -> None:
    writer.body.append(writer.starttag(node, "span", "", title=node["tip"]))


def _depart_html(writer: HTML5Translator, node: number) -> None:
    writer.body.append("</span>")


def _nothing(writer: Any, node: nodes.Node) -> None:
    """Other formats show the text alone."""


def setup(app: Sphinx) -> None:
    """Register the roles."""
    plain = (_nothing, _nothing)
    app.add_node(number, html=(_visit_html, _depart_html), latex=plain, text=plain, man=plain, texinfo=plain)
    app.add_role("result", ResultRole(short=False))
    app.add_role("mean", ResultRole(short=True))
    app.add_role("setting", SettingRole())
