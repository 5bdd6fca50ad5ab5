"""What training a transformer costs, on paper: operations, memory, device-hours, money, energy.

Pure functions of sizes; nothing is measured here. Operations: Kaplan et al. 2020, section 2.1 and Hoffmann et al. 2022,
appendix F. Memory: Rajbhandari et al. 2020 (ZeRO), section 3.1 and Korthikanti et al. 2022, equation 1. `compare` sets
the predictions beside what was published (published.yml).
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftlab.errors import CourseError, unknown

PUBLISHED = Path(__file__).with_name("published.yml")
SECONDS_PER_HOUR, HOURS_PER_YEAR = 3600, 24 * 365.25

# A token costs each weight a multiplication and an addition forward, and twice that backward (Kaplan, section 2.1).
FLOPS_PER_PARAMETER = 6
# Scores (queries by keys) and mixing (scores by values): two products of width by context, each 2 forward and 4
# backward. The whole square is counted, though a causal model uses half of it (Chowdhery et al. 2022, appendix B).
FLOPS_PER_ATTENTION = 12

DOLLARS_PER_HOUR = 2.0  # for one A100: MPT-7B cost about 200,000 dollars for 100,320 hours (MosaicML 2023)
WATTS = 400.0  # of one A100 at full load: NVIDIA's data sheet; Touvron et al. 2023a, table 15
PUE = 1.1  # watts into the data centre for one watt into the device: Touvron et al. 2023a, section 6

LARGE = ("bert_base", "gpt3_175b", "llama_65b")  # of published.yml: how long would they take elsewhere?
CLUSTER = 1024  # A100s, for the same question

Precision = Literal["mixed", "float32"]
# Bytes a parameter: weight, gradient, and what AdamW keeps. Mixed: a float32 copy of the weight and two moments (ZeRO,
# section 3.1); float32: two moments.
STATE_BYTES: dict[Precision, tuple[int, int, int]] = {"mixed": (2, 2, 12), "float32": (4, 4, 8)}
NUMBER_BYTES: dict[Precision, int] = {"mixed": 2, "float32": 4}  # of one activation


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What decides the cost of one token. `parameters` are those that multiply every token; context in tokens."""

    parameters: float
    layers: int
    width: int
    heads: int
    context: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one training step holds, in bytes."""

    weights: float
    gradients: float
    optimiser: float
    activations: float

    @property
    def total(self) -> float:
        """All four together."""
        return self.weights + self.gradients + self.optimiser + self.activations


@dataclass(frozen=True, kw_only=True)
class Run:
    """One published training; see published.yml for the fields."""

    key: str
    name: str
    shape: Shape
    tokens: float
    quantity: Literal["flops", "device_hours"]
    published: float
    peak_flops: float  # of one of its devices, a second
    calibrates: bool
    tokens_per_second: float | None  # of one device, where the authors say it
    source: str
    note: str

    @property
    def flops(self) -> float:
        """The operations of the whole training, attention included."""
        return training_flops(self.shape, self.tokens)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A prediction beside the published number. `error` is predicted / published - 1; utilisation None for flops."""

    key: str
    name: str
    quantity: str
    predicted: float
    published: float
    error: float
    utilisation: float | None
    source: str
    note: str


def parameter_flops(parameters: float, tokens: float) -> float:
    """6 N D: the operations of all products with weights, forward and backward."""
    return FLOPS_PER_PARAMETER * parameters * tokens


def attention_flops(layers: int, width: int, context: int, tokens: float) -> float:
    """What attention between tokens adds to 6 N D: each of `tokens` looks at `context` others in every layer."""
    return FLOPS_PER_ATTENTION * layers * width * context * tokens


def training_flops(shape: Shape, tokens: float) -> float:
    """The operations of training on `tokens`: 6 N D and attention."""
    attention = attention_flops(shape.layers, shape.width, shape.context, tokens)
    return parameter_flops(shape.parameters, tokens) + attention


def attention_share(shape: Shape) -> float:
    """The part of all operations that is attention between tokens, 0 to 1."""
    return 1 - parameter_flops(shape.parameters, 1) / training_flops(shape, 1)


def activation_bytes(shape: Shape, batch: int, precision: Precision) -> float:
    """What the layers keep for the backward pass, in bytes, for `batch` texts of `context` tokens.

    Korthikanti et al. 2022, equation 1: nothing is computed twice, and the squares of attention are kept.
    """
    per_token = 34 * shape.width + 5 * shape.heads * shape.context
    return NUMBER_BYTES[precision] / 2 * shape.layers * batch * shape.context * per_token


def memory(shape: Shape, batch: int, precision: Precision, vocabulary: int = 0, stored: float | None = None) -> Memory:
    """What a training step of `batch` texts holds, in bytes.

    `vocabulary`: tokens that a language model chooses from; its scores are kept in float32 (Korthikanti, section 4.3).
    `stored`: all parameters, where more are kept than multiply (an embedding table).
    """
    weight, gradient, optimiser = (part * (stored or shape.parameters) for part in STATE_BYTES[precision])
    scores = 4 * batch * shape.context * vocabulary
    activations = activation_bytes(shape, batch, precision) + scores
    return Memory(weights=weight, gradients=gradient, optimiser=optimiser, activations=activations)


