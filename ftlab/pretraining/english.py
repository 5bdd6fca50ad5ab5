"""General English for the masked-word head: short texts that SmolLM2 writes, on many subjects and in many forms.

Film reviews alone teach the head that a cat sits on a movie. Each text answers one request, drawn at random; what was
written is kept, so a stopped writing goes on where it was.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab import models

if TYPE_CHECKING:
    from ftlab.models import Loaded

FORMS = (
    "Write a short story about {}.",
    "Write a letter to a friend about {}.",
    "Describe {} to a child, in simple sentences.",
    "Write a diary entry about {}.",
    "Write a paragraph of a newspaper about {}.",
    "Explain how people deal with {}.",
    "Write a conversation between two neighbours about {}.",
    "Write a paragraph about the history of {}.",
)
SUBJECTS = (
    "a cat and a dog", "a walk in the forest", "baking bread", "the first day of school", "a train journey",
    "the weather in winter", "a market on Saturday", "a broken bicycle", "growing tomatoes", "a visit to the doctor",
    "the moon and the stars", "a small village", "a lost key", "learning the piano", "a football match",
    "a family dinner", "the sea", "moving to a new house", "a garden in spring", "a birthday party",
    "a farmer and his horses", "the kitchen", "a storm at night", "an old clock", "a letter that came late",
    "swimming in a lake", "a job in an office", "the king and the queen", "a bird on the roof", "a rainy afternoon",
    "money and savings", "a bus driver", "a hospital", "the library", "mountains and rivers", "cooking soup",
    "a teacher and her pupils", "a ship in the harbour", "a baby brother", "the fire in the stove", "city traffic",
    "a shop that sells shoes", "the war and the peace", "a scientist at work", "elections", "a museum", "breakfast",
    "sheep and wool", "the desert", "a chair and a table", "coffee and tea", "a wedding", "an airport",
    "painting a wall", "the human body", "fishing",
    "a holiday by the beach", "a computer", "sleep and dreams", "the colours of autumn",
)  # fmt: skip
TOKENS = 120  # at most, a text
AT_ONCE = 48  # texts written side by side


def texts(count: int, seed: int, file: Path, say: Callable[[str], None], model: str = "smollm2") -> list[str]:
    """`count` texts, from `file` as far as they are there; the rest is written now and added to it."""
    requests = asked(count, seed)
    written = [json.loads(line)["text"] for line in file.read_text().splitlines()] if file.exists() else []
    loaded = models.decoder(model) if len(written) < count else None
    while loaded and len(written) < count:
        some = requests[len(written) : len(written) + AT_ONCE]
        answers = _write(loaded, some, seed=seed + len(written))
        with file.open("a") as stream:
            stream.writelines(json.dumps({"request": r, "text": t}) + "\n" for r, t in zip(some, answers, strict=True))
        written += answers
        say(f"general English: {len(written)} of {count} texts")
    return written[:count]


def asked(count: int, seed: int) -> list[str]:
    """The requests, drawn by `seed`: every form with every subject once before any comes again."""
    draw = random.Random(seed)
    pairs = [form.format(subject) for form in FORMS for subject in SUBJECTS]
    rounds = (draw.sample(pairs, len(pairs)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(rounds), count))


def _write(loaded: Loaded, requests: Sequence[str], seed: int) -> list[str]:
    """One answer a request: temperature 0.9, from the 50 likeliest tokens."""
    from transformers import set_seed

    set_seed(seed)
    model, tokenizer = loaded
    tokenizer.padding_side = "left"  # so that all answers begin at the same place
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.chat_template = tokenizer.chat_template or "{{ messages[0]['content'] }} "  # the tiny model has none
    chats = [[{"role": "user", "content": request}] for request in requests]
    batch = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
    )
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    drawn = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=True, temperature=0.9, top_k=50)
    answers: list[str] = tokenizer.batch_decode(drawn[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return [answer.strip() for answer in answers]
