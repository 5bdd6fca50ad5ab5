"""What a policy writes, how likely it was, and how far that is from its reference."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ftlab import completions, data, divergence, policies
from ftlab.errors import CourseError
from ftlab.policies import Policy

ASKED = ["the film is dull", "the cast is warm and the ending", "the story is"]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policies.load("tiny-llama", seed=1)


@pytest.fixture(scope="module")
def moved() -> Policy:
    """A policy that has gone some way from its reference."""
    policy = policies.load("tiny-llama", seed=1)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return policy


@pytest.mark.parametrize("source", ["toy", "imdb"])
def test_prompts_have_one_length_and_lie_in_one_split(source: str) -> None:
    name, tokens = ("tiny-llama", 5) if source == "toy" else ("gpt-reviews", 8)
    tokenizer = policies.load(name).tokenizer
    found = {split: policies.prompts(source, split, tokenizer, tokens, None) for split in data.SPLITS}
    everything = [prompt for prompts in found.values() for prompt in prompts]
    assert len(set(everything)) == len(everything) and all(found.values())
    assert {len(ids) for ids in tokenizer(everything, add_special_tokens=False)["input_ids"]} == {tokens}
    some = policies.prompts(source, "train", tokenizer, tokens, 5, seed=3)
    assert set(some) <= set(found["train"]) and some != policies.prompts(source, "train", tokenizer, tokens, 5, seed=4)
    with pytest.raises(CourseError, match="prompts of . tokens were asked for"):
        policies.prompts(source, "train", tokenizer, tokens, 10**6)


def test_completions_stand_behind_their_prompts_and_follow_the_seed(policy: Policy) -> None:
    written = policies.sample(policy.model, policy.tokenizer, ASKED, tokens=6, n=2, seed=5)
    assert written.prompts == [prompt for prompt in ASKED for _ in range(2)]
    again = policies.sample(policy.model, policy.tokenizer, ASKED, tokens=6, n=2, seed=5)
    other = policies.sample(policy.model, policy.tokenizer, ASKED, tokens=6, n=2, seed=6)
    assert again.completions == written.completions != other.completions
    before = torch.random.get_rng_state()
    policies.sample(policy.model, policy.tokenizer, ASKED, tokens=6)
    assert torch.equal(before, torch.random.get_rng_state()), "other draws are left alone"


def test_a_completion_ends_with_its_first_end_token() -> None:
    drawn = torch.tensor([[5, 3, 7, 3], [3, 3, 3, 3], [5, 6, 7, 8]])
    prompt = torch.tensor([[1, 1]] * 3)
    found = completions.behind(prompt, torch.ones_like(prompt), drawn, end=3)
    assert found.mask.int().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    assert found.seen[:, 2:].tolist() == found.mask.int().tolist() and torch.equal(found.completions, drawn)


@pytest.mark.parametrize("name", ["tiny-llama", "gpt-reviews"])
def test_log_probabilities_are_those_of_each_text_alone(name: str) -> None:
    policy = policies.load(name)
    after = [" good film", " bad", " and a"]
    tokens = completions.encode(policy.model, policy.tokenizer, ASKED, after, end=True)
    with torch.no_grad():
        found = completions.log_probs(policy.model, tokens)
    assert (found[~tokens.mask] == 0).all() and (found[tokens.mask] < 0).all()
    for row, (prompt, completion) in enumerate(zip(ASKED, after, strict=True)):
        head, tail = policy.tokenizer([prompt, completion], add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*head, *tail, policy.tokenizer.eos_token_id]])
        with torch.no_grad():
            scores = policy.model(input_ids=ids).logits.log_softmax(-1)
        alone = sum(scores[0, place - 1, ids[0, place]] for place in range(len(head), ids.shape[1]))
        torch.testing.assert_close(found[row].sum(), alone, rtol=1e-4, atol=1e-4)


def test_the_text_is_what_the_tokens_add(policy: Policy) -> None:
    gpt = policies.load()
    after = [" was good.", "!", " I think it's great"]
    for policy_, texts in ((gpt, after), (policy, [" warm and fine", " dull", " film"])):
        tokens = completions.encode(policy_.model, policy_.tokenizer, ASKED, texts)
        assert completions.texts(policy_.tokenizer, tokens) == texts


def test_what_does_not_fit_is_refused_in_a_sentence(policy: Policy) -> None:
    long = " ".join(["film"] * 510)
    with pytest.raises(CourseError, match="have 514 tokens, and this model reads 512 at most"):
        policies.sample(policy.model, policy.tokenizer, ["film", long], tokens=4)
    with pytest.raises(CourseError, match="have 515 tokens"):
        completions.encode(policy.model, policy.tokenizer, [long], [" film" * 5])
    with pytest.raises(CourseError, match="Completion 2 of 2 is empty"):
        completions.encode(policy.model, policy.tokenizer, ASKED[:2], [" film", ""])
    with pytest.raises(CourseError, match="Prompt 1 of 1 is empty"):
        policies.sample(policy.model, policy.tokenizer, [""], tokens=4)


def test_the_estimators_of_divergence_agree_on_average(moved: Policy) -> None:
    written = policies.sample(moved.model, moved.tokenizer, ASKED[:1], tokens=3, n=1500, seed=2)
    with torch.no_grad(), moved.reference() as reference:
        ours, theirs = (completions.log_probs(model, written.tokens) for model in (moved.model, reference))
    whole = divergence.whole(moved, written.tokens)
    first, second, third = (estimate(ours, theirs) for estimate in (divergence.k1, divergence.k2, divergence.k3))
    assert whole.mean() > 0.005
    for estimate in (first, third):
        error = 5 * (estimate.var() / len(estimate)) ** 0.5
        assert abs(estimate.mean() - whole.mean()) < error
    assert first.min() < 0 <= third.min() and second.min() >= 0 and whole.min() >= 0
    assert whole.var() < third.var() < first.var()


def test_an_untrained_policy_is_its_reference(policy: Policy) -> None:
    written = policies.sample(policy.model, policy.tokenizer, ASKED, tokens=4)
    assert divergence.whole(policy, written.tokens).abs().max() < 1e-6


def test_an_adapter_is_put_aside_for_the_reference() -> None:
    policy = policies.load("tiny-llama", "lora", seed=1)
    written = policies.sample(policy.model, policy.tokenizer, ASKED, tokens=4)
    before = completions.log_probs(policy.model, written.tokens)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1)
    with policy.reference() as reference:
        torch.testing.assert_close(completions.log_probs(reference, written.tokens), before)
    assert divergence.whole(policy, written.tokens).min() > 0
    assert policy.start is None


def test_training_leaves_the_reference_alone(moved: Policy) -> None:
    with moved.reference() as reference:
        assert not any(parameter.requires_grad for parameter in reference.parameters())
    fresh = policies.load("tiny-llama", seed=1)
    frozen = dataclasses.replace(moved, model=moved.start)
    for mine, theirs in zip(frozen.model.parameters(), fresh.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
