"""The job of `ftlab run sft` as a user would write it: transformers alone, nothing of ours but the data.

Prints the seconds of the training and the accuracy on the test split.
"""

from __future__ import annotations

import sys
import tempfile
import time

from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from ftlab import assets, data


def main(examples: int, seed: int) -> None:
    folder = assets.path("minilm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    splits = {
        "train": data.reviews("rotten_tomatoes", "train", examples, seed),
        "validation": data.reviews("rotten_tomatoes", "validation", 400),
        "test": data.reviews("rotten_tomatoes", "test"),
    }
    ready = {
        name: rows.map(lambda row: tokenizer(row["text"], truncation=True, max_length=64), batched=True)
        for name, rows in splits.items()
    }
    updates = 2 * examples // 32
    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2),
        args=TrainingArguments(
            output_dir=tempfile.gettempdir(),
            num_train_epochs=2,
            per_device_train_batch_size=32,
            learning_rate=5e-5,
            weight_decay=0.01,
            warmup_steps=updates // 10,
            eval_strategy="steps",
            eval_steps=updates // 4,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
        ),
        train_dataset=ready["train"],
        eval_dataset=ready["validation"],
        data_collator=DataCollatorWithPadding(tokenizer),
        compute_metrics=lambda found: {"accuracy": (found.predictions.argmax(-1) == found.label_ids).mean()},
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    print(f"seconds={seconds:.2f} accuracy={trainer.predict(ready['test']).metrics['test_accuracy']:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
