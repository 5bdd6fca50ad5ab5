"""Verdicts of claims: the rule, the reading of claims.yml, and what is shown."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from books import ROOT, fake_run
from ftbook import claims as claim_box

from ftlab import claims, recording, results
from ftlab.errors import CourseError
from ftlab.results import Result, Summary

BAR = 0.05


def spread(low: float, high: float) -> Summary:
    return Summary((low + high) / 2, low, high, 5, (low, high))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.05, 0.2, "holds"),
        (0.049, 0.2, "undecided"),
        (-0.1, 0.05, "undecided"),
        (-0.1, 0.0499, "fails"),
        (math.nan, math.nan, "undecided"),
        (0.45 - 0.4, 0.45 - 0.4, "holds"),
    ],
)
def test_a_case_is_judged_by_its_whole_interval(low: float, high: float, expected: str) -> None:
    assert claims.outcome(spread(low, high), BAR) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "fails"], "holds only when"),
        (["undecided", "holds"], "holds when"),
        (["undecided", "holds", "fails"], "holds only when"),
        (["fails", "undecided"], "does not hold here"),
        (["fails"], "does not hold here"),
        (["undecided"], "undecided here"),
    ],
)
def test_a_claim_is_judged_by_its_cases(outcomes: list[claims.Outcome], expected: str) -> None:
    assert claims.combine(outcomes) == expected


def claim() -> claims.Claim:
    cases = []
    for when, pretrained in (("it is pretrained", True), ("it is random", False)):
        after = claims.Quantity(metric="accuracy", config={"pretrained": pretrained})
        before = claims.Quantity(metric="accuracy_before", config={"pretrained": pretrained})
        cases.append(claims.Case(when=when, value=after, baseline=before, at_least=BAR))
    return claims.Claim(id="learns", lesson=5, sentence="It learns.", runner="sft", cases=tuple(cases))


def runs() -> list[Result]:
    learned = [fake_run(seed, True) for seed in range(5)]
    did_not = [fake_run(seed, False, accuracy=0.5 + seed / 1000, accuracy_before=0.5) for seed in range(5)]
    return learned + did_not


def test_a_verdict_names_the_cases_that_hold() -> None:
    verdict = claims.judge(claim(), runs())
    assert verdict.sentence == "holds only when it is pretrained"
    assert [found.outcome for found in verdict.cases] == ["holds", "fails"]
    assert verdict.cases[0].difference.mean == pytest.approx(0.3, abs=0.02)
    assert verdict.cases[0].difference.n == 5


def test_an_undecided_case_is_not_called_a_failure() -> None:
    wide = [fake_run(seed, False, accuracy=0.4 + seed / 20, accuracy_before=0.5) for seed in range(5)]
    verdict = claims.judge(claim(), [run for run in runs() if run.config["pretrained"]] + wide)
    assert verdict.sentence == "holds when it is pretrained; undecided when it is random"


def test_a_verdict_on_many_cases_counts_them() -> None:
    held, failed = claim().cases
    open_case = claims.Case(when="", value=held.value, baseline=held.baseline, at_least=0.3)
    many = claims.Claim(id="x", lesson=5, sentence="x", runner="sft", cases=(held, held, open_case, failed))
    verdict = claims.judge(many, runs())
    assert verdict.sentence == "holds only in 2 of 4 cases; undecided in 1 of 4 cases"


def test_a_box_has_a_row_for_each_case_and_both_sides() -> None:
    text = claim_box.markdown(claims.judge(claim(), runs()), ["ftlab run sft"]).replace("\N{NO-BREAK SPACE}", " ")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == ["when", "verdict", "accuracy", "against accuracy before", "difference", "bar"]
    assert [row[:2] for row in rows[2:]] == [["it is pretrained", "**holds**"], ["it is random", "**does not hold**"]]
    assert rows[3][2:] == ["50.2 %", "50.0 %", "0.2 points (0.0 to 0.4)", "5.0 points"]
    assert "- When it is random: accuracy 50.2 % (50.0 % to 50.4 %, 5 seeds), against accuracy before: 50.0 %" in text
    assert text.index(claim_box.REPEAT) < text.index("ftlab run sft")


def test_the_head_of_a_box_names_the_settings_that_it_is_held_against() -> None:
    after, random = (claims.Quantity(metric="accuracy", config={"pretrained": kind}) for kind in (True, False))
    case = claims.Case(when="both see the same", value=after, baseline=random, at_least=BAR)
    versus = claims.Claim(id="x", lesson=5, sentence="x", runner="sft", cases=(case,))
    text = claim_box.markdown(claims.judge(versus, runs()), [])
    assert "| accuracy | against pretrained = false |" in text
    assert ", against accuracy with pretrained = false: 50.2" in text


def test_the_claims_of_a_runner_are_chosen_and_a_runner_without_claims_is_named() -> None:
    page = claim_box.ClaimsDirective.__new__(claim_box.ClaimsDirective)
    page.arguments = ["sft"]
    assert page._chosen({"learns": claim()}) == [claim()]
    page.arguments = ["sft", "mlm"]
    with pytest.raises(CourseError, match="'mlm'.*sft"):
        page._chosen({"learns": claim()})


def test_one_seed_decides_nothing() -> None:
    verdict = claims.judge(claim(), [fake_run(0, True), fake_run(0, False)])
    assert verdict.kind == "undecided here"


def test_every_run_can_be_repeated_once() -> None:
    typed = claims.commands(claims.judge(claim(), runs()), runs())
    assert len(typed) == len(set(typed)) == 10
    assert typed[0] == "ftlab run sft --profile cpu --seed 0 --set pretrained=True"


def test_a_missing_run_is_said() -> None:
    with pytest.raises(CourseError, match="pretrained"):
        claims.judge(claim(), [fake_run(0, True)])


def test_sides_with_other_seeds_are_refused() -> None:
    one = claims.Quantity(metric="accuracy", config={"pretrained": True})
    other = claims.Quantity(metric="accuracy", config={"pretrained": False})
    case = claims.Case(when="", value=one, baseline=other, at_least=BAR)
    unpaired = claims.Claim(id="x", lesson=5, sentence="x", runner="sft", cases=(case,))
    with pytest.raises(CourseError, match="same seeds"):
        claims.judge(unpaired, [fake_run(0, True), fake_run(1, False)])


GOOD = """
- id: a
  lesson: 5
  sentence: It learns.
  runner: sft
  cases:
    - when: always
      value: {metric: accuracy, config: {}}
      baseline: {metric: accuracy_before, config: {}}
      at_least: 0.05
