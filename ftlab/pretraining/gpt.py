"""Our own GPT from nothing: a vocabulary and a small GPT-2 that learn English from film reviews alone.

The vocabulary is byte-level BPE, the network a transformer decoder that predicts the next token.
Radford et al. 2019 (GPT-2), section 2; Sennrich et al. 2016 (BPE), section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab import data, language
from ftlab.config import Count, Positive, RunConfig, Share
from ftlab.hardware import Hardware

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAME = "gpt-reviews"
END = "<|endoftext|>"
STARTS = ("This movie is", "I watched this film", "The actors", "If you like horror", "My favourite scene")


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """The network, its vocabulary, and its training."""

    source: str = "imdb"  # reviews to read: imdb, rotten_tomatoes, toy
    vocabulary: Count = 8192  # tokens, the 256 bytes and the end token included
    layers: Count = 4  # transformer blocks
    width: Count = 256  # numbers that stand for a token
    heads: Count = 4  # parallel attentions; divides the width
    context: Count = 256  # tokens it can look back on
    epochs: Count = 2  # passes over the reviews
    batch_size: Count = 8  # blocks of `context` tokens a weight update
    learning_rate: Positive = 1e-3  # the highest one; falls along a cosine to a tenth
    warmup: Count = 200  # updates in which the learning rate climbs
    weight_decay: Share = 0.1  # pull of every weight towards zero
    save_every: Count = 200  # updates between two checkpoints
    held_out: Count = 1000  # validation reviews that the loss is measured on


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "source": "toy",
        "vocabulary": 300,
        "layers": 2,
        "width": 32,
        "heads": 2,
        "context": 64,
        "epochs": 2,
        "warmup": 5,
        "save_every": 5,
        "held_out": 100,
    },
    "cpu": {},
}


def make(config: Config, hardware: Hardware, work: Path, out: Path, say: Callable[[str], None]) -> None:
    """Learn the vocabulary, train the network, and write weights (float16), tokenizer and model card to `out`."""
    import torch
    from transformers import set_seed

    from ftlab.pretraining import card, resumable

    texts = data.reviews(config.source, "train")["text"]
    held_out = data.reviews(config.source, "validation", _at_most(config), seed=0)["text"]
    tokenizer = learn_vocabulary(texts, config)
    train = language.blocks(texts, tokenizer, config.context)
    validation = language.blocks(held_out, tokenizer, config.context)
    set_seed(config.seed)
    model = network(config, tokenizer)
    say(f"{NAME}: {model.num_parameters():,} parameters, {len(train) * config.context:,} tokens an epoch")
    found = resumable.train(model, train, validation, language.Collator(tokenizer), config.as_dict(), hardware, work)
    samples = write(model.eval(), tokenizer, STARTS, seed=config.seed)
    model.to(torch.float16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    tokens = len(train) * config.context
    characters = sum(map(len, held_out)) / (len(validation) * config.context)
    facts = {"tokens": tokens, "characters_a_token": characters, "samples": samples, **found}
    card.write("gpt", out, config, hardware, facts, _card(facts))
    say(f"{NAME}: held-out perplexity {language.perplexity(found['loss']):.1f}; written to {out}")


def learn_vocabulary(texts: Sequence[str], config: Config) -> PreTrainedTokenizerBase:
    """A byte-level BPE of `config.vocabulary` tokens, learned from `texts`; every text can be written in it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner = trainers.BpeTrainer(
        vocab_size=config.vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, learner)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=END, bos_token=END, pad_token=END, model_max_length=config.context
    )


def network(config: Config, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A GPT-2 with random weights, without dropout: in so few epochs it costs more than it saves."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own formula in one step instead of eight
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return GPT2LMHeadModel(sizes)


def write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, starts: Sequence[str], seed: int) -> list[str]:
    """What the model writes after each start: 40 tokens, drawn from the likeliest that hold 95 % of the chance."""
    from transformers import set_seed

    set_seed(seed)
    written = []
    for start in starts:
        ids = tokenizer(start, return_tensors="pt").to(model.device)
        drawn = model.generate(**ids, max_new_tokens=40, do_sample=True, top_p=0.95, temperature=0.8)
        written.append(tokenizer.decode(drawn[0], skip_special_tokens=True))
    return written


def _at_most(config: Config) -> int | None:
    """The number of held-out reviews, or None for all when there are fewer."""
    there = len(data.reviews(config.source, "validation"))
    return config.held_out if config.held_out < there else None


def _card(facts: dict[str, Any]) -> str:
    """What the model card says beside the recipe."""
    samples = "\n".join(f"> {sample.replace(chr(10), ' ')}\n" for sample in facts["samples"])
    return f"""A GPT-2 with few weights that has read film reviews and nothing else. It writes sentences that sound like
a review. It knows nothing of the world, follows no instruction, and loses the thread after a sentence or two.

Text: the IMDb reviews (Maas et al. 2011) of the course's training split, {facts["tokens"]:,} tokens. The reviews of
the validation and test splits were never seen. They are opinions of strangers and hold their prejudices.

A token is {facts["characters_a_token"]:.2f} characters on average.

## What it writes

{samples}"""
