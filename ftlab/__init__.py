"""ftlab: the experiments of the course, one runner a concept.

Everything here is loaded on first use, so `import ftlab` answers at once and without torch.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "assets",
    "checks",
    "claims",
    "comparisons",
    "completions",
    "config",
    "costs",
    "data",
    "errors",
    "exhibits",
    "figures",
    "footprint",
    "gold",
    "hardware",
    "labelled",
    "labellers",
    "labels",
    "language",
    "leaks",
    "masked",
    "models",
    "notebooks",
    "passages",
    "policies",
    "probes",
    "results",
    "runners",
    "savings",
    "training",
    "two_ways",
    "verdicts",
    "widgets",
]


def __getattr__(name: str) -> ModuleType:
    """Import a module of ftlab when it is first asked for (PEP 562)."""
    if name in __all__:
        return importlib.import_module(f"ftlab.{name}")
    raise AttributeError(f"ftlab has no {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def load_ipython_extension(shell: Any) -> None:
    """For `%load_ext ftlab`: the magic %check."""
    importlib.import_module("ftlab.magic").install(shell)


def _in_a_notebook() -> None:
    """A notebook that imports ftlab has %check without a further line."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        load_ipython_extension(shell)


_in_a_notebook()
