"""Three families: BERT reads both ways, GPT and LLaMA write from left to right. What is each good at?

Every family gets the same questions (ftlab/probes.py), as it comes: no weight is changed. On top, a linear classifier
on its frozen features sorts reviews. Devlin et al. 2019 (BERT); Radford et al. 2018 (GPT); Touvron et al. 2023 (LLaMA).
The three models here differ in size and in what they read, so a result tells about them, not about all their kin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ftlab import classifier, data, models, probes, provenance, readers
from ftlab import hardware as hw
from ftlab.config import Count, RunConfig
from ftlab.hardware import Hardware
from ftlab.results import Result

if TYPE_CHECKING:
    from ftlab.readers import Reader

SENTENCE = "The cat sat on the mat because it was warm."  # whose attention is looked at
BEGINNING = "The movie was"  # what the speed of writing is measured on
LAPTOP_BYTES = 4 * 1024**3  # of memory, what a small laptop has to spare


@dataclass(frozen=True, kw_only=True)
class Config(RunConfig):
    """One family, the models that stand for all three, and how much they are asked."""

    family: Literal["bert", "gpt", "llama"] = "bert"  # which one is asked
    bert: str = "minilm"  # an encoder: its name, a folder, or a Hub id
    gpt: str = "gpt-reviews"  # a decoder
    llama: str = "smollm2"  # a decoder
    items: Count | None = None  # questions of each probe; None: all
    answer_tokens: Count = 24  # tokens of a written answer, at most
    source: str = "rotten_tomatoes"  # where the reviews to sort come from
    train_examples: Count = 300  # labelled reviews that the linear classifier learns from
    test_examples: Count = 300  # reviews that it is tested on

    @property
    def model(self) -> str:
        """The model of the family that is asked."""
        return str(getattr(self, self.family))


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "bert": "tiny-bert",
        "llama": "tiny-llama",
        "items": 6,
        "answer_tokens": 4,
        "source": "toy",
        "train_examples": 64,
        "test_examples": 64,
    },
    "cpu": {},
    "gpu": {
        "bert": "google-bert/bert-base-uncased",
        "gpt": "openai-community/gpt2",
        "llama": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "train_examples": 2000,
        "test_examples": 1000,
    },
}
RECORDED = tuple({"family": family} for family in ("bert", "gpt", "llama"))


def run(config: Config, hardware: Hardware) -> Result:
    """Ask one family everything; metrics named after a task and what was counted, such as translation_f1."""
    hw.use(hardware)
    watch = hw.Stopwatch()
    with hw.PeakMemory(hardware) as memory:
        reader = readers.reader(config.family, config.model, hardware.device, config.seed)
        metrics = {**_size(reader), **_speed(reader), **_chosen(reader, config)}
        scores, texts = _written(reader, config)
        sorted_right = _sorted(config)
    metrics |= {**scores, "classification_accuracy": sorted_right, "attention_to_later_share": _to_later(reader)}
    return Result(
        runner="families",
        config=config.as_dict(),
        metrics={
            **metrics,
            "seconds": watch.seconds,
            "peak_memory_bytes": float(memory.bytes),
            "laptop_memory_bytes": float(LAPTOP_BYTES),
        },
        provenance={
            **provenance.of("families", config, PROFILES, hardware, data_version(config)),
            "texts": texts,
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the probes, of the reviews, and of models in folders."""
    asked = [repr(probes.load(task).first(config.items)) for task in probes.TASKS]
    named = "".join(models.version(name) for name in (config.bert, config.gpt, config.llama))
    return data.text_fingerprint(asked) + classifier.data_version(_reviews(config)) + named


def _reviews(config: Config) -> classifier.ReviewsConfig:
    return classifier.ReviewsConfig(
        seed=config.seed,
        source=config.source,
        train_examples=config.train_examples,
        test_examples=config.test_examples,
        validation_examples=1,
    )


def _size(reader: Reader) -> dict[str, float]:
    weights = sum(parameter.nbytes for parameter in reader.model.parameters())
    return {"parameters": float(reader.model.num_parameters()), "weights_bytes": float(weights)}


def _speed(reader: Reader, texts: int = 16, tokens: int = 16) -> dict[str, float]:
    """Tokens a second, `texts` side by side: read in one pass, and written one after another."""
    text = " ".join([SENTENCE] * 6)
    watch = hw.Stopwatch()
    reader.log_likelihood([readers.Cloze(text[:-5], text[-5:-1], ".")] * texts)
    reading = watch.seconds
    watch = hw.Stopwatch()
    reader.write([BEGINNING] * texts, tokens)
    read = len(reader.tokenizer(text)["input_ids"])
    return {
        "tokens_read_a_second": texts * read / reading,
        "tokens_written_a_second": texts * tokens / watch.seconds,
    }


def _chosen(reader: Reader, config: Config) -> dict[str, float]:
    """For each task, the share of questions whose right answer was chosen, and the share that guessing gives."""
    found: dict[str, float] = {}
    for task in probes.TASKS:
        probe = probes.load(task).first(config.items)
        right = probes.choose(reader, probe, config.seed)
        found[f"{task}_accuracy"] = sum(right) / len(right)
        found[f"{task}_chance_accuracy"] = probes.chance(probe, config.seed)
    return found


def _written(reader: Reader, config: Config) -> tuple[dict[str, float], dict[str, list[str]]]:
    """How good the written answers are, and the first few of each task; texts go on as drawn by the seed."""
    from transformers import set_seed

    set_seed(config.seed)
    found: dict[str, float] = {}
    texts = {}
    for task in (*probes.FOUND, *probes.OVERLAP, "generation"):
        probe = probes.load(task).first(config.items)
        answers = probes.written(reader, probe, config.answer_tokens, sample=task == "generation")
        found |= probes.marks(probe, answers)
        texts[task] = answers[:5]
    return found, texts


def _sorted(config: Config) -> float:
    """The share of reviews that a linear classifier on the frozen features sorts right."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, _, test = classifier.splits(_reviews(config))
    sort = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    sort.fit(models.features(train["text"], config.model), train["label"])
    return float(sort.score(models.features(test["text"], config.model), test["label"]))


def _to_later(reader: Reader) -> float:
    """The share of attention that goes to tokens further on, which a model that writes cannot see."""
    looks = readers.attention(reader, SENTENCE)
    return float(looks.triu(diagonal=1).sum() / looks.sum())
