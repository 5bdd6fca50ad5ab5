"""Explorers: move a slider, read what the recorded runs say there. One description serves the page and Jupyter.

A description is a file of book/explorers/. Every state of its controls is worked out here, once, as words and as a mark
in one picture. What shows it (a script in the page, ipywidgets in Jupyter) chooses a state and computes nothing, so
the two cannot disagree.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ftlab import costs, figures, results
from ftlab.errors import CourseError, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path("book/explorers")
STRICT = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
Choice = tuple[int, ...]  # for each control the place of its value
Runs = Callable[[str], Sequence[results.Result]]  # the recorded runs of a runner


class Control(BaseModel):
    """One slider: its values in order, and how they are said."""

    model_config = STRICT

    name: str = Field(pattern=r"^[a-z_]+$")
    label: str
    unit: str = ""  # said after the value: '%'
    values: list[float | int] = Field(min_length=2)

    def say(self, place: int) -> str:
        """The value at `place` for a reader: '25 %', '175 billion'."""
        return f"{number(self.values[place])} {self.unit}".strip()


class Line(BaseModel):
    """A metric of recorded runs. Names of controls in braces, in `metric` and `where`, stand for their values."""

    model_config = STRICT

    name: str = Field(pattern=r"^[a-z_]+$")
    label: str
    runner: str
    metric: str
    where: dict[str, Any] = {}
    drawn: bool = True  # or only said, where its unit is not that of the picture


class Explorer(BaseModel):
    """A description: controls, and either lines over the one control, or a formula over several."""

    model_config = STRICT

    title: str
    controls: list[Control] = Field(min_length=1)
    words: str  # names of controls, lines and results of the formula in braces
    lines: list[Line] = []
    formula: Literal["training"] | None = None
    ylabel: str = ""
    logarithmic: bool = False  # the control's axis

    @model_validator(mode="after")
    def _measured_or_computed(self) -> Explorer:
        if bool(self.lines) == bool(self.formula):
            raise ValueError("an explorer has either `lines` (recorded runs) or a `formula`")
        if self.lines and len(self.controls) != 1:
            raise ValueError("`lines` are drawn over one control")
        return self


@dataclass(frozen=True)
class Explored:
    """An explorer worked out: what is said in every state, and the picture, an SVG with a mark for each."""

    name: str
    title: str
    controls: Sequence[Control]
    words: Mapping[Choice, str]
    picture: str | None

    def mark(self, choice: Choice) -> str:
        """The id of what is to be shown in the picture in this state, and hidden in all others."""
        return f"{self.name}-mark-{choice[0]}"


def load(path: Path) -> Explorer:
    """The description in a file. Raises CourseError, which names file and fault, where it is malformed or not there."""
    if not path.is_file():
        raise unknown("explorer", path.stem, sorted(found.stem for found in path.parent.glob("*.yml")))
    try:
        return Explorer.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is not YAML: {error}. Texts with a colon go below a `>-`.") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CourseError(f"{path}: {problems}. book/explorers/leakage.yml shows how it goes.") from error


def explore(name: str, found: Explorer, runs: Runs) -> Explored:
    """Work out every state. Raises CourseError where a run is missing or `words` has a name that is not known."""
    places = [range(len(control.values)) for control in found.controls]
    measured = {choice: _measured(found, choice, runs) for choice in itertools.product(*places)}
    return Explored(
        name=name,
        title=found.title,
        controls=found.controls,
        words={choice: _words(found, choice, values) for choice, values in measured.items()},
        picture=_picture(name, found, measured) if found.lines else None,
    )


def _values(found: Explorer, choice: Choice) -> dict[str, float | int]:
    return {control.name: control.values[place] for control, place in zip(found.controls, choice, strict=True)}


def _measured(found: Explorer, choice: Choice, runs: Runs) -> dict[str, results.Summary]:
    """For each line, its metric over the seeds in this state."""
    at = _values(found, choice)
    return {line.name: _summary(line, at, runs) for line in found.lines}


def _summary(line: Line, at: Mapping[str, float | int], runs: Runs) -> results.Summary:
    where = {key: _filled(value, at) for key, value in line.where.items()}
    chosen = results.select(runs(line.runner), **where)
    if fields := results.varying(chosen):
        raise CourseError(f"The runs of {line.name} differ in {', '.join(fields)}. Say which are meant, in `where`.")
    return results.summary(chosen, line.metric.format(**at))


def _filled(value: Any, at: Mapping[str, float | int]) -> Any:
    """A text with names of controls in braces as the value it stands for; anything else as it is."""
    return yaml.safe_load(value.format(**at)) if isinstance(value, str) else value


def _words(found: Explorer, choice: Choice, measured: Mapping[str, results.Summary]) -> str:
    said = {control.name: control.say(place) for control, place in zip(found.controls, choice, strict=True)}
    said |= {line.name: _said(line.metric, measured[line.name]) for line in found.lines}
    if found.formula:
        said |= FORMULAS[found.formula](**_values(found, choice))
    try:
        return found.words.format(**said)
    except KeyError as error:
        raise unknown("name in `words`", str(error.args[0]), sorted(said)) from error


def _said(metric: str, found: results.Summary) -> str:
    """A summary as print has it: a real minus sign, and a percent sign that stays with its number."""
    return results.show_summary(metric, found).replace("-", "\N{MINUS SIGN}").replace(" %", "\N{NO-BREAK SPACE}%")


def bill(parameters: float, tokens: float, devices: float) -> dict[str, str]:
    """What training on so many tokens costs, for a reader. Devices are A100s, none lost to waiting for another.

    6 N D alone: without a shape, attention between tokens cannot be counted (see ftlab/costs.py for the sources).
    """
    flops = costs.parameter_flops(parameters, tokens)
    share = costs.expected_utilisation(costs.published())
    hours = costs.device_hours(flops, costs.get("llama_65b").peak_flops, share)
    return {
        "flops": f"{flops:.1e}",
        "hours": number(hours),
        "time": duration(hours / devices),
        "dollars": number(costs.dollars(hours)),
        "energy": number(1000 * costs.megawatt_hours(hours)),
        "state_memory": number(parameters * sum(costs.STATE_BYTES["mixed"]) / 1e9),
    }


FORMULAS: Mapping[str, Callable[..., dict[str, str]]] = {"training": bill}


def number(value: float) -> str:
    """A number for a reader. Whole ones below a million as they are, others by their first two digits, large ones in
    words: '0.35', '4,096', '34,000', '1.2 million', '175 billion'."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{number(value / size)} {word}"
    rounded = value if float(value).is_integer() else float(f"{value:.2g}")
    return f"{rounded:,.0f}" if float(rounded).is_integer() else f"{rounded:,}"


