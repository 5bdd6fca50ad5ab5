"""Ways to spoil a right function, so that the audit can see whether its tests notice.

Each takes a function, and how often the visible tests call it, and returns one with the same arguments and a worse
answer. The text of this module travels into the box with the answer that it spoils, so it imports nothing of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
Spoiler = Callable[..., Function]


def _everywhere(change: Callable[[Any], Any], value: Any) -> Any:
    """`change` on every number and tensor of a structure."""
    if isinstance(value, dict):
        return {key: _everywhere(change, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_everywhere(change, item) for item in value)
    return change(value)


def _spoiler(change: Callable[[Any], Any]) -> Spoiler:
    def spoil(function: Function, visible_calls: int = 0) -> Function:
        @functools.wraps(function)
        def spoiled(*args: Any, **kwargs: Any) -> Any:
            return _everywhere(change, function(*args, **kwargs))

        return spoiled

    return spoil


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "new_zeros")


def _zero(value: Any) -> Any:
    return value * 0 if _is_tensor(value) else type(value)(0)


def _one(value: Any) -> Any:
    return value.new_ones(value.shape) if _is_tensor(value) else type(value)(1)


def _nan(value: Any) -> Any:
    return value * float("nan") if _is_tensor(value) else float("nan")


def _one_dimension_more(value: Any) -> Any:
    return value.unsqueeze(0) if _is_tensor(value) else [value]


def _other_dtype(value: Any) -> Any:
    if not _is_tensor(value):
        if isinstance(value, int):
            return float(value)
        return value.encode() if isinstance(value, str) else str(value)
    return value.double() if value.is_floating_point() else value.float()


def _detached(value: Any) -> Any:
    return value.detach() if _is_tensor(value) else value


zeros = _spoiler(_zero)
ones = _spoiler(_one)
nan = _spoiler(_nan)
shape = _spoiler(_one_dimension_more)
dtype = _spoiler(_other_dtype)
detached = _spoiler(_detached)


def nothing(function: Function, visible_calls: int = 0) -> Function:
    """Compute, and forget to return."""

    @functools.wraps(function)
    def spoiled(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    return spoiled


def empty(function: Function, visible_calls: int = 0) -> Function:
    """An empty answer of the right type."""

    @functools.wraps(function)
    def spoiled(*args: Any, **kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        return answer.new_empty(0) if _is_tensor(answer) else type(answer)()

    return spoiled


def copied(function: Function, visible_calls: int = 0) -> Function:
    """Right in the visible tests, and ever after the last of these answers."""
    answers: list[Any] = []

    @functools.wraps(function)
    def spoiled(*args: Any, **kwargs: Any) -> Any:
        if len(answers) < max(1, visible_calls):
            answers.append(function(*args, **kwargs))
        return answers[-1]

    return spoiled


def first_argument(function: Function, visible_calls: int = 0) -> Function:
    """Give back what came in."""

    @functools.wraps(function)
    def spoiled(*args: Any, **kwargs: Any) -> Any:
        return (*args, *kwargs.values())[0]

    return spoiled


def _change_in_place(value: Any) -> bool:
    """Negate every tensor and reverse every list inside `value`; whether there was anything to change."""
    if isinstance(value, dict | tuple):
        items = value.values() if isinstance(value, dict) else value
        changed = [_change_in_place(item) for item in items]  # a list: `any` alone would stop at the first
        return any(changed)
    if isinstance(value, list):
        value.reverse()
    elif _is_tensor(value):
        value.detach().mul_(-1)
    return isinstance(value, list) or _is_tensor(value)


def changed_input(function: Function, visible_calls: int = 0) -> Function:
    """Right in the visible tests; then the input is changed before it is used.

    A hidden test that hands the same objects to the reference afterwards would find both answers equal. Where
    there is nothing that can be changed, the answer is None.
    """
    calls: list[None] = []

    @functools.wraps(function)
    def spoiled(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        wrong = len(calls) > visible_calls and not _change_in_place((*args, *kwargs.values()))
        return None if wrong else function(*args, **kwargs)

    return spoiled


def counted(function: Function, calls: list[None]) -> Function:
    """The function itself; each call adds one to `calls`."""

    @functools.wraps(function)
    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return function(*args, **kwargs)

    return counting


def in_class(cls: type[Any], spoiler: Callable[[Function], Function]) -> type[Any]:
    """A class like `cls` whose `forward` (of any instance) is spoiled."""
    me: list[Any] = []
    spoiled = spoiler(lambda *args, **kwargs: cls.forward(me[-1], *args, **kwargs))

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        me[:] = [self]
        return spoiled(*args, **kwargs)

    return type(cls.__name__, (cls,), {"forward": forward})


SPOILERS: dict[str, Spoiler] = {
    "zeros": zeros,
    "ones": ones,
    "NaN": nan,
    "wrong shape": shape,
    "wrong dtype": dtype,
    "detached": detached,
    "returns None": nothing,
    "empty": empty,
    "copied visible answers": copied,
    "returns its input": first_argument,
    "changes its input": changed_input,
}
