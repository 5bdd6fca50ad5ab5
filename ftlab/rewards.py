"""A reward model: it learns from pairs to score one text, so that the preferred one of a pair scores higher.

The loss is -log sigmoid(reward of the chosen - reward of the rejected): the chance that Bradley and Terry's model gives
to the label that was seen. Christiano et al. 2017, equation 1; Ouyang et al. 2022, section 3.5. Trained by trl.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ftlab import hardware as hw
from ftlab import models, training
from ftlab.completions import padded
from ftlab.config import Count, Positive, RunConfig
from ftlab.errors import CourseError
from ftlab.preferences import Pair, Reward

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

TEXTS_AT_ONCE = 128
BINS = 10  # of a reliability diagram


@dataclass(frozen=True, kw_only=True)
class RewardModelConfig(RunConfig):
    """How a reward model learns from pairs."""

    reward_model: str = "minilm"  # the network that learns the reward: an encoder or a decoder
    reward_epochs: Count = 1  # its passes over the pairs
    reward_learning_rate: Positive = 2e-4  # its highest learning rate, after the warm-up
    reward_batch: Count = 32  # pairs a weight update of it


@dataclass(frozen=True)
class RewardModel:
    """A network that turns a text into one number, and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    longest: int  # tokens; longer texts are cut

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """The reward of each completion of its prompt. It has no zero: only differences mean something."""
        rows = [self.ids(a, b) for a, b in zip(prompts, completions, strict=True)]
        found: list[float] = []
        for start in range(0, len(rows), TEXTS_AT_ONCE):
            ids, seen = padded(rows[start : start + TEXTS_AT_ONCE], self.pad, left=False)
            ids, seen = ids.to(self.model.device), seen.to(self.model.device)
            with torch.no_grad():
                logits = self.model(input_ids=ids, attention_mask=seen).logits
            found += logits[:, 0].float().tolist()
        return found

    def ids(self, prompt: str, completion: str) -> list[int]:
        """The tokens of both together, as they are read in training and in use."""
        found: list[int] = self.tokenizer(prompt + completion, truncation=True, max_length=self.longest)["input_ids"]
        return found

    @property
    def pad(self) -> int:
        """The id that fills short rows."""
        return int(self.tokenizer.pad_token_id)


def checked(reward: Reward) -> Reward:
    """`reward`, whose every answer is looked at: trainers go on with a wrong one, and nobody sees what they learned.

    Raises CourseError (when it is called) for an answer of another length, or with a value that is no finite number.
    """

    def rewards(prompts: Sequence[str], completions: Sequence[str]) -> Sequence[float]:
        found = reward(prompts, completions)
        if len(found) != len(completions):
            raise CourseError(
                f"The reward gave {len(found)} numbers for {len(completions)} completions. It must give one for each, "
                "in their order."
            )
        for value, prompt, completion in zip(found, prompts, completions, strict=True):
            if value is None or not math.isfinite(value):
                raise CourseError(
                    f"The reward of a completion is {value}, and a policy can only learn from finite numbers: "
                    f"{(prompt + completion)[:60]!r}. Look at what scores it."
                )
        return found

    return rewards


def learn(
    config: RewardModelConfig, pairs: Sequence[Pair], held_out: Sequence[Pair], longest: int, hardware: hw.Hardware
) -> tuple[RewardModel, training.Trained]:
    """Train the reward model of `config`; it reads `longest` tokens of a text at most. See fit for the rest."""
    settings = training.TrainingConfig(
        profile=config.profile,
        seed=config.seed,
        epochs=config.reward_epochs,
        learning_rate=config.reward_learning_rate,
        batch_size=config.reward_batch,
        max_length=longest,
        evaluations=1,
    )
    return fit(config.reward_model, pairs, held_out, settings, hardware)


