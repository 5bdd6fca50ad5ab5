"""The models of the course by name, by folder, or by Hub id: encoders that classify and decoders that write.

MiniLM: Wang et al. 2020. SmolLM2: Ben Allal et al. 2025. The tiny ones have random weights and are made on the
spot, so that a smoke run needs no download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab import assets, data
from ftlab.errors import CourseError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ENCODERS = ("minilm", "tiny-bert")
DECODERS = ("gpt-reviews", "smollm2", "tiny-llama")
PRETRAINED = Path(__file__).parent / "pretrained"  # what the course made itself: see ftlab/pretraining
HEAD = "minilm-mlm"  # the masked-word head that MiniLM ships without, with the adapter it needs
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


class Loaded(NamedTuple):
    """A model (float32, on the CPU) and the tokenizer that goes with it."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def encoder(
    name: str = "minilm", *, labels: int = 2, pretrained: bool = True, seed: int = 0, layers: int | None = None
) -> Loaded:
    """An encoder with a fresh classification head: logits of shape [batch, labels].

    `name` is one of ENCODERS, a folder, or a Hub id. The head is drawn by `seed`; with `pretrained=False` all
    other weights are too, in the same architecture. `layers` keeps so many from the bottom; None: all. Raises
    CourseError when nothing loads under that name, or when the model has fewer layers.
    """
    from transformers import AutoModelForSequenceClassification

    fields = {} if layers is None else {"num_hidden_layers": layers}
    if layers is not None and layers > (most := _config(name).num_hidden_layers):
        raise CourseError(f"layers is {layers}, and {name!r} has {most}. Take 1 to {most}: --set layers={most}.")
    return _headed(AutoModelForSequenceClassification, name, pretrained, seed, num_labels=labels, **fields)


def span_encoder(name: str = "minilm", *, pretrained: bool = True, seed: int = 0) -> Loaded:
    """An encoder with a fresh head that scores every token as the start and as the end of an answer.

    Its logits are two of shape [batch, length]. See `encoder` for the rest.
    """
    from transformers import AutoModelForQuestionAnswering

    return _headed(AutoModelForQuestionAnswering, name, pretrained, seed)


def _headed(kind: Any, name: str, pretrained: bool, seed: int, **fields: Any) -> Loaded:
    """The encoder with the fresh head of `kind`, one of transformers' Auto classes; `fields` go to its config."""
    from transformers import set_seed

    config, tokenizer = _config(name, **fields), load_tokenizer(name)
    if config.model_type != "bert":  # a decoder that classifies reads its last token, which must not be padding
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        tokenizer.padding_side, config.pad_token_id = "left", tokenizer.pad_token_id
    set_seed(seed)
    if name.startswith("tiny-") or not pretrained:
        return Loaded(kind.from_config(config), tokenizer)
    with _explained(name, ENCODERS):
        return Loaded(kind.from_pretrained(_where(name), config=config, dtype="float32"), tokenizer)


def decoder(name: str = "smollm2", *, seed: int = 0) -> Loaded:
    """A decoder that predicts the next token: logits of shape [batch, length, vocabulary].

    `name` is one of DECODERS, a folder, or a Hub id; only the tiny one uses `seed`.
    """
    from transformers import AutoModelForCausalLM, set_seed

    set_seed(seed)
    if name.startswith("tiny-"):
        return Loaded(AutoModelForCausalLM.from_config(_config(name)), load_tokenizer(name))
    with _explained(name, DECODERS):
        model = AutoModelForCausalLM.from_pretrained(_where(name), dtype="float32")
    return Loaded(model, load_tokenizer(name))


def masked_encoder(name: str = "minilm", *, pretrained_head: bool = True, seed: int = 0) -> Loaded:
    """An encoder that predicts hidden words: ftlab.masked.BertForMaskedWords.

    `name` is one of ENCODERS, or a folder or Hub id of a BERT. MiniLM ships without a head: it gets the course's own,
    or with `pretrained_head=False` a fresh one, drawn by `seed`.
    """
    from transformers import set_seed

    from ftlab.masked import BertForMaskedWords

    set_seed(seed)
    if name.startswith("tiny-"):
        return Loaded(BertForMaskedWords(_config(name)), load_tokenizer(name))
    with _explained(name, ENCODERS):
        model = BertForMaskedWords.from_pretrained(_where(name), dtype="float32")
    if name == "minilm" and pretrained_head:
        model = _with_head(model, PRETRAINED / HEAD)
    return Loaded(model, load_tokenizer(name))


