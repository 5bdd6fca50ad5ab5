"""The audit finds tests that let wrong answers pass, names that are not told, lists that are not true, old records."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from writing import write_master

from autograder import audit, audit_record, bank, cli, equivalent, examiner
from autograder.audit_record import Report, Row
from autograder.bank import MUTANT, Candidate
from autograder.examiner import Verdict
from autograder.master import load
from autograder.mutants import mutants
from ftlab.errors import CourseError

GOOD = "for seed in seeds(9):\n    x = torch.randn(3, generator=torch.Generator().manual_seed(seed))\n    "
EXERCISES = {
    # A test that catches everything, and one that a copied answer passes.
    "strict": ("def strict(x):\n    return 2 * x", f"{GOOD}checks.close(strict(x), reference.strict(x))"),
    "lenient": ("def lenient(x):\n    return 2 * x", "checks.close(lenient(3), reference.lenient(3))"),
    "layer": (
        "class Layer(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.inner = torch.nn.Linear(3, 2)\n"
        "    def forward(self, x):\n        return self.inner(x) / 2",
        f"{GOOD}state = {{'inner.weight': torch.randn(2, 3), 'inner.bias': torch.randn(2)}}\n"
        "    mine, right = (checks.module(cls, {}, state, {'x': x}) for cls in (Layer, reference.Layer))\n"
        "    checks.close(mine, right)",
    ),
    "value": ("answer = 6 * 7", "checks.close(answer, reference.answer)"),
    "loop": (
        "def loop(n):\n    total = 0\n    while n > 0:\n        n -= 1\n        total += 2\n    return total",
        "for n in (1, 2, 5):\n    checks.close(loop(n), reference.loop(n))",
    ),
    "broken": ("def broken(x):\n    return x", "checks.close(broken(1), 0 * reference.broken(1))"),
}
VISIBLE = {
    "strict": "checks.close(strict(torch.ones(1)), torch.tensor([2.0]), mistakes={'it is squared': torch.ones(1)})"
}
WRONG = {
    "strict": {"it is squared": "def strict(x):\n    return x**2", "it is halved": "def strict(x):\n    return x / 2"}
}
LIST = """
strict:
  - was: return 2 * x
    becomes: return x
    why: It is not true, for the tests catch it.
loop:
  - was: "while n > 0:"
    becomes: "while n >= 1:"
    why: n is a whole number. No mutant is like this.
value:
  - was: answer = 6 * 7
    becomes: answer = (6) * (7)
    why: ''
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A master with good and bad tests."""
    path = write_master(tmp_path_factory.mktemp("odd"), "92-odd", EXERCISES, visible=VISIBLE, wrong=WRONG)
    path.with_name(equivalent.FILE).write_text(LIST.split("value:")[0])
    return load(path)


@pytest.fixture(scope="module")
def report(odd):
    """Its audit: the real judge and the real box, without plain nbgrader, which the next test has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examiner, "LIMITS", replace(examiner.LIMITS, call_seconds=1))
        patch.setattr(audit, "_by_nbgrader", lambda *_: (1.0, []))
        found = audit.audit(odd)
    audit_record.keep(found, audit_record.path_beside(odd))
    return found


@pytest.fixture(scope="module")
def rows(report):
    return {row.name: row for row in report.rows}


def test_a_strict_test_catches_everything(rows):
    row = rows["strict"]
    assert (row.reference, row.alone, row.stub) == (4, 4, 0)
    assert row.escaped == row.faulty == row.survivors == [] and row.score == 1
    assert row.wrong >= 12 and row.mutants >= 5
    assert sum(row.ends.values()) == row.mutants and "passed" not in row.ends


def test_a_lenient_test_is_found_out(rows):
    assert "copied visible answers" in rows["lenient"].escaped
    assert any("mutants" in problem for problem in rows["lenient"].problems()) == (rows["lenient"].score < 0.97)


