"""Simulated labellers, so that everything also runs unattended. What they say is always marked as simulated.

They choose as Bradley and Terry (1952) have it: the better of two texts wins the more often, the further its reward
lies above the other's. Some answers are careless: a coin decides them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ftlab.comparisons import Comparison
from ftlab.errors import CourseError
from ftlab.labels import Answer
from ftlab.preferences import Reward
from ftlab.sittings import Sitting

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bradley_terry(
    rewards_left: Sequence[float] | NDArray[Any],
    rewards_right: Sequence[float] | NDArray[Any],
    temperature: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """For each pair, whether the left one is preferred: bool [n], true with chance sigmoid((left - right)/temperature).

    Bradley and Terry 1952; Christiano et al. 2017, equation 1. `temperature` is in the unit of the rewards: at 1, with
    rewards that are log-odds, a difference of 1 is seen in 73 of 100 cases; at 0 the larger reward always wins, and
    equal ones are decided by a coin. Raises CourseError for other shapes, values that are no numbers, or a temperature
    below zero.
    """
    left, right = (np.asarray(rewards, dtype=float) for rewards in (rewards_left, rewards_right))
    if left.shape != right.shape or left.ndim != 1:
        raise CourseError(
            f"A labeller compares as many rewards on the left as on the right; here: {left.shape} and {right.shape}."
        )
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise CourseError("A reward is not a finite number, so nobody can prefer it. Look at what scored these texts.")
    if not 0 <= temperature < np.inf:
        raise CourseError(f"A labeller's temperature is zero or more, not {temperature}. At 0 no label is wrong.")
    difference = left - right
    # 1/(1 + e^-x) as a hyperbolic tangent: large differences do not overflow.
    chance = np.heaviside(difference, 0.5) if temperature == 0 else 0.5 + 0.5 * np.tanh(difference / temperature / 2)
    return rng.random(len(left)) < chance


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A labeller that is a program."""

    name: str
    temperature: float = 1.0  # in units of the reward; higher is noisier, 0 never errs
    careless: float = 0.0  # share of the answers that a coin decides, from 0 to 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or not 0 <= self.careless <= 1:
            raise CourseError(
                f"The simulated labeller {self.name!r} has the temperature {self.temperature} and is careless in "
                f"{self.careless} of its answers. Give a temperature from 0 up and a share from 0 to 1."
            )

    def answers(self, left: Sequence[float], right: Sequence[float]) -> list[Answer]:
        """Left or right for each pair of rewards."""
        rng = np.random.default_rng(self.seed)
        honest = bradley_terry(left, right, self.temperature, rng)
        careless, coin = rng.random((2, len(honest))) < [[self.careless], [0.5]]
        return ["left" if first else "right" for first in np.where(careless, coin, honest)]


def label_all(comparisons: Sequence[Comparison], path: Path | str, labeller: Simulated, reward: Reward) -> int:
    """Let a simulated labeller judge what it has not judged of a set; the number of new labels.

    It uses the label file just as a person does, and stopped in the middle it goes on with the same answers. Raises
    CourseError where the reward gives something else than one finite number for each text.
    """
    sitting = Sitting(comparisons, path, labeller=labeller.name, simulated=True)
    prompts, sides = [each.prompt for each in sitting.order], [sitting.sides(each) for each in sitting.order]
    left, right = [_rewards(reward, prompts, [pair[side] for pair in sides]) for side in (0, 1)]
    answers = dict(zip(sitting.order, labeller.answers(left, right), strict=True))
    todo = sitting.todo()
    sitting.keep((comparison, answers[comparison]) for comparison in todo)
    return len(todo)


def _rewards(reward: Reward, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    found = [float(value) for value in reward(prompts, completions)]
    if len(found) != len(completions) or not all(map(math.isfinite, found)):
        bad = next((value for value in found if not math.isfinite(value)), f"{len(found)} numbers")
        raise CourseError(
            f"The reward of {len(completions)} texts came out as {bad}: it has to be one finite number for each text. "
            "Nothing was labelled. Call the reward on a few texts to see what it returns."
        )
    return found
