"""The probe sets are what they claim to be, and what is counted in the answers is counted right."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftlab import models, probes, readers
from ftlab.errors import CourseError
from ftlab.probes import Item, Probe
from ftlab.runners import families

TEXTS = st.text(alphabet="abc d", max_size=20)


@pytest.mark.parametrize("task", (*probes.TASKS, *probes.MORE))
def test_a_probe_has_forty_different_questions(task: str) -> None:
    probe = probes.load(task)
    assert len(probe.items) >= 40
    assert len({item.given for item in probe.items}) == len(probe.items)
    if task not in ("sentiment", "knowledge"):  # their wrong answers do not come from other items
        assert len({item.answer for item in probe.items}) == len(probe.items)
    for some in probes.options(probe, seed=3):
        assert len(set(some)) == len(some) == (2 if task == "sentiment" else 4)


def test_guessing_good_gets_half_of_the_reviews() -> None:
    assert set(Counter(item.answer for item in probes.load("sentiment").items).values()) == {20}


def test_every_gap_takes_one_word_that_every_family_knows() -> None:
    tokenizer = models.load_tokenizer("tiny-bert")
    for item in probes.load("fill_in").items:
        assert item.given.count(probes.GAP) == 1 and not item.given.startswith(probes.GAP)
        assert re.fullmatch("[a-z]+", item.answer), item
        assert tokenizer.tokenize(item.answer)


@pytest.mark.assets
def test_bert_knows_every_missing_word_as_one_token() -> None:
    tokenizer = models.load_tokenizer("minilm")
    assert all(len(tokenizer.tokenize(item.answer)) == 1 for item in probes.load("fill_in").items)


def test_all_answers_to_a_text_stand_in_it_and_the_right_one_is_no_part_of_a_wrong_one() -> None:
    for item in probes.load("question_answering").items:
        text = item.given.split("\nQuestion: ")[0].lower()
        assert len(item.wrong) == 3
        for answer in (item.answer, *item.wrong):
            assert answer.lower() in text, (answer, text)
        assert not any(probes.found(wrong, item) for wrong in item.wrong), item


@pytest.mark.parametrize("task", probes.FOUND)
def test_our_own_answer_counts_as_right_and_no_other_item_s_does_often(task: str) -> None:
    items = probes.load(task).items
    assert all(probes.found(item.answer, item) for item in items)
    others = [probes.found(other.answer, item) for item in items for other in items if other is not item]
    assert sum(others) / len(others) < 0.03


def test_a_conversation_s_accepted_words_are_lower_case_words() -> None:
    for item in probes.load("conversation").items:
        assert item.accept and all(word == word.lower().strip() for word in item.accept)


def test_a_summary_is_not_the_first_sentence() -> None:
    for item in probes.load("summarisation").items:
        first = item.given.split(". ")[0]
        assert probes.overlap(first, item.answer) < 0.6, item


def test_the_options_follow_the_seed() -> None:
    probe = probes.load("generation")
    assert probes.options(probe, 1) == probes.options(probe, 1) != probes.options(probe, 2)
    assert all(some[0] == item.answer for some, item in zip(probes.options(probe, 1), probe.items, strict=True))


class Oracle:
    """Scores a text by whether it is one of ours; what stands alone is worth what `alone` says."""

    def __init__(self, probe: Probe, alone: float = 0.0) -> None:
        self.right = {probe.cloze(item.given, item.answer).text for item in probe.items}
        self.given = {probe.cloze(item.given, "").text for item in probe.items}
        self.alone = alone

    def log_likelihood(self, clozes: list[readers.Cloze]) -> list[float]:
        return [1.0 if cloze.text in self.right else 0.0 for cloze in clozes]


class Same:
    def log_likelihood(self, clozes: list[readers.Cloze]) -> list[float]:
        return [0.0 for _ in clozes]


class Lover:
    """Finds one answer likely wherever it stands, and cares for no question."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def log_likelihood(self, clozes: list[readers.Cloze]) -> list[float]:
        return [5.0 if cloze.answer == self.answer else 0.0 for cloze in clozes]


@pytest.mark.parametrize("task", (*probes.TASKS, *probes.MORE))
def test_who_knows_gets_everything_and_who_cannot_tell_gets_nothing(task: str) -> None:
    probe = probes.load(task)
    assert all(probes.choose(Oracle(probe), probe, seed=0))  # type: ignore[arg-type]
    assert not any(probes.choose(Same(), probe, seed=0))  # type: ignore[arg-type]


def test_an_answer_that_is_always_likely_does_not_win() -> None:
    probe = probes.load("sentiment")
    assert not any(probes.choose(Lover("great"), probe, seed=0))  # type: ignore[arg-type]


@given(TEXTS, TEXTS)
def test_overlap_is_a_share_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= probes.overlap(one, other) <= 1
    assert probes.overlap(one, other) == probes.overlap(other, one)
    assert probes.overlap(one, one) == (1 if one.split() else 0)


def test_overlap_counts_words_as_rouge_does() -> None:
    assert probes.overlap("The cat sat.", "the cat was on the mat") == pytest.approx(2 * 2 / (3 + 6))


def test_an_accepted_word_is_a_whole_word() -> None:
    item = Item(given="", answer="Rex", accept=("rex", "3"))
    assert probes.found("It is Rex.", item) and probes.found("He is 3!", item)
    assert not probes.found("Trex is 13.", item) and not probes.found("", item)


def test_what_was_said_before_is_repeated() -> None:
    assert probes.repeated("a b c d") == probes.repeated("a b") == probes.repeated("") == 0
    assert probes.repeated("a b c a b c") == pytest.approx(1 / 4)


def test_a_probe_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(CourseError, match="sentiment"):
        probes.load("sentimant")


def test_one_item_leaves_nothing_to_choose() -> None:
    with pytest.raises(CourseError, match="Take more items"):
        probes.options(probes.load("generation").first(1), 0)


@pytest.mark.parametrize("family", ["bert", "gpt", "llama"])
def test_every_family_is_asked_everything(family: str, cpu) -> None:  # type: ignore[no-untyped-def]
    config = families.Config.make(families.PROFILES, "smoke", {"family": family})
    result = families.run(config, cpu)
    for task in probes.TASKS:
        assert 0 <= result.metrics[f"{task}_accuracy"] <= 1
        assert 0 < result.metrics[f"{task}_chance_accuracy"] <= 0.5
    assert result.metrics["classification_accuracy"] > 0.6  # the toy reviews are easy, even for random features
    assert (result.metrics["attention_to_later_share"] > 0.1) == (family == "bert")
    assert set(result.provenance["texts"]) == {*probes.FOUND, *probes.OVERLAP, "generation"}
