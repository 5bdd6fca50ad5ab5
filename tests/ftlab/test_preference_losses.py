"""The losses on pairs are those of their papers: their values, gradients and symmetries, and trl's own numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ftlab import preference_losses as losses
from ftlab.preference_losses import Sides

numbers = st.lists(st.floats(-40, 40, width=32), min_size=2, max_size=6)
betas = st.sampled_from([0.03, 0.1, 0.5, 2.0])
calmly = settings(deadline=None, max_examples=40)  # the first call of a function of torch takes its time


def sides(chosen: list[float], rejected: list[float] | None = None) -> Sides:
    first = torch.tensor(chosen, dtype=torch.float64)
    return Sides(first, first.flip(0) if rejected is None else torch.tensor(rejected, dtype=torch.float64))


def test_a_policy_that_is_its_reference_has_log_two_and_no_rewards() -> None:
    policy = sides([-3.0, -40.0, 0.0], [-7.0, -1.0, 0.0])
    ratios = losses.log_ratios(policy, policy)
    assert losses.dpo(ratios, 0.1).tolist() == pytest.approx([math.log(2)] * 3)
    assert all(not side.any() for side in losses.rewards(ratios, 0.1))
    assert losses.dpo_weight(ratios, 0.1).tolist() == [0.5] * 3
    assert losses.ipo(ratios, 0.1).tolist() == pytest.approx([25.0] * 3)


@calmly
@given(numbers, betas)
def test_dpo_is_the_cross_entropy_of_bradley_and_terry(chosen: list[float], beta: float) -> None:
    ratios = sides(chosen)
    rewards = torch.stack(losses.rewards(ratios, beta), dim=-1)
    expected = torch.nn.functional.cross_entropy(rewards, torch.zeros(len(chosen), dtype=torch.long), reduction="none")
    torch.testing.assert_close(losses.dpo(ratios, beta), expected)


@calmly
@given(numbers, betas, st.floats(-30, 30))
def test_what_is_added_to_both_sides_changes_nothing(chosen: list[float], beta: float, shift: float) -> None:
    """A factor that a prompt gives to every completion cancels: so the prompt's own tokens may be counted or not."""
    ratios = sides(chosen)
    moved = Sides(ratios.chosen + shift, ratios.rejected + shift)
    torch.testing.assert_close(losses.dpo(moved, beta), losses.dpo(ratios, beta))
    torch.testing.assert_close(losses.ipo(moved, beta), losses.ipo(ratios, beta))


@calmly
@given(numbers, betas)
def test_the_gradient_is_beta_times_the_weight_up_on_one_side_and_down_on_the_other(
    chosen: list[float], beta: float
) -> None:
    ratios = Sides(*(side.clone().requires_grad_() for side in sides(chosen)))
    up, down = torch.autograd.grad(losses.dpo(ratios, beta).sum(), list(ratios))
    weight = losses.dpo_weight(ratios, beta).detach()
    torch.testing.assert_close(up, -beta * weight)
    torch.testing.assert_close(down, beta * weight)


@calmly
@given(numbers, betas)
def test_a_choice_and_its_opposite_are_together_certain(chosen: list[float], beta: float) -> None:
    ratios = sides(chosen)
    turned = Sides(ratios.rejected, ratios.chosen)
    total = (-losses.dpo(ratios, beta)).exp() + (-losses.dpo(turned, beta)).exp()
    torch.testing.assert_close(total, torch.ones_like(total))


@calmly
@given(numbers)
def test_with_a_higher_beta_the_same_step_away_is_worth_more(chosen: list[float]) -> None:
    """So less of it is needed: that is how a higher beta stays closer."""
    ratios = sides(chosen)
    low, high = losses.dpo(ratios, 0.1), losses.dpo(ratios, 0.5)
    right = ratios.difference > 0
    assert (high[right] <= low[right]).all() and (high[~right] >= low[~right]).all()


