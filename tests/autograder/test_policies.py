"""The class's rules keep their promises: no penalty helps, no budget is overspent, no drop hurts."""

from datetime import UTC, datetime, timedelta
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import policies, policy_file
from autograder.policies import Attempt, Work
from autograder.policy_file import Late, Policies
from ftlab.errors import CourseError

DUE = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
NAMES = ("01-a", "02-b", "03-c", "04-d")
points = st.integers(0, 40).map(lambda n: n / 4)
percents = st.integers(0, 100)
lates = st.builds(
    Late,
    percent=percents,
    per=st.sampled_from(["day", "hour"]),
    grace_minutes=st.integers(0, 90),
    cap=percents,
    floor=percents,
)
minutes = st.integers(-3000, 9000).map(lambda n: timedelta(minutes=n))
attempts = st.lists(st.builds(Attempt, received=minutes.map(lambda late: DUE + late), points=points), max_size=3)


@st.composite
def works(draw):
    """What a student handed in for some assignments, each worth 10 points."""
    found = draw(st.lists(attempts, min_size=1, max_size=len(NAMES)))
    ordered = [tuple(sorted(tried, key=lambda one: one.received)) for tried in found]
    return [Work(assignment=name, most=10, attempts=tried) for name, tried in zip(NAMES, ordered, strict=False)]


def rules(**more):
    more = {"deadlines": dict.fromkeys(NAMES, DUE), "zero_for": {"missing"}, **more}
    return Policies(**more)


def total(settled):
    return sum(one.points or 0 for one in settled.values())


@given(lates, points, st.integers(0, 500))
def test_a_penalty_never_raises_a_score_and_keeps_cap_and_floor(late, before, units):
    after = policies.penalised(late, 10, before, units)
    assert 0 <= after <= before
    assert before - after <= late.cap / 10 + 1e-9
    assert after >= min(before, late.floor / 10)
    assert policies.penalised(late, 10, before, units + 1) <= after


@given(lates, works(), st.integers(0, 4))
def test_slip_days_stay_within_the_budget_and_never_hurt(late, handed, budget):
    without = policies.settle(rules(late=late), "ann", handed)
    spent = policies.settle(rules(late=late, slip_days=budget), "ann", handed)
    assert sum(one.slip_days for one in spent.values()) <= budget
    for name, one in spent.items():
        assert one.points >= without[name].points
        assert one.slip_days == 0 or one.points > without[name].points, "a day that does not help is not spent"


@given(st.lists(st.lists(points, min_size=4, max_size=4).map(sorted), min_size=1, max_size=4))
def test_slip_days_are_spent_in_the_best_of_all_ways(rows):
    ways = [way for way in product(range(4), repeat=len(rows)) if sum(way) <= 3]
    value = {way: sum(row[days] for row, days in zip(rows, way, strict=True)) for way in ways}
    best = max(ways, key=lambda way: (value[way], -sum(way), way))
    assert policies.spend(rows, 3) == best


def test_slip_days_go_to_the_earlier_deadline_where_it_makes_no_difference():
    tried = (Attempt(received=DUE + timedelta(days=3), points=9),)
    handed = [Work(assignment=name, most=10, attempts=tried) for name in NAMES[:2]]
    due = {NAMES[0]: DUE, NAMES[1]: DUE - timedelta(hours=1)}
    spent = policies.settle(Policies(deadlines=due, late=Late(percent=10), slip_days=1), "ann", handed)
    assert {name: one.slip_days for name, one in spent.items()} == {NAMES[0]: 0, NAMES[1]: 1}


@given(works(), st.integers(0, 5), st.lists(st.integers(1, 40), min_size=4, max_size=4))
def test_dropping_never_lowers_the_share_and_is_the_best_of_all_ways(handed, count, worth):
    handed = [Work(assignment=w.assignment, most=m, attempts=w.attempts) for w, m in zip(handed, worth, strict=False)]
    settled = policies.settle(rules(), "ann", handed)

    def share(kept):
        return sum(settled[name].points for name in kept) / sum(settled[name].most for name in kept)

    out = policies.dropped(count, settled)
    kept = set(settled) - out
    assert len(out) == min(count, len(settled) - 1)
    assert share(kept) >= share(settled) - 1e-9
    assert share(kept) == pytest.approx(max(share(way) for way in combinations(settled, len(kept))))


@given(lates, works(), st.integers(0, 9000), st.integers(0, 2))
def test_an_extension_is_a_shifted_deadline(late, handed, shift, budget):
    later = DUE + timedelta(minutes=shift)
    extended = rules(late=late, slip_days=budget, extensions={"ann": dict.fromkeys(NAMES, later)})
    shifted = rules(late=late, slip_days=budget, deadlines=dict.fromkeys(NAMES, later))
    assert policies.settle(extended, "ann", handed) == policies.settle(shifted, "ann", handed)
    plain = rules(late=late, slip_days=budget)
    assert policies.settle(extended, "bob", handed) == policies.settle(plain, "bob", handed), "it is hers alone"


@given(lates, works(), st.integers(0, 3))
def test_the_best_attempt_is_never_worse_than_the_latest(late, handed, budget):
    latest = policies.settle(rules(late=late, slip_days=budget), "ann", handed)
    best = policies.settle(rules(late=late, slip_days=budget, resubmission="best"), "ann", handed)
    assert total(best) >= total(latest) - 1e-9


