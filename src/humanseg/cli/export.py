"""`humanseg export`: a trained network as a file for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import note, say, score, shown, table
from humanseg.model_directory import find_model
from humanseg.model_directory.hub import publish
from humanseg.system.errors import UsageError

if TYPE_CHECKING:
    from humanseg.exporting import ExportRecord

_COUNT, _SEED = 32, 42
_NAMES = {"onnx": "ONNX", "openvino": "OpenVINO IR"}


def export(
    model: Annotated[str, Parameter(help="Model directory, or a name such as `bundled`.")],
    /,
    *,
    output: Annotated[Path | None, flags.output("File to write: .onnx or .xml (OpenVINO).")] = None,
    format: Annotated[
        Literal["onnx", "openvino"] | None,
        Parameter(help="Format; must be the one of the file's suffix.", show_default=False),
    ] = None,
    quantize: Annotated[
        Literal["none", "int8"], Parameter(help="int8: whole-number arithmetic.")
    ] = "none",
    calibrate: Annotated[
        Path | None,
        Parameter(help="Pictures for int8: a folder or data set of the kind to be segmented."),
    ] = None,
    calibration_pictures: Annotated[
        int | None,
        Parameter(help="How many of them to draw, at least 8.", show_default=lambda _: str(_COUNT)),
    ] = None,
    seed: Annotated[
        int | None, Parameter(help="Seed of that draw.", show_default=lambda _: str(_SEED))
    ] = None,
    data: Annotated[
        Path | None,
        Parameter(help="Labelled pictures to measure on what int8 costs; best untrained ones."),
    ] = None,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    half: Annotated[bool, flags.option(help="Store weights as float16.")] = False,
    tolerance: Annotated[
        float | None,
        Parameter(
            help="Largest difference from torch in probability; for int8 also the share of pixels "
            "that change sides. 0.001 by default, 0.02 for float16 and int8.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, flags.option(help="Replace existing files.")] = False,
    hub: Annotated[
        str | None,
        Parameter(
            help="Instead of a file: put the model directory on the Hugging Face Hub as "
            "OWNER/NAME, private if it is new.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a trained network as one file that takes RGB bytes and gives probabilities."""
    directory = find_model(model)
    for_int8: dict[str, object] = {
        "--calibrate": calibrate,
        "--data": data,
        "--calibration-pictures": calibration_pictures,
        "--seed": seed,
        "--layout": layout,
        "--classes": classes,
    }
    if hub is not None:
        quantized = None if quantize == "none" else quantize
        for_files = {"-o": output, "--format": format, "--quantize": quantized, "--half": half}
        tolerated = {"--tolerance": tolerance, "--overwrite": overwrite}
        _refuse_beside_hub(flags.typed({**for_files, **for_int8, **tolerated}))
        say(publish(directory, hub))
        return
    if output is None:
        raise UsageError("-o is missing; give the file to write with -o FILE.")
    flags.free_output_file(output)
    if data is not None:
        flags.existing_data(data)
    if calibration_pictures is not None and not 8 <= calibration_pictures <= 1000:
        raise UsageError(
            f"--calibration-pictures: got {calibration_pictures}; allowed are 8 to 1000."
        )
    _check_int8(quantize, flags.typed(for_int8))
    labels = flags.settings_of_data(None, layout, classes).data
    from humanseg.exporting import Int8Options
    from humanseg.exporting import export as write

    count, drawn = calibration_pictures or _COUNT, _SEED if seed is None else seed
    read = labels.layout, labels.classes
    int8 = Int8Options(calibrate, count, drawn, data, *read) if calibrate else None
    with shown("Measuring") as progress:
        record = write(
            directory,
            output,
            format=format,
            int8=int8,
            half=half,
            tolerance=tolerance,
            overwrite=overwrite,
            progress=progress,
        )
    say(*_summary(record, output))
    _remark(record, directory)


def _refuse_beside_hub(typed: list[str]) -> None:
    """Refuse what says how a file is written: a directory goes to the hub as it is."""
    if typed:
        raise UsageError(
            f"--hub takes the model directory as it is; leave out {', '.join(typed)}, and give it "
            "alone, after `humanseg export` has written what the directory is to hold."
        )


def _check_int8(quantize: str, typed: list[str]) -> None:
    """Refuse what int8 lacks, and what without it has no effect."""
    if quantize == "int8":
        if "--calibrate" not in typed:
            raise UsageError(
                "int8 needs calibration pictures; name a folder of 24 to 64 pictures of the kind "
                "that will be segmented with --calibrate."
            )
        if "--layout" in typed and "--data" not in typed:
            raise UsageError("--layout says how --data is read; give --data, or leave it out.")
    elif typed:
        serve = "serves" if len(typed) == 1 else "serve"
        raise UsageError(
            f"{' and '.join(typed)} {serve} int8 only; add --quantize int8 or leave it out."
        )


def _summary(record: ExportRecord, output: Path) -> list[str]:
    parity = record.parity
    # In int8 single pixels at the rim of a person may differ by anything; their mean says more.
    apart = (
        f"{parity.mean_difference:.4f} on average"
        if record.precision == "int8"
        else f"{parity.largest_difference:.1e} at most"
    )
    lines = [
        f"{output}: {_NAMES[record.format]} in {record.precision}, "
        f"{record.size_bytes / 1e6:.1f} MB.",
        f"Against torch on {parity.pictures} pictures: probabilities differ by {apart}; masks "
        f"agree in {parity.mask_agreement:.3%} of the pixels.",
    ]
    cost = record.quantisation.cost if record.quantisation else None
    if cost is not None:
        lines += table(
            [
                ("", "fp32", "int8", "lost"),
                _row("IoU, mean over pictures", cost.iou_fp32, cost.iou_int8),
                _row("Boundary IoU", cost.boundary_iou_fp32, cost.boundary_iou_int8),
            ]
        )
        lines.append(f"Measured on {cost.pictures} labelled pictures.")
    return lines


def _row(name: str, before: float, after: float) -> tuple[str, str, str, str]:
    return name, score(before), score(after), f"{before - after:+.4f}"


def _remark(record: ExportRecord, directory: Path) -> None:
    from humanseg.model_directory import read_model_record

    if record.quantisation is None:
        return
    cost = record.quantisation.cost
    if cost is None:
        note("humanseg: note: what int8 costs was not measured; --data DIR measures it.")
    elif cost.data_fingerprint == read_model_record(directory).data_fingerprint:
        note(
            "humanseg: note: the model was trained on pictures of this very data set; new "
            "pictures may lose more."
        )
