"""What crosses between judge and box: plain data comes back the same, anything else does not come back at all."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.inside import wire

NUMBERS = st.integers() | st.floats() | st.booleans() | st.none() | st.text()
KEYS = st.text() | st.integers(-(2**40), 2**40)
PLAIN = st.recursive(
    NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64]


def same(a: Any, b: Any) -> bool:
    """Equal in value and exact type all the way down; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@given(PLAIN)
@settings(deadline=None)
def test_plain_data_comes_back_the_same(value):
    assert same(wire.unpack(wire.pack(value)), value)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (4, 0, 2)], ids=str)
def test_tensors_come_back_the_same(dtype, shape):
    value = torch.randint(2, shape).to(dtype)
    back = wire.unpack(wire.pack([value]))[0]
    assert type(back) is torch.Tensor and back.dtype is dtype and back.shape == value.shape
    assert torch.equal(back, value)


def test_what_a_tensor_is_crosses_with_it():
    leaf = torch.ones(3, requires_grad=True)
    wanting, plain, parameter = wire.unpack(wire.pack([leaf * 2, leaf.detach(), torch.nn.Parameter(torch.ones(2))]))
    assert (wanting.requires_grad, plain.requires_grad, parameter.requires_grad) == (True, False, True)
    assert type(parameter) is torch.Tensor


@pytest.mark.parametrize(
    "view", [torch.ones(3, 4).T, torch.ones(5)[::2], torch.ones(1).expand(7), torch.ones(2).conj()]
)
def test_views_cross_by_value(view):
    assert torch.equal(wire.unpack(wire.pack(view)), view)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex128", ">f4"])
def test_arrays_come_back_the_same(dtype):
    value = np.arange(6).reshape(2, 3).astype(dtype)[:, ::-1]
    back = wire.unpack(wire.pack({"a": value}))["a"]
    assert type(back) is np.ndarray and back.dtype == value.dtype.newbyteorder("=") and (back == value).all()


def test_a_state_dict_arrives_as_a_plain_dict():
    back = wire.unpack(wire.pack(OrderedDict(weight=torch.ones(2))))
    assert type(back) is dict and torch.equal(back["weight"], torch.ones(2))


class Always(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


class Cell:
    pass


CHANGED = torch.ones(2)
CHANGED.__class__ = type("Mine", (torch.Tensor,), {})


@pytest.mark.parametrize(
    "value",
    [Always(3), Cell(), print, Cell, {1.5: 1}, {(1,): 2}, {"a": [Cell()]}, b"bytes", {1, 2}, range(3), 1j, CHANGED],
    ids=lambda value: type(value).__name__,
)
def test_any_other_object_is_refused_by_the_name_of_its_type(value):
    with pytest.raises(wire.Unsendable, match=r"type|key"):
        wire.pack(value)


def test_a_list_in_itself_and_a_giant_are_refused():
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(wire.Unsendable, match="levels"):
        wire.pack(endless)
    with pytest.raises(wire.Unsendable, match="MB"):
        wire.pack(torch.zeros(wire.MESSAGE_BYTES // 4 + 1))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_garbled_and_nothing_else(data):
    with contextlib.suppress(wire.Garbled):
        wire.unpack(data)


@given(st.data())
@settings(deadline=None)
def test_a_message_with_wrong_bytes_is_garbled_or_other_plain_data(data):
    message = bytearray(wire.pack({"a": [1, (2.5, "x")], "t": torch.ones(2, 2)}))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = wire.unpack(bytes(message))
    except wire.Garbled:
        return
    wire.pack(found)  # what was read is plain data, so it can be written


HOSTILE = ["[" * 100_000, '["list",' * 500 + "[]" + "]" * 500, '["pickle", "x"]', '{"a": 1}', '["int", "x"]']


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_structures_are_garbled(text):
    with pytest.raises(wire.Garbled):
        wire.unpack(struct.pack(">I", len(text)) + text.encode())


def test_a_socket_gives_whole_messages_and_keeps_its_time():
    here, there = socket.socketpair()
    message = wire.pack(torch.zeros(500_000))
    sender = threading.Thread(target=wire.send, args=(there, message))
    sender.start()
    assert wire.receive(here, 10) == message
    sender.join()
    there.sendall(b"\0\0")  # the rest never comes
    with pytest.raises(TimeoutError):
        wire.receive(here, 0.1)
    there.close()
    with pytest.raises(EOFError):
        wire.receive(here, 1)


def test_an_announced_giant_is_not_waited_for():
    here, there = socket.socketpair()
    there.sendall(struct.pack(">Q", 2**60))
    with pytest.raises(wire.Garbled, match="bytes"):
        wire.receive(here, 1)
