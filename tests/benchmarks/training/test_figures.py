"""From runs to figures: rates, seconds to a score, ratios, the table."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from benchmarks.training.figures import (
    figures,
    figures_table,
    rates,
    remarks,
    seconds_to_iou,
    summary,
)
from benchmarks.training.record import (
    ArchResult,
    Ceilings,
    Epoch,
    OurRun,
    Result,
    Roofline,
    Run,
)
from tests.builders.records import environment


def _epochs(
    speeds: Sequence[float], ious: Sequence[float], each: float = 10.0
) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=number,
            images=100,
            train_seconds=100 / speed,
            train_loss=1.0,
            validation_loss=1.0,
            validation_iou=iou,
            seconds=number * each,
        )
        for number, (speed, iou) in enumerate(zip(speeds, ious, strict=True), start=1)
    )


def _plain(epochs: tuple[Epoch, ...], seconds: float = 50.0) -> Run:
    return Run(
        round=1,
        seed=1,
        load_average=0.1,
        seconds=seconds,
        epochs=epochs,
        peak_memory_bytes=3 * 2**20,
        parameters=7,
    )


def _ours(epochs: tuple[Epoch, ...], *, early: int = 0, refusal: str | None = None) -> OurRun:
    return OurRun(
        round=1,
        seed=1,
        load_average=0.1,
        seconds=20.0,
        epochs=epochs,
        peak_memory_bytes=None if refusal else 2**20,
        parameters=7,
        precision="bf16",
        memory_format="channels_last",
        early_epochs=early,
        refusal=refusal,
    )


def test_rates__leave_out_the_first_epoch_unless_it_is_the_only_one() -> None:
    several = _plain(_epochs([1.0, 4.0, 5.0], [0.5] * 3))
    assert rates([several, several]) == pytest.approx([4.0, 5.0, 4.0, 5.0])
    assert rates([_plain(_epochs([1.0], [0.5]))]) == pytest.approx([1.0])


def test_rates__at_full_size_leave_out_smaller_epochs_and_the_first() -> None:
    epochs = _epochs([1.0, 9.0, 4.0, 5.0], [0.5] * 4)
    assert rates([_ours(epochs, early=2)], full_size=True) == pytest.approx([4.0, 5.0])
    assert rates([_ours(epochs)], full_size=True) == pytest.approx([9.0, 4.0, 5.0])
    assert rates([_ours(_epochs([1.0], [0.5]))], full_size=True) == []


def test_seconds_to_iou__is_of_the_first_epoch_that_has_it() -> None:
    epochs = _epochs([1.0] * 4, [0.2, 0.6, 0.5, 0.7])
    assert seconds_to_iou(epochs, 0.5) == 20.0
    assert seconds_to_iou(epochs, 0.6) == 20.0
    assert seconds_to_iou(epochs, 0.65) == 40.0
    assert seconds_to_iou(epochs, 0.71) is None


def test_figures__are_medians_over_rounds() -> None:
    plain = [_plain(_epochs([1.0, 2.0], [0.1, 0.6]), seconds) for seconds in (40.0, 60.0, 80.0)]
    ours = [_ours(_epochs([1.0, 8.0], [0.6, 0.7]))] * 3
    result = figures("unet", plain, ours)
    assert result.images_per_second.ratio == pytest.approx(4.0)
    assert result.wall_seconds is not None
    assert (result.wall_seconds.plain, result.wall_seconds.ours) == (60.0, 20.0)
    assert result.peak_memory_bytes is not None
    assert result.peak_memory_bytes.ratio == pytest.approx(1 / 3)
    assert result.seconds_to_plain_iou == (10.0, 10.0, 10.0)
    assert result.share_of_plain == pytest.approx(10 / 60)


def test_figures__a_score_missed_in_one_round_has_no_share() -> None:
    plain = [_plain(_epochs([1.0, 2.0], [0.1, 0.6]))] * 2
    ours = [_ours(_epochs([1.0, 8.0], [0.1, 0.7])), _ours(_epochs([1.0, 8.0], [0.1, 0.59]))]
    result = figures("unet", plain, ours)
    assert result.seconds_to_plain_iou == (20.0, None)
    assert result.share_of_plain is None
    assert "not reached in 1 of 2 rounds" in figures_table(_result(result))


def test_figures__a_refused_run_has_rates_but_no_whole_run() -> None:
    refused = _ours(_epochs([1.0, 8.0], [0.0, 0.0]), refusal="humanseg: no better than nothing.")
    result = figures("unet", [_plain(_epochs([1.0, 2.0], [0.1, 0.6]))], [refused])
    assert result.images_per_second.ours == pytest.approx(8.0)
    assert result.wall_seconds is None
    assert result.peak_memory_bytes is None
    assert "no better than nothing" in summary(_result(result))


def test_table__shows_every_round_and_how_many_were_refused() -> None:
    plain = [_plain(_epochs([1.0, rate], [0.1, 0.6]), 10 * rate) for rate in (2.0, 4.0, 3.0)]
    ours = [
        _ours(_epochs([1.0, rate], [0.6, iou]))
        for rate, iou in ((8.0, 0.7), (9.0, 0.8), (6.0, 0.65))
    ]
    row = _cells(figures_table(_result(figures("unet", plain, ours))))
    assert row["images/s in training"] == "3.00 → 8.00 (2.67x)"
    assert row["by round"] == "2.00, 4.00, 3.00 → 8.00, 9.00, 6.00"
    assert row["whole run"] == "30.0 → 20.0 s (1.50x)"
    assert row["by round, s"] == "20, 40, 30 → 20, 20, 20"
    assert row["IoU by round"] == "0.600, 0.600, 0.600 → 0.700, 0.800, 0.650"
    assert "refused" not in row
    refused = [*ours[:2], _ours(_epochs([1.0, 6.0], [0.0, 0.0]), refusal="humanseg: no.")]
    row = _cells(figures_table(_result(figures("unet", plain, refused))))
    assert row["refused"] == "1 of 3 runs"
    assert not {"whole run", "validation IoU", "IoU by round"} & set(row)


def _cells(table: str) -> dict[str, str]:
    header, _, row = (line.strip("|").split("|") for line in table.splitlines())
    return {name.strip(): cell.strip() for name, cell in zip(header, row, strict=True)}


def test_remarks__say_what_the_table_would_hide() -> None:
    plain = [_plain(_epochs([1.0, 2.0], [0.1, 0.6]))]
    good = _result(figures("unet", plain, [_ours(_epochs([1.0, 8.0], [0.6, 0.7]))]))
    faster = "Batch statistics follow faster in ours than in the plain loop: IoU compares recipes."
    random = "Encoder: random weights, in both."
    lone = "One round: how far its times move is not known."
    assert remarks(good) == [random, "The pictures are drawn.", faster, lone]
    same = good.model_copy(update={"plain_batch_norm": "ours", "data": "people"})
    followed = "Batch statistics follow with the same momentum in both."
    assert remarks(same) == [random, followed, lone]
    trained = good.model_copy(update={"encoder_weights": "w.safetensors sha256:0", "data": "p"})
    assert remarks(trained) == ["Encoder: w.safetensors sha256:0, in both.", lone]
    rounds = [*plain, *plain], [_ours(_epochs([1.0, 8.0], [0.6, 0.7]))] * 2
    assert lone not in remarks(_result(figures("unet", *rounds)))
    refused = _ours(_epochs([1.0, 8.0], [0.0, 0.0]), refusal="humanseg: no.")
    bad = _result(figures("unet", plain, [refused]))
    assert remarks(bad)[-2] == (
        "1 of 1 runs of ours had learnt too little and were refused at their end; rates alone are "
        "compared there."
    )


def _result(arch: ArchResult) -> Result:
    return Result(
        encoder_name="resnet18",
        encoder_weights="none",
        data="drawn",
        training_pictures=8,
        validation_pictures=2,
        image_size=(64, 64),
        batch_size=4,
        epochs=2,
        settings={},
        return_memory=False,
        opencv="5.0",
        environment=environment(),
        ceilings=(
            Ceilings(precision="bf16", flop_per_second=2e11, matrix_size=8, bytes_per_second=3e10),
        ),
        archs=(arch,),
    )


def test_summary__shows_every_figure() -> None:
    plain = [_plain(_epochs([1.0, 2.0], [0.1, 0.6]))]
    result = figures("deeplabv3plus", plain, [_ours(_epochs([1.0, 8.0], [0.6, 0.7]))])
    roofline = Roofline(
        precision="bf16",
        gflop=444.0,
        gigabytes=14.4,
        arithmetic_seconds=0.4,
        memory_seconds=0.5,
        bound="memory",
        step_seconds=1.0,
        fraction=0.5,
    )
    text = summary(_result(result.model_copy(update={"roofline": roofline})))
    row = next(line for line in text.splitlines() if line.startswith("| DeepLabV3+"))
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "DeepLabV3+",
        "2.00 → 8.00 (4.00x)",
        "50.0 → 20.0 s (2.50x)",
        "3 → 1 MiB",
        "0.600 → 0.700",
        "20.0 % of plain's time",
        "50.0 % (memory)",
    ]
    assert "200 GFLOP/s, 30.0 GB/s" in text
