"""Catastrophic forgetting: a language model that reads one thing unlearns another; and what keeps it.

What is learned is the fall of the loss on held-out text of what it reads; what is kept is measured on text of another
kind, on text like that it wrote itself before, on 200 questions, and on a conversation in its chat form. Cures: replay
of its own earlier text, a lower learning rate, a pull towards the weights it began with, and LoRA. The losses are in
the history, look by look, so each run is a curve of what was learned against what was kept.
McCloskey and Cohen 1989; Li et al. 2018 (L2-SP), section 3; Biderman et al. 2024 (LoRA Learns Less and Forgets Less).
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ftlab import adapters, anchors, data, domains, language, models, probes, provenance, readers, training
from ftlab.config import Count, Positive, Share
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KINDS = (*domains.DOMAINS, "own")
QUESTIONS = ("fill_in", "question_answering", "generation", "knowledge")  # chosen among answers: 200 items


@dataclass(frozen=True, kw_only=True)
class Config(training.TrainingConfig):
    """A language model reads one domain. See TrainingConfig for the fields of every training."""

    model: str = "smollm2"  # a decoder
    domain: Literal["reviews", "manual"] = "reviews"  # what it reads: film reviews, or Python's reference manual
    source: str = "imdb"  # where the reviews come from: imdb, rotten_tomatoes, toy, a folder, or a Hub id
    method: Literal["full", "lora"] = "full"  # which weights are trained
    replay: Share = 0.0  # part of what it reads that is text like its own from before
    pull: Share = 0.0  # part of the way back to the first weights that is gone at full learning rate; higher keeps more
    learning_rate: Positive = 5e-4  # the highest one, after the warm-up; at 1e-4 hardly anything is forgotten
    batch_size: Count = 4  # blocks a weight update
    max_length: Count = 128  # tokens a block
    updates: Count | None = 32  # weight updates
    evaluations: Count = 4  # looks at the held-out blocks of each kind
    held_out_blocks: Count = 12  # blocks of each kind to measure on
    questions: Count | None = None  # items of each probe; None: all


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-llama",
        "source": "toy",
        "learning_rate": 1e-2,
        "batch_size": 8,
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
# Full fine-tuning; then one cure after another, replay at four strengths.
RECORDED: tuple[dict[str, Any], ...] = (
    {},
    {"learning_rate": 1e-4},
    {"replay": 0.25},
    {"method": "lora", "learning_rate": 1e-3},
    {"pull": 0.05},
    {"replay": 0.5},
    {"replay": 0.1},
    {"replay": 0.05},
)


def run(config: Config, hardware: Hardware) -> Result:
    """Measure, read, measure again; metrics end in _before and _after."""
    if config.pull and config.method != "full":
        raise CourseError("A pull leads the model's own weights back, and LoRA leaves these alone. Take --set pull=0.")
    held_out = _held_out(config.model, config.source, config.max_length, config.held_out_blocks)
    before, texts_before = _before(*_asked(config), hardware.device)
    train = _train(config, models.load_tokenizer(config.model))
    pull = [anchors.Pull(_start(config), config.pull)] if config.pull else []
    make = functools.partial(_model, config)
    trained = training.fit(make, train, held_out, None, config, hardware, _task(), callbacks=pull)
    learned = _plain(trained.trainer.model, config)
    after, texts_after = _measure(learned, *_asked(config))
    return Result(
        runner="forgetting",
        config=config.as_dict(),
        metrics={
            **before_and_after(before, after),
            "distance": anchors.distance(_start(config), learned),
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


def _start(config: Config) -> anchors.Weights:
    """The weights before the training: read again each time, so that they take no memory while nobody needs them."""
    return anchors.weights(models.decoder(config.model, seed=config.seed).model)


def _plain(model: PreTrainedModel, config: Config) -> PreTrainedModel:
    return adapters.merged(model) if config.method == "lora" else model


def _task() -> training.Task:
    """Blocks are ready as they are; each token is predicted from those before it."""
    return training.Task(prepare=lambda rows, *_: rows, collator=language.Collator, metrics=None, shares_loss=True)


def _asked(config: Config) -> tuple[str, str, int, int, int | None, int]:
    """What decides how a model is measured: its name, the source, block length and number, questions, and the seed."""
    sizes = (config.max_length, config.held_out_blocks, config.questions, config.seed)
    return config.model, config.source, *sizes


@functools.lru_cache(maxsize=1)
def _held_out(name: str, source: str, length: int, blocks: int) -> dict[str, Dataset]:
    return domains.held_out(KINDS, source, models.load_tokenizer(name), length, blocks)


@functools.lru_cache(maxsize=1)
def _before(
    name: str, source: str, length: int, blocks: int, questions: int | None, seed: int, device: str
) -> tuple[dict[str, float], list[str]]:
    """The measures of the untrained model: those of the run before serve again where nothing in them changed."""
    model: Any = models.decoder(name, seed=seed).model
    return _measure(model.to(device), name, source, length, blocks, questions, seed)


def _measure(
    model: PreTrainedModel, name: str, source: str, length: int, blocks: int, questions: int | None, seed: int
) -> tuple[dict[str, float], list[str]]:
    """Losses (nats a token) on each kind of text, shares of questions and replies that are right; some replies."""
    reader = readers.Causal(model.eval(), models.load_tokenizer(name))
    held_out = _held_out(name, source, length, blocks)
    found: dict[str, float] = {f"{kind}_loss": language.loss(model, rows) for kind, rows in held_out.items()}
    right = {task: probes.choose(reader, probes.load(task).first(questions), seed) for task in QUESTIONS}
    everything = list(itertools.chain.from_iterable(right.values()))
    talk = probes.load("conversation").first(questions)
    replies = probes.written(reader, talk, tokens=16)
    return {
        **found,
        **{f"{task}_accuracy": sum(some) / len(some) for task, some in right.items()},
        "questions_accuracy": sum(everything) / len(everything),
        **probes.marks(talk, replies),
    }, replies[:5]