def test_an_anticipated_mistake_has_to_be_named_by_the_visible_test(rows):
    (unnamed,) = rows["strict"].unnamed
    assert unnamed.startswith("it is halved")


def test_classes_and_values_are_spoiled_too(rows):
    assert rows["layer"].escaped == [] and rows["layer"].wrong >= 8
    assert rows["value"].escaped == [] and rows["value"].wrong >= 6
    assert rows["layer"].score == rows["value"].score == 1


def test_an_endless_mutant_is_stopped_and_counts_as_caught(rows):
    assert rows["loop"].ends["timeout"] >= 1 and rows["loop"].survivors == []


def test_a_test_that_breaks_by_itself_is_told(rows):
    assert rows["broken"].reference is None
    assert "a stub would pass" in rows["broken"].faulty[0]


def test_a_list_that_is_not_true_is_told(rows):
    assert rows["strict"].untrue == ["return 2 * x -> return x (the tests catch it)"]
    assert rows["loop"].untrue == ["while n > 0: -> while n >= 1: (no mutant is like this)"]


def test_a_part_is_judged_again_and_compared_with_the_record(odd, report):
    places = audit.part_of([odd], number=0)[odd.name]
    assert audit.again(odd, places) == []
    lower = [replace(row, stub=2.0) if row.name == "strict" else row for row in report.rows]
    audit_record.keep(replace(report, rows=lower), audit_record.path_beside(odd))
    assert audit.again(odd, range(0)) == ["strict: stub: 0.0 points, and 2.0 are recorded"]
    audit_record.keep(report, audit_record.path_beside(odd))


def test_plain_nbgrader_says_the_same_and_the_command_keeps_a_record(small, capsys):
    path = small()
    course = ["--course", str(path.parents[2])]
    assert cli.main(["audit", "--check", *course]) == 1
    assert "90-small: it was never audited. Run: autograder audit 90-small" in capsys.readouterr().out
    assert cli.main(["audit", *course]) == 0
    assert "Every test does what it should." in capsys.readouterr().out
    record = audit_record.read(path.with_name("audit.json"))
    assert record is not None and record.problems() == [] and record.broken == []
    assert record.rows[0].nbgrader == (2, 0)
    before = path.with_name("audit.json").read_bytes()
    assert cli.main(["audit", *course]) == 0, "what has not changed is not audited again"
    assert path.with_name("audit.json").read_bytes() == before
    small("Return twice", "Give back twice")
    assert audit.outdated(load(path)) == "", "words decide nothing"
    small("2 * x", "x + x")
    assert cli.main(["audit", "--check", *course]) == 1
    assert "it has changed since it was audited" in capsys.readouterr().out


# --- without a judge -----------------------------------------------------------------------------------------


def test_mutants_are_different_from_the_solution_and_from_one_another():
    code = "def f(x, y):\n    '''words'''\n    z = x.sum(dim=1) - y[0]\n    return z.mean()\n"
    found = mutants(code)
    lines = {(one.was, one.becomes) for one in found}
    assert len({one.code for one in found}) == len(found) and code not in {one.code for one in found}
    for becomes in ("x.sum(dim=0) - y[0]", "x.mean(dim=1) - y[0]", "x.sum(dim=1) + y[0]", "x.sum(dim=1) - y[1]",
                    "x.sum(dim=1)", "y[0]", "x.sum(dim=1) - y", "(y[0]) - (x.sum(dim=1))"):  # fmt: skip
        assert ("z = x.sum(dim=1) - y[0]", f"z = {becomes}") in lines
    assert ("return z.mean()", "return z.sum()") in lines and ("return z.mean()", "return -(z.mean())") in lines
    assert ("z = x.sum(dim=1) - y[0]", "") in lines and not [one for one in found if "words" in one.was]


