"""Plain data between the judge and the box: JSON for the structure, safetensors for the numbers, never pickle.

A message is a value of exact built-in types (None, bool, int, float, str, list, tuple, dict with text or whole
numbers as keys), torch tensors and numpy arrays. What is read is data whoever wrote it: reading builds nothing else.

On a socket: eight bytes of length, and that many bytes of message. A message: four bytes of length, so many bytes of
JSON, and the safetensors of every tensor and array in it, named by their number.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections import OrderedDict
from typing import Any

MESSAGE_BYTES = 64 * 1024**2  # of one message; more is refused on both sides
TEXT_BYTES = 4 * 1024**2  # of its JSON, which takes much more memory than its length when it is read
DEPTH = 50  # of lists in lists


class Unsendable(TypeError):  # noqa: N818 - it reads better
    """A value that may not cross; the message names its type."""


class Garbled(ValueError):  # noqa: N818 - it reads better
    """Bytes that are no message."""


class Given(str):
    """A function of a given cell, sent by its name: both sides have one."""


# --- writing -------------------------------------------------------------------------------------------------


def pack(value: Any) -> bytes:
    """The bytes of a message. Raises Unsendable where `value` holds an object of any other type."""
    from safetensors.torch import save

    tensors: dict[str, Any] = {}
    text = json.dumps(_plain(value, tensors, DEPTH)).encode()
    if len(text) > TEXT_BYTES:
        raise Unsendable(f"lists and text of {len(text) / 1024**2:.0f} MB; put many numbers into a tensor")
    message = struct.pack(">I", len(text)) + text + (save(tensors) if tensors else b"")
    if len(message) > MESSAGE_BYTES:
        raise Unsendable(f"a value of {len(message) / 1024**2:.0f} MB; {MESSAGE_BYTES / 1024**2:.0f} MB may be sent")
    return message


def _plain(value: Any, tensors: dict[str, Any], depth: int) -> Any:
    """`value` as JSON: what JSON has is itself, everything else a list that begins with its kind."""
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if abs(value) < 2**53 else ["int", hex(value)]
    if type(value) is float:
        return value if math.isfinite(value) else ["float", repr(value)]
    if type(value) is Given:
        return ["given", str(value)]
    if depth == 0:
        raise Unsendable(f"a structure with more than {DEPTH} levels")
    if type(value) in (list, tuple):
        return [type(value).__name__, [_plain(item, tensors, depth - 1) for item in value]]
    if type(value) in (dict, OrderedDict):
        return ["dict", [[_key(key), _plain(item, tensors, depth - 1)] for key, item in value.items()]]
    return _numbers(value, tensors)


def _key(key: Any) -> Any:
    if type(key) is str or (type(key) is int and abs(key) < 2**53):
        return key
    raise Unsendable(f"a dict with a key of type {type(key).__name__}")


def _numbers(value: Any, tensors: dict[str, Any]) -> Any:
    """A tensor or an array: its numbers go into `tensors`, the rest of what it is into the JSON."""
    import numpy as np
    import torch

    name = str(len(tensors))
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            raise Unsendable("a tensor of a special layout")
        found = torch.Tensor.detach(value).resolve_conj().resolve_neg()
        tensors[name] = _real(found.cpu())
        return ["tensor", name, bool(value.requires_grad), value.device.type, bool(found.is_complex())]
    if type(value) is np.ndarray and value.dtype.kind in "biufc":
        found = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))
        tensors[name] = _real(found)
        return ["array", name, bool(found.is_complex())]
    raise Unsendable(f"an object of type {type(value).__name__}")


def _real(found: Any) -> Any:
    """A copy with memory of its own, complex numbers as pairs: safetensors takes neither views nor complex numbers."""
    import torch

    return (torch.view_as_real(found) if found.is_complex() else found).clone(memory_format=torch.contiguous_format)


# --- reading -------------------------------------------------------------------------------------------------


def unpack(message: bytes) -> Any:
    """The value of a message. Raises Garbled where it is none."""
    from safetensors.torch import load

    try:
        (length,) = struct.unpack_from(">I", message)
        if length > TEXT_BYTES:
            raise Garbled(f"{length} bytes of JSON")
        text, rest = message[4 : 4 + length], message[4 + length :]
        return _built(json.loads(text), load(rest) if rest else {}, DEPTH)
    except Exception as error:  # whatever the parsers of JSON and safetensors raise on hostile bytes
        raise Garbled(f"{type(error).__name__}: {error}"[:300]) from None


def _built(found: Any, tensors: dict[str, Any], depth: int) -> Any:
    if not isinstance(found, list):
        if isinstance(found, dict):
            raise Garbled("a bare object")
        return found
    if depth < 0:
        raise Garbled(f"more than {DEPTH} levels")
    kind, *parts = found
    match kind:
        case "int":
            return int(parts[0], 16)
        case "float":
            return float(parts[0])
        case "given":
            return Given(parts[0])
        case "list":
            return [_built(item, tensors, depth - 1) for item in parts[0]]
        case "tuple":
            return tuple(_built(item, tensors, depth - 1) for item in parts[0])
        case "dict":
            return {_key(key): _built(item, tensors, depth - 1) for key, item in parts[0]}
        case "tensor":
            name, requires_grad, _device, is_complex = parts
            return _complex(tensors[name], is_complex).requires_grad_(bool(requires_grad))
        case "array":
            name, is_complex = parts
            return _complex(tensors[name], is_complex).numpy()
    raise Garbled(f"the kind {kind!r}")


def _complex(found: Any, is_complex: bool) -> Any:
    import torch

    return torch.view_as_complex(found) if is_complex else found


# --- sockets -------------------------------------------------------------------------------------------------


def send(connection: socket.socket, message: bytes, seconds: float | None = None) -> None:
    """Write a message. Raises OSError where the other side is gone, TimeoutError where it does not read."""
    connection.settimeout(seconds)
    connection.sendall(struct.pack(">Q", len(message)) + message)


def receive(connection: socket.socket, seconds: float | None = None) -> bytes:
    """Read a message. Raises EOFError where the other side is gone, TimeoutError after `seconds`, Garbled if too long.

    `seconds` counts for the whole message, so that dripping bytes gain no time.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = struct.unpack(">Q", _exactly(connection, 8, deadline))
    if length > MESSAGE_BYTES:
        raise Garbled(f"a message of {length} bytes")
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, count: int, deadline: float | None) -> bytes:
    found = bytearray()
    while len(found) < count:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(min(count - len(found), 1024**2))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)
