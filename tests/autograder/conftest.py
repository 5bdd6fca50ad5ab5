"""The one master there is, and a copy of a small one to break."""

from pathlib import Path

import pytest

from autograder import master

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def solutions() -> Path:
    return ROOT / "solutions"


@pytest.fixture(scope="session", params=sorted(path.parent.name for path in (ROOT / "solutions").glob("*/*.md")))
def assignment(request, solutions) -> master.Master:
    """Each master of the course in turn."""
    return master.load(solutions / request.param / f"{request.param}.md")


@pytest.fixture
def one_thread():
    """torch with one thread, as in grading: on a busy machine small tensors only wait for the second one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
language_info:
  name: python
---

# A small assignment

```{code-cell} ipython3
---
nbgrader: {schema_version: 3, grade_id: setup, grade: false, solution: false, locked: true, task: false}
---
from ftlab import checks
```

## Exercise 1: Double it

*5 minutes · easy · needs: arithmetic*

Return twice the number.

<details><summary>Hint 1: a nudge</summary>

One.

</details>

<details><summary>Hint 2: the idea</summary>

Two.

</details>

<details><summary>Hint 3: almost the line</summary>

Three.

</details>

```{code-cell} ipython3
---
nbgrader: {schema_version: 3, grade_id: double, grade: false, solution: true, locked: false, task: false}
---
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION
```

```{code-cell} ipython3
---
nbgrader: {schema_version: 3, grade_id: test-double, grade: true, solution: false, locked: true, task: false, points: 2}
---
checks.close(double(3), 6, mistakes={"it is squared": 9})
### BEGIN HIDDEN TESTS
for seed in seeds(3):
    checks.close(double(1 + seed), reference.double(1 + seed))
### END HIDDEN TESTS
```

```{code-cell} ipython3
---
wrong: {answer: double, mistake: it is squared}
---
def double(x):
    return x**2
```
"""


@pytest.fixture
def small(tmp_path):
    """A function that writes the small master, after replacing `old` by `new`, and gives its path."""

    def make(old: str = "", new: str = "") -> Path:
        assert old in SMALL
        path = tmp_path / "solutions" / "90-small" / "90-small.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SMALL.replace(old, new, 1) if old else SMALL, encoding="utf-8")
        return path

    return make
