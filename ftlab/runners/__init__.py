"""The runners, one file a concept: each has a Config, PROFILES, RECORDED, and run(config, hardware) -> Result."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from ftlab.config import RunConfig
from ftlab.errors import unknown
from ftlab.hardware import Hardware
from ftlab.results import Result

NAMES = (
    "families",
    "hf_vs_pytorch",
    "cost",
    "transfer",
    "mlm",
    "sft",
    "question_answering",
    "instructions",
    "full_vs_peft",
    "overfitting",
    "leakage",
    "forgetting",
    "two_tasks",
    "rlhf",
    "dpo",
    "frontier",
    "hybrid",
)


class Runner(Protocol):
    """What a file in this folder offers."""

    Config: type[RunConfig]
    PROFILES: Mapping[str, Mapping[str, Any]]  # the fields that a profile sets; `cpu` is the Config's own defaults
    RECORDED: Sequence[Mapping[str, Any]]  # the variations that `make results` runs, each with every seed
    __doc__: str

    def data_version(self, config: Any) -> str:
        """A fingerprint of the data that a run with this config sees."""

    def run(self, config: Any, hardware: Hardware) -> Result:
        """Run the experiment."""


def get(name: str) -> Runner:
    """The runner of that name. Raises CourseError, naming all runners, when there is none."""
    if name not in NAMES:
        raise unknown("runner", name, list(NAMES))
    return cast(Runner, importlib.import_module(f"ftlab.runners.{name}"))
