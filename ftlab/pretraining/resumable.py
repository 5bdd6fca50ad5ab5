"""A training of hours that may be stopped at any moment: the same command goes on from the last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging

from ftlab import hardware as hw
from ftlab.errors import CourseError
from ftlab.training import Progress

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel


def train(
    model: PreTrainedModel,
    train: Dataset,
    held_out: Dataset,
    collator: Callable[[list[Any]], Any],
    config: Mapping[str, Any],
    hardware: hw.Hardware,
    work: Path,
) -> dict[str, Any]:
    """Train `model` in place; return the Trainer's log, the held-out loss (nats a token), and what the model saw.

    `config` has epochs, batch_size (blocks), learning_rate, warmup (updates), weight_decay, save_every (updates),
    seed. Checkpoints lie in `work`. Raises CourseError when those there come from another config.
    """
    _same_recipe(work, config)
    logging.set_verbosity_error()
    logging.disable_progress_bar()  # one bar is enough
    hw.use(hardware)
    trainer = Trainer(
        model=model,
        args=_arguments(config, hardware, work),
        train_dataset=train,
        eval_dataset=held_out,
        data_collator=collator,
        callbacks=[Progress()],
    )
    trainer.remove_callback(PrinterCallback)
    done = trainer.train(resume_from_checkpoint=get_last_checkpoint(str(work)))
    loss = trainer.evaluate()["eval_loss"]
    return {"loss": loss, "updates": done.global_step, "log": trainer.state.log_history}


def _same_recipe(work: Path, config: Mapping[str, Any]) -> None:
    """Refuse to go on with the checkpoints of another recipe."""
    work.mkdir(parents=True, exist_ok=True)
    file, text = work / "recipe.json", json.dumps(dict(config), indent=1, sort_keys=True)
    if file.exists() and file.read_text() != text:
        raise CourseError(
            f"{work} holds checkpoints of a training with other settings. To start anew, delete that folder; "
            f"to go on, use the settings in {file}."
        )
    file.write_text(text)


def _arguments(config: Mapping[str, Any], hardware: hw.Hardware, work: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=config["epochs"],
        per_device_train_batch_size=config["batch_size"],
        per_device_eval_batch_size=config["batch_size"],
        learning_rate=config["learning_rate"],
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=config["warmup"],
        weight_decay=config["weight_decay"],
        adam_beta2=0.95,
        optim="adamw_torch_fused",
        bf16=hardware.dtype == "bfloat16",
        use_cpu=hardware.device == "cpu",
        dataloader_pin_memory=hardware.device == "cuda",
        save_steps=config["save_every"],
        save_total_limit=1,
        logging_steps=50,
        eval_strategy="epoch",
        prediction_loss_only=True,
        report_to="none",
        disable_tqdm=True,
        seed=config["seed"],
    )
