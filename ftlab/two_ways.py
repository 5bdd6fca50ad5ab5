"""One fine-tuning, written twice: with transformers' Trainer, and as a loop in PyTorch alone.

Both take a model, rows (input_ids, attention_mask, labels, unpadded), a function that pads rows to a batch, and the
same settings; both change the model in place and return the loss of every weight update. The comments in the loop say
what the Trainer does without being asked.
"""

from __future__ import annotations

import ast
import inspect
import io
import itertools
import json
import tempfile
import textwrap
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftlab.training import TrainingConfig

Rows = Sequence[dict[str, Any]]
Pad = Callable[[list[dict[str, Any]]], dict[str, Tensor]]
CLIP = 1.0  # the longest gradient, as the Trainer has it
SAVE_EVERY = 10  # updates between two checkpoints of the loop


def with_trainer(
    model: PreTrainedModel, rows: Rows, pad: Pad, config: TrainingConfig, accumulation: int = 1, bf16: bool = False
) -> list[float]:
    """The Trainer: settings go in, a trained model comes out."""
    arguments = TrainingArguments(
        output_dir=tempfile.gettempdir(),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size // accumulation,
        gradient_accumulation_steps=accumulation,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=warmup_updates(len(rows), config),
        optim="adamw_torch",
        bf16=bf16,
        use_cpu=model.device.type == "cpu",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=pad)
    # BERT's forward takes any keyword, so the Trainer believes that its loss is a sum over the whole batch already.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]


def by_hand(
    model: PreTrainedModel,
    rows: Rows,
    pad: Pad,
    config: TrainingConfig,
    accumulation: int = 1,
    bf16: bool = False,
    folder: Path | None = None,
) -> list[float]:
    """The loop: every step that the Trainer takes, in the open.

    With a `folder` it keeps a log and a checkpoint there; called again after a stop it goes on from that, and returns
    the losses from there on: on a CPU the same to the last bit, on a GPU not, whose random numbers are not kept. In
    several processes of torch.distributed each computes its part of every batch.
    """
    set_seed(config.seed)
    model.train()
    optimizer = torch.optim.AdamW(groups(model, config.weight_decay), lr=config.learning_rate)
    updates = config.epochs * (len(rows) // config.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, climb_and_fall(warmup_updates(len(rows), config), updates))
    stateful = {"model": model, "optimizer": optimizer, "schedule": schedule}
    done, random_state = resume(folder, stateful)
    parts = accumulation * processes()[1]
    losses = []
    for number, batches in enumerate(updates_of(rows, pad, config, parts), start=1):
        if number == done:
            torch.set_rng_state(random_state)  # so that dropout goes on as it would have
        if number <= done:
            continue
        loss = 0.0
        for batch in batches:
            with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
                part = model(**batch).loss / parts
            part.backward()
            loss += part.item()
        add_up_gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss)
        log(folder, number, loss, schedule.get_last_lr()[0])
        keep(folder, number, stateful)
    return losses


def groups(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Matrices are pulled towards zero; biases and the gains of layer norms (vectors) are not."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim == 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def climb_and_fall(warmup: int, updates: int) -> Callable[[int], float]:
    """The share of the learning rate at each update: up from zero in a line, then down to zero in a line."""
    return lambda step: step / warmup if step < warmup else (updates - step) / max(1, updates - warmup)


def updates_of(rows: Rows, pad: Pad, config: TrainingConfig, parts: int) -> Iterator[list[dict[str, Tensor]]]:
    """The batches of each weight update, this process's share of `parts`; rows are shuffled anew in each epoch."""
    rank, world = processes()
    size = config.batch_size // parts
    for epoch in range(config.epochs):
        generator = torch.Generator().manual_seed(config.seed + epoch)  # so does accelerate, under the Trainer
        order = torch.randperm(len(rows), generator=generator).tolist()
        batches = iter(DataLoader(rows, batch_size=size, sampler=order, collate_fn=pad))
        while some := list(itertools.islice(batches, parts)):
            yield some[rank::world]


def processes() -> tuple[int, int]:
    """This process's number, and how many there are."""
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if together else (0, 1)


def add_up_gradients(model: torch.nn.Module) -> None:
    """Each process has the gradient of its part of the loss; afterwards all have that of the whole."""
    if processes()[1] > 1:
        for parameter in model.parameters():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)


def keep(folder: Path | None, number: int, stateful: Mapping[str, Any]) -> None:
    """Every SAVE_EVERY updates, write all that the next update depends on, and only then replace the last such file."""
    if folder is None or number % SAVE_EVERY or processes()[0] > 0:
        return
    states = {name: part.state_dict() for name, part in stateful.items()}
    torch.save({"number": number, "random": torch.get_rng_state(), **states}, folder / "new.pt")
    (folder / "new.pt").replace(folder / "last.pt")


def resume(folder: Path | None, stateful: Mapping[str, Any]) -> tuple[int, Tensor]:
    """Put everything back as it was kept; return the number of updates done, and the state of the random numbers."""
    if folder is None or not (folder / "last.pt").exists():
        return 0, torch.get_rng_state()
    saved = torch.load(folder / "last.pt", weights_only=True)
    for name, part in stateful.items():
        part.load_state_dict(saved[name])
    return saved["number"], saved["random"]


def log(folder: Path | None, number: int, loss: float, rate: float) -> None:
    """Add a line to the log: number of the update, loss (nats), learning rate."""
    if folder is not None and processes()[0] == 0:
        with (folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"update": number, "loss": loss, "learning_rate": rate}) + "\n")


def warmup_updates(examples: int, config: TrainingConfig) -> int:
    """Updates in which the learning rate climbs."""
    return int(config.warmup * config.epochs * (examples // config.batch_size))


def lines(*functions: Callable[..., Any]) -> int:
    """Lines of code of the functions together as they stand here, without blank lines, comments and docstrings."""
    return sum(len(_code_lines(function)) for function in functions)


def _code_lines(function: Callable[..., Any]) -> set[int]:
    """The numbers of the lines on which a token of code stands; a setting on a line of its own counts as one."""
    source = textwrap.dedent(inspect.getsource(function))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = [token for token in tokens if token.type not in NOT_CODE]
    numbers = {line for token in code for line in range(token.start[0], token.end[0] + 1)}
    body = cast(ast.FunctionDef, ast.parse(source).body[0]).body
    end = body[0].end_lineno or 0
    text = set(range(body[0].lineno, end + 1)) if inspect.getdoc(function) else set()
    return numbers - text


NOT_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
LOOP = (by_hand, groups, climb_and_fall, updates_of)
TAUGHT = {"resume": (keep, resume), "logging": (log,), "devices": (processes, add_up_gradients)}  # on top of the loop
TRAINER = (with_trainer,)
