"""PPO against the formulas of its papers, written out; and against what it is for: reward rises, the leash holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ftlab import completions, policies, ppo, rewards, rloo
from ftlab.errors import CourseError
from ftlab.policies import Policy
from ftlab.ppo import Settings

PROMPTS = [f"the {subject} is" for subject in ("film", "cast", "story", "music", "script", "ending", "half", "work")]


def drawn(seed: int, rows: int = 3, width: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Some numbers [rows, width], others, and a mask as completions have it."""
    torch.manual_seed(seed)
    lengths = torch.randint(1, width + 1, (rows, 1))
    mask = torch.arange(width) < lengths
    return torch.randn(rows, width) * mask, torch.randn(rows, width) * mask, mask


@given(seed=st.integers(0, 10**6), discount=st.floats(0, 1), trace=st.floats(0, 1))
def test_advantages_are_the_sum_of_faded_surprises(seed: int, discount: float, trace: float) -> None:
    earned, values, mask = drawn(seed)
    found = ppo.advantages(earned, values, discount, trace)
    after = torch.cat([values[:, 1:], torch.zeros(3, 1)], dim=1)
    surprise = earned + discount * after - values
    for t in range(5):
        later = sum((discount * trace) ** (s - t) * surprise[:, s] for s in range(t, 5))
        torch.testing.assert_close(found[:, t], later, rtol=1e-4, atol=1e-5)
    assert (found[~mask] == 0).all(), "padding neither gains nor loses"


@given(seed=st.integers(0, 10**6))
def test_with_full_trace_an_advantage_is_what_came_less_what_was_expected(seed: int) -> None:
    earned, values, _ = drawn(seed)
    came = earned.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(ppo.advantages(earned, values, 1.0, 1.0), came - values, rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 10**6), beta=st.floats(0, 5))
def test_what_tokens_earn_adds_up_to_the_reward_less_the_divergence(seed: int, beta: float) -> None:
    ours, theirs, mask = drawn(seed)
    scores = torch.randn(3)
    earned = ppo.penalised(scores, ours, theirs, mask, beta)
    torch.testing.assert_close(earned.sum(1), scores - beta * (ours - theirs).sum(1), rtol=1e-4, atol=1e-5)
    assert (earned[~mask] == 0).all()
    unpaid = earned + beta * (ours - theirs)
    last = mask.sum(1) - 1
    torch.testing.assert_close(unpaid[range(3), last], scores, rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 10**6), clip=st.floats(0.05, 0.5))
def test_the_clipped_loss_and_its_gradient_follow_the_paper(seed: int, clip: float) -> None:
    new, gained, mask = drawn(seed)
    old = new + 0.5 * torch.randn_like(new)
    new.requires_grad_(True)
    ppo.policy_loss(new, old, gained, mask, clip).backward()
    loss, slopes = 0.0, torch.zeros_like(gained)
    for row, t in mask.nonzero().tolist():
        ratio, worth = math.exp(float((new - old).detach()[row, t])), float(gained[row, t])
        loss -= min(ratio * worth, min(max(ratio, 1 - clip), 1 + clip) * worth) / int(mask.sum())
        stopped = ratio > 1 + clip if worth > 0 else ratio < 1 - clip
        slopes[row, t] = 0.0 if stopped else -ratio * worth / int(mask.sum())
    assert ppo.policy_loss(new, old, gained, mask, clip).item() == pytest.approx(loss, rel=1e-4, abs=1e-6)
    assert new.grad is not None
    torch.testing.assert_close(new.grad, slopes, rtol=1e-3, atol=1e-6)


def test_the_first_update_of_a_batch_is_the_policy_gradient() -> None:
    new, gained, mask = drawn(4)
    new.requires_grad_(True)
    (clipped,) = torch.autograd.grad(ppo.policy_loss(new, new.detach(), gained, mask, 0.2), new)
    (reinforce,) = torch.autograd.grad(-(new * gained)[mask].mean(), new)
    torch.testing.assert_close(clipped, reinforce)


@given(seed=st.integers(0, 10**6))
def test_whitened_values_have_no_mean_and_unit_spread(seed: int) -> None:
    values, _, mask = drawn(seed, rows=6)
    real = ppo.whitened(values, mask)[mask]
    assert float(real.mean()) == pytest.approx(0, abs=1e-4) and float(real.std(correction=0)) == pytest.approx(
        1, abs=1e-3
    )


