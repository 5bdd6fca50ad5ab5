"""What is trained is what the method says, by formula; the rest stays; what was learned can be merged."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ftlab import adapters, models
from ftlab.errors import CourseError

WIDTH, LAYERS, INNER = 32, 2, 64  # of the tiny models
HEAD = WIDTH * 2 + 2


def adapted(method: str, **given: Any) -> Any:
    return adapters.adapt(models.encoder("tiny-bert").model, method, **given)


def trained(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("method", "given", "count"),
    [
        ("head", {}, HEAD),
        ("lora", {"rank": 4}, LAYERS * 2 * 4 * (WIDTH + WIDTH) + HEAD),
        ("rslora", {"rank": 2}, LAYERS * 2 * 2 * (WIDTH + WIDTH) + HEAD),
        ("lora", {"rank": 4, "targets": "all"}, LAYERS * 4 * (4 * (WIDTH + WIDTH) + 2 * (WIDTH + INNER)) + HEAD),
        ("dora", {"rank": 4}, LAYERS * 2 * (4 * (WIDTH + WIDTH) + WIDTH) + HEAD),
        ("ia3", {}, LAYERS * (2 * WIDTH + INNER) + HEAD),
        ("prompt", {}, adapters.PROMPT_TOKENS * WIDTH + HEAD),
        ("bitfit", {}, WIDTH + LAYERS * (4 * WIDTH + INNER + WIDTH + 2 * WIDTH) + WIDTH + HEAD),
    ],
)
def test_the_number_of_trained_weights_follows_from_the_method(method: str, given: dict[str, Any], count: int) -> None:
    assert trained(adapted(method, **given)) == count


def a_few_steps(model: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    ids = torch.arange(10, 26).reshape(2, 8)
    for _ in range(3):
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=torch.tensor([0, 1])).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return before, dict(model.named_parameters())


@pytest.mark.parametrize("method", adapters.METHODS)
def test_frozen_weights_stay_and_trained_ones_move(method: str) -> None:
    model = adapted(method)
    before, after = a_few_steps(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved <= {name for name, p in model.named_parameters() if p.requires_grad}
    assert any("classifier" in name for name in moved)
    if method != "head":
        assert any("classifier" not in name for name in moved)


@pytest.mark.parametrize("method", adapters.MERGED)
def test_merging_changes_no_answer(method: str) -> None:
    model = adapted(method)
    a_few_steps(model)
    model.eval()
    ids = torch.arange(10, 26).reshape(2, 8)
    with torch.no_grad():
        apart = model(input_ids=ids).logits
        plain = adapters.merged(model)
        assert torch.allclose(plain(input_ids=ids).logits, apart, atol=1e-5)
    assert not any("lora" in name or "ia3" in name for name, _ in plain.named_parameters())


def test_what_is_saved_is_what_was_trained() -> None:
    model = adapted("lora", rank=4)
    assert adapters.saved_bytes(model) == 4 * trained(model) < 4 * model.num_parameters() / 5


@pytest.mark.parametrize(
    ("method", "given", "says"),
    [
        ("lorra", {}, "lora"),
        ("lora", {"rank": 33}, "at most the model's width, 32"),
        ("lora", {"rank": 0}, "at least 1"),
        ("lora", {"targets": "everything"}, "attention"),
    ],
)
def test_what_cannot_be_done_is_said(method: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        adapted(method, **given)


@pytest.mark.parametrize("name", ["tiny-llama", "gpt-reviews"])
@pytest.mark.parametrize("method", ["lora", "dora", "ia3"])
def test_decoders_have_their_matrices_too(name: str, method: str) -> None:
    model = adapters.adapt(models.decoder(name).model, method, rank=2, targets="all", task="CAUSAL_LM")
    assert 0 < trained(model) < model.num_parameters() / 5
