"""The notebook inside the box: runs cells, calls the student's functions, answers with plain data.

Everything here shares its process with the student's code, which may change any of it. So nothing that this module
says is trusted: the judge reads it as the student's own words.
"""

from __future__ import annotations

import builtins
import linecache
import random
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from autograder.inside import wire

Reply = dict[str, Any]
SHOWN = 2000  # characters of an error's message


class Notebook:
    """A notebook's names and the cells that ran, with IPython's own shell: magics and `await` work as in Jupyter."""

    def __init__(self) -> None:
        from IPython.core.history import HistoryManager
        from IPython.core.interactiveshell import InteractiveShell

        HistoryManager.enabled = False  # type: ignore[assignment]
        self.shell = InteractiveShell.instance()
        # Errors go home as data; a page of colours for each would take longer than the cell.
        for name in ("showtraceback", "showsyntaxerror", "enable_gui"):
            setattr(self.shell, name, _say_nothing)
        self.given: dict[str, Any] = {}  # functions of the given cells, as they were before the student's first line
        # Pictures go nowhere here, so what Jupyter would do about them is nothing; and a student's own %check is over.
        for name in ("matplotlib", "check"):
            self.shell.magics_manager.register_function(_say_nothing, magic_name=name)
        # A cell that says exit() ends itself, as an error would, and not the notebook.
        self.shell.user_ns.update(exit=_leave, quit=_leave)
        builtins.exit = builtins.quit = _leave  # type: ignore[assignment]

    def prepare(self, cells: list[tuple[str, str]]) -> Reply:
        """Run the given cells that stand first, once for all submissions."""
        for name, source in cells:
            reply = self.run(name, source, given=True)
            if "error" in reply:
                return {"error": {**reply["error"], "cell": name}}
        return {"ready": sys.version}

    def run(self, name: str, source: str, given: bool = False) -> Reply:
        """Run a cell; its error is told, not raised. A locked cell's functions can be sent by name from then on."""
        before = dict(self.shell.user_ns) if given else {}
        done = self.shell.run_cell(source, store_history=False, silent=False, cell_id=name)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            return {"error": _told(error)}
        if given:
            fresh = {key: value for key, value in self.shell.user_ns.items() if before.get(key) is not value}
            self.given.update({key: value for key, value in fresh.items() if type(value) is FunctionType})
        return {"ok": True}

    def get(self, name: str) -> Reply:
        """The value of a name that the student was asked to set."""
        return {"value": self._named(name)}

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Reply:
        """The answer of a function; and its arguments, where it changed them."""
        before = wire.pack([args, kwargs])
        plain_args, plain_kwargs = self._with_functions([args, kwargs])
        value = self._named(name)(*plain_args, **plain_kwargs)
        return {"value": value} | self._changed(before, args, kwargs)

    def _changed(self, before: bytes, args: list[Any], kwargs: dict[str, Any]) -> Reply:
        try:
            same = wire.pack([args, kwargs]) == before
        except wire.Unsendable:
            return {"changed": None}
        return {} if same else {"changed": [args, kwargs]}

    def grad(self, name: str, args: dict[str, Any], wrt: Any) -> Reply:
        """The gradient of a function, by autograd on this side."""
        from ftlab import checks

        return {"value": checks.grad(self._named(name), self._with_functions(args), wrt)}

    def module(self, name: str, init: dict[str, Any], state: dict[str, Any], inputs: dict[str, Any]) -> Reply:
        """Build the student's nn.Module here, load the state, run it."""
        from ftlab import checks

        return {"value": checks.module(self._named(name), self._with_functions(init), state, inputs)}

    def _named(self, name: str) -> Any:
        if name not in self.shell.user_ns:
            raise NameError(f"name {name!r} is not defined")
        return self.shell.user_ns[name]

    def _with_functions(self, value: Any) -> Any:
        """`value` with the given cells' functions in the place of their names; all else stays itself."""
        if type(value) is wire.Given:
            return self.given[value]
        if type(value) in (list, tuple) and any(map(_holds_given, value)):
            return type(value)(map(self._with_functions, value))
        if type(value) is dict and any(map(_holds_given, value.values())):
            return {key: self._with_functions(item) for key, item in value.items()}
        return value


def _holds_given(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_holds_given, value))
    return any(map(_holds_given, value.values())) if type(value) is dict else type(value) is wire.Given


def _say_nothing(*_: Any, **__: Any) -> None:
    pass


def _leave(*_: Any) -> None:
    raise SystemExit


def serve(notebook: Notebook, connection: socket.socket, seed: int) -> None:
    """Answer the judge's requests until it hangs up."""
    _seed(seed)
    verbs: Mapping[str, Callable[..., Reply]] = {
        name: getattr(notebook, name) for name in ("run", "get", "call", "grad", "module")
    }
    while True:
        try:
            request = wire.unpack(wire.receive(connection))
        except (EOFError, OSError):
            return
        verb = request.pop("verb")
        wire.send(connection, _answered(verbs[verb], request))


def _answered(verb: Callable[..., Reply], request: dict[str, Any]) -> bytes:
    try:
        return wire.pack(verb(**request))
    except wire.Unsendable as refusal:
        return wire.pack({"refused": str(refusal)})
    except BaseException as error:  # also SystemExit and KeyboardInterrupt: one failed call, not a dead notebook
        return wire.pack({"error": _told(error)})


def _told(error: BaseException) -> dict[str, Any]:
    """An error as plain data: its type, its message, and the line of the student's own cell that it comes from."""
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)[:SHOWN]
    except BaseException:
        message = "(its message cannot be read)"
    line, text = _own_line(error)
    return {"type": type(error).__name__[:100], "message": message, "line": line, "text": text}


def _own_line(error: BaseException) -> tuple[int, str]:
    """Number and text of the innermost line that stands in a cell; 0 and '' where none does."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0, (error.text or "").strip()[:200]
    found = (0, "")
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if "ipykernel" in name or name.startswith("<ipython-input"):
            found = number, linecache.getline(name, number).strip()[:200]
    return found


def _seed(seed: int) -> None:
    """Every student's random numbers begin alike, so that a regrade gives the same result."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