"""


def test_a_file_of_claims_is_read(tmp_path: Path) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(GOOD)
    assert claims.load(path)["a"].cases[0].value.metric == "accuracy"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "not a list"),
        ("- [", "cannot be read"),
        ("- just text", "claim 1 has 'just text'"),
        (GOOD.replace("  lesson: 5\n", ""), "exactly: id, lesson, sentence, runner, cases"),
        (GOOD.replace("when: always", "whem: always"), "claim 1, case 1 has whem"),
        (GOOD.replace("config: {}}\n      at", "confg: {}}\n      at"), "case 1, baseline has metric, confg"),
        (GOOD.replace("0.05", "a lot"), "'a lot'"),
        (GOOD + GOOD.lstrip(), "same id"),
        (GOOD.split("cases")[0] + "cases: []", "one case or more"),
    ],
)
def test_a_malformed_file_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(CourseError) as caught:
        claims.load(path)
    assert words in str(caught.value)


def test_a_claim_that_is_not_there_gets_the_names() -> None:
    with pytest.raises(CourseError, match="Did you mean 'learns'.*claims are: learns"):
        claims.get({"learns": claim()}, "lerns")


def test_the_course_states_its_claims_well() -> None:
    known = claims.load(ROOT / "book" / "claims.yml")
    assert all(entry.sentence.endswith(".") for entry in known.values())
    assert {entry.lesson for entry in known.values()} == set(range(1, 18)), "each lesson of the syllabus has a claim"


def test_every_claim_has_a_verdict_on_the_recorded_runs_of_all_seeds() -> None:
    for entry in claims.load(ROOT / "book" / "claims.yml").values():
        verdict = claims.judge(entry, results.load_all(ROOT / "book" / "results" / entry.runner))
        assert all(case.difference.n == recording.SEEDS for case in verdict.cases), entry.id