def test_of_equally_good_attempts_the_newest_counts():
    tried = tuple(Attempt(received=DUE + timedelta(hours=n), points=9) for n in range(2))
    work = Work(assignment=NAMES[0], most=10, attempts=tried)
    assert policies.settle(rules(resubmission="best"), "ann", [work])[NAMES[0]].attempt is tried[1]


@given(lates, works(), st.integers(0, 3), st.randoms())
def test_the_order_of_the_assignments_does_not_matter(late, handed, budget, random):
    rule = rules(late=late, slip_days=budget)
    shuffled = random.sample(handed, len(handed))
    assert policies.settle(rule, "ann", shuffled) == policies.settle(rule, "ann", handed)


@pytest.mark.parametrize("resubmission", ["latest", "best"])
def test_an_older_score_never_stands_in_for_an_attempt_that_is_not_scored(resubmission):
    tried = (Attempt(received=DUE, points=9), Attempt(received=DUE + timedelta(hours=1), points=None))
    work = Work(assignment=NAMES[0], most=10, attempts=tried)
    assert policies.settle(rules(resubmission=resubmission), "ann", [work])[NAMES[0]].points is None


def test_nothing_handed_in_is_open_unless_the_rules_call_it_zero():
    work = [Work(assignment=NAMES[0], most=10)]
    assert policies.settle(Policies(), "ann", work)[NAMES[0]].points is None
    assert policies.settle(rules(), "ann", work)[NAMES[0]].points == 0


@pytest.mark.parametrize(
    ("minutes_late", "per", "units"),
    [
        (0, "day", 0),
        (15, "day", 0),
        (16, "day", 1),
        (1440, "day", 1),
        (1441, "day", 2),
        (16, "hour", 1),
        (61, "hour", 2),
    ],
)
def test_lateness_counts_in_started_days_or_hours_from_the_deadline(minutes_late, per, units):
    late = Late(percent=10, per=per, grace_minutes=15)
    assert policies.late_units(late, DUE, DUE + timedelta(minutes=minutes_late)) == units


# --- the file ------------------------------------------------------------------------------------------------


def read(tmp_path, text):
    path = tmp_path / "policies.yml"
    path.write_text(text, encoding="utf-8")
    return policy_file.load(path, NAMES)


def test_a_full_file_is_read_as_written(tmp_path):
    found = read(
        tmp_path,
        "deadlines: {01-a: 2026-11-30T23:59:00+00:00}\n"
        "extensions: {ann: {01-a: 2026-12-07T23:59:00+01:00}}\n"
        "late: {percent: 10, per: hour, grace_minutes: 15, cap: 50, floor: 20}\n"
        "slip_days: 3\ndrop_lowest: 1\nresubmission: best\nzero_for: [missing, timed out]\n",
    )
    assert found.late == Late(percent=10, per="hour", grace_minutes=15, cap=50, floor=20)
    assert (found.slip_days, found.drop_lowest, found.resubmission) == (3, 1, "best")
    assert found.zero_for == {"missing", "timed out"}
    assert found.deadline("bob", "01-a") == DUE
    assert found.deadline("ann", "01-a") == datetime(2026, 12, 7, 22, 59, tzinfo=UTC)
    assert found.deadline("ann", "02-b") is None


def test_no_file_and_an_empty_one_mean_no_rules(tmp_path):
    assert policy_file.load(tmp_path / "policies.yml", NAMES) == Policies() == read(tmp_path, "")


BROKEN = {
    "a misspelt rule": ("slip_day: 3", "slip_day is no rule"),
    "a misspelt part of a rule": ("late: {percent: 10, grace: 5}", "late.grace is no rule"),
    "a percent that is none": ("late: {percent: 120}", "late.percent should be less than or equal to 100; it is 120"),
    "a percent that is missing": ("late: {per: day}", "late.percent"),
    "a negative budget": ("slip_days: -1", "slip_days should be greater than or equal to 0; it is -1"),
    "another unit": ("late: {percent: 1, per: week}", "late.per should be 'day' or 'hour'; it is 'week'"),
    "zero for what is ours": ("zero_for: [infrastructure error]", "zero_for"),
    "no time zone": ("deadlines: {01-a: 2026-11-30T23:59:00}", "name its time zone"),
    "a day without a time": ("deadlines: {01-a: 2026-11-30}", "deadlines.01-a"),
    "an unknown assignment": ("deadlines: {01-x: 2026-11-30T23:59:00Z}", "no assignment '01-x'"),
    "an extension of nothing": ("extensions: {ann: {01-a: 2026-11-30T23:59:00Z}}", "has no deadline to extend"),
    "an extension that shortens": (
        "deadlines: {01-a: 2026-11-30T23:59:00Z}\nextensions: {ann: {01-a: 2026-11-29T23:59:00Z}}",
        "ends before the deadline",
    ),
    "slip days without lateness": ("slip_days: 2", "slip_days do nothing"),
    "a student twice": ("extensions:\n  ann: {}\n  bob: {}\n  ann: {}\n", "'ann' stands there twice"),
    "a list": ("- late", "the file should"),
    "no YAML": ("late: {", "cannot be read"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_in_a_sentence(tmp_path, text, words):
    with pytest.raises(CourseError) as refused:
        read(tmp_path, text)
    assert words in str(refused.value)
    assert "policies.yml" in str(refused.value)
