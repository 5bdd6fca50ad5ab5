"""How the models that ship with the course were made, from nothing: each file has a Config and make(...)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from ftlab.config import RunConfig
from ftlab.errors import unknown
from ftlab.hardware import Hardware

NAMES = ("gpt", "mlm-head", "gold-judge")


class Recipe(Protocol):
    """What a file in this folder offers."""

    NAME: str  # of the model, in ftlab.models
    Config: type[RunConfig]
    PROFILES: Mapping[str, Mapping[str, Any]]

    def make(self, config: Any, hardware: Hardware, work: Path, out: Path, say: Callable[[str], None]) -> None:
        """Train in `work`, where it can be resumed, and write the finished model to `out`."""


def get(name: str) -> Recipe:
    """The recipe of that name. Raises CourseError, naming all, when there is none."""
    if name not in NAMES:
        raise unknown("model to pretrain", name, list(NAMES))
    return cast(Recipe, importlib.import_module(f"ftlab.pretraining.{name.replace('-', '_')}"))