def device_hours(flops: float, peak_flops: float, utilisation: float) -> float:
    """Hours of one device that does `utilisation` (0 to 1) of its `peak_flops` a second."""
    return flops / (peak_flops * utilisation) / SECONDS_PER_HOUR


def utilisation(flops: float, peak_flops: float, hours: float) -> float:
    """The part of its peak that a device did: model FLOPs utilisation (Chowdhery et al. 2022, section 4.1)."""
    return flops / (peak_flops * hours * SECONDS_PER_HOUR)


def years(flops: float, flops_per_second: float) -> float:
    """Years for `flops` at that speed."""
    return device_hours(flops, flops_per_second, 1) / HOURS_PER_YEAR


def dollars(hours: float, price: float = DOLLARS_PER_HOUR) -> float:
    """What so many device-hours cost to rent, at `price` dollars each."""
    return hours * price


def megawatt_hours(hours: float, watts: float = WATTS, pue: float = PUE) -> float:
    """The energy of so many device-hours, cooling and power supply of the data centre included."""
    return hours * watts * pue / 1e6


@functools.cache
def published() -> tuple[Run, ...]:
    """The trainings of published.yml, in its order. Raises CourseError where an entry lacks a field."""
    import yaml

    content = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    return tuple(_run(entry, content["devices"]) for entry in content["runs"])


def _run(entry: dict[str, Any], devices: dict[str, Any]) -> Run:
    values = dict(entry)
    try:
        shape = Shape(**{name: values.pop(name) for name in ("parameters", "layers", "width", "heads", "context")})
        peak = devices[values.pop("device")]["peak_flops"]
        return Run(shape=shape, peak_flops=peak, tokens_per_second=values.pop("tokens_per_second", None), **values)
    except (KeyError, TypeError) as error:
        where = entry.get("key", "without a key")
        raise CourseError(
            f"{PUBLISHED.name}, run {where}: a field is missing or unknown ({error}). Mend it."
        ) from error


def get(key: str) -> Run:
    """The published run of that key. Raises CourseError, naming all, when there is none."""
    runs = {run.key: run for run in published()}
    if key not in runs:
        raise unknown("published run", key, list(runs))
    return runs[key]


def expected_utilisation(runs: Sequence[Run], without: str = "") -> float:
    """The median utilisation of the runs that calibrate, the run `without` left out: none is predicted from itself.

    Raises CourseError where no run is left.
    """
    found = [utilisation(r.flops, r.peak_flops, r.published) for r in runs if r.calibrates and r.key != without]
    if not found:
        raise CourseError("No other run gives a utilisation. Mark one in published.yml: calibrates: true.")
    return statistics.median(found)


def compare(runs: Sequence[Run]) -> list[Row]:
    """Each run's prediction beside what was published; hours are predicted from the utilisation of other runs."""
    return [_row(run, runs) for run in runs]


def _row(run: Run, runs: Sequence[Run]) -> Row:
    share = expected_utilisation(runs, run.key) if run.quantity == "device_hours" else None
    predicted = run.flops if share is None else device_hours(run.flops, run.peak_flops, share)
    return Row(
        key=run.key,
        name=run.name,
        quantity=run.quantity,
        predicted=predicted,
        published=run.published,
        error=predicted / run.published - 1,
        utilisation=share,
        source=run.source,
        note=run.note,
    )


def projections(flops_per_second: float) -> dict[str, float]:
    """The LARGE trainings repeated: years at that speed ("here"), and time, dollars and energy on A100s.

    The A100s are used as the calibrating runs used theirs, and a CLUSTER of them is taken to lose nothing by its size.
    """
    a100, share = get("llama_65b").peak_flops, expected_utilisation(published())
    found = {"expected_utilisation": share}
    for run in map(get, LARGE):
        hours = device_hours(run.flops, a100, share)
        found[f"years_{run.key}_here"] = years(run.flops, flops_per_second)
        found[f"years_{run.key}_a100"] = hours / HOURS_PER_YEAR
        found[f"days_{run.key}_cluster"] = hours / 24 / CLUSTER
        found[f"dollars_{run.key}"] = dollars(hours)
        found[f"megawatt_hours_{run.key}"] = megawatt_hours(hours)
    return found


def agreements() -> dict[str, float]:
    """The relative error of every prediction of published.yml, and the agreement, 1 - |error|.

    Two more for comparison: GPT-3 by 6 N D alone, which is how its authors counted; LLaMA-65B from the speed that its
    authors measured in the run itself, where only the length of the run is predicted.
    """
    rows, gpt3, llama = compare(published()), get("gpt3_175b"), get("llama_65b")
    by_weights = parameter_flops(gpt3.shape.parameters, gpt3.tokens)
    by_speed = llama.tokens / (llama.tokens_per_second or 1) / SECONDS_PER_HOUR
    return {
        **{f"error_{row.key}": row.error for row in rows},
        **{f"agreement_{row.key}": 1 - abs(row.error) for row in rows},
        "error_gpt3_175b_without_attention": by_weights / gpt3.published - 1,
        "error_llama_65b_from_speed": by_speed / llama.published - 1,
    }
