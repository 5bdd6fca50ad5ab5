"""Learning from pairs, written twice: as a loop in PyTorch alone, and with trl's DPOTrainer.

Both start from the same policy, see the same batches in the same order, and change the policy in place. Neither keeps a
second model while it trains: what the reference thinks of a pair never changes, so it is asked once, before.
Rafailov et al. 2023 (Direct Preference Optimization), section 4 and appendix B.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ftlab import completions, preference_losses, training, two_ways
from ftlab.completions import Tokens
from ftlab.config import Count, Positive, Strength
from ftlab.errors import CourseError
from ftlab.policies import Policy
from ftlab.preference_losses import Sides

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftlab.preferences import Pair

Watch = Callable[[int], None]  # called with the number of updates that were made
TRLS_NAMES = {"dpo": "sigmoid", "ipo": "ipo", "imitation": "sft"}
PAIRS_AT_ONCE = 64  # that the reference is asked about


@dataclass(frozen=True, kw_only=True)
class PairsConfig(training.TrainingConfig):
    """What a training on pairs has. See TrainingConfig for the fields of every training; a batch is of pairs."""

    loss: Literal["dpo", "ipo", "imitation"] = "dpo"  # imitation: the chosen completions alone, as in supervised tuning
    beta: Positive = 0.1  # pull towards the reference; higher stays closer. ipo's tau; imitation has none
    epochs: Count = 1  # passes over the pairs; a second one finds most of them known by heart
    learning_rate: Positive = 3e-4  # the highest one, after the warm-up
    weight_decay: Strength = 0.0  # pull of every weight towards zero; the reference pulls already


def by_hand(
    policy: Policy, pairs: Sequence[Pair], config: PairsConfig, watch: Watch = lambda _: None
) -> list[dict[str, float]]:
    """The loop. Returns a row for each update: step, epoch, loss, and `account`'s numbers before that update.

    `watch` is called after each update with its number.
    """
    rows, model = with_reference(policy, whole_batches(pairs, config)), policy.model
    model.eval()  # without dropout: policy and reference are compared, and its noise would look like a difference
    updates = count(pairs, config)
    optimizer = torch.optim.AdamW(two_ways.groups(model, config.weight_decay), lr=config.learning_rate)
    warmup = math.ceil(config.warmup * updates)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, two_ways.climb_and_fall(warmup, updates))
    history = []
    for number, (batch,) in enumerate(two_ways.updates_of(rows, padding(policy), config, parts=1), start=1):
        written, reference, lengths = sides(model, batch)
        loss = mean_loss(written, reference, lengths, config)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), two_ways.CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        row = {"step": number, "epoch": number * config.epochs / updates, "loss": loss.item()}
        history.append(row | account(written, reference, config.beta))
        watch(number)
    return history


def with_reference(policy: Policy, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """A row for each pair: the pair itself, and what its two completions' log-probabilities were at the start."""
    with policy.reference() as reference:
        asked = log_probabilities(reference, policy, pairs)
    sides = zip(asked.chosen.tolist(), asked.rejected.tolist(), strict=True)
    return [{"pair": pair, "chosen": a, "rejected": b} for pair, (a, b) in zip(pairs, sides, strict=True)]


def log_probabilities(model: PreTrainedModel, policy: Policy, pairs: Sequence[Pair]) -> Sides:
    """The log-probability (nats) that `model` gives to each completion of the pairs."""
    found = []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        with torch.no_grad():
            tokens = encoded(policy, pairs[start : start + PAIRS_AT_ONCE])
            found.append(completions.log_probs(model, tokens).sum(dim=1).chunk(2))
    return Sides(*(torch.cat(side).cpu() for side in zip(*found, strict=True)))


def encoded(policy: Policy, pairs: Sequence[Pair]) -> Tokens:
    """Pairs as tokens: all chosen completions, then all rejected ones, so that one pass of the model reads both.

    No end token is put behind them: they were cut at a number of tokens, and their writer had not ended there.
    """
    prompts = [pair.prompt for pair in pairs] * 2
    texts = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    return completions.encode(policy.model, policy.tokenizer, prompts, texts)