def fit(
    name: str, pairs: Sequence[Pair], held_out: Sequence[Pair], config: training.TrainingConfig, hardware: hw.Hardware
) -> tuple[RewardModel, training.Trained]:
    """Train model `name` with a fresh head of one number on `pairs`; the loss on `held_out` is in the history.

    Raises CourseError where there are fewer pairs than a batch has.
    """
    if len(pairs) < config.batch_size or not held_out:
        raise CourseError(
            f"{len(pairs)} pairs to train on and {len(held_out)} to test on are too few for batches of "
            f"{config.batch_size}. Label more, or take smaller batches."
        )
    loaded = models.encoder(name, labels=1, seed=config.seed)
    trained = training.fit_trainer(
        lambda batches: _trainer(name, pairs, held_out, config, hardware, batches),
        training.size_of(loaded, config.max_length),
        config,
        hardware,
    )
    model = trained.trainer.model.eval().requires_grad_(False)
    return RewardModel(model, trained.trainer.processing_class, config.max_length), trained


def _trainer(
    name: str,
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    config: training.TrainingConfig,
    hardware: hw.Hardware,
    batches: hw.Batches,
) -> Trainer:
    """trl's RewardTrainer. It gets tokens, not texts: to a text it would add an end token that scored ones lack."""
    from transformers import PrinterCallback
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    untrained = RewardModel(*models.encoder(name, labels=1, seed=config.seed), config.max_length)
    if untrained.tokenizer.eos_token is None:
        untrained.tokenizer.eos_token = untrained.tokenizer.sep_token
    arguments = training.arguments(
        config, hardware, batches, len(pairs), RewardConfig, max_length=None, activation_checkpointing=False
    )
    trainer: Trainer = RewardTrainer(
        model=untrained.model,
        args=arguments,
        train_dataset=_tokens(pairs, untrained),
        eval_dataset=_tokens(held_out, untrained),
        processing_class=untrained.tokenizer,
        callbacks=[training.Progress()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _tokens(pairs: Sequence[Pair], model: RewardModel) -> Dataset:
    """The pairs with the columns that trl's collator pads: chosen_ids and rejected_ids."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "chosen_ids": [model.ids(pair.prompt, pair.chosen) for pair in pairs],
            "rejected_ids": [model.ids(pair.prompt, pair.rejected) for pair in pairs],
        }
    )


def margins(reward: Reward, pairs: Sequence[Pair]) -> NDArray[Any]:
    """By how much the chosen completion of each pair scores higher than the rejected one: [pairs]."""
    prompts = [pair.prompt for pair in pairs]
    chosen = checked(reward)(prompts, [pair.chosen for pair in pairs])
    rejected = checked(reward)(prompts, [pair.rejected for pair in pairs])
    return np.asarray(chosen, dtype=float) - np.asarray(rejected, dtype=float)


def reliability(margins: NDArray[Any], bins: int = BINS) -> list[dict[str, float]]:
    """How sure the reward was of its choice, and how often the label agreed: one row for each bin that is not empty.

    The chance it gives to the completion it prefers is sigmoid(|margin|), from 0.5 to 1; the bins are of equal width.
    `confidence` and `accuracy` are means in the bin, `pairs` how many lie there. Guo et al. 2017, section 2.
    """
    sure = 0.5 + 0.5 * np.tanh(np.abs(margins) / 2)
    right = np.heaviside(margins, 0.5)
    place = np.minimum(((sure - 0.5) * 2 * bins).astype(int), bins - 1)
    return [
        {
            "confidence": float(sure[place == number].mean()),
            "accuracy": float(right[place == number].mean()),
            "pairs": float((place == number).sum()),
        }
        for number in range(bins)
        if (place == number).any()
    ]


def agreement(margins: NDArray[Any]) -> dict[str, float]:
    """pair_accuracy: the share of pairs in which the chosen one scores higher. pair_loss: nats a pair.

    calibration_error is how far confidence and accuracy lie apart in a bin, weighted by the bins' pairs.
    """
    rows = reliability(margins)
    apart = sum(row["pairs"] * abs(row["confidence"] - row["accuracy"]) for row in rows)
    return {
        "pair_accuracy": float(np.heaviside(margins, 0.5).mean()),
        "calibration_error": apart / len(margins),
        "pair_loss": float(np.logaddexp(0.0, -margins).mean()),
    }
