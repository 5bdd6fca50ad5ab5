"""Supervised fine-tuning of a chat model: it learns to answer in a narrow form that a program can read.

Each example is a request and the answer that a person would want; the loss counts the answer's tokens alone, so the
model learns to answer and not to ask. The form is judged by a strict parser: ftlab/verdicts.py.
Wei et al. 2022 (Finetuned Language Models Are Zero-Shot Learners), section 2; Ouyang et al. 2022, section 3.5 (SFT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ftlab import adapters, data, models, provenance, readers, training, verdicts
from ftlab import hardware as hw
from ftlab.config import Count, Positive
from ftlab.results import Result, before_and_after

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import Trainer

PLAIN_CHAT = (
    "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }} {{ eos_token }} {% endfor %}"  # for a tiny one
)


@dataclass(frozen=True, kw_only=True)
class Config(training.TrainingConfig):
    """A chat model learns to judge reviews in two lines. See TrainingConfig for the fields of every training."""

    model: str = "smollm2"  # a decoder with a chat form
    source: str = "rotten_tomatoes"  # rotten_tomatoes, imdb, toy, a folder, or a Hub id
    method: Literal["full", "lora"] = "lora"  # which weights are trained
    train_examples: Count | None = 240  # requests with answers to learn from
    validation_examples: Count | None = 24  # requests with answers to watch the training on
    test_examples: Count | None = 60  # requests to answer before and after
    learning_rate: Positive = 5e-4  # the highest one, after the warm-up
    batch_size: Count = 4  # examples a weight update
    updates: Count | None = 40  # weight updates
    evaluations: Count = 3  # looks at the validation set
    max_length: Count = 160  # tokens of a request and its answer
    answer_tokens: Count = 32  # tokens of an answer at most


PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "model": "tiny-llama",
        "source": "toy",
        "method": "full",
        "train_examples": 16,
        "validation_examples": 4,
        "test_examples": 4,
        "learning_rate": 1e-2,
        "batch_size": 4,
        "updates": 6,
        "max_length": 512,
        "answer_tokens": 8,
    },
    "cpu": {},
    "gpu": {
        "model": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "train_examples": 2000,
        "test_examples": 500,
        "batch_size": 32,
        "updates": 200,
        "learning_rate": 2e-4,
    },
}
RECORDED: tuple[dict[str, Any], ...] = ({"method": "lora"}, {"method": "full", "learning_rate": 5e-5})


def run(config: Config, hardware: hw.Hardware) -> Result:
    """Answer, learn, answer again: metrics end in _before and _after, and some answers are kept to read."""
    train, validation, test = _splits(config)
    before, answers_before = _answers(_model(config, plain=True), test, config)
    trained = training.fit_trainer(
        lambda batches: _trainer(train, validation, config, hardware, batches),
        training.size_of(_model(config, plain=True), config.max_length),
        config,
        hardware,
    )
    learned = models.Loaded(trained.trainer.model, trained.trainer.processing_class)
    trainable = learned.model.num_parameters(only_trainable=True)
    after, answers_after = _answers(learned, test, config)
    return Result(
        runner="instructions",
        config=config.as_dict(),
        metrics={
            **before_and_after(before, after),
            "trainable_parameters": float(trainable),
            **trained.costs,
        },
        history=trained.history,
        provenance={
            **provenance.of("instructions", config, PROFILES, hardware, data_version(config), trained.batches),
            "answers": [
                {"review": review, "before": old, "after": new}
                for review, old, new in zip(test["text"][:8], answers_before, answers_after, strict=False)
            ],
        },
    )


def data_version(config: Config) -> str:
    """A fingerprint of the reviews, of how they are asked about, and of a model in a folder."""
    asked = data.text_fingerprint([verdicts.REQUEST])
    return data.fingerprint(*_splits(config)) + asked + models.version(config.model)


def _splits(config: Config) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and test reviews. The seed draws which training reviews are seen."""
    train = data.reviews(config.source, "train", config.train_examples, config.seed)
    validation = data.reviews(config.source, "validation", config.validation_examples)
    return train, validation, data.reviews(config.source, "test", config.test_examples)


def _model(config: Config, plain: bool = False) -> models.Loaded:
    """The decoder with a chat form; with the weights of `method` left to train, unless `plain`."""
    model, tokenizer = models.decoder(config.model, seed=config.seed)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    tokenizer.chat_template = tokenizer.chat_template or PLAIN_CHAT
    if config.method == "lora" and not plain:
        model = adapters.adapt(model, "lora", rank=16, targets="all", task="CAUSAL_LM")
    return models.Loaded(model, tokenizer)


def _trainer(
    train: Dataset, validation: Dataset, config: Config, hardware: hw.Hardware, batches: hw.Batches
) -> Trainer:
    """trl's SFTTrainer: it applies the chat form and masks the request's tokens."""
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    model, tokenizer = _model(config)
    arguments = training.arguments(
        config,
        hardware,
        batches,
        len(train),
        SFTConfig,
        max_length=config.max_length,
        completion_only_loss=True,
        activation_checkpointing=True,  # computes each forward pass twice; without it a run takes over 4 GB
    )
    trainer: Trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=_conversations(train),
        eval_dataset=_conversations(validation),
        processing_class=tokenizer,
        callbacks=[training.Progress()],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _conversations(rows: Dataset) -> Dataset:
    """Rows with the columns prompt and completion, each a list of one message, as trl wants them."""

    def conversation(row: dict[str, Any]) -> dict[str, Any]:
        taught = verdicts.answer(row["text"], row["label"])
        return {
            "prompt": [{"role": "user", "content": verdicts.request(row["text"])}],
            "completion": [{"role": "assistant", "content": taught}],
        }

    return data.mapped(rows, conversation)


def _answers(loaded: models.Loaded, test: Dataset, config: Config) -> tuple[dict[str, float], list[str]]:
    """The scores of the answers to the test requests, and the answers."""
    reader = readers.Causal(loaded.model.eval(), loaded.tokenizer)
    chats = [[{"role": "user", "content": verdicts.request(review)}] for review in test["text"]]
    asked = loaded.tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=False)
    answers = reader.write(asked, config.answer_tokens)
    return verdicts.score(answers, test["text"], test["label"]), answers
