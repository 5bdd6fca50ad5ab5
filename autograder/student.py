"""A student's notebook as the judge sees it: it runs cells, and hands out proxies of the student's functions.

The student's side may die, hang, lie or send rubbish. All of it ends here, as a StudentError with a sentence, and a
notebook that died is rebuilt in a new child from the cells that ran well.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any

from autograder.box import Box, Ended, Session
from autograder.inside import wire
from autograder.records import Part
from ftlab import checks
from ftlab.checks import AuthorError, CheckFailed

MOST_DEATHS = 10  # of one submission; then the rest of it is given up


class StudentError(Exception):
    """The student's code raised, died, hung, or gave back what may not cross; the message is for the student."""

    def __init__(self, message: str, result: str = "error") -> None:
        super().__init__(message)
        self.result = result  # as in records.Outcome


class GivenUp(Exception):  # noqa: N818 - it ends a submission, not the grader
    """The time for the whole submission is used up, or it died too often."""

    def __init__(self, message: str, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Student:
    """One submission's notebook in a box. `ran` cells are replayed whenever a new child is needed."""

    def __init__(self, box: Box, seed: int) -> None:
        self._box, self._seed = box, seed
        self._session: Session | None = None
        self._ran: list[Part] = []
        self._deaths = 0
        self._deadline = time.monotonic() + box.limits.total_seconds

    def run(self, part: Part) -> str:
        """Run a cell. Returns the sentence about its error, or ''; a deadly cell is left out from then on."""
        try:
            reply = self._ask(self._box.limits.cell_seconds, verb="run", **_cell(part))
        except Ended as end:
            self._died()
            return f"This cell was stopped. {end}"
        self._ran.append(part)
        return _sentence(reply.get("error"), "Your cell") if "error" in reply else ""

    def ask(self, who: str, /, **request: Any) -> dict[str, Any]:
        """The reply, which has a "value"; `who` is the student's name that is asked for. Raises StudentError else."""
        try:
            reply = self._ask(self._box.limits.call_seconds, **request)
        except Ended as end:
            self._died()
            raise StudentError(f"{who}: {end}", "timeout" if end.timed_out else "died") from None
        if "error" in reply:
            _raise(reply["error"], who)
        if "refused" in reply:
            refusal = clean(reply["refused"])
            raise StudentError(f"{who} gives back {refusal}. Return plain numbers, text, tensors, lists or dicts.")
        if "value" not in reply:
            raise StudentError(f"{who} gives no answer.")
        return reply

    @property
    def seconds_left(self) -> float:
        """Of the time for the whole submission."""
        return max(0.0, self._deadline - time.monotonic())

    def end(self) -> None:
        """Kill what still runs."""
        if self._session is not None:
            self._session.end()
            self._session = None

    def _ask(self, seconds: float, **request: Any) -> dict[str, Any]:
        if self._session is None:
            self._replay()
        assert self._session is not None
        return self._session.ask(self._left(seconds), **request)

    def _replay(self) -> None:
        """A new child with everything that ran; a cell that dies this time is left out."""
        ran, self._ran = self._ran, []
        self._session = self._box.session(self._seed)
        for part in ran:
            self.run(part)

    def _left(self, seconds: float) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise GivenUp(f"It took longer than {self._box.limits.total_seconds:g} seconds in all.", timed_out=True)
        return min(seconds, left)

    def _died(self) -> None:
        self.end()
        self._deaths += 1
        self._left(1)
        if self._deaths > MOST_DEATHS:
            raise GivenUp(f"It ended its own process more than {MOST_DEATHS} times.", timed_out=False)


def _cell(part: Part) -> dict[str, Any]:
    return {"name": part.name, "source": part.source, "given": part.kind == "given"}


class Originals:
    """What arguments were before a student's function changed them: the reference is asked about these.

    A test that hands one object to both would else compare a wrong answer with the reference's answer to a question
    that the student chose.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Any, Any]] = {}  # the object itself too, so that its id stays its own

    def keep(self, value: Any) -> None:
        """Remember every list, dict, tensor and array in `value` as it is now, unless it is known already."""
        for found in _mutable(value):
            self._kept.setdefault(id(found), (found, copy.deepcopy(found)))

    def of(self, value: Any) -> Any:
        """`value`, or what it was."""
        if id(value) in self._kept:
            return copy.deepcopy(self._kept[id(value)][1])
        if type(value) in (list, tuple):
            return type(value)(map(self.of, value))
        return {key: self.of(item) for key, item in value.items()} if type(value) is dict else value


def _mutable(value: Any) -> Iterator[Any]:
    """Every part of a structure that can be changed, the structure itself included."""
    if type(value) in (list, tuple, dict):
        for item in value.values() if type(value) is dict else value:
            yield from _mutable(item)
    if type(value) is not tuple and (type(value) in (list, dict) or hasattr(value, "shape")):
        yield value


class Reference:
    """The model solution's functions, which are asked about what the arguments were before a student changed them."""

    def __init__(self, solution: SimpleNamespace, originals: Originals) -> None:
        for name, value in vars(solution).items():
            setattr(self, name, _Asked(value, originals) if isinstance(value, FunctionType) else value)


class _Asked:
    def __init__(self, function: FunctionType, originals: Originals) -> None:
        self.__name__, self._function, self._originals = function.__name__, function, originals

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*self._originals.of(args), **self._originals.of(kwargs))

    def __judge_grad__(self, args: Mapping[str, Any], wrt: str | Sequence[str]) -> Any:
        return checks.grad(self._function, self._originals.of(dict(args)), wrt)


