"""Claims of the course with their verdicts: `{claim} id` for one, `{claims} runner ...` for all of these runners."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from ftlab import claims, results
from ftlab.errors import unknown

from . import numbers, sources
from .directives import CourseDirective
from .markdown import code, dropdown, fence, parse

SHORT = {"kl": "KL", "f1": "F1", "a": "task A", "b": "task B"}  # words of metrics that are abbreviations
REPEAT = "Both sides in full, and how to repeat it"
OUTCOMES = {"holds": "holds", "fails": "does not hold", "undecided": "undecided"}
MARKS = {
    "holds": "yes",
    "holds only when": "partly",
    "holds when": "partly",
    "does not hold here": "no",
    "undecided here": "open",
}


class ClaimsDirective(CourseDirective):
    """Every claim of the runners named in the arguments, in the order of claims.yml."""

    kind = "claim"
    required_arguments = 1
    optional_arguments = 20

    def show(self) -> list[nodes.Node]:
        """The claims."""
        return [node for claim in self._chosen(self._known()) for node in self._judged(claim)]

    def _known(self) -> dict[str, claims.Claim]:
        sources.stand_on(self.env, *sources.SHOWING, self.config.ftbook_claims)
        return sources.once(self.env, claims.load, Path(self.env.srcdir) / self.config.ftbook_claims)

    def _chosen(self, known: dict[str, claims.Claim]) -> list[claims.Claim]:
        found = [claim for claim in known.values() if claim.runner in self.arguments]
        if missing := set(self.arguments) - {claim.runner for claim in found}:
            raise unknown("runner with claims", min(missing), sorted({claim.runner for claim in known.values()}))
        return found

    def _judged(self, claim: claims.Claim) -> list[nodes.Node]:
        runs = numbers.recorded(self.env, claim.runner)
        verdict = claims.judge(claim, runs)
        return parse(self, markdown(verdict, claims.commands(verdict, runs)))


class ClaimDirective(ClaimsDirective):
    """The claim named in the argument."""

    optional_arguments = 0

    def _chosen(self, known: dict[str, claims.Claim]) -> list[claims.Claim]:
        return [claims.get(known, self.arguments[0])]


def markdown(verdict: claims.Verdict, commands: Sequence[str]) -> str:
    """A claim as an admonition: the verdict, a row for each case, both sides in full, and how to repeat the runs."""
    seeds = sorted({found.difference.n for found in verdict.cases})
    body = [
        f"**Verdict: {verdict.sentence}.**",
        _table(verdict.cases),
        f"A case holds where the whole interval (95 %, {' or '.join(map(str, seeds))} seeds) reaches the bar.",
        dropdown(REPEAT, "\n\n".join(["\n".join(map(_line, verdict.cases)), code("\n".join(commands), "text")])),
    ]
    options = f":class: ft-claim ft-claim-{MARKS[verdict.kind]}\n:name: claim-{verdict.claim.id}"
    return fence(f"{{admonition}} Claim: “{verdict.claim.sentence}”", "\n\n".join(body), options, depth=3)


def _table(cases: Sequence[claims.CaseVerdict]) -> str:
    measured = _shared([_name(found.case.value.metric) for found in cases])
    against = _shared([_against(found.case) for found in cases])
    head = ["when", "verdict", measured or "measured", f"against {against}".strip(), "difference", "bar"]
    rows = [head, ["---"] * len(head), *(_row(found, bool(measured), bool(against)) for found in cases)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _row(found: claims.CaseVerdict, measured: bool, against: bool) -> list[str]:
    """The cells of a case; a metric is named here where the head does not name it for all."""
    case, metric, other = found.case, found.case.value.metric, found.case.baseline.metric
    return [
        case.when,
        f"**{OUTCOMES[found.outcome]}**",
        _side(metric, found.value, named=not measured),
        _side(other, found.baseline, named=not against and other != metric),
        _difference(metric, found.difference),
        _bar(metric, case.at_least),
    ]


def _side(metric: str, found: results.Summary, *, named: bool) -> str:
    mean = numbers.show_mean(metric, found)
    return f"{_name(metric)}: {mean}" if named else mean


def _bar(metric: str, value: float) -> str:
    """The bar was chosen: where it is zero or has no unit, it has no more digits than were written."""
    if value == 0 or results.unit(metric) in ("plain", "loss"):
        return f"{value:g}".replace("-", numbers.MINUS)
    return numbers.show(metric, value, change=True)


def _difference(metric: str, found: results.Summary) -> str:
    if found.n == 1 or found.same:
        return _summary(metric, found, change=True)
    interval = numbers.show_interval(metric, found, change=True).removesuffix(numbers.NBSP + "points")
    return f"{numbers.show_mean(metric, found, change=True)} ({interval})"


def _line(found: claims.CaseVerdict) -> str:
    value, baseline = found.case.value.metric, found.case.baseline.metric
    return (
        f"- When {found.case.when}: {_name(value)} {_summary(value, found.value)}, "
        f"against {_against(found.case, always=True)}: {_summary(baseline, found.baseline)}."
    )


def _shared(texts: Sequence[str]) -> str:
    """What all of `texts` say; nothing where they differ."""
    return texts[0] if len(set(texts)) == 1 else ""


def _against(case: claims.Case, *, always: bool = False) -> str:
    """What the value is held against: another metric, other settings, or both."""
    other = always or case.baseline.metric != case.value.metric
    return " with ".join(filter(None, [_name(case.baseline.metric) if other else "", _other(case)]))


def _name(metric: str) -> str:
    return " ".join(SHORT.get(word, word) for word in metric.split("_"))


def _other(case: claims.Case) -> str:
    """Where the two sides are different runs, the settings in which the baseline differs."""
    mine = case.value.config
    differs = {name: value for name, value in case.baseline.config.items() if name not in mine or mine[name] != value}
    said = [
        f"{name.replace('_', ' ')} {'as usual' if value is None else f'= {value}'}" for name, value in differs.items()
    ]
    return ", ".join(said).lower()


def _summary(metric: str, found: results.Summary, *, change: bool = False) -> str:
    return f"{numbers.show_mean(metric, found, change=change)} ({numbers.show_range(metric, found, change=change)})"


def setup(app: Sphinx) -> None:
    """Register the two directives."""
    app.add_directive("claim", ClaimDirective)
    app.add_directive("claims", ClaimsDirective)
