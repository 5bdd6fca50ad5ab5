"""The attack suite as a table: what was handed in, the fair score, ours, the neighbour's, and the seconds.

    python benchmarks/attacks.py

The rows are those of tests/autograder/attacks.py, which the tests hold; the neighbour has correct work, worth ten.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / "autograder")]

from attacks import ATTACKS, handed_in  # noqa: E402 - the path comes first
from test_attacks import Room, opened  # noqa: E402


def main() -> None:
    table = Table("", "what was handed in", "fair", "ours", "state", "neighbour", "seconds")
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as room:
        right = [_row(table, room, number) for number in range(len(ATTACKS))]
    Console(width=140).print(table)
    print(f"{sum(right)} of {len(right)} fair")


def _row(table: Table, room: Room, number: int) -> bool:
    attack = ATTACKS[number]
    graded = room.grade(handed_in(attack, room.released))
    ours, neighbour = room.points(graded), room.points(room.grade(handed_in(ATTACKS[0], room.released)))
    numbers = [f"{attack.fair:g}", f"{ours:g}", graded.state, f"{neighbour:g}", f"{graded.seconds:.2f}"]
    table.add_row(attack.row, attack.what, *numbers)
    return (ours, neighbour) == (attack.fair, 10)


if __name__ == "__main__":
    main()
