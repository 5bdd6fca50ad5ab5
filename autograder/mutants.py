"""Mutants: a model solution with one small change each, to see whether the tests notice.

The ordinary changes (operators, comparisons, numbers, arguments left out, ...) are mutmut's own. Added are those that
make the typical mistakes with tensors: another reduction, another dimension, a term or a step left out, a sign, an
operation the other way round. DeMillo, Lipton and Sayward, "Hints on test data selection" (Computer 11(4), 1978), say
why small changes are enough: tests that see them mostly see the large ones too.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import libcst as cst

Change = Callable[[Any], "Iterator[Any]"]  # the ways to change a node

OTHERS = {
    "mean": "sum", "sum": "mean", "prod": "sum", "cumsum": "cumprod", "max": "min", "min": "max", "amax": "amin",
    "amin": "amax", "argmax": "argmin", "argmin": "argmax", "maximum": "minimum", "minimum": "maximum", "ceil": "floor",
    "floor": "ceil", "exp": "expm1", "log": "log1p", "log2": "log10", "sqrt": "square", "softmax": "log_softmax",
    "log_softmax": "softmax", "sigmoid": "tanh", "logsigmoid": "sigmoid", "any": "all", "all": "any", "zeros": "ones",
    "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like", "std": "var", "var": "std", "add": "sub",
    "append": "remove", "union": "intersection", "intersection": "union", "triu": "tril", "tril": "triu",
}  # fmt: skip


class Mutant(NamedTuple):
    """A changed solution: the lines that were, what they became (several where lines go or come), and all the code."""

    was: str
    becomes: str
    code: str


def mutants(code: str) -> list[Mutant]:
    """Every different way to change an answer cell in one place, in the order of its lines."""
    import libcst as cst

    tree = cst.parse_module(code)
    found: dict[str, Mutant] = {}
    known = {_meaning(code)}
    for node in _nodes(tree):
        for other in _changes(node):
            changed = _with(tree, node, other)
            meaning = _meaning(changed)
            if meaning and meaning not in known:
                known.add(meaning)
                found[meaning] = Mutant(*_lines(code, changed), changed)
    return list(found.values())


def _with(tree: cst.Module, node: cst.CSTNode, other: Any) -> str:
    """The code with `other` in the place of `node`; '' where that is no code."""
    import libcst as cst

    try:
        changed = tree.deep_replace(node, other)
        return changed.code if isinstance(changed, cst.Module) else ""
    except (cst.CSTValidationError, TypeError):
        return ""


def _meaning(code: str) -> str:
    """What Python reads, so that two ways to write the same are one; '' where it cannot.

    `device=...` does not count: where the audit runs there is one device, and nobody could see the difference.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "device"]
    return ast.dump(tree)


def _lines(before: str, after: str) -> tuple[str, str]:
    """The lines that differ, without their indentation."""
    old, new = ([line.strip() for line in text.split("\n")] for text in (before, after))
    blocks = [block for block in difflib.SequenceMatcher(None, old, new, False).get_opcodes() if block[0] != "equal"]
    was = [line for _, start, end, _, _ in blocks for line in old[start:end]]
    becomes = [line for _, _, _, start, end in blocks for line in new[start:end]]
    return "\n".join(was), "\n".join(becomes)


def _nodes(tree: cst.Module) -> Iterator[cst.CSTNode]:
    """Every node that computes: no annotation, no decorator, no docstring, and no words of an error."""
    import libcst as cst

    waiting: list[cst.CSTNode] = [tree]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Raise) or _is_docstring(node):
            continue
        yield node
        waiting[:0] = node.children


def _is_docstring(node: cst.CSTNode) -> bool:
    import libcst as cst

    return isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString | cst.ConcatenatedString)


def _changes(node: cst.CSTNode) -> Iterator[Any]:
    """mutmut's changes of a node, and ours."""
    from mutmut.mutation.mutators import mutation_operators

    for kind, operator in [*mutation_operators, *_ours()]:
        if isinstance(node, kind):
            yield from operator(node)


# --- ours ----------------------------------------------------------------------------------------------------


