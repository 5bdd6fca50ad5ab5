"""Is the course's training slower than the plain script for the same job? Five pairs, as ratios in one run.

    python benchmarks/training.py [pairs] [training examples]

Each side is a process of its own, and they take turns in going first: a shared machine changes its speed by the minute.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def measured(side: str, examples: int, seed: int) -> tuple[float, float]:
    """Seconds of the training, and the accuracy."""
    command = [sys.executable, str(HERE / f"{side}.py"), str(examples), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"seconds=(\S+) accuracy=(\S+)", done.stdout)
    assert found, done.stdout
    return float(found[1]), float(found[2])


def main(pairs: int = 5, examples: int = 640) -> None:
    ratios, gains = [], []
    for seed in range(pairs):
        order = ("plain", "ours") if seed % 2 else ("ours", "plain")
        pair = {side: measured(side, examples, seed) for side in order}
        ratios.append(pair["ours"][0] / pair["plain"][0])
        gains.append(pair["ours"][1] - pair["plain"][1])
        print(f"seed {seed}: ours / plain = {ratios[-1]:.2f} in time, accuracy {100 * gains[-1]:+.1f} points")
    print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {pairs} pairs")
    print(f"mean difference in accuracy {100 * statistics.mean(gains):+.1f} points")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
