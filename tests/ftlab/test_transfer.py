"""Transfer: the same number of updates from few labels and from many; more labels teach more."""

from __future__ import annotations

from ftlab.hardware import Hardware
from ftlab.runners import transfer


def smoke(**given: object) -> transfer.Config:
    return transfer.Config.make(transfer.PROFILES, "smoke", {"seed": 1, **given})


def test_few_labels_and_many_get_the_same_updates(cpu: Hardware) -> None:
    few, many = (transfer.run(smoke(train_examples=n), cpu) for n in (16, 256))
    for run in (few, many):
        assert max(row["step"] for row in run.history) == 48
    assert many.metrics["accuracy"] > 0.9
    assert many.metrics["loss"] < few.metrics["loss"]


def test_every_point_of_the_curve_is_recorded_from_both_starts() -> None:
    points = {(config["train_examples"], config["pretrained"]) for config in transfer.RECORDED}
    assert points == {(n, start) for n in (50, 100, 300, 1000, 3000) for start in (True, False)}
