"""Figures show the recorded numbers, and their lines can be told apart on any ground and without colour."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import matplotlib
import pytest
from matplotlib import colors

from ftlab import figures
from ftlab.errors import CourseError
from ftlab.results import Result

matplotlib.use("Agg")
GROUNDS = ("#ffffff", "#121212")


@pytest.fixture(autouse=True)
def close() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def make(seed: int = 0, runner: str = "overfitting", **config: object) -> Result:
    looks = [{"step": s, "epoch": s / 2, "loss": 1 / s, "validation_loss": 0.5 + seed / 100} for s in (1, 2, 4)]
    return Result(runner=runner, config={"profile": "cpu", "seed": seed, **config}, metrics={}, history=looks)


def forgot(seed: int, learned: float, lost: float, **config: object) -> Result:
    """A run whose losses were 3 and 2, and change evenly over two looks."""
    looks: list[dict[str, float]] = []
    for step in (1, 2):
        looks.append({"step": step, "epoch": step, "reviews_loss": 3 - learned * step / 2})
        looks.append({"step": step, "epoch": step, "own_loss": 2 + lost * step / 2})
    before = {"reviews_loss_before": 3.0, "own_loss_before": 2.0}
    fields = {"profile": "cpu", "seed": seed, "replay": 0.0, "pull": 0.0, **config}
    return Result(runner="forgetting", config=fields, metrics=before, history=looks)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colors.to_rgb(colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("colour", "ground"), itertools.product(figures.COLOURS, GROUNDS))
def test_every_colour_stands_out_on_light_and_on_dark(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= 3, "what WCAG asks of graphics"


def test_lines_differ_without_their_colour() -> None:
    looks = [(figures.style(n)["marker"], figures.style(n)["linestyle"]) for n in range(20)]
    assert len(set(looks)) == 20
    assert len({figures.style(n)["marker"] for n in range(10)}) == 10


def test_the_gap_shows_both_losses_over_the_epochs() -> None:
    training, validation = figures.gap([make(0), make(2)]).get_lines()
    assert list(training.get_xdata()) == [0.5, 1.0, 2.0]
    assert list(training.get_ydata()) == [1.0, 0.5, 0.25]
    assert list(validation.get_ydata()) == pytest.approx([0.51] * 3)


def test_curves_of_two_calls_on_one_pair_of_axes_look_different() -> None:
    axes = figures.curves([make(layers=1)], "epoch", "loss", "layers")
    figures.curves([make(layers=3)], "epoch", "loss", "layers", ax=axes)
    first, second = axes.get_lines()
    assert first.get_marker() != second.get_marker() and first.get_linestyle() != second.get_linestyle()
    with pytest.raises(CourseError, match="They have"):
        figures.curves([make(layers=1)], "epoch", "reward", "layers")


def test_the_inflation_is_drawn_over_the_overlap_in_order() -> None:
    metrics = {f"reported_{o}_accuracy": 0.5 + o / 200 for o in (100, 0, 25)} | {"restored_0_accuracy": 0.5}
    run = Result(runner="leakage", config={"seed": 0}, metrics=metrics)
    reported, restored = figures.inflation([run]).get_lines()
    assert list(reported.get_xdata()) == [0, 25, 100]
    assert list(reported.get_ydata()) == [0.5, 0.625, 1.0]
    assert list(restored.get_xdata()) == [0]
    with pytest.raises(CourseError, match="of runs of leakage"):
        figures.inflation([make()])


def test_the_trade_off_begins_at_nothing_and_ends_at_what_was_learned_and_lost() -> None:
    runs = [forgot(seed, 1 + seed / 10, 0.4, method="full") for seed in range(2)]
    runs += [forgot(seed, 0.8, 0.1, replay=0.25, method="lora") for seed in range(2)]
    axes = figures.trade_off(runs, "reviews_loss", "own_loss")
    plain, replay = (container.lines[0] for container in axes.containers)
    assert list(plain.get_xdata()) == pytest.approx([0, 0.525, 1.05])
    assert list(plain.get_ydata()) == pytest.approx([0, 0.2, 0.4])
    assert list(replay.get_ydata()) == pytest.approx([0, 0.05, 0.1])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["as it is", "replay = 0.25, method = LoRA"]


@pytest.mark.parametrize(
    ("runs", "says"),
    [([], "nothing to draw"), ([make(layers=1), make(layers=2)], "differ in layers. Choose one setting")],
)
def test_what_cannot_be_drawn_is_said(runs: list[Result], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        figures.gap(runs)


def test_a_run_without_the_losses_is_said() -> None:
    with pytest.raises(CourseError, match="of runs of forgetting"):
        figures.trade_off([make()], "reviews_loss", "own_loss")
    with pytest.raises(CourseError, match="no 'manual_loss' at step 1"):
        figures.trade_off([forgot(0, 1, 1)], "reviews_loss", "manual_loss")


def went(seed: int, way: str, beta: float, far: float) -> Result:
    """A run of the frontier that went `far` in two looks, and gained half of it."""
    looks = [{"step": step, "kl": far * step / 2, "gold_reward": far * step / 4 + seed} for step in (1, 2)]
    config = {"profile": "cpu", "seed": seed, "way": way, "beta": beta}
    return Result(runner="frontier", config=config, metrics={"gold_reward_before": float(seed)}, history=looks)


def test_the_frontier_has_a_line_for_each_setting_and_one_look_for_each_way() -> None:
    runs = [went(seed, "dpo", beta, 1 / beta) for seed in range(2) for beta in (1.0, 0.1)]
    runs += [went(seed, "best_of_n", 0.1, 3.0) for seed in range(2)]
    axes = figures.frontier(runs)
    loose, tight, best = (container.lines[0] for container in axes.containers)
    assert list(loose.get_xdata()) == pytest.approx([0, 5, 10]) and list(tight.get_xdata()) == pytest.approx(
        [0, 0.5, 1]
    )
    assert list(loose.get_ydata()) == pytest.approx([0.5, 3, 5.5])
    assert loose.get_marker() == tight.get_marker() != best.get_marker()
    bars = axes.containers[0].lines[2]
    assert [len(bar.get_segments()) for bar in bars] == [1, 1], "intervals only at the end, where they can be seen"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["DPO", "best of n"]
    assert sorted(text.get_text() for text in axes.texts) == ["0.1", "1"]
    with pytest.raises(CourseError, match="No history row has 'kl'"):
        figures.frontier([make(way="dpo", beta=0.1)])
