"""Claims of the course with their verdicts: `{claim} id` for one, `{claims}` for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from ftlab import claims, results

from . import numbers, sources
from .directives import CourseDirective
from .markdown import code, dropdown, fence, parse

SHORT = {"kl": "KL", "f1": "F1"}  # words of metrics that are abbreviations
OUTCOMES = {"holds": "holds", "fails": "does not hold", "undecided": "is undecided"}
MARKS = {
    "holds": "yes",
    "holds only when": "partly",
    "holds when": "partly",
    "does not hold here": "no",
    "undecided here": "open",
}


class ClaimsDirective(CourseDirective):
    """Every claim of claims.yml, in its order."""

    kind = "claim"

    def show(self) -> list[nodes.Node]:
        """The claims."""
        return [node for claim in self._chosen(self._known()) for node in self._judged(claim)]

    def _known(self) -> dict[str, claims.Claim]:
        sources.stand_on(self.env, *sources.SHOWING, self.config.ftbook_claims)
        return claims.load(Path(self.env.srcdir) / self.config.ftbook_claims)

    def _chosen(self, known: dict[str, claims.Claim]) -> list[claims.Claim]:
        return list(known.values())

    def _judged(self, claim: claims.Claim) -> list[nodes.Node]:
        runs = numbers.recorded(self.env, claim.runner)
        verdict = claims.judge(claim, runs)
        return parse(self, markdown(verdict, claims.commands(verdict, runs)))


class ClaimDirective(ClaimsDirective):
    """The claim named in the argument."""

    required_arguments = 1

    def _chosen(self, known: dict[str, claims.Claim]) -> list[claims.Claim]:
        return [claims.get(known, self.arguments[0])]


def markdown(verdict: claims.Verdict, commands: Sequence[str]) -> str:
    """A claim as an admonition: the verdict, a line for each case, and how to repeat the runs."""
    bars = {numbers.show(c.case.value.metric, c.case.at_least, change=True) for c in verdict.cases}
    rule = f"A case holds where the whole interval of the difference lies at or above {' or '.join(sorted(bars))}."
    body = [
        f"**Verdict: {verdict.sentence}.**",
        "\n".join(_line(case) for case in verdict.cases),
        f"{rule} Differences are paired by seed; intervals are 95 % intervals.",
        dropdown("Repeat it", code("\n".join(commands), "text")),
    ]
    options = f":class: ft-claim ft-claim-{MARKS[verdict.kind]}\n:name: claim-{verdict.claim.id}"
    return fence(f"{{admonition}} Claim: “{verdict.claim.sentence}”", "\n\n".join(body), options, depth=3)


def _line(found: claims.CaseVerdict) -> str:
    value, baseline = found.case.value.metric, found.case.baseline.metric
    return (
        f"- When {found.case.when}, it **{OUTCOMES[found.outcome]}**. "
        f"{_name(value)[:1].upper()}{_name(value)[1:]}: {_summary(value, found.value)}. "
        f"Against {_name(baseline)}{_other(found.case)}: {_summary(baseline, found.baseline)}. "
        f"Difference: {_summary(value, found.difference, change=True)}."
    )


def _name(metric: str) -> str:
    return " ".join(SHORT.get(word, word) for word in metric.split("_"))


def _other(case: claims.Case) -> str:
    """Where the two sides are different runs, the settings in which the baseline differs."""
    mine = case.value.config
    differs = {name: value for name, value in case.baseline.config.items() if name not in mine or mine[name] != value}
    said = [
        f"{name.replace('_', ' ')} {'as usual' if value is None else f'= {value}'}" for name, value in differs.items()
    ]
    return f" with {', '.join(said)}".lower() if said else ""


def _summary(metric: str, found: results.Summary, *, change: bool = False) -> str:
    mean = numbers.show(metric, found.mean, change=change)
    return f"{mean} ({numbers.show_range(metric, found, change=change)})"


def setup(app: Sphinx) -> None:
    """Register the two directives."""
    app.add_directive("claim", ClaimDirective)
    app.add_directive("claims", ClaimsDirective)
