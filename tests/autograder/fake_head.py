"""The real command line, with the fake judge in the workers."""

import functools
import sys

from autograder import cli, grading

if __name__ == "__main__":
    grading.Plan = functools.partial(grading.Plan, judge="fake_judge")  # type: ignore[assignment,misc]
    sys.exit(cli.main())
