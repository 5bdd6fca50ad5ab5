"""The recipes on the smoke profile: finished models load, a stopped training goes on, other settings are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftlab import models, pretraining
from ftlab.errors import CourseError
from ftlab.hardware import Hardware
from ftlab.pretraining import english, gpt, mlm_head


def made(name: str, folder: Path, cpu: Hardware, **given: object) -> Path:
    recipe = pretraining.get(name)
    config = recipe.Config.make(recipe.PROFILES, "smoke", given)
    recipe.make(config, cpu, folder / "work", folder / recipe.NAME, lambda _: None)
    return folder / recipe.NAME


def test_a_gpt_from_nothing_loads_as_any_decoder(tmp_path: Path, cpu: Hardware) -> None:
    out = made("gpt", tmp_path, cpu)
    model, tokenizer = models.decoder(str(out))
    ids = tokenizer("the film is dull .", return_tensors="pt")
    assert model(**ids).logits.shape == (1, ids["input_ids"].shape[1], 300)
    kept = json.loads((out / "training.json").read_text())
    assert kept["loss"] < 5.5, "a fair guess among 300 tokens costs 5.7 nats"
    assert "ftlab pretrain gpt" in (out / "README.md").read_text()


def test_a_stopped_training_goes_on_and_ends_the_same(
    tmp_path: Path, cpu: Hardware, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftlab.pretraining import resumable

    whole = made("gpt", tmp_path / "whole", cpu)

    class StoppedError(Exception):
        pass

    class Stop(resumable.Progress):
        def on_step_end(self, args, state, control, **_):  # type: ignore[no-untyped-def]
            if state.global_step == 7:
                raise StoppedError

    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        patch.setattr(resumable, "Progress", Stop)
        made("gpt", tmp_path / "cut", cpu)
    assert (tmp_path / "cut" / "work" / "checkpoint-5").is_dir()
    cut = made("gpt", tmp_path / "cut", cpu)
    one, other = models.decoder(str(whole)).model, models.decoder(str(cut)).model
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_checkpoints_of_other_settings_are_refused(tmp_path: Path, cpu: Hardware) -> None:
    made("gpt", tmp_path, cpu, epochs=1)
    with pytest.raises(CourseError, match="training with other settings. To start anew, delete that folder"):
        made("gpt", tmp_path, cpu, epochs=1, learning_rate=0.1)


def test_a_head_is_saved_as_adapter_and_head_and_merged_when_loaded(tmp_path: Path, cpu: Hardware) -> None:
    out = made("mlm-head", tmp_path, cpu, epochs=1)
    bare = models.masked_encoder("tiny-bert", pretrained_head=False, seed=0).model
    before = {name: weight.clone() for name, weight in bare.state_dict().items()}
    model = models._with_head(bare, out)
    assert all(parameter.requires_grad for parameter in model.parameters()), "whoever goes on training can"
    merged = model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], merged[name])}
    assert any(".query.weight" in name for name in changed) and any("transform" in name for name in changed)
    assert not any("embeddings" in name for name in changed)
    assert len((tmp_path / "work" / "english.jsonl").read_text().splitlines()) == 24


@pytest.mark.parametrize(("name", "megabytes"), [("gpt-reviews", 12), ("minilm-mlm", 8)])
def test_a_committed_model_is_small_and_its_card_says_what_was_measured(name: str, megabytes: int) -> None:
    folder = models.PRETRAINED / name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= megabytes * 1e6
    card, facts = (folder / "README.md").read_text(), json.loads((folder / "training.json").read_text())
    assert f"{facts['loss']:.3f} nats a predicted token: a perplexity of {math.exp(facts['loss']):.1f}" in card
    for field, value in {**facts["config"], "updates": facts["updates"]}.items():
        assert f"| {field} | {value} |" in card
    for kind, found in facts.get("scores", {}).items():
        assert f"| {kind} | {100 * found['accuracy']:.1f} % | {math.exp(found['loss']):.1f} |" in card


@given(count=st.integers(0, 1200), seed=st.integers(0, 5))
def test_requests_repeat_only_when_all_were_asked(count: int, seed: int) -> None:
    requests = english.asked(count, seed)
    every = len(english.FORMS) * len(english.SUBJECTS)
    assert len(requests) == count
    assert len(set(requests)) == min(count, every)
    assert requests == english.asked(1200, seed)[:count], "a longer list goes on where a shorter one stopped"


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "english.jsonl"
    first = english.texts(3, 0, file, lambda _: None, model="tiny-llama")
    before = file.read_text()
    assert english.texts(3, 0, file, lambda _: None, model="no such model") == first
    assert file.read_text() == before


def test_the_vocabulary_writes_every_text_back() -> None:
    config = gpt.Config.make(gpt.PROFILES, "smoke", {})
    tokenizer = gpt.learn_vocabulary(["a good film", "a bad film"] * 20, config)
    for text in ("Ein schöner Film!", "電影 🎬", "tab\tand\nline"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_an_unknown_recipe_names_all() -> None:
    with pytest.raises(CourseError, match="gpt, mlm-head"):
        pretraining.get("bert")
    assert mlm_head.NAME in models.HEAD
