"""The one place that turns a config and a hardware into a transformers Trainer.

What a runner gets back is the trained model with its history, wall time and peak memory. The order of the
examples depends on the seed and the global batch alone. So one process or several, large micro batches or small
ones give the same weights (up to rounding) in a model without dropout; with dropout, only its noise differs.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm.auto import tqdm
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from ftlab import data
from ftlab import hardware as hw
from ftlab.config import Count, Positive, RunConfig, Share, Strength
from ftlab.errors import CourseError
from ftlab.models import Loaded, activation_bytes

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from transformers import EvalPrediction, PreTrainedTokenizerBase

RUNTIME_BYTES = 400 * 1024**2  # what the libraries take besides weights and activations
ADAMW_BYTES = 16  # a trained float32 parameter: weight, gradient, two moments
Arguments = TypeVar("Arguments", bound=TrainingArguments)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(RunConfig):
    """What every training has. Runners inherit it and add their own fields."""

    epochs: Count = 2  # passes over the training examples
    updates: Count | None = None  # weight updates, however many passes that takes; None: as many as `epochs` make
    learning_rate: Positive = 5e-5  # the highest one, after the warm-up; AdamW (Loshchilov and Hutter 2019)
    batch_size: Count = 32  # examples a weight update, over all processes together
    max_length: Count = 64  # tokens; longer texts are cut
    weight_decay: Strength = 0.01  # pull of every weight towards zero; higher is stronger
    warmup: Share = 0.1  # part of the updates in which the learning rate climbs from zero
    evaluations: Count = 4  # looks at the validation set, evenly spread over the training


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is learned: how rows become inputs, how these become a batch, how answers are scored."""

    prepare: Callable[[Dataset, PreTrainedTokenizerBase, int], Dataset]  # rows, tokenizer, max_length
    collator: Callable[[PreTrainedTokenizerBase], Any]  # its result has the attribute `tokenizer`
    metrics: Callable[[EvalPrediction], dict[str, float]] | None  # None: the loss alone
    shares_loss: bool  # the model itself divides its loss by the number of targets in the whole global batch


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a model is to train: its parameters, and the bytes that one more example in a micro batch takes."""

    parameters: int
    example_bytes: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training. Time in seconds, validation included; memory in bytes."""

    trainer: Trainer
    history: list[dict[str, float]]
    before: dict[str, float]  # metrics on the test set before the first update; empty without a test set
    seconds: float
    peak_memory_bytes: int
    batches: hw.Batches

    @property
    def costs(self) -> dict[str, float]:
        """Time and memory, as a result's metrics name them."""
        return {"seconds": self.seconds, "peak_memory_bytes": float(self.peak_memory_bytes)}


