"""The same job by the course's runner. Prints the seconds of the training and the accuracy on the test split."""

from __future__ import annotations

import sys

from ftlab import hardware
from ftlab.runners import sft


def main(examples: int, seed: int) -> None:
    config = sft.Config.make(sft.PROFILES, "cpu", {"train_examples": examples, "seed": seed})
    found = sft.run(config, hardware.resolve()).metrics
    print(f"seconds={found['seconds']:.2f} accuracy={found['accuracy']:.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
