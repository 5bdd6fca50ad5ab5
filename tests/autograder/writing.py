"""Masters of our own making, with as many exercises as a test needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HEAD = """\
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
---

# An assignment

```{{code-cell}} ipython3
---
nbgrader: {{schema_version: 3, grade_id: setup, grade: false, solution: false, locked: true, task: false}}
---
import torch
from ftlab import checks

{given}
```

"""
EXERCISE = """\
## Exercise {number}: {name}

*5 minutes · easy · needs: arithmetic*

Write it.

<details><summary>Hint 1: a nudge</summary>

One.

</details>

<details><summary>Hint 2: the idea</summary>

Two.

</details>

<details><summary>Hint 3: almost the line</summary>

Three.

</details>

```{{code-cell}} ipython3
---
nbgrader: {{schema_version: 3, grade_id: {name}, grade: false, solution: true, locked: false, task: false}}
---
### BEGIN SOLUTION
{solution}
### END SOLUTION
```

```{{code-cell}} ipython3
---
nbgrader: {{schema_version: 3, grade_id: test-{name}, grade: true, solution: false, locked: true, task: false,
  points: {points}}}
---
{visible}
### BEGIN HIDDEN TESTS
{tests}
### END HIDDEN TESTS
```

"""

WRONG = """\
```{{code-cell}} ipython3
---
wrong: {{answer: {name}, mistake: {mistake}}}
---
{code}
```

"""

# For the small master of conftest.py: a question that a person marks.
FREE_TEXT = """\
## Exercise 2: Say why

*5 minutes · easy · needs: words*

Say why it is doubled.

<details><summary>Hint 1: a nudge</summary>

One.

</details>

<details><summary>Hint 2: the idea</summary>

Two.

</details>

<details><summary>Hint 3: almost the line</summary>

Three.

</details>

+++ {"nbgrader": {"schema_version": 3, "grade_id": "why", "grade": true, "solution": true, "locked": false, \
"task": false, "points": 3}}

### BEGIN MARK SCHEME
- 3 points: it is said why.
### END MARK SCHEME
"""


def write_master(
    course: Path,
    name: str,
    exercises: Mapping[str, tuple[str, str]],
    given: str = "",
    points: int = 4,
    visible: Mapping[str, str] | None = None,
    wrong: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Write the master `name` into `course`: exercises by name, each with its solution and its hidden tests.

    `visible` tests by exercise; `wrong` answers by exercise and mistake.
    """
    path = course / "solutions" / name / f"{name}.md"
    path.parent.mkdir(parents=True)
    cells = [HEAD.format(given=given)]
    for number, (title, (solution, tests)) in enumerate(exercises.items(), start=1):
        seen = (visible or {}).get(title, "checks.close(1, 1)")
        filled = {"number": number, "name": title, "solution": solution, "visible": seen, "tests": tests}
        cells.append(EXERCISE.format(**filled, points=points))
        for mistake, code in (wrong or {}).get(title, {}).items():
            cells.append(WRONG.format(name=title, mistake=mistake, code=code))
    path.write_text("".join(cells), encoding="utf-8")
    return path