@pytest.mark.parametrize(
    "code",
    [
        "def f(x: int = 3) -> int:\n    raise ValueError('no')",
        "def f(t):\n    return torch.zeros(2, device=t.device)",
        "class C:\n    def f(self, b):\n        if self.a and not b:\n            del self.a\n"
        "        return [a for a in self if a]",
        "",
    ],
)
def test_mutants_compile_and_leave_alone_what_nobody_could_see(code):
    for one in mutants(code):
        compile(one.code, "mutant", "exec")
        assert "device=None" not in one.becomes and "t.device" not in one.becomes.replace("device=t.device", "")
        assert "raise" not in one.was


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LIST, "'why': ''"),
        ("strict: [{was: a, becomes: b}]", "is no entry"),
        ("none: []", "should be a list for each of these exercises"),
        ("[", "is no YAML"),
        ("strict: [3]", "3 is no entry"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path, text, words):
    path = write_master(tmp_path, "92-odd", EXERCISES)
    path.with_name(equivalent.FILE).write_text(text)
    with pytest.raises(CourseError, match=words):
        equivalent.load(load(path))


def test_equivalent_mutants_count_neither_way():
    row = Row("f", 2, reference=2, alone=2, stub=0, nbgrader=(2, 0))
    one = Candidate("f", MUTANT, "a -> b", "b", was="a", becomes="b")
    for candidate, points in ((one, 2.0), (one._replace(label="a -> c", becomes="c"), 0.0)):
        audit.note(row, candidate, Verdict("passed" if points else "failed", points, "", ""), None)
    assert row.score == 0.5 and len(list(row.problems())) == 1
    assert row.survivors == [{"was": "a", "becomes": "b"}]
    audit._account(row, [one], [equivalent.Equivalent("a", "b", "why not")])
    assert (row.mutants, row.equivalent, row.caught, row.score) == (2, 1, 1, 1.0) and not list(row.problems())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=14))
def test_the_tenths_are_even_and_cover_everything_once(sizes):
    masters = [str(number) for number in range(len(sizes))]
    parts = [audit.parts_of(dict(zip(masters, sizes, strict=True)), number, 10) for number in range(10)]
    judged = [(name, place) for part in parts for name, places in part.items() for place in places]
    assert sorted(judged) == sorted(
        (name, place) for name, size in zip(masters, sizes, strict=True) for place in range(size)
    )
    lengths = [sum(len(places) for places in part.values()) for part in parts]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}', '{"rows": [{"name": 1}]}'])
def test_a_damaged_record_counts_as_none(tmp_path, damage):
    (tmp_path / "audit.json").write_text(damage)
    assert audit_record.read(tmp_path / "audit.json") is None


def test_a_record_says_what_is_wrong():
    right = Row("f", 2, reference=2, alone=2, stub=0, nbgrader=(2, 0), mutants=10)
    hand = Row("g", 3, nbgrader=(None, 0))
    report = Report("m", "k", 1.0, 2.0, [], [right, hand])
    assert report.problems() == []
    for change, words in itertools.chain(
        [
            ({"stub": 1.0}, "stub earns 1.0"),
            ({"alone": 0.0}, "0.0 (other answers empty)"),
            ({"nbgrader": (1, 0)}, "1 (nbgrader)"),
        ],
        [({"escaped": ["zeros"]}, "passes: zeros"), ({"survivors": [{"was": "a", "becomes": "b"}]}, "only 90.0%")],
    ):
        assert any(words in problem for problem in replace(report, rows=[replace(right, **change)]).problems())
    assert "181 s" in replace(report, assignment_seconds=181).problems()[0]


def test_visible_calls_are_counted(odd):
    of = {exercise.name: exercise for exercise in odd.exercises}
    assert bank.visible_calls(odd, of["strict"], "strict") == 1
    assert bank.visible_calls(odd, of["lenient"], "lenient") == 0
    assert bank.tested(of["layer"]) == {"Layer": "class"} and bank.tested(of["value"]) == {"answer": "value"}