def padding(policy: Policy) -> two_ways.Pad:
    """What turns rows into a batch: the tokens' ids, seen and mask, and the reference's log-probabilities [pairs]."""

    def pad(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        tokens = encoded(policy, [row["pair"] for row in rows])._asdict()
        known = {side: torch.tensor([row[side] for row in rows]) for side in Sides._fields}
        return {name: tensor.to(policy.model.device) for name, tensor in (tokens | known).items()}

    return pad


def sides(model: PreTrainedModel, batch: dict[str, Tensor]) -> tuple[Sides, Sides, Sides]:
    """The policy's log-probabilities (with gradient), the reference's, and the lengths in tokens, of both sides."""
    tokens = Tokens(*(batch[name] for name in Tokens._fields))
    written = completions.log_probs(model, tokens).sum(dim=1)
    return (
        Sides(*written.chunk(2)),
        Sides(batch["chosen"], batch["rejected"]),
        Sides(*tokens.mask.sum(dim=1).chunk(2)),
    )


def mean_loss(written: Sides, reference: Sides, lengths: Sides, config: PairsConfig) -> Tensor:
    """The loss of `config` on a batch, one number."""
    ratios = preference_losses.log_ratios(written, reference)
    if config.loss == "imitation":
        return preference_losses.imitation(written, lengths).mean()
    if config.loss == "ipo":
        return preference_losses.ipo(preference_losses.per_token(ratios, lengths), config.beta).mean()
    return preference_losses.dpo(ratios, config.beta).mean()


def standing(policy: Policy, pairs: Sequence[Pair], beta: float) -> dict[str, float]:
    """How the policy as it is now stands to these pairs: `account`'s numbers."""
    with policy.reference() as reference:
        known = log_probabilities(reference, policy, pairs)
    return account(log_probabilities(policy.model, policy, pairs), known, beta)


def account(written: Sides, reference: Sides, beta: float) -> dict[str, float]:
    """How pairs stand: the change of each side's log-probability (nats) since the start, the margin of the rewards that
    the policy stands for, and the share of pairs that these put in the right order."""
    with torch.no_grad():
        ratios = preference_losses.log_ratios(written, reference)
        return {
            "chosen_change": float(ratios.chosen.mean()),
            "rejected_change": float(ratios.rejected.mean()),
            "margin": float(beta * ratios.difference.mean()),
            "pair_accuracy": float((ratios.difference > 0).float().mean()),
        }


def count(pairs: Sequence[Pair], config: PairsConfig) -> int:
    """How many weight updates a training makes."""
    return config.epochs * (len(pairs) // config.batch_size)


def whole_batches(pairs: Sequence[Pair], config: PairsConfig) -> Sequence[Pair]:
    """The pairs without those that fill no batch. Raises CourseError where not even one batch is full."""
    if len(pairs) < config.batch_size:
        raise CourseError(
            f"{len(pairs)} pairs do not fill one batch of {config.batch_size}. Give more pairs, or take smaller "
            f"batches: --set batch_size={max(1, len(pairs) // 4)}."
        )
    return pairs[: len(pairs) // config.batch_size * config.batch_size]


def with_trl(policy: Policy, pairs: Sequence[Pair], config: PairsConfig) -> list[float]:
    """trl's DPOTrainer: settings go in, a trained policy comes out. Returns the loss of each update."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    class AsTheyAre(DPOTrainer):
        """trl reads prompt and completion as one text, and ends each with an end token; these here are cut texts."""

        def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
            return dataset

    pairs = whole_batches(pairs, config)
    arguments = DPOConfig(
        output_dir=tempfile.gettempdir(),
        loss_type=[TRLS_NAMES[config.loss]],
        beta=config.beta,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=math.ceil(config.warmup * count(pairs, config)),
        optim="adamw_torch",
        precompute_ref_log_probs=True,
        activation_checkpointing=False,  # saves memory that a small model does not need, and costs time
        bf16=False,
        use_cpu=policy.model.device.type == "cpu",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
    )
    trainer = AsTheyAre(
        model=policy.model,
        args=arguments,
        train_dataset=Dataset.from_list([ids(policy, pair) for pair in pairs]),
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]


def ids(policy: Policy, pair: Pair) -> dict[str, list[int]]:
    """A pair as trl's collator takes it: the ids of its three texts."""
    texts = {"prompt_ids": pair.prompt, "chosen_ids": pair.chosen, "rejected_ids": pair.rejected}
    return {name: policy.tokenizer(text, add_special_tokens=False)["input_ids"] for name, text in texts.items()}


def apart(one: Policy, other: Policy, start: Policy) -> float:
    """How far two policies that began as `start` lie apart, as a share of the way that the first has gone.

    Distances are those of all trained weights together. (trl puts a copy of an adapter beside it, which is left out.)
    """
    ours, theirs, before = (dict(policy.model.named_parameters()) for policy in (one, other, start))
    trained = [name for name, weight in ours.items() if weight.requires_grad]
    between, gone = (
        sum(float((ours[name] - side[name]).detach().square().sum()) for name in trained) for side in (theirs, before)
    )
    return math.sqrt(between / gone)


LOOP = (
    by_hand, with_reference, log_probabilities, encoded, padding, sides, mean_loss,
    preference_losses.log_ratios, preference_losses.dpo, two_ways.groups, two_ways.climb_and_fall, two_ways.updates_of,
)  # fmt: skip
TRAINER = (with_trl, ids)  # the lines of either way: two_ways.lines(*LOOP)
