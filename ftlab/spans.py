"""Answers that stand in a text: an encoder learns at which token they start and at which they end.

Every token gets two scores, one as a start and one as an end; the best pair in the right order is the answer.
Devlin et al. 2019 (BERT), section 4.2; Rajpurkar et al. 2016 (SQuAD).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftlab import data
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

MOST = 16  # tokens of an answer; longer ones are not looked for


def prepare(rows: Dataset, tokenizer: PreTrainedTokenizerBase, length: int) -> Dataset:
    """`rows` (question, context, answers, answer_start) as input_ids and the places where the answer starts and ends.

    Raises CourseError where the answer of a row lies behind the first `length` tokens.
    """

    def place(row: dict[str, Any]) -> dict[str, Any]:
        encoded = _encoded(tokenizer, [row["question"]], [row["context"]], length)
        begin, end = row["answer_start"], row["answer_start"] + len(row["answers"][0])
        inside = [token for token, (a, b) in _context(encoded, 0) if a < end and b > begin]
        if not inside or encoded["offset_mapping"][0][inside[-1]][1] < end:
            raise CourseError(
                f"The answer {row['answers'][0]!r} is cut off: question and passage have more than {length} tokens. "
                "Allow more: --set max_length=192."
            )
        inputs = {name: encoded[name][0] for name in tokenizer.model_input_names}
        return {**inputs, "start_positions": inside[0], "end_positions": inside[-1]}

    return data.mapped(rows, place)


def _encoded(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], contexts: Sequence[str], length: int, **more: Any
) -> BatchEncoding:
    """Question and passage side by side; where they are too long, the passage is cut."""
    cut: dict[str, Any] = {"truncation": "only_second", "max_length": length, "return_offsets_mapping": True}
    try:
        return tokenizer(list(questions), list(contexts), **cut, **more)
    except Exception as error:  # the tokenizers library raises no narrower one
        raise CourseError(
            f"A question alone has more than {length} tokens. Allow more: --set max_length=192. (The tokenizer said: "
            f"{error})"
        ) from error


def _context(encoded: BatchEncoding, row: int) -> list[tuple[int, tuple[int, int]]]:
    """The places of the passage's tokens in a row, each with where it begins and ends in the passage."""
    places = enumerate(zip(encoded.sequence_ids(row), encoded["offset_mapping"][row], strict=True))
    return [(token, (int(a), int(b))) for token, (part, (a, b)) in places if part == 1]


def answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset, length: int, batch_size: int = 32
) -> list[str]:
    """For each row (question, context) the words of the passage that the model takes for the answer."""
    import torch

    found: list[str] = []
    model.eval()
    for start in range(0, len(rows), batch_size):
        some = rows[start : start + batch_size]
        encoded = _encoded(tokenizer, some["question"], some["context"], length, padding=True)
        inputs = {name: torch.tensor(encoded[name], device=model.device) for name in tokenizer.model_input_names}
        with torch.no_grad():
            out = model(**inputs)
        for row, context in enumerate(some["context"]):
            tokens = _context(encoded, row)
            inside = [token for token, _ in tokens]
            first, last = best(out.start_logits[row, inside].cpu(), out.end_logits[row, inside].cpu())
            found.append(context[tokens[first][1][0] : tokens[last][1][1]])
    return found


def best(starts: Tensor, ends: Tensor) -> tuple[int, int]:
    """The start and the end ([tokens] scores each) with the greatest sum, at most MOST tokens, in the right order."""
    import torch

    sums = starts.unsqueeze(1) + ends.unsqueeze(0)
    allowed = torch.ones_like(sums).triu().tril(MOST - 1).bool()
    place = int(sums.masked_fill(~allowed, -torch.inf).argmax())
    return place // len(ends), place % len(ends)
