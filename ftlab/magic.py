"""The magic `%check`: how far am I, what is wrong, what next? It is there as soon as a notebook imports ftlab.

`%check` looks at all exercises, `%check 3` at one, and `%check 3 --hint` gives its next hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftlab import checking, progress
from ftlab.errors import CourseError

if TYPE_CHECKING:
    from pathlib import Path

ASK = "%check {number} --hint"


def install(shell: Any) -> None:
    """Make the magic known to an IPython shell. Doing it twice changes nothing."""
    from IPython.core.magic_arguments import MagicArgumentParser

    parser = MagicArgumentParser("%check", description="Check the exercises of this notebook.")
    parser.add_argument("exercise", nargs="?", type=int, help="its number (all)")
    parser.add_argument("--hint", action="store_true", help="give its next hint")
    parser.add_argument("--notebook", default="", help="the notebook's file, where it cannot be found")

    def check(line: str) -> None:
        """Check the exercises of this notebook: `%check`, `%check 3`, `%check 3 --hint`."""
        asked = parser.parse_argstring(line)
        try:
            path = checking.here(shell.user_ns, asked.notebook)
            if asked.hint:
                _hint(shell, path, asked.exercise)
            else:
                _show(shell, *checking.check(shell.user_ns, path, asked.exercise))
        except CourseError as error:
            print(error)

    shell.register_magic_function(check, magic_name="check")


def _hint(shell: Any, path: Path, number: int | None) -> None:
    if number is None:
        raise CourseError("For which exercise? Write its number, for example %check 3 --hint.")
    text = progress.hint(path, number)
    if _in_browser(shell):
        from IPython.display import Markdown, display

        display(Markdown(text))
    else:
        print(text)


def _show(shell: Any, kept: progress.Progress, found: progress.Found) -> None:
    """A widget where one can be shown, else text."""
    if _in_browser(shell):
        try:
            from IPython.display import display

            from ftlab.widgets.checklist import checklist

            display(checklist(kept, found))
            return
        except ImportError:  # ipywidgets comes with the extra `lab` only
            pass
    print("\n".join(progress.lines(kept, found, ASK)))


def _in_browser(shell: Any) -> bool:
    """Whether the shell belongs to a notebook: the one of a terminal shows no widgets."""
    return type(shell).__name__ == "ZMQInteractiveShell"
