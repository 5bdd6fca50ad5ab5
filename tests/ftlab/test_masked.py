"""Hidden words: the right share of tokens, the right fates, whole words whole; the head at asked places only."""

from __future__ import annotations

import pytest
import torch
from transformers import BertForMaskedLM, DataCollatorForLanguageModeling

from ftlab import language, masked, models
from ftlab.errors import CourseError
from ftlab.masked import IGNORED


@pytest.fixture(scope="module")
def loaded() -> models.Loaded:
    return models.masked_encoder("tiny-bert", seed=1)


@pytest.fixture(scope="module")
def rows(loaded: models.Loaded):  # type: ignore[no-untyped-def]
    return language.blocks(["the film is zebra fresh and the story is dull ."] * 3000, loaded.tokenizer, 32)


def hidden(loaded: models.Loaded, rows, whole_words: bool = False):  # type: ignore[no-untyped-def]
    ids = torch.tensor(rows["input_ids"])
    made, labels = masked.Hide(loaded.tokenizer, whole_words)(ids, torch.Generator().manual_seed(0))
    return ids, made, labels


@pytest.mark.parametrize("whole_words", [False, True])
def test_shares_are_those_of_the_paper(loaded: models.Loaded, rows, whole_words: bool) -> None:  # type: ignore[no-untyped-def]
    ids, made, labels = hidden(loaded, rows, whole_words)
    special = torch.isin(ids, torch.tensor(loaded.tokenizer.all_special_ids))
    asked = labels != IGNORED
    assert not asked[special].any(), "the frame is never asked"
    assert torch.equal(made[~asked], ids[~asked]) and torch.equal(labels[asked], ids[asked])
    assert asked[~special].float().mean() == pytest.approx(0.15, abs=0.02)
    assert (made[asked] == loaded.tokenizer.mask_token_id).float().mean() == pytest.approx(0.8, abs=0.04)
    assert (made[asked] == ids[asked]).float().mean() == pytest.approx(0.1, abs=0.04)


def test_the_same_shares_as_the_collator_of_transformers(loaded: models.Loaded, rows) -> None:  # type: ignore[no-untyped-def]
    ids, made, labels = hidden(loaded, rows)
    theirs = DataCollatorForLanguageModeling(loaded.tokenizer, seed=0)([{"input_ids": row} for row in ids.tolist()])
    for share in (
        lambda x, y: (y != IGNORED).float().mean(),
        lambda x, y: (x == loaded.tokenizer.mask_token_id).float().mean(),
        lambda x, y: ((y != IGNORED) & (x == y)).float().mean(),
    ):
        assert float(share(made, labels)) == pytest.approx(
            float(share(theirs["input_ids"], theirs["labels"])), abs=0.01
        )


def test_a_word_is_hidden_whole_or_not_at_all(loaded: models.Loaded, rows) -> None:  # type: ignore[no-untyped-def]
    ids, made, labels = hidden(loaded, rows, whole_words=True)
    pieces = loaded.tokenizer.convert_ids_to_tokens(ids.flatten().tolist())
    within = torch.tensor([piece.startswith("##") for piece in pieces]).view_as(ids)
    within[:, 0] = False
    asked, mask = labels != IGNORED, made == loaded.tokenizer.mask_token_id
    after_frame = torch.isin(ids.roll(1, 1), torch.tensor(loaded.tokenizer.all_special_ids))  # a word cut by the block
    same = within & ~after_frame
    assert same.sum() > 500, "zebra falls into letters"
    assert torch.equal(asked[same], asked.roll(1, 1)[same])
    parted = (mask != mask.roll(1, 1))[same].float().mean()
    assert parted < 0.001, "a word has one fate; now and then a random token happens to be [MASK]"
    ids, made, labels = hidden(loaded, rows)
    asked = labels != IGNORED
    assert not torch.equal(asked[same], asked.roll(1, 1)[same]), "token by token they part"


def test_the_head_at_asked_places_gives_the_loss_and_gradients_of_bert(loaded: models.Loaded, rows) -> None:  # type: ignore[no-untyped-def]
    whole = BertForMaskedLM(loaded.model.config)
    whole.load_state_dict(loaded.model.state_dict())
    batch = masked.Collator(masked.Hide(loaded.tokenizer))(rows.select(range(8)).to_list())
    losses = [model(**batch).loss for model in (loaded.model.train(), whole.train())]
    for loss in losses:
        loss.backward()
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-6)
    for mine, theirs in zip(loaded.model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
    loaded.model.zero_grad()
    torch.testing.assert_close(loaded.model(batch["input_ids"]).logits, whole(batch["input_ids"]).logits)


def test_the_score_of_a_model_that_knows_nothing_and_of_the_questions_asked_again(loaded: models.Loaded, rows) -> None:  # type: ignore[no-untyped-def]
    asked = masked.hidden_once(rows, masked.Hide(loaded.tokenizer))
    assert asked.to_list() == masked.hidden_once(rows, masked.Hide(loaded.tokenizer)).to_list()
    found = masked.score(loaded.model, asked)
    assert language.perplexity(found["loss"]) == pytest.approx(len(loaded.tokenizer), rel=0.3)
    assert found == pytest.approx(masked.score(loaded.model, asked, batch_size=7), rel=1e-5)


def test_rows_that_were_hidden_stay_as_they_are(loaded: models.Loaded, rows) -> None:  # type: ignore[no-untyped-def]
    asked = masked.hidden_once(rows, masked.Hide(loaded.tokenizer)).select(range(4)).to_list()
    batch = masked.Collator(masked.Hide(loaded.tokenizer))(asked)
    assert batch["input_ids"].tolist() == [row["input_ids"] for row in asked]
    assert batch["labels"].tolist() == [row["labels"] for row in asked]


def test_filling_in(loaded: models.Loaded) -> None:
    found = masked.fill(loaded.model, loaded.tokenizer, "the film is [MASK] .", top=3)
    assert len({word for word, _ in found}) == 3
    assert 1 > found[0][1] >= found[1][1] >= found[2][1] > 0
    with pytest.raises(CourseError, match=r"There is no \[MASK\]"):
        masked.fill(loaded.model, loaded.tokenizer, "the film is fine .")