def fit(
    make: Callable[[], Loaded],
    train: Dataset,
    validation: Dataset | Mapping[str, Dataset],
    test: Dataset | None,
    config: TrainingConfig,
    hardware: hw.Hardware,
    task: Task | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trained:
    """Train the model that `make` makes (anew for each attempt) on `train`; look at `validation` on the way.

    The data sets have the columns that the task prepares: text and label for CLASSIFICATION, the default. Where there
    are several validation sets by name, the history has a `NAME_loss` for each. Raises CourseError when memory does not
    suffice, or when the training examples do not fill one batch.
    """
    if len(train) < config.batch_size:
        raise CourseError(
            f"{len(train)} training examples do not fill one batch of {config.batch_size}. Take more examples, or "
            f"smaller batches: --set batch_size={max(1, len(train) // 4)}."
        )
    task = task or CLASSIFICATION
    before: dict[str, float] = {}

    def trainer_for(batches: hw.Batches) -> Trainer:
        if test is not None:
            # A Trainer that has predicted leaves its model unwrapped: several processes would then train apart.
            untrained = _trainer(make(), train, validation, config, hardware, batches, task)
            before.update(evaluate(untrained, test, config.max_length))
            del untrained
        trainer = _trainer(make(), train, validation, config, hardware, batches, task)
        for callback in callbacks:
            trainer.add_callback(callback)
        return trainer

    return replace(fit_trainer(trainer_for, size_of(make(), config.max_length), config, hardware), before=before)


def fit_trainer(
    trainer_for: Callable[[hw.Batches], Trainer], size: Size, config: TrainingConfig, hardware: hw.Hardware
) -> Trained:
    """Train the Trainer that `trainer_for` makes for a cut of the global batch; a smaller cut where memory ran out.

    `size` is that of the model. Raises CourseError when memory does not suffice for even one example at a time.
    """
    hw.use(hardware)
    needed = ADAMW_BYTES * size.parameters + size.example_bytes + RUNTIME_BYTES
    hw.require(hardware, needed, f"Training {size.parameters / 1e6:.1f} M parameters")

    def attempt(batches: hw.Batches) -> Trained:
        return _train(trainer_for(batches), hardware, batches)

    return hw.with_smaller_batches(attempt, hw.batches(hardware, config.batch_size, size.example_bytes))[0]


def size_of(loaded: Loaded, max_length: int) -> Size:
    """The size of a model that reads texts of `max_length` tokens. Raises CourseError where it cannot read so many."""
    most = getattr(loaded.model.config, "max_position_embeddings", max_length)
    if max_length > most:
        raise CourseError(
            f"max_length is {max_length}, and this model reads {most} tokens at most. Longer texts are cut: "
            f"--set max_length={most}."
        )
    return Size(
        parameters=loaded.model.num_parameters(), example_bytes=activation_bytes(loaded.model.config, max_length)
    )


def tokenised(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """`dataset` with the columns input_ids and attention_mask, unpadded, next to label."""

    def tokenise(rows: dict[str, Any]) -> Any:
        return tokenizer(rows["text"], truncation=True, max_length=max_length)

    return data.mapped(dataset, tokenise, keep=["label"], batched=True)


def accuracy(predictions: EvalPrediction) -> dict[str, float]:
    """The share of examples whose largest logit ([n, labels]) is that of their label ([n])."""
    return {"accuracy": float(_right(predictions).mean())}


def _right(found: Any) -> Any:
    """For each row of logits ([n, labels]) whether the largest is that of its label ([n]): bool [n]."""
    return found.predictions.argmax(axis=-1) == found.label_ids


CLASSIFICATION = Task(prepare=tokenised, collator=DataCollatorWithPadding, metrics=accuracy, shares_loss=False)


def evaluate(trainer: Trainer, dataset: Dataset, max_length: int) -> dict[str, float]:
    """The metrics on `dataset`, as rows of the task, without the prefix that the Trainer puts before them."""
    ready = trainer.task.prepare(dataset, trainer.data_collator.tokenizer, max_length)
    found = trainer.predict(ready, metric_key_prefix="test").metrics
    return {name.removeprefix("test_"): float(value) for name, value in found.items()}


def are_right(trainer: Trainer, dataset: Dataset, max_length: int) -> list[bool]:
    """For each row of `dataset`, whether the largest logit is that of its label."""
    found = trainer.predict(trainer.task.prepare(dataset, trainer.data_collator.tokenizer, max_length))
    return list(map(bool, _right(found)))


class Best(TrainerCallback):
    """Remembers the weights of the look at which the validation loss was lowest: early stopping, without stopping."""

    def __init__(self) -> None:
        self.loss, self.update = math.inf, 0
        self._weights: dict[str, torch.Tensor] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Forget what an attempt that ran out of memory left."""
        self.loss = math.inf

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any, **_: Any) -> None:
        """Keep a copy where this look is the best so far."""
        if metrics["eval_loss"] < self.loss:
            self.loss, self.update = metrics["eval_loss"], state.global_step
            self._weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def restore(self, trainer: Trainer) -> None:
        """Put these weights back into the trainer's model."""
        trainer.model.load_state_dict(self._weights)


def _train(trainer: Trainer, hardware: hw.Hardware, batches: hw.Batches) -> Trained:
    with hw.PeakMemory(hardware) as memory:
        watch = hw.Stopwatch()
        trainer.train()
        seconds = watch.seconds
    return Trained(
        trainer=trainer,
        history=_history(trainer.state.log_history),
        before={},
        seconds=seconds,
        peak_memory_bytes=memory.bytes,
        batches=batches,
    )


def _trainer(
    loaded: Loaded,
    train: Dataset,
    validation: Dataset | Mapping[str, Dataset],
    config: TrainingConfig,
    hardware: hw.Hardware,
    batches: hw.Batches,
    task: Task,
) -> Trainer:
    def prepared(rows: Dataset) -> Dataset:
        return task.prepare(rows, loaded.tokenizer, config.max_length)

    several = isinstance(validation, Mapping)
    looked_at = {n: prepared(rows) for n, rows in validation.items()} if several else prepared(validation)
    trainer = _WholeBatchTrainer(
        model=loaded.model,
        args=arguments(config, hardware, batches, len(train)),
        train_dataset=prepared(train),
        eval_dataset=looked_at,
        data_collator=task.collator(loaded.tokenizer),
        compute_metrics=task.metrics,
        callbacks=[Progress()],
    )
    trainer.remove_callback(PrinterCallback)  # our progress bar says the same in one line
    # Otherwise the Trainer divides the loss by the accumulation itself: classification losses do not.
    trainer.model_accepts_loss_kwargs = task.shares_loss
    trainer.task, trainer.global_batch, trainer.order_seed = task, config.batch_size, config.seed
    return trainer


def arguments(
    config: TrainingConfig,
    hardware: hw.Hardware,
    batches: hw.Batches,
    examples: int,
    kind: type[Arguments] = TrainingArguments,
    **more: Any,
) -> Arguments:
    """The settings of a Trainer, or of one of trl's (`kind`: SFTConfig, DPOConfig and so on, with their own in `more`).

    `examples` is the number of training examples.
    """
    updates = config.updates or config.epochs * (examples // config.batch_size)
    found = kind(
        output_dir=tempfile.gettempdir(),  # nothing is saved there
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        num_train_epochs=config.epochs,
        max_steps=config.updates or -1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=math.ceil(config.warmup * updates),
        per_device_train_batch_size=batches.micro,
        gradient_accumulation_steps=batches.accumulation,
        per_device_eval_batch_size=2 * batches.micro,
        optim="adamw_torch_fused",
        logging_steps=max(1, updates // 40),
        logging_nan_inf_filter=False,  # a diverged training should show
        eval_strategy="steps",
        eval_steps=max(1, math.ceil(updates / config.evaluations)),
        bf16=hardware.dtype == "bfloat16",
        use_cpu=hardware.device == "cpu",
        dataloader_pin_memory=hardware.device == "cuda",
        seed=config.seed,
        **more,
    )
    # Several GPUs are for `accelerate launch`: one process that spreads over them would enlarge the batch unseen.
    found._n_gpu = min(found.n_gpu, 1)
    return found


class _WholeBatches(LengthGroupedSampler):
    """Texts of like length side by side (little padding), in whole global batches.

    What does not fill a batch is left out, at random, and anew in each epoch.
    """

    def __len__(self) -> int:
        return len(self.lengths) // self.batch_size * self.batch_size

    def __iter__(self) -> Iterator[int]:
        import torch

        kept = torch.randperm(len(self.lengths), generator=self.generator)[: len(self)].tolist()
        lengths = [self.lengths[index] for index in kept]
        grouped = get_length_grouped_indices(lengths, self.batch_size, generator=self.generator)
        return (kept[place] for place in grouped)


class _WholeBatchTrainer(Trainer):
    """A Trainer whose order of examples does not depend on how the global batch is cut."""

    task: Task
    global_batch: int
    order_seed: int

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> torch.utils.data.Sampler[int]:
        import torch

        lengths = [len(ids) for ids in (train_dataset or self.train_dataset)["input_ids"]]
        generator = torch.Generator().manual_seed(self.order_seed)
        return _WholeBatches(self.global_batch, lengths=lengths, generator=generator)


class Progress(TrainerCallback):
    """One bar for a training: updates done, the latest loss and validation accuracy."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the bar, in the first process alone."""
        if state.is_world_process_zero:
            often = 0.5 if sys.stderr.isatty() else 15  # seconds between two looks, fewer in a log file
            self._bar = tqdm(total=state.max_steps, desc="training", unit="update", mininterval=often)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the update."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Remember what was measured last."""
        names = {"loss": "loss", "eval_accuracy": "validation accuracy"}
        self._shown |= {names[name]: f"{logs[name]:.3f}" for name in names if name in logs}
        if self._bar is not None:
            self._bar.set_postfix(self._shown, refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the finished bar."""
        if self._bar is not None:
            self._bar.close()


def _history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """The Trainer's log as rows of step, epoch, and what was measured then."""
    rows = [{**_measured(row), "step": row["step"], "epoch": row["epoch"]} for row in log]
    return [row for row in rows if len(row) > 2]


def _measured(row: dict[str, float]) -> dict[str, float]:
    """Losses and accuracies of a row of the log: `validation_loss`, or `NAME_loss` where the set has a name."""
    named = {old: old.removeprefix("eval_") for old in row if old.startswith("eval_") and old.endswith("_loss")}
    names = {**named, "loss": "loss", "eval_loss": "validation_loss", "eval_accuracy": "validation_accuracy"}
    return {names[old]: value for old, value in row.items() if old in names}
