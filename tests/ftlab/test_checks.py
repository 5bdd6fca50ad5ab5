"""Nothing wrong may pass, what is right passes under rounding noise, and every message says what to try."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ftlab import checks
from ftlab.checks import AuthorError, CheckFailed, close

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
quick = settings(deadline=None, max_examples=60)

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)


def tensor_of(draw: st.DrawFn, dtype: torch.dtype) -> torch.Tensor:
    seed, size = draw(st.integers(0, 2**31)), draw(st.sampled_from([1e-6, 1.0, 1e3]))
    generator = torch.Generator().manual_seed(seed)
    return (size * (torch.rand(draw(shapes), generator=generator) + 0.5)).to(dtype)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    return tensor_of(draw, draw(st.sampled_from(FLOATS)))


leaves = st.one_of(
    st.integers(1, 10**6), st.floats(0.1, 1e6), st.text(min_size=1), st.booleans().map(lambda b: b or True), tensors()
)
structures = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.dictionaries(st.text(min_size=1, max_size=3), inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


def everywhere(change, value):
    if isinstance(value, dict):
        return {key: everywhere(change, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(everywhere(change, item) for item in value)
    return change(value)


def zero(value):
    return torch.zeros_like(value) if isinstance(value, torch.Tensor) else type(value)()


def noisy(value):
    if isinstance(value, torch.Tensor):
        return value * (1 + torch.finfo(value.dtype).eps)
    return value * (1 + 1e-7) if isinstance(value, float) else value


@quick
@given(structures)
def test_the_right_answer_passes_under_rounding_noise(expected):
    close(everywhere(noisy, expected), expected)


@quick
@given(structures)
def test_zeros_never_pass(expected):
    with pytest.raises(CheckFailed):
        close(everywhere(zero, expected), expected)


@quick
@given(structures)
def test_none_and_an_empty_result_never_pass(expected):
    for nothing in (None, [], {}, (), "", torch.empty(0), np.empty(0)):
        with pytest.raises(CheckFailed):
            close(nothing, expected)


@quick
@given(structures)
def test_one_level_more_never_passes(expected):
    for wrapped in ([expected], (expected,), {"answer": expected}):
        with pytest.raises(CheckFailed):
            close(wrapped, expected)


@quick
@given(tensors(), st.data())
def test_one_wrong_entry_never_passes(expected, data):
    index = data.draw(st.integers(0, expected.numel() - 1))
    for wrong in (math.nan, math.inf, -math.inf, 0.0, 2 * expected.flatten()[index].item()):
        actual = expected.clone()
        actual.view(-1)[index] = wrong
        with pytest.raises(CheckFailed):
            close(actual, expected)


@quick
@given(tensors())
def test_a_wrong_shape_or_dtype_never_passes(expected):
    for actual in (expected.unsqueeze(0), expected.unsqueeze(-1), torch.stack([expected, expected])):
        with pytest.raises(CheckFailed, match="shape"):
            close(actual, expected)
    for dtype in (*FLOATS, torch.int64, torch.bool):
        if dtype != expected.dtype:
            with pytest.raises(CheckFailed, match="dtype"):
                close(expected.to(dtype), expected)


@quick
@given(st.integers(-(10**9), 10**9), st.integers(-5, 5))
def test_whole_numbers_are_exact(expected, shift):
    assume(expected and shift)
    for actual in (expected + shift, float(expected), str(expected), torch.tensor(expected), np.int64(expected)):
        with pytest.raises(CheckFailed):
            close(actual, expected)
    close(expected, expected)
    with pytest.raises(CheckFailed):
        close(torch.tensor([expected + shift]), torch.tensor([expected]))


class AlwaysEqual:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __getattr__(self, name):
        return lambda *args, **kwargs: AlwaysEqual()


class SlyFloat(float):
    def __eq__(self, other):
        return True

    __hash__ = None


class SlyDict(dict):
    def __getitem__(self, key):
        return AlwaysEqual()


class SlyTensor(torch.Tensor):
    pass


@quick
@given(structures)
def test_an_object_with_its_own_equality_never_passes(expected):
    for actual in (AlwaysEqual(), everywhere(lambda _: AlwaysEqual(), expected), SlyDict(answer=1)):
        with pytest.raises(CheckFailed):
            close(actual, expected)


def test_subclasses_never_pass():
    right = torch.ones(2)
    for actual, expected in [
        (SlyFloat(1.0), 1.0),
        (right.as_subclass(SlyTensor), right),
        (SlyDict(a=1), {"a": 1}),
        (True, 1),
        (1, True),
        (np.float64(1.0), 1.0),
        (np.ones(2).view(np.recarray), np.ones(2)),
        (right.to_sparse(), right),
        (right.to("meta"), right),
        (np.ones(2, dtype=object), np.ones(2)),
    ]:
        with pytest.raises(CheckFailed):
            close(actual, expected)


def test_a_tensor_with_a_replaced_method_is_compared_by_its_numbers():
    fake = torch.zeros(2)
    fake.detach = fake.cpu = fake.numpy = lambda *args: torch.ones(2)
    with pytest.raises(CheckFailed):
        close(fake, torch.ones(2))


def test_a_parameter_counts_as_the_tensor_it_is():
    close(torch.nn.Parameter(torch.ones(2)), torch.ones(2))


def test_an_int_is_welcome_where_a_float_is_expected_but_not_a_huge_or_wrong_one():
    close(3, 3.0)
    for wrong in (2, 10**400, -(10**400)):
        with pytest.raises(CheckFailed):
            close(wrong, 3.0)


def test_infinity_must_stand_where_it_is_expected():
    expected = torch.tensor([-math.inf, 1.0])
    close(expected.clone(), expected)
    for wrong in ([math.inf, 1.0], [-1e38, 1.0], [-math.inf, -math.inf], [math.nan, 1.0]):
        with pytest.raises(CheckFailed):
            close(torch.tensor(wrong), expected)


def test_noise_around_zero_is_judged_by_its_neighbours_and_a_real_error_is_not_noise():
    close([1e-9, 1.0], [0.0, 1.0])
    close({"bias": torch.full((2,), 1e-8), "weight": torch.ones(2)}, {"bias": torch.zeros(2), "weight": torch.ones(2)})
    with pytest.raises(CheckFailed):
        close({"loss": 0.5, "tokens": 10**6}, {"loss": 0.0, "tokens": 10**6})


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1000.0, 0.0], [1000.0, 0.009]),
        ([1000.0, 0.009], [1000.0, 0.0]),
        ([1e6, 5.0], [1e6, 0.001]),
        ((1e6, 5.0), (1e6, 0.0)),
        ({"large": 1e6, "small": 5.0}, {"large": 1e6, "small": 0.001}),
        (torch.tensor([1e6, 0.0]), torch.tensor([1e6, 5.0])),
        (torch.tensor([[1e4, 2e4], [0, 0]]), torch.tensor([[1e4, 2e4], [0.05, 0.1]])),
        (torch.tensor([1e6, 0.0]).double(), torch.tensor([1e6, 1e-5]).double()),
        (torch.tensor([1e6, 0.0]).to(torch.complex64), torch.tensor([1e6, 5.0]).to(torch.complex64)),
    ],
)
def test_a_large_neighbour_hides_no_error(actual, expected):
    with pytest.raises(CheckFailed):
        close(actual, expected)


@quick
@given(st.lists(st.floats(0, 6), min_size=2, max_size=6), st.data())
def test_entries_of_very_different_sizes_are_each_judged(exponents, data):
    expected = [10.0**exponent for exponent in exponents]
    index = data.draw(st.integers(0, len(expected) - 1))
    slightly, badly = ([*expected[:index], factor * expected[index], *expected[index + 1 :]] for factor in (1.01, 4.0))
    for make in (list, tuple, lambda numbers: dict(enumerate(numbers))):
        close(make([number * (1 + 1e-7) for number in expected]), make(expected))
        with pytest.raises(CheckFailed):
            close(make(slightly), make(expected))
    for dtype in (torch.float32, torch.float64):
        with pytest.raises(CheckFailed):
            close(torch.tensor(badly, dtype=dtype), torch.tensor(expected, dtype=dtype))


@pytest.mark.parametrize(
    "expected",
    [[], {}, "", None, 0, 0.0, False, [0, 0.0], torch.zeros(3), torch.empty(0), math.nan, np.zeros(2), object(),
     [1.0, math.nan], torch.tensor([1.0, math.nan]), {"a": torch.empty(0), "b": 1}, {1, 2}, AlwaysEqual()],
)  # fmt: skip
def test_an_expectation_that_tells_nothing_is_refused(expected):
    with pytest.raises(AuthorError):
        close(expected, expected)


def test_a_mistake_that_is_none_is_refused():
    with pytest.raises(AuthorError, match="the mask is inverted"):
        close(1.0, 2.0, mistakes={"the mask is inverted": 2.0 + 1e-9})


def test_a_mistake_is_told_by_name():
    mistakes = {"padding is counted in the mean": torch.tensor([2.0]), "exp overflows": torch.tensor([math.nan])}
    with pytest.raises(CheckFailed, match="This is the value you get when padding is counted in the mean"):
        close(torch.tensor([2.0]), torch.tensor([3.0]), mistakes=mistakes)
    with pytest.raises(CheckFailed, match="This is the value you get when exp overflows"):
        close(torch.tensor([math.nan]), torch.tensor([3.0]), mistakes=mistakes)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (torch.ones(3, 2), torch.ones(2, 3), "transposed"),
        (torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 2.0]), "missing minus"),
        (torch.tensor([4.0, 8.0]), torch.tensor([1.0, 2.0]), "4 times"),
        (torch.tensor([1, 2]), torch.tensor([1.0, 2.0]), "Convert it to float32"),
        ({"ids": [1, 2], "mask": [1, 9]}, {"ids": [1, 2], "mask": [1, 2]}, r"your answer, at \['mask'\]\[1\], is 9"),
        ({"idz": 1}, {"ids": 1}, "lacks the key 'ids' and has the key 'idz'"),
        (None, 2, "return"),
        (torch.tensor(2), 2, "item"),
        ([1.0], [1.0, 2.0], "length 1"),
        (0.0, 0.75, "Go through it by hand once"),
        (torch.tensor(0.0), torch.tensor(0.75), "Go through it by hand once"),
        (torch.zeros(2), torch.ones(2), "Every value is zero"),
        ([1.0], torch.ones(1), r"Make a tensor of it with torch.tensor\(...\)"),
        (1.0, torch.tensor(1.0), r"leave out .item\(\)"),
    ],
)
def test_the_message_says_what_to_try(actual, expected, words):
    with pytest.raises(CheckFailed, match=words) as caught:
        close(actual, expected)
    assert str(caught.value).count(". ") <= 2


def double(x, scale=2.0):
    return scale * x


def test_grad_is_autograds_and_touches_nothing():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    found = checks.grad(lambda x, y: x * y**2, {"x": x, "y": torch.tensor([3.0, 4.0])}, wrt=["x", "y"])
    close(found, {"x": torch.tensor([9.0, 16.0]), "y": torch.tensor([6.0, 16.0])})
    assert x.grad is None
    assert not found["x"].requires_grad
    with torch.no_grad():
        close(checks.grad(double, {"x": x}, wrt="x"), torch.tensor([2.0, 2.0]))


def spoils_its_input(x):
    with torch.no_grad():
        x.mul_(0.0)
    return (x + 1).sum()


def test_grad_shares_no_memory_with_its_arguments():
    x = torch.ones(2)
    checks.grad(spoils_its_input, {"x": x}, wrt="x")
    assert x.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x.detach() * 2, "detached from x"),
        (lambda x: torch.tensor(x.sum().item()), "detached from x"),
        (lambda x: x.sum().item(), "it returned float"),
        (lambda x: None, "it returned NoneType"),
        (lambda x: torch.ones(2, requires_grad=True) * 2, "does not depend on x"),
    ],
)
def test_a_gradient_that_is_cut_off_is_named(function, words):
    with pytest.raises(CheckFailed, match=words):
        checks.grad(function, {"x": torch.ones(2)}, wrt="x")


def test_grad_asks_the_author_for_a_tensor_of_floats():
    for args, wrt in [({"x": torch.ones(2)}, "y"), ({"x": torch.tensor([1])}, "x"), ({"x": 1.0}, "x")]:
        with pytest.raises(AuthorError, match="wrt"):
            checks.grad(double, args, wrt=wrt)


class Scaled(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(size))
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(x * self.weight)


def test_module_gives_values_and_gradients():
    found = checks.module(Scaled, {"size": 2}, {"weight": torch.tensor([2.0, 3.0])}, {"x": torch.tensor([1.0, 5.0])})
    expected = {"output": torch.tensor([2.0, 15.0]), "gradients": {"weight": torch.tensor([1.0, 5.0])}}
    close(found, expected)


def test_module_names_a_parameter_that_does_not_fit():
    for state, words in [({"wait": torch.ones(2)}, "no parameter wait"), ({"weight": torch.ones(3)}, r"shape \[3\]")]:
        with pytest.raises(CheckFailed, match=words):
            checks.module(Scaled, {"size": 2}, state, {"x": torch.ones(2)})
    with pytest.raises(CheckFailed, match="torch.nn.Module"):
        checks.module(dict, {}, {}, {})


def test_the_judges_proxies_are_asked_instead():
    class Proxy:
        def __judge_grad__(self, args, wrt):
            return (args, wrt)

        def __judge_module__(self, init, state, inputs):
            return (init, state, inputs)

    assert checks.grad(Proxy(), {"x": 1}, "x") == ({"x": 1}, "x")
    assert checks.module(Proxy(), {}, {}, {"x": 2}) == ({}, {}, {"x": 2})


def test_seeds_repeat_and_differ():
    assert checks.seeds(20, base=7) == checks.seeds(20, base=7) != checks.seeds(20, base=8)
    assert len(set(checks.seeds(100, base=7))) == 100


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps", "xpu", "a future one"])
def test_no_tolerance_is_wide(dtype, device):
    assert sum(checks.tolerance(dtype, device)) < 0.1


def test_importing_checks_needs_neither_torch_nor_numpy():
    code = "import sys, ftlab.checks; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
