"""What visible and hidden tests call: is this answer right, and if not, what is the likely mistake?

Three functions do the work: `close` compares values, `grad` asks for a gradient, `module` runs an nn.Module.
Nothing wrong may pass, so the comparison trusts no object of the student's: it accepts exact types only, never
calls a method that a subclass could have replaced, and refuses an expectation that zeros or an empty answer
would meet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ftlab.errors import CourseError as CourseError

if TYPE_CHECKING:
    import torch

__all__ = ["AuthorError", "CheckFailed", "Tolerance", "close", "grad", "module", "seeds", "tolerance"]


class CheckFailed(AssertionError):  # noqa: N818 - it reads better to a student
    """The answer is wrong; the message says how, in words for a beginner."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter shows this instead of a page of our own source lines.
        return [f"CheckFailed: {self}"]


class AuthorError(CourseError):
    """The test itself is at fault: it could not tell a right answer from a wrong one."""


class Tolerance(NamedTuple):
    """How far a value may be off: `relative` times its own size plus `absolute` times the largest one's."""

    relative: float
    absolute: float


# The relative part is about a thousand rounding steps of each type; Python floats mostly come out of float32
# tensors. The absolute part is for zeros that come out as noise, and it is small: next to 1e6 a 5 is no noise.
_TOLERANCES = {
    "float64": Tolerance(1e-7, 1e-12),
    "complex128": Tolerance(1e-7, 1e-12),
    "float32": Tolerance(1e-4, 1e-6),
    "complex64": Tolerance(1e-4, 1e-6),
    "float16": Tolerance(1e-2, 2e-3),
    "bfloat16": Tolerance(4e-2, 1e-2),
    "float": Tolerance(1e-4, 1e-6),
}
_EXACT = Tolerance(0.0, 0.0)
_DEVICE_FACTOR = {"cpu": 1.0, "cuda": 5.0, "mps": 10.0, "xpu": 10.0}


def tolerance(dtype: str, device: str = "cpu") -> Tolerance:
    """The tolerance for a dtype ("float32", "int64", "float" for a Python number) and a kind of device."""
    factor = _DEVICE_FACTOR.get(device, 10.0)
    relative, absolute = _TOLERANCES.get(dtype, _EXACT)
    return Tolerance(min(relative * factor, 0.05), min(absolute * factor, 0.02))


def seeds(n: int, base: int) -> list[int]:
    """`n` different seeds drawn from the recorded seed `base`: the same base gives the same inputs again."""
    return random.Random(base).sample(range(2**31), n)


def close(
    actual: object,
    expected: object,
    *,
    mistakes: Mapping[str, object] | None = None,
    name: str = "your answer",
) -> None:
    """Raise CheckFailed unless `actual` equals `expected`, within rounding for floating-point values.

    Both may be None, bool, int, float, str, torch tensors, numpy arrays, and lists, tuples and dicts of
    these. Types, shapes, dtypes and dict keys must be the same; an int is welcome where a Python float is
    expected. `mistakes` maps a description ("the mask is inverted") to the value that this mistake gives; a
    match is told by that name. Raises AuthorError if the expectation is empty, NaN or all zeros, or if a
    mistake is no mistake.
    """
    _vet(expected)
    for mistake, value in (mistakes or {}).items():
        if _compare(value, expected, _unit(expected)) is None:
            raise AuthorError(
                f'The anticipated mistake "{mistake}" gives the right answer on these inputs, so it would '
                "mislead. Choose inputs on which the two differ, or take the mistake out."
            )
    wrong = _compare(actual, expected, _unit(expected))
    if wrong is None:
        return
    for mistake, value in (mistakes or {}).items():
        if _compare(actual, value, _unit(value)) is None:
            raise CheckFailed(f"{_sentence(name, wrong)} This is the value you get when {mistake}.")
    raise CheckFailed(f"{_sentence(name, wrong)} {wrong.advice}".rstrip())


class _Difference(NamedTuple):
    """The first thing that is wrong: where in the structure, what, and what to try."""

    where: str
    what: str
    advice: str = ""


def _sentence(name: str, wrong: _Difference) -> str:
    return f"{name}, at {wrong.where}, {wrong.what}." if wrong.where else f"{name} {wrong.what}."


# --- what may be compared ----------------------------------------------------------------------------------