def test_dpo_never_has_enough_and_ipo_has() -> None:
    gaps = torch.arange(0.0, 100.0, 0.5, dtype=torch.float64)
    ratios = Sides(gaps, torch.zeros_like(gaps))
    assert (losses.dpo(ratios, 0.1).diff() < 0).all()
    assert gaps[losses.ipo(ratios, 0.1).argmin()] == 1 / (2 * 0.1)


def test_sure_and_wrong_stays_finite() -> None:
    ratios = sides([-1e4, 1e4], [1e4, -1e4])
    assert losses.dpo(ratios, 1.0).tolist() == [2e4, 0.0]


def test_imitation_is_the_cross_entropy_of_the_chosen_tokens_alone() -> None:
    logits = torch.randn(2, 5, 11, dtype=torch.float64)
    ids, there = torch.randint(0, 11, (2, 5)), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    picked = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0].masked_fill(~there, 0.0)
    found = losses.imitation(Sides(picked.sum(1), torch.zeros(2)), Sides(there.sum(1), torch.ones(2)))
    expected = torch.nn.functional.cross_entropy(logits[there], ids[there])
    torch.testing.assert_close(found.mean(), expected)


# --- beside trl, through a real model -----------------------------------------------------------------------------

PAIRS = {
    "prompt": ["the film is", "the cast is", "the story is"],
    "chosen": [" warm and fine and clever .", " fresh .", " moving and warm ."],
    "rejected": [" dull .", " weak and noisy and stale .", " clumsy and dull ."],
}
TRL = {"dpo": "sigmoid", "ipo": "ipo", "imitation": "sft"}


@pytest.fixture(scope="module")
def policy() -> Any:
    """A tiny decoder that has moved away from its reference, so that no log-ratio is zero."""
    from ftlab import policies

    found = policies.load("tiny-llama", seed=1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(2)
        for parameter in found.model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return found


def trls(policy: Any, loss: str, beta: float, folder: Any) -> tuple[float, list[torch.Tensor], dict[str, torch.Tensor]]:
    """trl's loss and gradients on all pairs at once, and the batch it saw."""
    import copy

    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    model = copy.deepcopy(policy.model)
    arguments = DPOConfig(
        output_dir=str(folder), loss_type=[TRL[loss]], beta=beta, use_cpu=True, bf16=False, report_to="none",
        activation_checkpointing=False, per_device_train_batch_size=3,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(policy.start),
        args=arguments,
        train_dataset=Dataset.from_dict(PAIRS),
        processing_class=policy.tokenizer,
    )
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(3)])
    found = trainer.compute_loss(model, batch)
    found.backward()
    return float(found.detach()), [p.grad for p in model.parameters() if p.grad is not None], batch


def ours(policy: Any, loss: str, beta: float, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Our loss on trl's batch: the completions' tokens by trl's mask, and all else by hand."""
    mask = batch["completion_mask"][:, 1:]

    def summed(model: Any) -> Sides:
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        each = logits.log_softmax(-1).gather(-1, batch["input_ids"][:, 1:, None])[..., 0]
        return Sides(*(each * mask).sum(1).chunk(2))

    lengths = Sides(*mask.sum(1).chunk(2))
    written = summed(policy.model)
    if loss == "imitation":
        return losses.imitation(written, lengths).mean()
    with torch.no_grad():
        reference = summed(policy.start)
    ratios = losses.log_ratios(written, reference)
    if loss == "ipo":
        return losses.ipo(losses.per_token(ratios, lengths), beta).mean()
    return losses.dpo(ratios, beta).mean()


@pytest.mark.parametrize(("loss", "beta"), [("dpo", 0.1), ("dpo", 2.0), ("ipo", 0.5), ("imitation", 1.0)])
def test_loss_and_gradients_are_trls(loss: str, beta: float, policy: Any, tmp_path: Any) -> None:
    expected, gradients, batch = trls(policy, loss, beta, tmp_path)
    policy.model.zero_grad()
    found = ours(policy, loss, beta, batch)
    found.backward()
    mine = [p.grad for p in policy.model.parameters() if p.grad is not None]
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)
    assert len(mine) == len(gradients)
    for one, other in zip(mine, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert max(float(gradient.abs().max()) for gradient in mine) > 1e-3, "there is something to compare"
