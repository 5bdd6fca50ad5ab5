"""How far a policy has gone from its reference: the Kullback-Leibler divergence, in nats a completion.

KL(policy || reference) is the mean, over the policy's own completions, of log policy(y|x) - log reference(y|x).
Schulman 2020 (Approximating KL Divergence, joschu.net/blog/kl-approx.html): the estimators k1, k2 and k3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ftlab.completions import Tokens, logits, picked
from ftlab.policies import Policy

ROWS_AT_ONCE = 32  # all the logits of so many completions are held in memory


def k1(policy: Tensor, reference: Tensor) -> Tensor:
    """log p - log q, from log-probabilities [rows, C] of tokens that the policy drew; summed over a row: [rows].

    Right on average, token by token and so for whole completions (the chain rule), though a single one can be negative.
    It is what a reward is charged with (ftlab/ppo.py, trl's RLOO): with it the reward's mean is the objective itself.
    """
    return (policy - reference).sum(dim=-1)


def k2(policy: Tensor, reference: Tensor) -> Tensor:
    """Half the square of log p - log q, summed over a row: [rows]. Never negative, less noisy, and not quite right.

    It is nearly right where the two are close, and wrong where they are far apart.
    """
    return ((policy - reference) ** 2 / 2).sum(dim=-1)


def k3(policy: Tensor, reference: Tensor) -> Tensor:
    """q/p - 1 - log(q/p) of each token, summed over a row: [rows]. Right on average, and never negative.

    It is taken token by token: the ratio of whole completions is nearly always close to 0 and, very seldom, huge.
    """
    ratio = reference - policy
    return (ratio.exp() - 1 - ratio).sum(dim=-1)


def whole(policy: Policy, tokens: Tokens) -> Tensor:
    """The divergence of every next token, over the whole vocabulary, summed along each completion: float32 [rows].

    `tokens` are completions of the policy as it is now. This is right on average too, and has the least noise: it looks
    at every token that could have been drawn, not at the one that was (Amini et al. 2025, Better Estimation of the KL
    Divergence Between Language Models). It needs all logits of both models; we have them, so this is what is reported.
    """
    return whole_and_k1(policy, tokens)[0]


def whole_and_k1(policy: Policy, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """`whole` and `k1` of the same completions, [rows] each, from one pass of each model."""
    found = []
    for start in range(0, len(tokens.ids), ROWS_AT_ONCE):
        some = tokens.rows(slice(start, start + ROWS_AT_ONCE))
        with torch.no_grad():
            ours = logits(policy.model, some).log_softmax(dim=-1)
            with policy.reference() as reference:  # a LoRA policy is put aside in here
                theirs = logits(reference, some).log_softmax(dim=-1)
        each = (ours.exp() * (ours - theirs)).sum(dim=-1)
        drawn = k1(picked(ours, some), picked(theirs, some))
        found.append((each.masked_fill(~some.mask, 0.0).sum(dim=-1), drawn))
    all_of_them, drawn_ones = zip(*found, strict=True)
    return torch.cat(all_of_them), torch.cat(drawn_ones)
