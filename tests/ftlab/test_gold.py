"""The gold judge: log-odds of a classifier that never saw the prompts; pairs that it labels; looks at a policy."""

from __future__ import annotations

import json
import math

import pytest
import torch

from ftlab import data, gold, models, policies
from ftlab.completions import Tokens
from ftlab.hardware import Hardware
from ftlab.policies import Written
from ftlab.pretraining import gold_judge


def written(prompts: list[str], completions: list[str]) -> Written:
    nothing = torch.zeros(len(prompts), 1)
    return Written(prompts, completions, Tokens(nothing, nothing, nothing))


def test_the_reward_is_the_log_odds_of_positive() -> None:
    judge = gold.judge("tiny-bert")
    texts = ["the film is dull .", "the cast is warm and fine and the music is clever ."] * 40
    batch = judge.tokenizer(texts[1], return_tensors="pt")
    with torch.no_grad():
        chance = float(judge.model(**batch).logits.softmax(-1)[0, 1])
    found = judge.score(texts)
    assert len(found) == 80 and found[1] == pytest.approx(math.log(chance / (1 - chance)), abs=1e-5)
    assert judge(["the film"], [" is dull ."]) == pytest.approx(found[:1], abs=1e-5)
    assert judge.score([]) == []


def test_neighbours_become_pairs_and_the_better_one_is_chosen() -> None:
    texts = written(["a"] * 4 + ["b"] * 4, [" 1", " 2", " 3", " 3", " 4", "", " 5", " 6"])
    found = gold.preferences(texts, [1.0, 2.0, 0.0, 9.0, 1.0, 0.0, 7.0, 3.0], temperature=0.0, seed=0)
    assert [(pair.prompt, pair.chosen, pair.rejected) for pair in found] == [("a", " 2", " 1"), ("b", " 5", " 6")]


def test_as_many_pairs_are_asked_for_as_wanted() -> None:
    policy, judge = policies.load("tiny-llama"), gold.judge("tiny-bert")
    prompts = ["the film is", "the cast is", "the story is"]
    for count, rounds in ((2, 1), (3, 1), (7, 3)):
        pairs = gold.ask(policy, judge, prompts, 6, count, temperature=0.0, seed=0)
        assert count - 1 <= len(pairs) <= count
        assert max(sum(pair.prompt == prompt for pair in pairs) for prompt in prompts) <= rounds
        assert [pair.chosen for pair in pairs] == [p.chosen for p in gold.ask(policy, judge, prompts, 6, count, 0.0, 0)]
    for pair in pairs:
        chosen, rejected = judge([pair.prompt] * 2, [pair.chosen, pair.rejected])
        assert chosen >= rejected


def test_repeats_are_counted() -> None:
    assert gold.distinct(["a b c", "a b d"]) == pytest.approx(3 / 4)
    assert gold.distinct(["good good good good"]) == pytest.approx(1 / 3)
    assert gold.distinct(["one", ""]) == 0


def test_a_look_at_an_untrained_policy_finds_no_divergence() -> None:
    policy = policies.load("tiny-llama")
    look = gold.look(policy, gold.judge("tiny-bert"), ["the film is", "the cast is"], tokens=5, seed=1)
    assert abs(look.metrics["kl"]) < 1e-6 and abs(look.metrics["kl_k1"]) < 1e-6
    assert len(look.written.texts) == 2 and 0 <= look.metrics["positive_share"] <= 1


def test_the_judge_of_the_course_is_right_and_its_card_says_how_often(cpu: Hardware) -> None:
    folder = models.PRETRAINED / gold.NAME
    card, facts = (folder / "README.md").read_text(), json.loads((folder / "training.json").read_text())
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4e6
    for kind, share in facts["accuracy"].items():
        assert f"| {kind} | {100 * share:.1f} % |" in card
    for field, value in {**facts["config"], "updates": facts["updates"]}.items():
        assert f"| {field} | {value} |" in card
    judge = gold.judge()
    scores = judge.score(list(facts["scores"]))
    assert scores == pytest.approx(list(facts["scores"].values()), abs=0.05), "as measured, so shipped"
    some = data.reviews("rotten_tomatoes", "test", 120)
    right = [(score > 0) == bool(label) for score, label in zip(judge.score(some["text"]), some["label"], strict=True)]
    assert sum(right) / 120 == pytest.approx(facts["accuracy"]["snippets"], abs=0.12)
    assert len(gold.version()) == 12 and gold.version("tiny-bert") == ""


def test_the_judge_can_be_made_anew(tmp_path, cpu: Hardware) -> None:  # type: ignore[no-untyped-def]
    config = gold_judge.Config.make(gold_judge.PROFILES, "smoke", {})
    gold_judge.make(config, cpu, tmp_path / "work", tmp_path / "out", lambda _: None)
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"adapter_model.safetensors", "head.safetensors"}
    assert "How often it is right" in (tmp_path / "out" / "README.md").read_text()
