"""The one master there is, a copy of a small one to break, and a look at what our pages are made of."""

import json
import shutil
import sys
from concurrent.futures import Future
from html.parser import HTMLParser
from pathlib import Path

import pytest

from autograder import grading, master, worker
from autograder.gradebook import GradebookWriter
from autograder.ledger import Ledger
from autograder.records import Submission

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent)]  # for the modules that several test files share


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


TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav", "article", "div", "h1", "h2",
    "h3", "p", "strong", "em", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "a", "pre", "code", "span",
    "mark",
}  # fmt: skip


class Seen(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="session")
def text_of():
    """A function that gives a page's text, and fails where the page holds anything that could act."""

    def text(page: str) -> str:
        seen = Seen(page)
        assert set(seen.tags) <= TAGS
        assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "style", "srcdoc")]
        return seen.text

    return text


class Class:
    """A class with the small assignment, in a folder; the fake judge grades it, and notebooks are plans for that."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder

    @property
    def masters(self) -> list[master.Master]:
        return [master.load(self.path)]

    def hand_in(self, student: str, hour: int = 10, refused: str = "", **plan: object) -> Submission:
        """A student hands in a notebook that asks the fake judge for this."""
        submission = Submission(
            student=student,
            assignment="90-small",
            notebook="" if refused else json.dumps(plan),
            received=f"2026-11-25T{hour:02}:00:00+00:00",
            refused=refused,
        )
        with Ledger.writing(self.folder) as ledger:
            ledger.take(submission)
        return submission

    def plan(self, **chosen: object) -> grading.Plan:
        return grading.Plan(folder=self.folder, judge="fake_judge", **chosen)

    def grade(self, again: bool = False, **chosen: object) -> grading.Summary:
        """Grade in this process, which starts faster than workers."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grading, "LocalPool", InProcess)
            return grading.grade(self.masters, self.plan(**chosen), again=again)

    def points(self, student: str) -> object:
        """What nbgrader's gradebook holds for the small exercise: automatic, by hand, and whether a person is due."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}", "ftlab") as book:
            grade = book.find_grade("test-double", "90-small", "90-small", student)
            return grade.auto_score, grade.manual_score, grade.needs_manual_grade

    def export(self, url: str = "") -> bytes:
        """nbgrader's own CSV of the whole gradebook, by student: it lists them in the order in which rows were made."""
        from nbgrader.api import Gradebook
        from nbgrader.plugins import CsvExportPlugin

        url = url.replace("postgresql:", "postgresql+psycopg2:") or f"sqlite:///{self.folder / 'gradebook.db'}"
        plugin = CsvExportPlugin()
        plugin.to = str(self.folder.parent / "grades.csv")
        with Gradebook(url, "ftlab") as book:
            plugin.export(book)
        head, *rows = Path(plugin.to).read_bytes().splitlines(keepends=True)
        return b"".join([head, *sorted(rows)])

    def notebooks(self) -> dict[str, str]:
        """The text of every graded notebook."""
        found = (self.folder / "autograded").rglob("*.ipynb")
        return {str(path.relative_to(self.folder)): path.read_text(encoding="utf-8") for path in found}


class InProcess:
    """A pool without processes: what it does is what a worker does."""

    width = 1

    def __init__(self, width: int) -> None:
        pass

    def submit(self, text: str, attempt: int) -> Future[str]:
        future: Future[str] = Future()
        future.set_result(worker.work(text, attempt))
        return future

    def mend(self) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        worker.leave()


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory):
    """A gradebook without an assignment, made once: nbgrader takes seconds for it."""
    folder = tmp_path_factory.mktemp("empty")
    with GradebookWriter(folder):
        pass
    return folder / "gradebook.db"


@pytest.fixture
def small_class(small, tmp_path, empty_gradebook):
    folder = tmp_path / "grading"
    folder.mkdir()
    shutil.copy(empty_gradebook, folder)
    return Class(small(), folder)
