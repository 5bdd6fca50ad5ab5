"""Widgets for a notebook, on top of what the floors below compute. Each function here makes one.

They need the packages of the extra `lab`, so these are imported when a widget is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ftlab.comparisons import Comparison
from ftlab.errors import CourseError

if TYPE_CHECKING:
    import ipywidgets

    from ftlab.widgets.labelling import Labelling

__all__ = ["explore", "label"]


def explore(name: str, root: Path | str = ".") -> ipywidgets.VBox:
    """The explorer of that name (book/explorers/NAME.yml), over the recorded runs in book/results.

    `root` is the folder that holds book/. Raises CourseError where the explorer, its runs or a package is missing.
    """
    try:
        from ftlab.widgets.explorer import panel
    except ImportError as error:
        raise _missing(error) from error
    from ftlab import explorers, recording, results

    def runs(runner: str) -> list[results.Result]:
        return results.load_all(Path(root) / recording.RECORDED / runner)

    found = explorers.load(Path(root) / explorers.FOLDER / f"{name}.yml")
    return panel(explorers.explore(name, found, runs))


def label(comparisons: Iterable[Comparison], path: Path | str, *, labeller: str, seed: int = 0) -> Labelling:
    """Label a set by hand: two completions side by side, left / right / tie / both bad by button or key.

    Each click is a line in the file `path`, on the disk before the next pair is shown. Call it again to go on. A second
    person gives another `labeller`; both may use one file. `seed` decides the order, alike for all of a set. Raises
    CourseError where the set or the file is of no use, or a package is missing.
    """
    try:
        from ftlab.widgets.labelling import Labelling
    except ImportError as error:
        raise _missing(error) from error
    from ftlab.sittings import Sitting

    return Labelling(Sitting(comparisons, path, labeller=labeller, seed=seed))


def _missing(error: ImportError) -> CourseError:
    return CourseError(
        f"A widget in a notebook needs the package {error.name}, which is not installed where this notebook runs. "
        "Install it with: pip install 'ftlab[lab]'"
    )