def _kind(value: object) -> str:
    """The kind of a value by its exact type: "int", "tensor", "array" ..., or "" for anything not allowed."""
    exact = {bool: "bool", int: "int", float: "float", str: "str", list: "list", tuple: "tuple", dict: "dict"}
    if value is None:
        return "None"
    if type(value) in exact:
        return exact[type(value)]
    import numpy as np
    import torch

    if type(value) in (torch.Tensor, torch.nn.Parameter):
        return "tensor"
    if type(value) is np.ndarray and value.dtype.kind in "biufc":
        return "array"
    return ""


def _values(value: Any, kind: str) -> Any:
    """The numbers of a tensor or an array as a numpy array: ints as they are, else float64 or complex128."""
    import numpy as np
    import torch

    if kind == "tensor":
        plain = torch.Tensor.detach(value).cpu().resolve_conj().resolve_neg()
        wide = torch.complex128 if plain.is_complex() else torch.float64
        value = (plain.to(wide) if plain.is_floating_point() or plain.is_complex() else plain).numpy()
    if value.dtype.kind == "c":
        return value.astype(np.complex128)
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _readable(value: Any) -> bool:
    """Whether a tensor holds its numbers in the ordinary way (not sparse, quantised or on no device)."""
    import torch

    return value.layout is torch.strided and not value.is_quantized and value.device.type != "meta"


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every number, string, tensor and array of a structure, with its place in it."""
    if type(value) in (list, tuple):
        for i, item in enumerate(value):
            yield from _leaves(item, f"{where}[{i}]")
    elif type(value) is dict:
        for key, item in value.items():
            yield from _leaves(item, f"{where}[{key!r}]")
    else:
        yield where, value


def _size(value: object) -> float:
    """The largest finite magnitude of a leaf; a non-empty string counts as 1, None and '' as 0."""
    import numpy as np

    kind = _kind(value)
    if kind == "str":
        return float(bool(value))
    if kind == "None":
        return 0.0
    numbers = np.abs(_values(value, kind).astype(np.complex128)) if kind in ("tensor", "array") else None
    if numbers is None:
        numbers = np.abs(np.asarray([value], dtype=np.float64))
    finite = numbers[np.isfinite(numbers)]
    return max(float(finite.max(initial=0.0)), float(finite.size < numbers.size))


def _vet(expected: object) -> None:
    """Refuse an expectation that an empty, a zero or a NaN answer would meet."""
    import numpy as np

    telling = 0.0
    for where, leaf in _leaves(expected):
        kind = _kind(leaf)
        if not kind or (kind == "tensor" and not _readable(leaf)):
            raise AuthorError(
                f"The expected value{where} is a {type(leaf).__name__}, which cannot be compared. "
                "Expect plain numbers, text, tensors, arrays, or lists, tuples and dicts of these."
            )
        numbers = _values(leaf, kind) if kind in ("tensor", "array") else np.asarray(leaf)
        if numbers.size == 0:
            raise AuthorError(
                f"The expected value{where} is empty, so an empty answer would pass. "
                "Choose inputs that give some values."
            )
        if kind not in ("str", "None") and bool(np.isnan(numbers).any()):
            raise AuthorError(
                f"The expected value{where} holds NaN, which equals nothing. Choose inputs whose answer is a number."
            )
        telling = max(telling, _size(leaf))
    if telling == 0.0:
        raise AuthorError(
            "The expected value is empty, False, None or zero everywhere, so a stub would pass. "
            "Choose other inputs, or compare several answers at once in a list."
        )


# --- the comparison ----------------------------------------------------------------------------------------


def _unit(expected: object) -> float:
    """The size against which rounding noise in a part of zeros is judged: that of the rest, at most 1."""
    return min(1.0, max((_size(leaf) for _, leaf in _leaves(expected)), default=0.0))


def _compare(actual: Any, expected: Any, unit: float, where: str = "", scale: float = 0.0) -> _Difference | None:
    """The first difference between two structures, or None.

    A Python float is judged by its own size. Only a zero has none: there `scale` counts, the largest number of
    the list that it stands in, if that is a list of numbers.
    """
    kind = _kind(expected)
    wrong = _compare_kind(actual, expected, where)
    if wrong is not None:
        return wrong
    if kind in ("tensor", "array"):
        return _compare_numbers(actual, expected, kind, _size(expected) or unit, where)
    if kind == "float":
        return _compare_float(actual, expected, _size(expected) or scale or unit, where)
    if kind == "dict":
        wrong = _compare_keys(actual, expected, where)
        places = [] if wrong else [(f"{where}[{key!r}]", actual[key], expected[key]) for key in expected]
    elif kind in ("list", "tuple"):
        wrong = _compare_length(actual, expected, where)
        numbers = all(type(item) is float for item in expected)
        scale = max(map(_size, expected), default=0.0) if numbers else 0.0
        places = [] if wrong else [(f"{where}[{i}]", actual[i], expected[i]) for i in range(len(expected))]
    else:
        return _compare_exactly(actual, expected, where)
    found = (_compare(mine, right, unit, place, scale) for place, mine, right in places)
    return wrong or next((difference for difference in found if difference is not None), None)


_WORDS = {
    "None": "None",
    "bool": "True or False (a bool)",
    "int": "a whole number (an int)",
    "float": "a number (a float)",
    "str": "text (a str)",
    "list": "a list",
    "tuple": "a tuple",
    "dict": "a dict",
    "tensor": "a torch tensor",
    "array": "a numpy array",
}


def _compare_kind(actual: object, expected: object, where: str) -> _Difference | None:
    kind, wanted = _kind(actual), _kind(expected)
    if kind == wanted and (kind != "tensor" or _readable(actual)):
        return None
    if kind == "int" and wanted == "float":
        return None
    got = _WORDS.get(kind, f"an object of type {type(actual).__name__}")
    if kind == "tensor" and not _readable(actual):
        got = "a tensor of a special layout"
    what = f"is {got}, and it should be {_WORDS[wanted]}"
    return _Difference(where, what, _kind_advice(actual, kind, wanted))


def _kind_advice(actual: object, kind: str, wanted: str) -> str:
    """What to try when the type is wrong."""
    if kind == "None":
        return "Does the function end with a return?"
    if kind == "tensor" and wanted in ("int", "float", "bool"):
        return "Turn a tensor with one value into a plain number with .item()."
    if kind == "float" and wanted == "int":
        return "Use // or math.ceil, or int(...), to get a whole number."
    if wanted == "tensor" and kind in ("list", "tuple"):
        return "Make a tensor of it with torch.tensor(...)."
    if wanted == "tensor":
        return "Keep it a tensor all the way: leave out .item(), .tolist() and float(...)."
    if issubclass(type(actual), int | float | str) and wanted in ("bool", "int", "float", "str"):
        return f"Convert it with {wanted}(...)."
    return "Return plain numbers, text, lists, dicts or tensors."


def _compare_length(actual: Sequence[Any], expected: Sequence[Any], where: str) -> _Difference | None:
    if len(actual) == len(expected):
        return None
    return _Difference(where, f"has the length {len(actual)}, and it should have {len(expected)}")


def _compare_keys(actual: dict[Any, Any], expected: dict[Any, Any], where: str) -> _Difference | None:
    if any(type(key) not in (str, int) for key in actual):
        return _Difference(where, "has a key that is neither text nor a whole number")
    missing = [_show(key) for key in expected if key not in actual]
    extra = [_show(key) for key in actual if key not in expected]
    if not missing and not extra:
        return None
    parts = [f"lacks the key {', '.join(missing)}"] if missing else []
    parts += [f"has the key {', '.join(extra[:5])}, which is not asked for"] if extra else []
    return _Difference(where, " and ".join(parts), "Check the spelling of the keys.")


def _compare_exactly(actual: object, expected: object, where: str) -> _Difference | None:
    if actual == expected:
        return None
    what = f"is {_show(actual)}, and it should be {_show(expected)}"
    return _Difference(where, what, "Go through it by hand once.")


def _compare_float(actual: float, expected: float, scale: float, where: str) -> _Difference | None:
    import numpy as np

    if type(actual) is int and abs(actual) > 2**1000:  # too large for a float
        actual = math.inf
    mine, right = np.asarray(float(actual)), np.asarray(expected)
    if bool(_equal(mine, right, tolerance("float"), scale)):
        return None
    what = f"is {_show(actual)}, and it should be {_show(expected)}"
    return _Difference(where, what, _number_advice([actual], [expected]))


def _equal(mine: Any, right: Any, allowed: Tolerance, scale: float) -> Any:
    """Which entries of two float arrays are the same; NaN equals NaN, which only a mistake may expect."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(mine - right) <= allowed.relative * np.abs(right) + allowed.absolute * scale
    near &= np.isfinite(mine) & np.isfinite(right)
    return near | (mine == right) | (np.isnan(mine) & np.isnan(right))


