"""The report finds answers that share what the class does not, and leaves alone what everybody or the solution has."""

import re

import pytest

from autograder import master, similarity
from autograder.records import Graded, State

CODE = """\
def double(x):
    {a} = 0
    for {b} in range(2):  # {c}
        {a} = {a} + x * (1 if {b} >= 0 else -1)
    if not {a} and x != 0:
        raise ValueError("this cannot be", {a}, {b})
    return {a}
"""
OTHERS = [
    "def double(x):\n    return x + x\n",
    "def double(x):\n    return sum([x, x])\n",
    "def double(x):\n    return 2 * x\n",
    "def double(x):\n    total = x\n    total += x\n    return total\n",
    "def double(x):\n    import math\n    return math.fsum([x, x]) if isinstance(x, float) else x << 1\n",
]


@pytest.fixture
def tiny(small):
    return master.load(small())


def class_of(*answers):
    return [
        Graded(student=f"s{n}", assignment="90-small", key="", seed=0, state=State.GRADED, answers={"double": answer})
        for n, answer in enumerate(answers)
    ]


def test_a_copy_with_new_names_comments_and_layout_is_found(tiny):
    first, second = CODE.format(a="t", b="i", c="one"), CODE.format(a="result", b="step", c="two").replace("    ", "  ")
    pairs = similarity.pairs(tiny, class_of(first, *OTHERS, second))
    assert [(pair.left.student, pair.right.student) for pair in pairs] == [("s0", "s6")]
    assert pairs[0].left.shared >= 6


def test_answers_of_ones_own_are_left_alone(tiny):
    assert similarity.pairs(tiny, class_of(CODE.format(a="t", b="i", c=""), *OTHERS)) == []


def test_what_much_of_the_class_has_is_no_sign(tiny):
    same = [CODE.format(a=f"t{n}", b="i", c=n) for n in range(4)]
    assert similarity.pairs(tiny, class_of(*same, *OTHERS)) == []


def test_the_stub_and_the_model_solution_are_no_sign(small):
    solution = CODE.format(a="t", b="i", c="")
    body = "\n".join(solution.splitlines()[1:])
    exercise = master.load(small("    return 2 * x\n", body + "\n"))
    assert similarity.pairs(exercise, class_of(solution, solution, *OTHERS)) == []


def test_among_very_few_students_nothing_is_compared(tiny, text_of):
    answer = CODE.format(a="t", b="i", c="")
    assert similarity.pairs(tiny, class_of(answer, answer, OTHERS[0])) == []
    assert "nothing was compared" in text_of(similarity.page(tiny, [], 3))


def test_the_order_of_the_class_does_not_matter(tiny):
    found = class_of(CODE.format(a="t", b="i", c=""), *OTHERS, CODE.format(a="u", b="v", c=""))
    assert similarity.pairs(tiny, found) == similarity.pairs(tiny, found[::-1])


@pytest.mark.parametrize("broken", ["def f(:\n", "'''", "\x00\ud800", "(((", "   x\n y\n", "", "é = '\n" * 50])
def test_an_answer_that_is_no_python_stops_nothing(tiny, broken):
    assert similarity.pairs(tiny, class_of(broken, broken + "x", *OTHERS)) == []


def test_free_text_is_compared_by_words(solutions):
    sft = master.load(solutions / "05-sft" / "05-sft.md")
    essay = next(one for one in sft.exercises if one.manual).name
    mine = "My cousin's cat walked over the keyboard while it was computed,\nso the number is hers, not the model's."
    texts = [mine, "The labels leak.", "Too few reviews to tell.", "I would count.", "Who knows?", mine.upper()]
    class_ = [
        Graded(student=f"s{n}", assignment=sft.name, key="", seed=0, state=State.GRADED, written={essay: text})
        for n, text in enumerate(texts)
    ]
    assert [(pair.left.student, pair.right.student) for pair in similarity.pairs(sft, class_)] == [("s0", "s5")]


def test_the_page_gives_no_verdict_and_no_score_and_is_text_of(tiny, text_of):
    evil = "# <script>alert(1)</script>\n"
    pairs = similarity.pairs(
        tiny, class_of(evil + CODE.format(a="t", b="i", c=""), *OTHERS, CODE.format(a="u", b="v", c=""))
    )
    page = similarity.page(tiny, pairs, 7)
    text = text_of(page)
    assert "<script>alert(1)</script>" in text
    assert "This proves nothing" in text
    assert not re.search(r"\d+ ?%|0\.\d|percent", text_of(page.split("</style>")[1]))
    assert page.count("<mark") == sum(side.shared for pair in pairs for side in (pair.left, pair.right)) > 0
