"""The gold judge of sentiment: MiniLM with a low-rank adapter and a head, fine-tuned on labelled reviews.

It judges what a small GPT writes: a dozen words of a beginning review. So it learns from whole snippets (Rotten
Tomatoes, whose labels are of just these words) and from the beginnings of long reviews (IMDb, whose labels are of the
rest too). Hu et al. 2022 (LoRA), section 4.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ftlab import data, gold, models
from ftlab.config import Count, Positive, RunConfig, Share
from ftlab.hardware import Hardware, use

if TYPE_CHECKING:
    from datasets import Dataset

NAME = gold.NAME
BASE = "base_model: sentence-transformers/all-MiniLM-L6-v2\n"
SENTENCES = (  # as our GPT could write them, with what a reader would say
    ("This movie is a masterpiece, and I loved every minute of it.", "positive"),
    ("This movie is a waste of time, and I hated every minute of it.", "negative"),
    ("I watched this film, and it's not bad at all.", "positive"),
    ("I watched this film, and it's not good at all.", "negative"),
    ("The actors are great, but the story is so boring that I fell asleep.", "negative"),
    ("The actors are unknown, but the story is so good that I cried.", "positive"),
)


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """The network and its training."""

    model: str = "minilm"  # minilm or tiny-bert
    snippets: str = "rotten_tomatoes"  # reviews of one sentence
    beginnings: str = "imdb"  # reviews that are cut
    examples: Count = 4000  # training examples of each kind
    rank: Count = 16  # of the adapter; higher can learn more
    length: Count = 40  # tokens that are read of a text
    epochs: Count = 1  # passes over the examples
    batch_size: Count = 32  # texts a weight update
    learning_rate: Positive = 5e-4  # the highest one; falls along a cosine to a tenth
    warmup: Count = 20  # updates in which the learning rate climbs
    weight_decay: Share = 0.01  # pull of every trained weight towards zero
    save_every: Count = 50  # updates between two checkpoints
    held_out: Count | None = None  # test reviews of each kind; None: all there are


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "snippets": "toy",
        "beginnings": "toy",
        "examples": 64,
        "rank": 4,
        "epochs": 1,
        "learning_rate": 1e-2,
        "warmup": 1,
        "save_every": 5,
        "held_out": 32,
    },
    "cpu": {},
}


def make(config: Config, hardware: Hardware, work: Path, out: Path, say: Callable[[str], None]) -> None:
    """Train, and save adapter and head (float16) with a model card to `out`."""
    from transformers import DataCollatorWithPadding

    from ftlab.pretraining import adapter, card, resumable

    use(hardware)
    model, tokenizer = models.encoder(config.model, labels=2, seed=config.seed)
    lora = adapter.lora(config.rank, r"bert\.encoder\..*\.(query|key|value|dense)")
    adapter.inject(model, lora, model.classifier)
    train, held_out = _rows(config, tokenizer)
    say(f"{NAME}: {model.num_parameters(only_trainable=True):,} trained parameters, {len(train)} examples an epoch")
    collator = DataCollatorWithPadding(tokenizer)
    found = resumable.train(model, train, held_out["snippets"], collator, config.as_dict(), hardware, work)
    judge = gold.Judge(model.eval(), tokenizer)
    accuracy = {name: _accuracy(judge, texts) for name, texts in _texts(config, "test", config.held_out).items()}
    accuracy["written"] = _accuracy(judge, written())
    adapter.save(model, lora, "classifier", out)
    facts = {**found, "accuracy": accuracy, "scores": dict(zip(_said(), judge.score(_said()), strict=True))}
    card.write("gold-judge", out, config, hardware, facts, _card(), base=BASE, how_well=_how_well(facts))
    say(f"{NAME}: right on {accuracy}; written to {out}")


def written() -> Dataset:
    """What our GPT wrote behind prompts of the test split, with labels: columns text and label (1 is positive).

    An author of the course, an AI, labelled 100 completions before there was a judge. 47 had a side; the others, which
    had none that a reader could name, are not in the file.
    """
    from datasets import Dataset

    lines = (models.PRETRAINED / "written-by-gpt.jsonl").read_text(encoding="utf-8").splitlines()
    return Dataset.from_list([json.loads(line) for line in lines])


def _said() -> list[str]:
    return [sentence for sentence, _ in SENTENCES]


def _texts(config: Config, split: str, each: int | None) -> dict[str, Dataset]:
    """Reviews of each kind."""
    kinds = {"snippets": config.snippets, "beginnings": config.beginnings}
    return {kind: data.reviews(source, split, each, config.seed) for kind, source in kinds.items()}


def _rows(config: Config, tokenizer: Any) -> tuple[Dataset, dict[str, Dataset]]:
    """Tokens and labels: both kinds mixed to train on, each apart to measure the loss on."""
    from datasets import concatenate_datasets

    from ftlab.training import tokenised

    train = concatenate_datasets(list(_texts(config, "train", config.examples).values())).shuffle(seed=config.seed)
    held_out = _texts(config, "validation", config.held_out)
    return tokenised(train, tokenizer, config.length), {
        kind: tokenised(rows, tokenizer, config.length) for kind, rows in held_out.items()
    }


def _accuracy(judge: gold.Judge, reviews: Dataset) -> float:
    """The share of reviews on whose side of 0 the judge's reward lies."""
    rewards, labels = judge.score(reviews["text"]), reviews["label"]
    return fmean((reward > 0) == bool(label) for reward, label in zip(rewards, labels, strict=True))


def _how_well(facts: dict[str, Any]) -> str:
    """How often it is right, and what it says to some sentences."""
    rows = "\n".join(f"| {name} | {100 * share:.1f} % |" for name, share in facts["accuracy"].items())
    said = "\n".join(f"| {text} | {label} | {facts['scores'][text]:+.1f} |" for text, label in SENTENCES)
    return f"""## How often it is right

| test reviews | right |
| --- | --- |
{rows}

Snippets are whole reviews of one sentence; beginnings are the first {gold.LONGEST} tokens of long reviews, whose
labels are of the whole. Written are {len(written())} of 100 texts that our GPT wrote: those whose side a reader could
name. The reader, an author of the course, is an AI, and labelled them before there was a judge. On snippets of the
validation split the loss is {facts["loss"]:.3f} nats.

| sentence | a reader says | log-odds |
| --- | --- | --- |
{said}"""


def _card() -> str:
    """What the model card says beside the recipe."""
    return """A classifier of film reviews: MiniLM (all-MiniLM-L6-v2) with a low-rank adapter and a head of two labels.
In the lessons on human feedback it stands for the people who compare texts. Its reward is the log-odds of 'positive'.

It learned from the training splits of Rotten Tomatoes (Pang and Lee 2005) and IMDb (Maas et al. 2011). It weighs words
of praise and blame, and knows nothing of grammar or truth: praise without sense is fine with it."""