def test_the_critic_reads_the_state_before_each_token() -> None:
    policy = policies.load("tiny-llama")
    torch.manual_seed(0)
    critic = ppo.Critic(policy.model.config.hidden_size)
    assert not critic.weight.any()
    torch.nn.init.normal_(critic.weight)
    tokens = completions.encode(policy.model, policy.tokenizer, PROMPTS[:2], [" dull and weak", " fine"])
    found, values = ppo.read(policy, critic, tokens)
    torch.testing.assert_close(found, completions.log_probs(policy.model, tokens))
    changed = tokens._replace(ids=tokens.ids.clone())
    changed.ids[0, -1] += 1
    torch.testing.assert_close(ppo.read(policy, critic, changed)[1], values), "a value does not see its own token"
    assert (values[~tokens.mask] == 0).all()


def settings(**given: float) -> Settings:
    sizes = {"batches": 20, "batch_size": 32, "passes": 2, "parts": 2, "tokens": 4, "seed": 1}
    values: dict[str, float] = {**sizes, "beta": 0.0, "learning_rate": 3e-3}
    return Settings(**{**values, **given})  # type: ignore[arg-type]


def letters(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """A reward that a tiny policy can learn: the share of a's among the letters that it writes."""
    return [10 * text.count("a") / max(1, len(text)) for text in completions]


@pytest.mark.parametrize("optimise", [ppo.train, rloo.train])
def test_reward_rises_and_the_leash_holds(optimise: object) -> None:
    kl, gained = {}, {}
    for beta in (0.0, 3.0):
        policy = policies.load("tiny-llama", seed=1)
        seen: list[int] = []
        history = optimise(policy, PROMPTS, letters, settings(beta=beta), seen.append)  # type: ignore[operator]
        assert [row["step"] for row in history] == list(range(1, 21)) == seen
        gained[beta] = sum(row["reward"] for row in history[-3:]) / 3 - sum(row["reward"] for row in history[:3]) / 3
        kl[beta] = distance(policy)
    assert gained[0.0] > 0.3
    assert kl[3.0] < kl[0.0] / 2


def distance(policy: Policy) -> float:
    from ftlab import divergence

    written = policies.sample(policy.model, policy.tokenizer, PROMPTS, tokens=4, n=8)
    return float(divergence.whole(policy, written.tokens).mean())


@pytest.mark.parametrize("optimise", [ppo.train, rloo.train])
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda prompts, completions: [math.nan] * len(completions), "reward of a completion is nan"),
        (lambda prompts, completions: [None] * len(completions), "reward of a completion is None"),
        (lambda prompts, completions: [1.0], "gave 1 numbers for 32 completions"),
    ],
)
def test_a_wrong_reward_stops_the_training(optimise: object, answer: rewards.Reward, problem: str) -> None:
    with pytest.raises(CourseError, match=problem):
        optimise(policies.load("tiny-llama"), PROMPTS, answer, settings(batches=1))  # type: ignore[operator]


def test_a_prompt_without_room_stops_the_training() -> None:
    with pytest.raises(CourseError, match="this model reads 512 at most"):
        ppo.train(policies.load("tiny-llama"), [" film" * 510] * 32, letters, settings(batches=1))


def test_batches_see_every_prompt_equally_often() -> None:
    found = [prompt for batch in ppo.batches(PROMPTS, settings(batches=4, batch_size=6)) for prompt in batch]
    assert len(found) == 24 and all(found.count(prompt) == 3 for prompt in PROMPTS)
    assert sorted(found[:8]) == sorted(PROMPTS)


def test_groups_that_do_not_come_out_even_are_refused() -> None:
    with pytest.raises(CourseError, match="32 completions a batch .* 3 of each prompt"):
        rloo.train(policies.load("tiny-llama"), PROMPTS, letters, settings(), siblings=3)
    with pytest.raises(CourseError, match="8 prompts are needed for a batch, and there are 2"):
        rloo.train(policies.load("tiny-llama"), PROMPTS[:2], letters, settings())