def _with_head(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """`model` with the adapter in `folder` merged into its weights, and the head from there on top."""
    from peft import PeftModel
    from safetensors.torch import load_file

    with _explained(str(folder), ENCODERS):
        merged: PreTrainedModel = PeftModel.from_pretrained(model, folder).merge_and_unload()
        merged.requires_grad_(True)  # peft froze all but the adapter, and leaves it so
        head = {name: tensor.float() for name, tensor in load_file(folder / "head.safetensors").items()}
    missing = merged.load_state_dict(head, strict=False)
    assert not missing.unexpected_keys
    return merged


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of model `name`."""
    if name.startswith("tiny-"):
        return _tiny_tokenizer()
    from transformers import AutoTokenizer

    with _explained(name, (*ENCODERS, *DECODERS)):
        return AutoTokenizer.from_pretrained(_where(name))


def features(texts: Sequence[str], name: str = "minilm", batch_size: int = 32) -> torch.Tensor:
    """One vector a text: the last hidden states of an encoder or a decoder, averaged over the real tokens.

    Returns float32 [len(texts), hidden size], without gradient. Texts are cut at 128 tokens.
    """
    import torch

    model, tokenizer = _body(name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), batch_size):
            some = list(texts[start : start + batch_size])
            batch = tokenizer(some, padding=True, truncation=True, max_length=128, return_tensors="pt")
            hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
            parts.append((hidden * mask).sum(dim=1) / mask.sum(dim=1))
    return torch.cat(parts) if parts else torch.empty(0, model.config.hidden_size)


def _body(name: str) -> Loaded:
    """A model without any head. A tiny one has the same random weights each time, and leaves other draws alone."""
    import torch
    from transformers import AutoModel

    with _explained(name, (*ENCODERS, *DECODERS)), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = (
            AutoModel.from_config(_config(name))
            if name.startswith("tiny-")
            else AutoModel.from_pretrained(_where(name), dtype="float32")
        )
    return Loaded(model.eval(), load_tokenizer(name))


def activation_bytes(config: PreTrainedConfig, length: int) -> int:
    """Bytes of activations that one example of `length` tokens keeps for the backward pass, in float32.

    Korthikanti et al. 2022 (Reducing Activation Recomputation, equation 1), doubled: theirs counts 16-bit numbers.
    """
    layers, hidden, heads = config.num_hidden_layers, config.hidden_size, config.num_attention_heads
    return int(2 * layers * length * (34 * hidden + 5 * heads * length))


def version(name: str) -> str:
    """'' for a name whose weights do not change; for a folder, a short hash of its files' names, sizes and times."""
    folder = Path(name)
    if name in assets.ASSETS or not folder.is_dir():
        return ""
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(folder.iterdir())]
    return hashlib.sha256(repr(files).encode()).hexdigest()[:12]


def _where(name: str) -> str | Path:
    """The folder of a model of ours; any other name is passed on as a folder or a Hub id."""
    if name == "gpt-reviews":
        return PRETRAINED / name
    return assets.path(name) if name in assets.ASSETS else name


def _config(name: str, **more: Any) -> PreTrainedConfig:
    from transformers import AutoConfig, BertConfig, LlamaConfig

    # Dropout is off in the tiny models: two processes draw it differently, and smoke runs are compared exactly.
    if name == "tiny-bert":
        sizes = {**TINY, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        return BertConfig(vocab_size=len(_tiny_tokenizer()), max_position_embeddings=512, **{**sizes, **more})
    if name == "tiny-llama":
        return LlamaConfig(vocab_size=len(_tiny_tokenizer()), max_position_embeddings=512, **{**TINY, **more})
    with _explained(name, (*ENCODERS, *DECODERS)):
        return AutoConfig.from_pretrained(_where(name), **more)


def _tiny_tokenizer() -> PreTrainedTokenizerBase:
    """A BERT tokenizer whose words are those of the toy reviews; every other word falls into letters."""
    from transformers import BertTokenizer

    words = sorted({word for text in data.toy_reviews(400)["text"] for word in text.split()})
    letters = [chr(code) for code in range(33, 127)]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*specials, *letters, *(f"##{letter}" for letter in letters), *words])
    return BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)})


@contextmanager
def _explained(name: str, known: Sequence[str]) -> Iterator[None]:
    """Load in silence; turn the libraries' many ways of saying 'no such model' into one sentence."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except CourseError:
        raise
    except Exception as error:  # whatever the parsers of configs, tokenizers and weights raise
        raise CourseError(
            f"The model {name!r} cannot be loaded. The course's own are: {', '.join(known)}; a folder or a Hub id "
            f"(which needs a network the first time) works too. The reason: {str(error).splitlines()[0][:200]}"
        ) from error
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
