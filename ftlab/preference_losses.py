"""Losses that learn from pairs of completions, written on log-probabilities alone: DPO, IPO, and plain imitation.

A completion's log-ratio is log policy(y|x) - log reference(y|x), summed over its tokens: how much likelier the policy
has made it. Every loss here sees a pair through its two log-ratios, so no reward model is needed: beta times the
log-ratio is the reward that the policy itself stands for, up to a term that both completions share (Rafailov et al.
2023, Direct Preference Optimization, section 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch.nn.functional import logsigmoid

if TYPE_CHECKING:
    from torch import Tensor


class Sides(NamedTuple):
    """One number for each pair's chosen and rejected completion: float [pairs] each."""

    chosen: Tensor
    rejected: Tensor

    @property
    def difference(self) -> Tensor:
        """Chosen minus rejected, [pairs]."""
        return self.chosen - self.rejected


def log_ratios(policy: Sides, reference: Sides) -> Sides:
    """How much likelier than the reference the policy has made each completion, from their log-probabilities (nats)."""
    return Sides(policy.chosen - reference.chosen, policy.rejected - reference.rejected)


def per_token(ratios: Sides, lengths: Sides) -> Sides:
    """Log-ratios for each token of a completion, from those of whole completions and their lengths in tokens."""
    return Sides(ratios.chosen / lengths.chosen, ratios.rejected / lengths.rejected)


def rewards(ratios: Sides, beta: float) -> Sides:
    """The rewards that the policy stands for; only their differences within a prompt mean something."""
    return Sides(beta * ratios.chosen, beta * ratios.rejected)


def dpo(ratios: Sides, beta: float) -> Tensor:
    """The loss of direct preference optimisation for each pair, [pairs]: Rafailov et al. 2023, equation 7.

    -log sigmoid(beta (r_chosen - r_rejected)): the negative logarithm of the chance that Bradley and Terry's model
    gives to the choice that was made. It is log 2 where policy and reference are the same. `beta` (above 0) is the
    strength of the pull towards the reference: with a higher one a smaller log-ratio is reward enough, so the policy
    stays closer.
    """
    return -logsigmoid(beta * ratios.difference)


def dpo_weight(ratios: Sides, beta: float) -> Tensor:
    """How strongly each pair moves the policy, 0 to 1, [pairs]: the sigmoid in the gradient of section 4 of that paper.

    Half for a pair that the policy does not tell apart, close to 1 where it has the order wrong, to 0 where it is sure
    and right. The gradient of the loss by the difference of the log-ratios is -beta times this.
    """
    return (-beta * ratios.difference).sigmoid()


def ipo(ratios: Sides, beta: float) -> Tensor:
    """The loss of identity preference optimisation for each pair, [pairs]: Azar et al. 2024, equation 17.

    (r_chosen - r_rejected - 1 / (2 beta))^2: the log-ratios shall differ by so much and by no more, so a pair that
    everybody agrees on does not pull the policy away without end. `beta` is the paper's tau; higher stays closer. The
    authors meant log-ratios for each token (as trl takes them): give it those of `per_token`.
    """
    return (ratios.difference - 1 / (2 * beta)) ** 2


def imitation(policy: Sides, lengths: Sides) -> Tensor:
    """Plain supervised learning of the chosen completion, for each pair: nats for a token of the batch, [pairs].

    The mean is the loss over all chosen tokens alike. It knows nothing of the rejected ones, and no reference holds it:
    what learning from pairs has to beat (Preferred-FT in Rafailov et al. 2023, section 6).
    """
    return -policy.chosen / lengths.chosen.float().mean()
