"""Best of n: write n completions and keep the one that a reward likes best. Nothing is trained; each answer costs n.

Stiennon et al. 2020 (Learning to Summarize from Human Feedback), section 3.4 and appendix G.3; Gao et al. 2023 (Scaling
Laws for Reward Model Overoptimization), section 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ftlab.errors import CourseError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def expected(judged: NDArray[Any], values: NDArray[Any], n: int) -> float:
    """The mean value of the completion that `judged` likes best among `n`, over all draws of n from those there are.

    `judged` and `values` are [prompts, completions]: the reward that chooses, and what is measured of the chosen one
    (the gold reward, say, or `judged` itself). All draws are counted and none is made, so nothing is left to luck but
    the completions. Raises CourseError where there are fewer than n.
    """
    if judged.shape != values.shape or not 1 <= n <= judged.shape[1]:
        raise CourseError(
            f"The best of {n} is chosen among {judged.shape[1]} completions a prompt, whose values are {values.shape}. "
            "Take n from 1 to their number, and one value for each."
        )
    order = judged.argsort(axis=1, kind="stable")
    return float((np.take_along_axis(values, order, axis=1) @ _chances(n, judged.shape[1])).mean())


def _chances(n: int, of: int) -> NDArray[np.float64]:
    """For each rank, worst first, the chance that it is the best of `n` drawn from `of` without putting back: [of]."""
    return np.array([math.comb(worse, n - 1) for worse in range(of)]) / math.comb(of, n)


def divergence_bound(n: int) -> float:
    """What KL(best of n || the policy that wrote them) is at most, in nats: log n - (n - 1)/n.

    Often given as its value, which it is where no completion is ever drawn twice and no two are judged alike; elsewhere
    the divergence is smaller (Beirami et al. 2024, Theoretical Guarantees on the Best-of-n Alignment Policy).
    """
    return math.log(n) - (n - 1) / n


def powers_of_two(most: int) -> Sequence[int]:
    """1, 2, 4 and so on, up to `most`."""
    return [2**power for power in range(most.bit_length()) if 2**power <= most]
