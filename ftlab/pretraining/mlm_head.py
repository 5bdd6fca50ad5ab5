"""The masked-word head that MiniLM ships without: a low-rank adapter in every layer, and the head on top.

The encoder was trained to compare sentences, so its last layer no longer knows which word stood where. The adapter
gives that back at a fiftieth of the weights' size; the head turns each position into a score for every word.
Hu et al. 2022 (LoRA), section 4.1; Devlin et al. 2019 (BERT), section 3.1 and appendix A.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab import data, language, models
from ftlab.config import Count, Positive, RunConfig, Share
from ftlab.hardware import Hardware, use

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

NAME = models.HEAD
BASE = "base_model: sentence-transformers/all-MiniLM-L6-v2\n"  # a line of the card that the Hub understands
SENTENCES = (
    "The cat sat on the [MASK].",
    "Paris is the capital of [MASK].",
    "She drank a cup of [MASK].",
    "He opened the [MASK] and went out.",
    "The movie was [MASK].",
)


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """The adapter, the text, and the training."""

    model: str = "minilm"  # the encoder
    writer: str = "smollm2"  # the model that writes general English
    source: str = "imdb"  # reviews to read: imdb, rotten_tomatoes, toy
    reviews: Count = 12000  # how many of them
    english: Count = 960  # texts of general English
    english_passes: Count = 8  # times that the general English is read in an epoch
    rank: Count = 64  # of the adapter; higher can learn more and weighs more
    length: Count = 64  # tokens a block
    epochs: Count = 1  # passes over everything
    batch_size: Count = 32  # blocks a weight update
    learning_rate: Positive = 1e-3  # the highest one; falls along a cosine to a tenth
    warmup: Count = 100  # updates in which the learning rate climbs
    weight_decay: Share = 0.01  # pull of every weight towards zero
    save_every: Count = 50  # updates between two checkpoints
    held_out: Count = 100  # texts of each kind that accuracy and perplexity are measured on


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-bert",
        "writer": "tiny-llama",
        "source": "toy",
        "reviews": 200,
        "english": 16,
        "english_passes": 1,
        "rank": 4,
        "length": 32,
        "warmup": 5,
        "save_every": 5,
        "held_out": 8,
    },
    "cpu": {},
}


def make(config: Config, hardware: Hardware, work: Path, out: Path, say: Callable[[str], None]) -> None:
    """Write the English, train, and save adapter and head (float16), tokenizer and model card to `out`."""
    from ftlab import masked
    from ftlab.pretraining import adapter, card, english, resumable

    use(hardware)
    work.mkdir(parents=True, exist_ok=True)
    model, tokenizer = models.masked_encoder(config.model, pretrained_head=False, seed=config.seed)
    written = english.texts(config.english + config.held_out, config.seed, work / "english.jsonl", say, config.writer)
    train, held_out = _rows(config, tokenizer, written)
    lora = adapter.lora(config.rank, r"bert\.encoder\..*\.(query|key|value|dense)")
    adapter.inject(model, lora, model.cls, but="decoder.weight")  # that one is the table of word vectors
    hide = masked.Hide(tokenizer)
    asked = {name: masked.hidden_once(rows, hide) for name, rows in held_out.items()}
    say(f"{NAME}: {model.num_parameters(only_trainable=True):,} trained parameters, {len(train)} blocks an epoch")
    found = resumable.train(model, train, asked["reviews"], masked.Collator(hide), config.as_dict(), hardware, work)
    scores = {name: masked.score(model, rows) for name, rows in asked.items()}
    fills = {sentence: masked.fill(model, tokenizer, sentence) for sentence in SENTENCES} if _real(config) else {}
    adapter.save(model, lora, "cls", out)
    # The Trainer's loss is a mean over batches; the card has one number for one thing, the mean over hidden words.
    facts = {**found, "loss": scores["reviews"]["loss"], "scores": scores, "fills": fills}
    card.write("mlm-head", out, config, hardware, facts, _card(facts), base=BASE)
    say(f"{NAME}: {scores}; written to {out}")


def _real(config: Config) -> bool:
    return not config.model.startswith("tiny-")


def _rows(config: Config, tokenizer: PreTrainedTokenizerBase, written: list[str]) -> tuple[Dataset, dict[str, Dataset]]:
    """Blocks to train on, reviews and English mixed; held-out blocks of each kind."""
    reviews = data.reviews(config.source, "train", config.reviews, config.seed)["text"]
    unseen = data.reviews(config.source, "validation", config.held_out)["text"]
    read = [*reviews, *written[: config.english] * config.english_passes]
    train = language.blocks(read, tokenizer, config.length)
    held_out = {"reviews": unseen, "english": written[config.english :]}
    return (
        train.shuffle(seed=config.seed),
        {name: language.blocks(texts, tokenizer, config.length) for name, texts in held_out.items()},
    )


def _card(facts: dict[str, Any]) -> str:
    """What the model card says beside the recipe."""
    fills = "\n".join(
        f"- {sentence} " + ", ".join(f"{word} ({100 * chance:.0f} %)" for word, chance in words)
        for sentence, words in facts["fills"].items()
    )
    rows = "\n".join(
        f"| {name} | {100 * s['accuracy']:.1f} % | {language.perplexity(s['loss']):.1f} |"
        for name, s in facts["scores"].items()
    )
    return f"""A masked-word head for all-MiniLM-L6-v2, with the low-rank adapter that it needs. It guesses a hidden
word from the words around it. It read film reviews (IMDb, Maas et al. 2011, the course's training split) and short
texts that SmolLM2-135M-Instruct wrote. It is small: common words come out well, facts about the world often do not.

| held-out text | hidden words guessed right | perplexity |
| --- | --- | --- |
{rows}

{fills}"""
