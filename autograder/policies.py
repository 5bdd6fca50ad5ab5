"""What a class's rules make of one student's points: pure functions, applied when grades are exported and never before.

- **Late.** Each started day (or hour) after the deadline costs a percent of the assignment's points, up to a cap, and
  takes nobody below a floor. Minutes of grace are no lateness. (Canvas's late policy has the same parts:
  https://canvas.instructure.com/doc/api/late_policy.html)
- **Slip days.** Each shifts one deadline by a day for one student. They are spent where they save the most points in
  all; of equal ways the one that takes the fewest days, then the one that spends them on earlier deadlines.
- **Resubmission.** The latest attempt counts, or the best one, each with the lateness of its own.
- **Drop.** Those assignments are left out of the total without which the share of points is highest. This is not always
  the lowest ones: see D. M. Kane and J. M. Kane, "Dropping Lowest Grades", Mathematics Magazine 79 (2006).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from autograder.policy_file import Late, Policies

UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One submission, as far as the rules look at it."""

    received: datetime
    points: float | None  # None while it is not scored


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one student handed in for one assignment; no attempts where it was nothing."""

    assignment: str
    most: float  # the points that the assignment is worth
    attempts: tuple[Attempt, ...] = ()  # the oldest first


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What counts for one student in one assignment; `points` is None where nothing can be said yet."""

    assignment: str
    most: float
    points: float | None
    attempt: Attempt | None = None  # the one that counts
    lost: float = 0.0  # points that lateness cost
    units: int = 0  # started days or hours of lateness, beyond the slip days
    slip_days: int = 0


def late_units(late: Late, deadline: datetime, received: datetime) -> int:
    """How many days or hours after the deadline have started; 0 within the minutes of grace."""
    over = received - deadline
    return 0 if over <= timedelta(minutes=late.grace_minutes) else -(-over // UNITS[late.per])


def penalised(late: Late, most: float, points: float, units: int) -> float:
    """The points that lateness leaves. Never more than there were, and never below 0."""
    cost = min(late.cap, late.percent * units) * most / 100
    return min(points, max(points - cost, late.floor * most / 100))


def settle(policies: Policies, student: str, works: Sequence[Work]) -> dict[str, Settled]:
    """What counts for a student in each assignment."""
    due = {work.assignment: policies.deadline(student, work.assignment) for work in works}
    first = sorted(works, key=lambda work: (due[work.assignment] or datetime.max.replace(tzinfo=UTC), work.assignment))
    days = range(policies.slip_days + 1)
    tried = [[counted(policies, work, due[work.assignment], day) for day in days] for work in first]
    spent = spend([[(one.points or 0.0) for one in row] for row in tried], policies.slip_days)
    found = {row[used].assignment: row[used] for row, used in zip(tried, spent, strict=True)}
    return {work.assignment: found[work.assignment] for work in works}


def counted(policies: Policies, work: Work, deadline: datetime | None, slip_days: int) -> Settled:
    """The attempt that counts when so many slip days are spent on this assignment.

    While the newest attempt is not scored, nothing counts: an older score must not stand in for it.
    """
    newest = work.attempts[-1] if work.attempts else None
    if newest is None or newest.points is None:
        zero = newest is None and "missing" in policies.zero_for
        return Settled(assignment=work.assignment, most=work.most, points=0.0 if zero else None, slip_days=slip_days)
    tried = work.attempts if policies.resubmission == "best" else (newest,)
    until = deadline + slip_days * UNITS["day"] if deadline else None
    found = [_after_lateness(policies.late, work, attempt, until, slip_days) for attempt in reversed(tried)]
    return max(found, key=lambda one: -1.0 if one.points is None else one.points)  # of equal ones the newest


def _after_lateness(late: Late | None, work: Work, attempt: Attempt, until: datetime | None, slip_days: int) -> Settled:
    points, units = attempt.points, 0
    if late is not None and until is not None and points is not None:
        units = late_units(late, until, attempt.received)
        points = penalised(late, work.most, points, units)
    return Settled(
        assignment=work.assignment,
        most=work.most,
        points=points,
        attempt=attempt,
        lost=(attempt.points or 0.0) - (points or 0.0),
        units=units,
        slip_days=slip_days,
    )


def spend(points: Sequence[Sequence[float]], budget: int) -> tuple[int, ...]:
    """How many days go to each assignment, where `points[i][d]` is what assignment i gets with d days.

    The best way for each number of days is found assignment by assignment (a knapsack).
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for row in points:
        ways: dict[int, tuple[float, tuple[int, ...]]] = {}
        for used, (sum_, plan) in best.items():
            for day, value in enumerate(row[: budget - used + 1]):
                way = (round(sum_ + value, 9), (*plan, day))  # rounded, so that noise decides nothing
                ways[used + day] = max(way, ways.get(used + day, way))
        best = ways
    fewest = max(best, key=lambda used: (best[used][0], -used))
    return best[fewest][1]


def dropped(count: int, settled: Mapping[str, Settled]) -> frozenset[str]:
    """The assignments to leave out, so that the share of points is highest; at least one stays.

    Dinkelbach's method: keep those that exceed the share so far by most, until the share rises no more.
    """
    kept = sorted(settled)
    for _ in range(1 + len(settled)):
        share = _share(settled[name] for name in kept)
        ranked = sorted(settled, key=lambda name: (-_above(settled[name], share), name))
        best = ranked[: max(1, len(ranked) - count)]
        if len(kept) == len(best) and _share(settled[name] for name in best) <= share:
            break
        kept = best
    return frozenset(set(settled) - set(kept))


def _share(works: Iterable[Settled]) -> float:
    found = list(works)
    return sum(one.points or 0.0 for one in found) / (sum(one.most for one in found) or 1.0)


def _above(one: Settled, share: float) -> float:
    return (one.points or 0.0) - share * one.most