class Proxy:
    """The student's function or class of this name, as a hidden test uses it."""

    def __init__(self, student: Student, name: str, functions: Mapping[int, str], originals: Originals) -> None:
        self._student, self.__name__, self._functions, self._originals = student, name, functions, originals

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the student's function. What it changes in its arguments is changed here, as in one process."""
        reply = self._ask("call", args=self._sent(list(args)), kwargs=self._sent(kwargs))
        if "changed" in reply:
            self._take_over([list(args), kwargs], reply["changed"])
        return reply["value"]

    def _take_over(self, here: list[Any], there: Any) -> None:
        """Change the judge's own arguments as the student's side did, and keep what they were for the reference."""
        self._originals.keep(here)
        try:
            fits = _change(here, there)
        except (RuntimeError, ValueError):  # memory that cannot be written: a tensor that was expanded, a locked array
            fits = False
        if not fits:
            raise StudentError(f"{self.__name__} changes its arguments in a way that does not fit. Work on a copy.")

    def __judge_grad__(self, args: Mapping[str, Any], wrt: str | Sequence[str]) -> Any:
        """What checks.grad asks for, computed on the student's side."""
        names = wrt if isinstance(wrt, str) else list(wrt)
        return self._ask("grad", args=self._sent(dict(args)), wrt=names)["value"]

    def __judge_module__(self, init: Mapping[str, Any], state: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
        """What checks.module asks for, computed on the student's side."""
        sent = {"init": self._sent(dict(init)), "state": dict(state), "inputs": dict(inputs)}
        return self._ask("module", **sent)["value"]

    def _ask(self, verb: str, **request: Any) -> Any:
        try:
            return self._student.ask(self.__name__, verb=verb, name=self.__name__, **request)
        except wire.Unsendable as refusal:
            raise AuthorError(f"The test hands {refusal} to {self.__name__}, which cannot be sent.") from None

    def _sent(self, value: Any) -> Any:
        """`value` with functions of given cells as their names: both sides have them."""
        if isinstance(value, FunctionType):
            if id(value) not in self._functions:
                raise AuthorError(f"The test hands a function to {self.__name__}. Define it in a given cell.")
            return wire.Given(self._functions[id(value)])
        if type(value) in (list, tuple):
            return type(value)(map(self._sent, value))
        return {key: self._sent(item) for key, item in value.items()} if type(value) is dict else value


def _change(here: Any, there: Any) -> bool:
    """Make the judge's own containers and tensors like what came back; whether they are of one make."""
    import numpy as np
    import torch

    if type(here) is list and type(there) is list:
        same = len(here) == len(there) and all(map(_change, here, there))
        here[:] = here if same else there
        return True
    if type(here) is dict and type(there) is dict:
        same = here.keys() == there.keys() and all(_change(here[key], there[key]) for key in here)
        if not same:
            here.clear()
            here.update(there)
        return True
    if type(here) is tuple and type(there) is tuple:
        return len(here) == len(there) and all(map(_change, here, there))
    if isinstance(here, torch.Tensor) and isinstance(there, torch.Tensor) and here.shape == there.shape:
        here.data.copy_(there.data)
        if here.is_leaf and here.is_floating_point():
            here.requires_grad_(there.requires_grad)
        return here.dtype == there.dtype
    if isinstance(here, np.ndarray) and isinstance(there, np.ndarray) and here.shape == there.shape:
        here[...] = there
        return here.dtype == there.dtype
    return type(here) is type(there) and (here == there or here != here)


# --- words ---------------------------------------------------------------------------------------------------


def _raise(told: Any, name: str) -> None:
    """Raise what the student's side says that it raised."""
    if type(told) is dict and told.get("type") == "CheckFailed":
        raise CheckFailed(clean(told.get("message")))
    raise StudentError(_sentence(told, name))


def _sentence(told: Any, who: str) -> str:
    """The sentence about an error: who, where, what."""
    told = told if type(told) is dict else {}
    kind, message, text = (clean(told.get(key)) for key in ("type", "message", "text"))
    if kind == "NotImplementedError" and not message:
        return f"{who} is not filled in yet: it still raises NotImplementedError."
    line = told.get("line")
    where = f" in line {line}, `{text}`" if type(line) is int and 0 < line < 10**6 else ""
    return f"{who} raised {kind or 'an error'}{where}{': ' + message if message else '.'}"


def clean(text: Any) -> str:
    """Text of a student's as text that can be printed anywhere: no control characters, no halves of a character."""
    found = text if type(text) is str else ""
    whole = found.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter for letter in whole if letter.isprintable() or letter in "\n\t")[:2000]
