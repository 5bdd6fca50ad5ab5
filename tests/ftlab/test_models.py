"""Models by name: pretrained ones are really pretrained, random ones really random, local folders work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ftlab import models
from ftlab.errors import CourseError


def test_tiny_models_need_no_download_and_follow_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTLAB_HOME", str(tmp_path))
    for make in (
        lambda seed: models.encoder("tiny-bert", seed=seed),
        lambda seed: models.decoder("tiny-llama", seed=seed),
    ):
        one, same, other = (next(make(seed).model.parameters()) for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    assert not list(tmp_path.iterdir())


def test_the_tiny_tokenizer_reads_any_text() -> None:
    tokenizer = models.load_tokenizer("tiny-bert")
    assert tokenizer.decode(tokenizer("the film is dull .")["input_ids"]) == "[CLS] the film is dull. [SEP]"
    assert tokenizer.unk_token_id not in tokenizer("Zebra! (x9)")["input_ids"]


def test_a_local_folder_gives_the_same_model(tmp_path: Path) -> None:
    saved = models.encoder("tiny-bert", seed=3)
    saved.model.save_pretrained(tmp_path)
    saved.tokenizer.save_pretrained(tmp_path)
    loaded = models.encoder(str(tmp_path), seed=4)
    for name, weight in saved.model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name]), name
    again = models.encoder(str(tmp_path), pretrained=False, seed=4)
    assert not torch.equal(next(again.model.parameters()), next(saved.model.parameters()))


def test_what_is_no_model_is_explained(tmp_path: Path) -> None:
    for make in (models.encoder, models.decoder, models.load_tokenizer):
        with (
            pytest.raises(CourseError, match="minilm, tiny-bert")
            if make is not models.decoder
            else pytest.raises(CourseError, match="smollm2, tiny-llama")
        ):
            make(str(tmp_path))


@pytest.mark.assets
def test_minilm_knows_what_goes_with_what() -> None:
    texts = ["A wonderful film.", "I loved this movie.", "The train leaves at noon."]
    vectors = torch.nn.functional.normalize(models.features(texts), dim=1)
    assert vectors.shape == (3, 384)
    alike = vectors @ vectors.T
    assert alike[0, 1] > alike[0, 2] + 0.2


@pytest.mark.assets
def test_features_do_not_depend_on_padding() -> None:
    long = "a much longer text about nothing that makes the short one grow by padding " * 3
    alone = models.features(["short text"])
    beside = models.features(["short text", long])
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


@pytest.mark.assets
def test_only_the_head_is_new() -> None:
    one, two = models.encoder(seed=0).model.state_dict(), models.encoder(seed=1).model.state_dict()
    differ = {name for name in one if not torch.equal(one[name], two[name])}
    assert differ == {"classifier.weight"}


@pytest.mark.assets
def test_smollm2_answers() -> None:
    model, tokenizer = models.decoder()
    assert model.config.model_type == "llama"
    assert getattr(model.config, "quantization_config", None) is None
    chat = [{"role": "user", "content": "What is the capital of France? One word."}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**ids, max_new_tokens=8, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0, ids["input_ids"].shape[1] :])


def test_activation_bytes_by_hand() -> None:
    config = models.encoder("tiny-bert").model.config  # 2 layers, width 32, 2 heads
    assert models.activation_bytes(config, 10) == 2 * 2 * 10 * (34 * 32 + 5 * 2 * 10)