def duration(hours: float) -> str:
    """Hours in the unit that suits them: '40 minutes', '3.5 days', '12 years'."""
    for size, word in ((costs.HOURS_PER_YEAR, "years"), (24, "days"), (1, "hours"), (1 / 60, "minutes")):
        if hours >= size:
            many = number(hours / size)
            return f"{many} {word.removesuffix('s') if many == '1' else word}"
    return "less than a minute"


def _picture(name: str, found: Explorer, measured: Mapping[Choice, Mapping[str, results.Summary]]) -> str:
    """The lines over the control, and for each state a mark of its own."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        _draw(figure.subplots(), name, found, measured)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _cleaned(buffer.getvalue(), name)


def _draw(ax: Axes, name: str, found: Explorer, measured: Mapping[Choice, Mapping[str, results.Summary]]) -> None:
    control = found.controls[0]
    for place, line in enumerate(line for line in found.lines if line.drawn):
        points = {float(control.values[choice[0]]): values[line.name] for choice, values in measured.items()}
        figures.line(ax, points, line.label, place)
    for place, value in enumerate(control.values):
        ax.axvline(value, color="0.3", linewidth=6, alpha=0.35, gid=f"{name}-mark-{place}")
    if found.logarithmic:
        ax.set_xscale("log")
    ax.set_xticks(control.values, [number(value) for value in control.values])
    ax.minorticks_off()
    ax.set(xlabel=f"{control.label} ({control.unit})" if control.unit else control.label, ylabel=found.ylabel)
    ax.figure.legend(loc="outside upper center", ncols=3, frameon=False)


def _cleaned(svg: str, name: str) -> str:
    """Without the XML head, and without ids that a second picture in the page would have as well."""
    body = svg[svg.index("<svg") :]
    return re.sub(rf'<g id="(?!{re.escape(name)}-mark-)[^"]*">', "<g>", body)