def _compare_numbers(actual: Any, expected: Any, kind: str, scale: float, where: str) -> _Difference | None:
    """Compare two tensors or two arrays: shape, then dtype, then values."""
    if tuple(actual.shape) != tuple(expected.shape):
        return _shape_difference(tuple(actual.shape), tuple(expected.shape), where)
    dtype, got = (str(value.dtype).removeprefix("torch.") for value in (expected, actual))
    if actual.dtype != expected.dtype:
        what = f"has the dtype {got}, and it should have {dtype}"
        return _Difference(where, what, f"Convert it to {dtype}.")
    allowed = tolerance(dtype, actual.device.type if kind == "tensor" else "cpu")
    mine, right = _values(actual, kind), _values(expected, kind)
    equal = mine == right if allowed == _EXACT else _equal(mine, right, allowed, scale)
    return None if bool(equal.all()) else _value_difference(mine, right, equal, where)


def _shape_difference(got: tuple[int, ...], wanted: tuple[int, ...], where: str) -> _Difference:
    advice = f"It should have {len(wanted)} dimensions: did you sum, mean or index over the right one?"
    if len(got) == len(wanted):
        advice = "Print the shape after each step to see where it changes."
    if len(got) > 1 and got == wanted[::-1]:
        advice = "It looks transposed."
    return _Difference(where, f"has the shape {_shape(got)}, and it should have {_shape(wanted)}", advice)