def _ours() -> list[tuple[Any, Change]]:
    import libcst as cst

    return [
        (cst.Name, _another_name),
        (cst.BaseNumber, _one_less),
        (cst.Arg, _another_dimension),
        (cst.BinaryOperation, _half),
        (cst.BinaryOperation, _the_other_way_round),
        (cst.BooleanOperation, _half),
        (cst.Call, _step_left_out),
        (cst.Subscript, _subscript_left_out),
        (cst.BaseSuite, _statement_left_out),
        (cst.If, _opposite_test),
        (cst.CompFor, _condition_left_out),
        (cst.Return, _negated),
    ]


def _another_name(node: cst.Name) -> Iterator[cst.Name]:
    """mean becomes sum, argmax argmin, and so on, as a method or as a function."""
    if node.value in OTHERS:
        yield node.with_changes(value=OTHERS[node.value])


def _one_less(node: cst.BaseNumber) -> Iterator[cst.BaseExpression]:
    """Off by one, downwards; mutmut does the other direction."""
    import libcst as cst

    if isinstance(node, cst.Integer | cst.Float):
        yield cst.parse_expression(f"({node.evaluated_value - 1!r})")


def _another_dimension(node: cst.Arg) -> Iterator[cst.Arg]:
    """The first dimension for any other one."""
    import libcst as cst

    if node.keyword is not None and node.keyword.value in ("dim", "axis"):
        yield node.with_changes(value=cst.Integer("0"))


def _half(node: cst.BinaryOperation | cst.BooleanOperation) -> Iterator[cst.BaseExpression]:
    """One of the two terms or factors is left out."""
    yield node.left
    yield node.right


def _the_other_way_round(node: cst.BinaryOperation) -> Iterator[cst.BaseExpression]:
    import libcst as cst

    if isinstance(node.operator, cst.Subtract | cst.Divide | cst.Power | cst.MatrixMultiply):
        yield node.with_changes(left=_in_parentheses(node.right), right=_in_parentheses(node.left))


def _in_parentheses(node: cst.BaseExpression) -> cst.BaseExpression:
    import libcst as cst

    changed = node.with_changes(lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()])
    assert isinstance(changed, cst.BaseExpression)
    return changed


def _step_left_out(node: cst.Call) -> Iterator[cst.BaseExpression]:
    """x.detach() becomes x; torch.exp(x) or len(x) becomes x."""
    import libcst as cst

    if isinstance(node.func, cst.Attribute):
        yield node.func.value
    if len(node.args) == 1 and not node.args[0].star:
        yield _in_parentheses(node.args[0].value)


def _subscript_left_out(node: cst.Subscript) -> Iterator[cst.BaseExpression]:
    yield node.value


def _statement_left_out(node: cst.BaseSuite) -> Iterator[cst.BaseSuite]:
    """Each statement in turn; the last one of a block becomes `pass`."""
    import libcst as cst

    if not isinstance(node, cst.IndentedBlock):
        return
    for number, statement in enumerate(node.body):
        small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else statement
        if isinstance(small, cst.FunctionDef | cst.ClassDef | cst.Pass | cst.Raise) or _is_docstring(small):
            continue
        rest = [*node.body[:number], *node.body[number + 1 :]]
        yield node.with_changes(body=rest or [cst.parse_statement("pass\n")])


def _opposite_test(node: cst.If) -> Iterator[cst.If]:
    import libcst as cst

    test = cst.UnaryOperation(cst.Not(), _in_parentheses(node.test))
    yield node.with_changes(test=test)


def _condition_left_out(node: cst.CompFor) -> Iterator[cst.CompFor]:
    """[x for x in xs if ...] without one of its conditions."""
    for number in range(len(node.ifs)):
        yield node.with_changes(ifs=[*node.ifs[:number], *node.ifs[number + 1 :]])


def _negated(node: cst.Return) -> Iterator[cst.Return]:
    import libcst as cst

    if node.value is not None:
        yield node.with_changes(value=cst.UnaryOperation(cst.Minus(), _in_parentheses(node.value)))
