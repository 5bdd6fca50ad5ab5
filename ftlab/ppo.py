"""Proximal policy optimisation by hand: a policy learns to write what a reward likes, on a leash to where it began.

The policy writes; the reward scores each completion; the policy is nudged towards tokens that did better than expected.
'Expected' is the guess of a critic, one more number that is read off the policy's own hidden state. Each token also
pays for leaving the reference, which is the leash. What was written is used for several updates, and clipping keeps
those from going further than it can vouch for.
Schulman et al. 2017 (PPO), equation 7; Schulman et al. 2016 (GAE), equation 16; Ziegler et al. 2019, equation 2.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ftlab import completions, divergence, policies
from ftlab.completions import Tokens
from ftlab.policies import Policy
from ftlab.preferences import Reward
from ftlab.rewards import checked

Watch = Callable[[int], None]  # called with the number of batches that were written and learned from


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to optimise; ftlab/rloo.py takes the same."""

    batches: int  # times that the policy writes and learns
    batch_size: int  # completions a batch
    passes: int  # times that each batch is learned from
    parts: int  # weight updates a pass
    tokens: int  # of a completion at most
    beta: float  # the leash: what a nat of divergence costs, in the reward's unit; higher stays closer, 0 is no leash
    learning_rate: float
    seed: int
    clip: float = 0.2  # how far a token's chance may change, as a ratio, before a batch stops pushing it
    discount: float = 1.0  # of a reward that comes a token later
    trace: float = 0.95  # lambda of GAE: 1 trusts rewards alone (noisy), 0 the critic's next guess alone (biased)
    value_weight: float = 0.1  # of the critic's loss beside the policy's
    norm: float = 1.0  # gradients longer than this are shortened to it