def _shape(shape: tuple[int, ...]) -> str:
    shown = [*map(str, shape[:20]), "..."] if len(shape) > 20 else list(map(str, shape))
    return "[" + ", ".join(shown) + "]" if shape else "[] (a single number)"


def _value_difference(mine: Any, right: Any, equal: Any, where: str) -> _Difference:
    """Name the first wrong entry, how many are wrong, and a likely reason."""
    import numpy as np

    wrong = np.argwhere(np.logical_not(equal))
    first = tuple(int(i) for i in wrong[0])
    place = where + (f"[{', '.join(map(str, first))}]" if first else "")
    what = f"is {_show(mine[first].item())}, and it should be {_show(right[first].item())}"
    if mine.size > 1:
        what += f" ({len(wrong)} of {mine.size} values are wrong)"
    return _Difference(place, what, _number_advice(mine.ravel().tolist(), right.ravel().tolist()))


def _number_advice(mine: Sequence[Any], right: Sequence[Any]) -> str:
    """A guess at the reason from the numbers alone: zeros, NaN, a lost minus, a constant factor."""
    if any(value != value for value in mine):
        return "NaN comes from 0/0, from infinity minus infinity, or from the logarithm of a negative number."
    if len(mine) > 1 and all(value == 0 for value in mine):
        return "Every value is zero: is something still left to fill in?"
    if any(isinstance(value, complex) or abs(value) == math.inf for value in (*mine, *right)):
        return "Look for a division by zero or an exponential of a large number."
    ratios = [a / b for a, b in zip(mine, right, strict=True) if b != 0]
    if len(ratios) < len(right) or max(ratios) - min(ratios) > 1e-4 * abs(ratios[0]):
        return "Go through a small example by hand and print each step."
    if abs(ratios[0] + 1) < 1e-4:
        return "Only the sign is wrong: look for a missing minus."
    if len(ratios) > 1:
        return f"Every value is {_show(ratios[0])} times what it should be: look at means, sums and factors."
    return "Go through it by hand once."


