"""One process against two: what is compared."""

from __future__ import annotations

import pytest
from benchmarks.processes import Comparison, ProcessRun, largest_difference, summary
from benchmarks.training.figures import pair_of
from benchmarks.training.record import Epoch


def _epochs(*losses: float) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=number,
            images=8,
            train_seconds=1.0,
            train_loss=loss,
            validation_loss=1.0,
            validation_iou=0.5,
            seconds=float(number),
        )
        for number, loss in enumerate(losses, start=1)
    )


def test_largest_difference__is_relative_to_one_process() -> None:
    one, two = _epochs(2.0, 1.0, 0.5), _epochs(2.0, 1.1, 0.49)
    assert largest_difference(one, two, lambda epoch: epoch.train_loss) == pytest.approx(0.1)
    assert largest_difference(one, two, lambda epoch: epoch.validation_loss) == 0.0
    with pytest.raises(ValueError, match="shorter"):
        largest_difference(one, two[:2], lambda epoch: epoch.train_loss)


def _run(processes: int, rate: float) -> ProcessRun:
    return ProcessRun(
        processes=processes,
        round=1,
        precision="fp32",
        memory_format="channels_last",
        load_average=0.0,
        seconds=9.0,
        images_per_second=rate,
        epochs=_epochs(1.0),
    )


def test_summary__names_rates_and_differences() -> None:
    comparison = Comparison(
        precision="fp32",
        one=(_run(1, 10.0),),
        two=(_run(2, 15.0),),
        images_per_second=pair_of([10.0], [15.0]),
        wall_seconds=pair_of([9.0], [9.0]),
        train_loss_difference=3e-5,
        validation_loss_difference=2e-4,
    )
    row = summary([comparison]).splitlines()[-1]
    assert row == "| fp32 | 10.00 | 15.00 | 1.50x | 3.0e-05 | 2.0e-04 |"