def penalised(rewards: Tensor, policy: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    """What each token earns: [rows, C]. All pay for their log-ratio to the reference; the last one gets the reward.

    `rewards` [rows]; log-probabilities `policy` and `reference` [rows, C]; `mask` is true at tokens.
    """
    earned = -beta * (policy - reference) * mask
    last = mask.sum(dim=1, keepdim=True) - 1
    return earned.scatter_add(1, last, rewards.unsqueeze(1))


def advantages(earned: Tensor, values: Tensor, discount: float, trace: float) -> Tensor:
    """How much better each token did than the critic expected: [rows, C], from `earned` and `values` of that shape.

    Generalised advantage estimation: the surprise at each token, earned + discount x next value - value, plus what is
    to come of the later ones, each step fading by discount x trace. Padding earns nothing and is worth nothing.
    """
    later = torch.zeros_like(values[:, 0])
    next_value = torch.zeros_like(later)
    found = []
    for t in reversed(range(values.shape[1])):
        surprise = earned[:, t] + discount * next_value - values[:, t]
        later = surprise + discount * trace * later
        next_value = values[:, t]
        found.append(later)
    return torch.stack(found[::-1], dim=1)


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """The values under the mask with mean 0 and standard deviation 1; padding is 0."""
    real = values[mask]
    return ((values - real.mean()) / (real.std(correction=0) + 1e-8)).masked_fill(~mask, 0.0)


def policy_loss(new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> Tensor:
    """The clipped objective, turned into a loss: a mean over tokens.

    `new` and `old` are log-probabilities [rows, C] now and when the batch was written. Where a token's ratio has left
    1 - clip ... 1 + clip in the direction that its advantage wants, its gradient is zero.
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages)[mask].mean()


def value_loss(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Half the mean squared error of the critic's guesses against what came: a mean over tokens."""
    return ((values - returns) ** 2)[mask].mean() / 2


class Critic(nn.Linear):
    """A guess, before each token, of what will be earned from there on. It begins with 0 everywhere."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


def read(policy: Policy, critic: Critic, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the tokens and values before them, both [rows, C], 0 at padding, in one forward pass."""
    width = tokens.mask.shape[1]
    found = policy.model(**completions.inputs(tokens), logits_to_keep=width + 1, output_hidden_states=True)
    hidden = found.hidden_states[-1][:, -width - 1 : -1].float()
    values = critic(hidden).squeeze(-1).masked_fill(~tokens.mask, 0.0)
    return completions.picked(found.logits[:, :-1].float(), tokens), values


def train(
    policy: Policy, prompts: Sequence[str], reward: Reward, settings: Settings, watch: Watch = lambda _: None
) -> list[dict[str, float]]:
    """Optimise the policy in place; one row of what happened for each batch: step, reward, kl, clip_share, value_loss.

    `reward` gets prompts and completions; kl is the batch's mean log-ratio, in nats a completion. Raises CourseError
    where the reward answers with another number of values, or with one that is not finite.
    """
    critic = Critic(policy.model.config.hidden_size).to(policy.model.device)
    weights = [*(p for p in policy.model.parameters() if p.requires_grad), *critic.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    history = []
    for step, asked in enumerate(batches(prompts, settings), start=1):
        seed = settings.seed * 100_000 + step
        written = policies.sample(policy.model, policy.tokenizer, asked, settings.tokens, seed=seed)
        scores = torch.tensor(checked(reward)(written.prompts, written.completions), device=policy.model.device)
        row = _learn(policy, critic, weights, optimiser, written.tokens, scores, settings)
        history.append({"step": float(step), "reward": float(scores.mean()), **row})
        watch(step)
    return history


def batches(prompts: Sequence[str], settings: Settings) -> Iterator[list[str]]:
    """As many prompts as a batch has completions, batch after batch: all once in random order, then all again."""
    draw = random.Random(settings.seed)
    waiting: list[str] = []
    for _ in range(settings.batches):
        while len(waiting) < settings.batch_size:
            waiting += draw.sample(list(prompts), len(prompts))
        yield waiting[: settings.batch_size]
        del waiting[: settings.batch_size]


def _learn(
    policy: Policy,
    critic: Critic,
    weights: Sequence[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    tokens: Tokens,
    scores: Tensor,
    settings: Settings,
) -> dict[str, float]:
    """Learn from one batch: its advantages once, then the updates, each on its own part of the rows."""
    with torch.no_grad():
        old, values = read(policy, critic, tokens)
        with policy.reference() as reference:
            theirs = completions.log_probs(reference, tokens)
    earned = penalised(scores, old, theirs, tokens.mask, settings.beta)
    gained = advantages(earned, values, settings.discount, settings.trace)
    returns, wanted = gained + values, whitened(gained, tokens.mask)
    losses, far = [], []
    for rows in _parts(len(scores), settings, tokens.ids.device):
        some, mask = tokens.rows(rows), tokens.mask[rows]
        new, guesses = read(policy, critic, some)
        worth = value_loss(guesses, returns[rows], mask)
        loss = policy_loss(new, old[rows], wanted[rows], mask, settings.clip) + settings.value_weight * worth
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(weights, settings.norm)
        optimiser.step()
        losses.append(worth.item())
        far.append((((new - old[rows]).exp() - 1).abs() > settings.clip)[mask].float().mean().item())
    kl = float(divergence.k1(old, theirs).mean())
    return {"kl": kl, "clip_share": sum(far) / len(far), "value_loss": sum(losses) / len(losses)}


def _parts(rows: int, settings: Settings, device: torch.device) -> Iterator[Tensor]:
    """The rows of each update: every pass sees all of them once, in an order of its own."""
    generator = torch.Generator().manual_seed(settings.seed)
    for _ in range(settings.passes):
        yield from torch.randperm(rows, generator=generator).to(device).chunk(settings.parts)


CODE = (  # what there is to write, to be counted with two_ways.lines
    penalised, advantages, whitened, policy_loss, value_loss, Critic.__init__, read, train, batches, _learn, _parts,
)  # fmt: skip
