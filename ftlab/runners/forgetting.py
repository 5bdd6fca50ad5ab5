"""Catastrophic forgetting: a language model that reads one thing unlearns another; and what keeps it.

What is learned is the fall of the loss on held-out text of what it reads; what is kept is measured on text of another
kind, on text like that it wrote itself before, on questions, and on a conversation in its chat form. Cures: replay of
its own earlier text, a lower learning rate, a pull towards the weights it began with, and LoRA.
McCloskey and Cohen 1989; Li et al. 2018 (L2-SP), section 3; Biderman et al. 2024 (LoRA Learns Less and Forgets Less).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from transformers import TrainerCallback

from ftlab import adapters, data, domains, language, models, probes, provenance, readers, training
from ftlab.config import Count, Positive, Share
from ftlab.hardware import Hardware
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KINDS = (*domains.DOMAINS, "own")
QUESTIONS = ("fill_in", "question_answering", "generation")  # chosen among answers


@dataclass(frozen=True, kw_only=True)
class Config(training.TrainingConfig):
    """A language model reads one domain. See TrainingConfig for the fields of every training."""

    model: str = "smollm2"  # a decoder
    domain: Literal["reviews", "manual"] = "reviews"  # what it reads: film reviews, or Python's reference manual
    source: str = "imdb"  # where the reviews come from: imdb, rotten_tomatoes, toy, a folder, or a Hub id
    method: Literal["full", "lora"] = "full"  # which weights are trained
    replay: Share = 0.0  # part of what it reads that is text like its own from before
    pull: Share = 0.0  # part of the way back to the first weights that is gone at full learning rate; higher keeps more
    learning_rate: Positive = 1e-4  # the highest one, after the warm-up
    batch_size: Count = 8  # blocks a weight update
    max_length: Count = 128  # tokens a block
    updates: Count | None = 30  # weight updates
    evaluations: Count = 3  # looks at the validation blocks
    held_out_blocks: Count = 24  # blocks of each kind to measure on
    questions: Count | None = None  # items of each probe; None: all


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-llama",
        "source": "toy",
        "learning_rate": 1e-2,
        "max_length": 32,
        "updates": 20,
        "held_out_blocks": 8,
        "questions": 4,
    },
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "batch_size": 32,
        "max_length": 512,
        "updates": 500,
        "held_out_blocks": 200,
    },
}
RECORDED: tuple[dict[str, Any], ...] = (
    {},
    {"replay": 0.1},
    {"replay": 0.5},
    {"learning_rate": 2e-5},
    {"pull": 0.05},
    {"method": "lora", "learning_rate": 1e-3},
)


def run(config: Config, hardware: Hardware) -> Result:
    """Measure, read, measure again; metrics end in _before and _after."""
    model, tokenizer = models.decoder(config.model, seed=config.seed)
    held_out = domains.held_out(KINDS, config.source, tokenizer, config.max_length, config.held_out_blocks)
    before, texts_before = _measure(model, tokenizer, held_out, config)
    start = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    train = _train(config, tokenizer)
    pull = [Pull(start, config.pull)] if config.pull else []

    def make() -> models.Loaded:
        return _model(config)

    trained = training.fit(make, train, held_out[config.domain], None, config, hardware, _task(), callbacks=pull)
    learned = _plain(trained.trainer.model, config)
    after, texts_after = _measure(learned, tokenizer, held_out, config)
    return Result(
        runner="forgetting",
        config=config.as_dict(),
        metrics={
            **before_and_after(before, after),
            "distance": distance(start, learned),
            **trained.costs,
        },
        history=trained.history,
        provenance={
            **provenance.of("forgetting", config, PROFILES, hardware, data_version(config), trained.batches),
            "texts": {"before": texts_before, "after": texts_after},
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of everything that is read or asked, and of a model in a folder."""
    asked = data.text_fingerprint(
        repr(probes.load(task).first(config.questions)) for task in (*QUESTIONS, "conversation")
    )
    return domains.fingerprint(KINDS, config.source) + asked + models.version(config.model)


def _train(config: Config, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """The blocks that are read, in the order of the seed: the domain's, and the model's own in the asked proportion."""
    from datasets import Dataset

    needed = config.batch_size * (config.updates or 1)
    own = round(needed * config.replay)
    mixed: list[list[int]] = []
    for kind, count in ((config.domain, needed - own), ("own", own)):
        if count:
            rows = domains.blocks(kind, config.source, "train", tokenizer, config.max_length, count, config.seed)
            mixed += itertools.islice(itertools.cycle(rows["input_ids"]), count)  # from the start again where it ends
    return Dataset.from_dict({"input_ids": mixed}).shuffle(seed=config.seed)


def _model(config: Config) -> models.Loaded:
    model, tokenizer = models.decoder(config.model, seed=config.seed)
    if config.method == "lora":
        model = adapters.adapt(model, "lora", rank=8, targets="all", task="CAUSAL_LM")
    return models.Loaded(model, tokenizer)


def _plain(model: PreTrainedModel, config: Config) -> PreTrainedModel:
    return adapters.merged(model) if config.method == "lora" else model


def _task() -> training.Task:
    """Blocks are ready as they are; each token is predicted from those before it."""
    return training.Task(prepare=lambda rows, *_: rows, collator=language.Collator, metrics=None, shares_loss=True)


def _measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, held_out: dict[str, Dataset], config: Config
) -> tuple[dict[str, float], list[str]]:
    """Losses (nats a token) on each kind of text, shares of questions and replies that are right; some replies."""
    reader = readers.Causal(model.eval(), tokenizer)
    found: dict[str, float] = {f"{kind}_loss": language.loss(model, rows) for kind, rows in held_out.items()}
    right = []
    for task in QUESTIONS:
        right += probes.choose(reader, probes.load(task).first(config.questions), config.seed)
    talk = probes.load("conversation").first(config.questions)
    replies = probes.written(reader, talk, tokens=16)
    return {**found, "questions_accuracy": sum(right) / len(right), **probes.marks(talk, replies)}, replies[:5]


def distance(start: dict[str, Any], model: PreTrainedModel) -> float:
    """How far the weights have gone: the length of the difference, as a share of the length at the start."""
    moved = sum(float((p.detach().cpu() - start[name]).square().sum()) for name, p in model.named_parameters())
    length = sum(float(tensor.square().sum()) for tensor in start.values())
    return float((moved / length) ** 0.5)


class Pull(TrainerCallback):
    """After each update the weights go back a part of the way to where they began (L2-SP, decoupled as in AdamW)."""

    def __init__(self, start: dict[str, Any], strength: float) -> None:
        self._start, self._strength = start, strength

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **more: Any) -> None:
        """Move by `strength`, scaled as the learning rate is at this update."""
        import torch

        share = self._strength * more["lr_scheduler"].get_last_lr()[0] / args.learning_rate
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    parameter.lerp_(self._start[name].to(parameter.device), share)
