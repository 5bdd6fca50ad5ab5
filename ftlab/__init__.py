"""ftlab: the experiments of the course, one runner a concept.

Everything here is loaded on first use, so `import ftlab` answers at once and without torch.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"
__all__ = [
    "assets",
    "checks",
    "claims",
    "config",
    "costs",
    "data",
    "errors",
    "hardware",
    "language",
    "masked",
    "models",
    "notebooks",
    "results",
    "runners",
    "training",
    "two_ways",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module of ftlab when it is first asked for (PEP 562)."""
    if name in __all__:
        return importlib.import_module(f"ftlab.{name}")
    raise AttributeError(f"ftlab has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
