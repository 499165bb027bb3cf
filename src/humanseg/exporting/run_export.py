"""From a model directory to a file for another runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from humanseg.evaluation.scoring import Progress
from humanseg.exporting.export_record import ExportRecord, Format, Quantize
from humanseg.exporting.int8 import METHOD, quantisation_cost, quantise
from humanseg.exporting.int8_calibration import DEFAULT_COUNT, calibration_pictures
from humanseg.exporting.openvino_file import write_openvino
from humanseg.exporting.targets import (
    check_options,
    check_output,
    format_of,
    place_in_directory,
    record_file,
)
from humanseg.inference.engines.engine import Engine
from humanseg.model_directory import (
    ONNX_FILE,
    ModelRecord,
    OnnxRecord,
    Parity,
    Quantisation,
    find_model,
    write_model_record,
)
from humanseg.models import (
    FromBytes,
    SegmentationNetwork,
    TorchEngine,
    halved,
    load_network,
)
from humanseg.models.onnx_file import (
    add_metadata,
    describe,
    description,
    onnx_model,
    open_exported,
    store_half,
)
from humanseg.models.parity import (
    HALF_TOLERANCE,
    INT8_TOLERANCE,
    TOLERANCE,
    check_int8_parity,
    check_parity,
    measure_parity,
    probe_pictures,
)
from humanseg.results import write_record
from humanseg.system.atomic import replacing_together
from humanseg.system.errors import ModelError, UsageError
from humanseg.system.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

_WRITERS = {
    "onnx": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "openvino": ("torch", "onnx", "onnxscript", "onnxruntime", "openvino"),
}
_COMPARED = 8
"""Calibration pictures that int8 is held against torch on."""


@dataclass(frozen=True)
class _Job:
    """What is exported, how, and what it is compared with."""

    network: SegmentationNetwork
    record: ModelRecord
    kind: Format
    precision: str
    tolerance: float
    calibration: NDArray[np.uint8] | None

    @property
    def pictures(self) -> NDArray[np.uint8]:
        """uint8 (N, H, W, 3) to compare on: real ones for int8, whose ranges fit no others."""
        if self.calibration is not None:
            return self.calibration[:_COMPARED]
        return probe_pictures(self.record.preprocessing.image_size)

    def compare(self, exported: Engine, name: str) -> Parity:
        """Hold what was written against torch."""
        parity = measure_parity(
            TorchEngine.of_network(self.network, self.record.preprocessing.image_size),
            exported,
            self.pictures,
            threshold=self.record.threshold,
        )
        check = check_int8_parity if self.precision == "int8" else check_parity
        check(parity, what=name, tolerance=self.tolerance)
        return parity


def export(
    model: str | Path,
    output: Path,
    *,
    format: Format | None = None,
    quantize: Quantize = "none",
    calibration: Path | Sequence[Path] | None = None,
    calibration_count: int = DEFAULT_COUNT,
    seed: int = 42,
    data: Path | None = None,
    half: bool = False,
    tolerance: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportRecord:
    """Write a trained network as a file, if the file computes what torch does.

    Every format takes `image`, uint8 (N, H, W, 3) RGB with any N, and gives `probability`, float32
    (N, H, W) from 0 to 1. The file and its record FILE.json appear at once or not at all. Written
    to the model directory's own model.onnx or model.int8.onnx, the record goes into humanseg.json
    instead.

    Args:
        model: model directory, or `bundled`.
        output: file to write; .onnx or .xml (OpenVINO).
        format: to say the format too; it must be the suffix's.
        quantize: `int8` for whole-number arithmetic.
        calibration: pictures that show int8 which values to expect, see `calibration_pictures`.
        calibration_count: how many of them to draw.
        seed: of that draw.
        data: labelled pictures to measure on what int8 costs; best none that were trained on.
        half: round weights to float16 and store them so.
        tolerance: largest difference from torch; see `check_parity` and `check_int8_parity`. 0.001
            by default, 0.02 for float16 and int8.
        overwrite: replace existing files.
        progress: called with (done, total) while int8 is measured on `data`.

    Returns:
        What was written.

    Raises:
        UsageError: options, paths or formats that do not go together, or a part not installed.
        ModelError: not a readable model directory.
        ExportError: the network cannot be written so, or the file computes something else.
        DataError, ImageError: pictures that cannot be used.
    """
    directory = find_model(model)
    kind = format_of(output, format)
    check_options(
        quantize, half=half, calibrated=calibration is not None, measured=data is not None
    )
    own = place_in_directory(output, directory, quantize, half=half)
    check_output(output, kind, overwrite=overwrite)
    network, record = load_network(directory)
    if own and quantize == "int8" and record.onnx is None:
        raise ModelError(
            f"{directory}: has no {ONNX_FILE} yet; first run `humanseg export {directory} -o "
            f"{directory / ONNX_FILE}`."
        )
    precision = "int8" if quantize == "int8" else "fp16" if half else "fp32"
    size = record.preprocessing.image_size
    job = _Job(
        network=network,
        record=record,
        kind=kind,
        precision=precision,
        tolerance=_allowed(tolerance, precision),
        calibration=None
        if calibration is None
        else calibration_pictures(calibration, size, count=calibration_count, seed=seed),
    )
    with replacing_together(output) as place:
        parity, quantisation = _write(job, place, data, progress)
        written = _record(directory, job, place.parent, parity, quantisation)
        if not own:
            write_record(record_file(place), written)
    if own:
        _note_in_directory(directory, record, written)
    return written


def _allowed(tolerance: float | None, precision: str) -> float:
    if tolerance is None:
        return {"fp32": TOLERANCE, "fp16": HALF_TOLERANCE, "int8": INT8_TOLERANCE}[precision]
    if not 0.0 < tolerance <= 1.0:
        raise UsageError(f"tolerance: got {tolerance:g}; give a number above 0 and at most 1.")
    return tolerance


def _write(
    job: _Job, place: Path, data: Path | None, progress: Progress | None
) -> tuple[Parity, Quantisation | None]:
    size = job.record.preprocessing.image_size
    described = description(job.record, job.precision)
    plain = _as_onnx(job)
    model = plain if job.calibration is None else quantise(plain, job.calibration)
    if job.kind == "onnx":
        engine: Engine = open_exported(model.SerializeToString())
    else:
        engine = write_openvino(model, size, place, described, half=job.precision == "fp16")
    parity = job.compare(engine, place.name)
    quantisation = None
    if job.calibration is not None:
        full = open_exported(plain.SerializeToString())
        cost = data and quantisation_cost(
            job.record, data, full=full, int8=engine, progress=progress
        )
        quantisation = Quantisation(
            method=METHOD, calibration_pictures=len(job.calibration), parity=parity, cost=cost
        )
    if job.kind == "onnx":
        describe(model, job.record, job.precision, parity)
        if quantisation is not None:
            add_metadata(model, {"quantisation": quantisation.model_dump_json()})
        place.write_bytes(model.SerializeToString())
    return parity, quantisation


def _as_onnx(job: _Job) -> ModelProto:
    size = job.record.preprocessing.image_size
    if job.precision != "fp16":
        return onnx_model(FromBytes(job.network), size)
    wrapped = FromBytes(halved(job.network))
    model = onnx_model(wrapped, size)
    if job.kind == "onnx":  # OpenVINO stores float16 in its own way
        store_half(model.graph, dict(wrapped.named_parameters()))
    return model


def _record(
    directory: Path,
    job: _Job,
    folder: Path,
    parity: Parity,
    quantisation: Quantisation | None,
) -> ExportRecord:
    files = sorted(folder.iterdir())
    return ExportRecord.model_validate(
        {
            "model": str(directory),
            "format": job.kind,
            "precision": job.precision,
            "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
            "size_bytes": sum(file.stat().st_size for file in files),
            "image_size": job.record.preprocessing.image_size,
            "threshold": job.record.threshold,
            "parity": parity,
            "tolerance": job.tolerance,
            "quantisation": quantisation,
            "versions": {"humanseg": __version__} | _versions(_WRITERS[job.kind]),
        }
    )


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # ONNX Runtime's GPU build has a name of its own
            continue
    return found


def _note_in_directory(directory: Path, record: ModelRecord, written: ExportRecord) -> None:
    if written.quantisation is None:
        kept = record.onnx.int8 if record.onnx else None
        onnx = OnnxRecord(precision="fp32", parity=written.parity, int8=kept)
    else:
        assert record.onnx is not None
        onnx = record.onnx.model_copy(update={"int8": written.quantisation})
    write_model_record(directory, record.model_copy(update={"onnx": onnx}))
