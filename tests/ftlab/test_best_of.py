"""The best of n is what drawing and choosing gives on average, and its divergence is what drawing gives at most."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import best_of
from ftlab.errors import CourseError


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_it_is_the_mean_over_all_draws(n: int, more: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    judged, values = rng.permutation(n + more).astype(float), rng.normal(size=n + more)
    draws = [values[max(draw, key=lambda i: judged[i])] for draw in itertools.combinations(range(n + more), n)]
    assert best_of.expected(judged[None], values[None], n) == pytest.approx(np.mean(draws))


def test_one_of_one_is_the_mean_and_more_is_better() -> None:
    judged = np.random.default_rng(0).normal(size=(5, 16))
    found = [best_of.expected(judged, judged, n) for n in (1, 2, 4, 8, 16)]
    assert found[0] == pytest.approx(judged.mean()) and found[-1] == pytest.approx(judged.max(axis=1).mean())
    assert found == sorted(found)


def test_a_judge_that_knows_nothing_chooses_the_mean() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4000, 8))
    assert best_of.expected(rng.normal(size=values.shape), values, 8) == pytest.approx(values.mean(), abs=0.06)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_bound_is_reached_where_all_completions_differ_and_not_where_some_repeat(n: int) -> None:
    """Among m equally likely completions, the best of n is the one of rank k with chance (k/m)^n - ((k-1)/m)^n."""
    ranks = np.arange(1, 2001) / 2000
    best = ranks**n - (ranks - 1 / 2000) ** n
    assert float((best * np.log(best * 2000)).sum()) == pytest.approx(best_of.divergence_bound(n), abs=1e-3)
    few = np.array([0.5, 1.0]) ** n - np.array([0.0, 0.5]) ** n
    assert float((few * np.log(few * 2)).sum()) <= best_of.divergence_bound(n) + 1e-12


def test_powers_and_refusals() -> None:
    assert best_of.powers_of_two(16) == [1, 2, 4, 8, 16] and best_of.powers_of_two(12) == [1, 2, 4, 8]
    assert best_of.divergence_bound(1) == 0 and best_of.divergence_bound(16) == pytest.approx(math.log(16) - 15 / 16)
    with pytest.raises(CourseError, match="best of 3 is chosen among 2"):
        best_of.expected(np.zeros((1, 2)), np.zeros((1, 2)), 3)