def _show(value: object) -> str:
    """A value short enough for a sentence."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if type(value) is int and abs(value) > 10**30:
        return "a very large number"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


# --- gradients and modules ---------------------------------------------------------------------------------


def grad(f: Callable[..., Any], args: Mapping[str, Any], wrt: str | Sequence[str]) -> Any:
    """The gradient of f(**args), summed if it is not a single number, with respect to the named argument.

    Returns a tensor of the argument's shape, or a dict of tensors where `wrt` is a list of names. The
    arguments themselves are not touched. Raises CheckFailed if the result is cut off from the argument.
    """
    if hasattr(f, "__judge_grad__"):
        return f.__judge_grad__(args, wrt)
    import torch

    names = [wrt] if isinstance(wrt, str) else list(wrt)
    inputs = {key: _copy(value) for key, value in args.items()}
    for name in names:
        if _kind(args.get(name)) != "tensor" or not args[name].is_floating_point():
            raise AuthorError(f"There is no floating-point tensor named {name!r} in args: give one in wrt.")
        inputs[name].requires_grad_(True)
    label = getattr(f, "__name__", "your function")
    with torch.enable_grad():
        total = _total(f(**inputs), label, names)
        found = torch.autograd.grad(total, [inputs[name] for name in names], allow_unused=True)
    gradients = {name: _gradient(value, label, name) for name, value in zip(names, found, strict=True)}
    return gradients[wrt] if isinstance(wrt, str) else gradients


def _copy(value: Any) -> Any:
    """A copy that shares no memory and no graph with the original."""
    kind = _kind(value)
    if kind == "tensor":
        return value.detach().clone()
    if kind == "array":
        return value.copy()
    if kind in ("list", "tuple"):
        return type(value)(_copy(item) for item in value)
    return {key: _copy(item) for key, item in value.items()} if kind == "dict" else value


def _total(result: object, label: str, names: Sequence[str]) -> torch.Tensor:
    """The sum of all floating-point tensors in a result that gradients can flow back from."""
    import torch

    parts = [leaf for _, leaf in _leaves(result) if _kind(leaf) == "tensor" and torch.is_floating_point(leaf)]
    if not parts:
        raise CheckFailed(
            f"{label} should return a torch tensor of floats, and it returned {type(result).__name__}. "
            "Leave out .item(), float(...) and .tolist(): they cut the gradient off."
        )
    alive = [part for part in parts if part.requires_grad]
    if not alive:
        raise CheckFailed(
            f"The result of {label} is detached from {' and '.join(names)}: no gradient can flow back. "
            "Look for .detach(), .item(), .data, torch.no_grad() or torch.tensor(...) on the way."
        )
    total: torch.Tensor = sum(torch.sum(part) for part in alive)
    return total


def _gradient(value: torch.Tensor | None, label: str, name: str) -> torch.Tensor:
    if value is None:
        raise CheckFailed(
            f"The result of {label} does not depend on {name}. Is {name} used, and used without being detached?"
        )
    return value.detach().clone()


def module(
    cls: Callable[..., Any], init: Mapping[str, Any], state: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Build cls(**init), load `state`, and run it on `inputs` in evaluation mode.

    Returns {"output": what forward gives, "gradients": {parameter name: tensor}}, the gradients of the summed
    output. Raises CheckFailed if it is no nn.Module or its parameters have other names or shapes than `state`.
    """
    if hasattr(cls, "__judge_module__"):
        result: dict[str, Any] = cls.__judge_module__(init, state, inputs)
        return result
    import torch

    label = getattr(cls, "__name__", "your class")
    built = cls(**_copy(dict(init)))
    if not isinstance(built, torch.nn.Module):
        raise CheckFailed(f"{label} should be a torch.nn.Module. Write class {label}(torch.nn.Module).")
    _check_state(built, state, label)
    built.load_state_dict(_copy(dict(state)))
    built.eval()
    with torch.enable_grad():
        output = built(**_copy(dict(inputs)))
        parameters = {key: value for key, value in built.named_parameters() if value.requires_grad}
        total = _total(output, label, ["its parameters"])
        found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    gradients = {key: _gradient(value, label, key) for key, value in zip(parameters, found, strict=True)}
    return {"output": _copy(output), "gradients": gradients}


def _check_state(built: torch.nn.Module, state: Mapping[str, Any], label: str) -> None:
    mine = {key: tuple(value.shape) for key, value in built.state_dict().items()}
    wanted = {key: tuple(value.shape) for key, value in state.items()}
    if mine == wanted:
        return
    wrong = next(key for key in {**wanted, **mine} if mine.get(key) != wanted.get(key))
    got = f"has {wrong} with shape {_shape(mine[wrong])}" if wrong in mine else f"has no parameter {wrong}"
    want = f"it should have shape {_shape(wanted[wrong])}" if wrong in wanted else "it should not be there"
    raise CheckFailed(f"{label} {got}, and {want}. Check the names and sizes in __init__.")
