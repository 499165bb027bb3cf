"""From a model directory to a file for another runtime."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from humanseg.exporting.int8 import METHOD, quantisation_cost, quantise
from humanseg.exporting.int8_calibration import Int8Options, calibration_images
from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, FunctionEngine
from humanseg.inference.engines.onnx_check import INPUT
from humanseg.inference.engines.runtimes import import_openvino
from humanseg.model_directory import (
    ONNX_FILE,
    ONNX_INT8_FILE,
    ModelRecord,
    OnnxRecord,
    Parity,
    Quantisation,
    find_model,
    read_model_record,
    warn_if_weak,
    write_model_record,
)
from humanseg.models import FromBytes, SegmentationNetwork, TorchEngine, halved, load_network
from humanseg.models.onnx_file import (
    add_metadata,
    describe,
    description,
    onnx_model,
    open_exported,
)
from humanseg.models.parity import (
    HALF_TOLERANCE,
    INT8_TOLERANCE,
    TOLERANCE,
    check_int8_parity,
    check_parity,
    measure_parity,
    probe_images,
)
from humanseg.results import SCHEMA_VERSION, Record, write_record
from humanseg.results.provenance import versions_of
from humanseg.system.atomic import replacing_together
from humanseg.system.cpu import processor
from humanseg.system.errors import ExportError, ModelError, UsageError, first_line
from humanseg.system.progress import ItemProgress
from humanseg.system.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

_log = logging.getLogger(__name__)

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}

_WRITERS = ("torch", "onnx", "onnxscript", "onnxruntime")
"""Packages that write every file, beside the one that its format is named after."""
_COMPARED = 8
"""Calibration pictures that int8 is held against torch on."""


class ExportRecord(Record):
    """One exported network: FILE.json beside it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    model: str
    """Model directory that was exported."""
    format: Format
    precision: Literal["fp32", "fp16", "int8"]
    """How weights are stored; `fp16` computes in float32, `int8` in whole numbers."""
    files: dict[str, str]
    """SHA-256 of every file that was written, by name."""
    size_bytes: int
    """Of all these files."""
    image_size: tuple[int, int]
    """Height and width in pixels that the file takes pictures in."""
    threshold: float
    """A pixel is a person where its probability is at least this."""
    parity: Parity
    """The file, loaded again, against torch."""
    tolerance: float
    """What was allowed."""
    quantisation: Quantisation | None = None
    """How int8 was calibrated and what it lost; None for other precisions."""
    versions: dict[str, str]
    """Of humanseg and of the packages that wrote the file."""


@dataclass(frozen=True)
class _Job:
    """What is exported, and how."""

    network: SegmentationNetwork
    record: ModelRecord
    kind: Format
    precision: Literal["fp32", "fp16", "int8"]
    tolerance: float
    int8: Int8Options | None

    @property
    def size(self) -> Size:
        """(height, width) of the network's grid."""
        return self.record.preprocessing.image_size


def export(
    model: str | Path,
    output: Path,
    *,
    format: Format | None = None,
    int8: Int8Options | None = None,
    half: bool = False,
    tolerance: float | None = None,
    overwrite: bool = False,
    progress: ItemProgress | None = None,
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
        int8: how to calibrate and measure whole-number arithmetic; without it there is none.
        half: round weights to float16 and store them so.
        tolerance: largest difference from torch; see `check_parity` and `check_int8_parity`. 0.001
            by default, 0.02 for float16 and int8.
        overwrite: replace existing files.
        progress: called with (done, total) while int8 is measured.

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
    if int8 is not None and half:
        raise UsageError("half and int8 exclude each other; give one of them.")
    precision: Literal["fp32", "fp16", "int8"] = "int8" if int8 else "fp16" if half else "fp32"
    own = is_own_file(output, directory, precision)
    check_output(output, kind, overwrite=overwrite)
    warn_if_weak(directory, read_model_record(directory))  # also of one that cannot be loaded
    network, record = load_network(directory)
    if own and int8 and record.onnx is None:
        raise ModelError(
            f"{directory}: has no {ONNX_FILE} yet; first run `humanseg export {directory} -o "
            f"{directory / ONNX_FILE}`."
        )
    job = _Job(network, record, kind, precision, _allowed(tolerance, precision), int8)
    with replacing_together(output) as temporary:
        parity, quantisation = _write(job, temporary, progress)
        written = _record(directory, job, temporary.parent, parity, quantisation)
        if not own:
            write_record(record_file(temporary), written)
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
    job: _Job, file: Path, progress: ItemProgress | None
) -> tuple[Parity, Quantisation | None]:
    half = job.precision == "fp16"
    calibration = calibration_images(job.int8, job.size) if job.int8 else None
    # OpenVINO stores float16 in its own way.
    wrapped = FromBytes(halved(job.network) if half else job.network)
    plain = onnx_model(wrapped, job.size, half=half and job.kind == "onnx")
    model = plain if calibration is None else quantise(plain, calibration)
    # Where int8 overflows, the file is held to what it says: it is right, this processor is not.
    as_written = calibration is not None and not processor().exact_int8
    if as_written:
        _log.warning(
            "int8 overflows on this processor, so what was written was compared and scored by ONNX "
            "Runtime in float32, as it computes elsewhere; predictions here take fp32."
        )
    if job.kind == "openvino":
        described = description(job.record, job.precision)
        engine: Engine = _write_openvino(model, job.size, file, described, half=half)
    if job.kind == "onnx" or as_written:
        engine = open_exported(model.SerializeToString(), job.size, as_written=as_written)
    # Ranges of int8 fit no pictures but real ones.
    images = probe_images(job.size) if calibration is None else calibration[:_COMPARED]
    network = TorchEngine.of_network(job.network, job.size)
    parity = measure_parity(network, engine, images, threshold=job.record.threshold)
    check = check_parity if job.int8 is None else check_int8_parity
    check(parity, what=file.name, tolerance=job.tolerance)
    quantisation = None
    if job.int8 is not None and calibration is not None:
        full = open_exported(plain.SerializeToString(), job.size)
        cost = quantisation_cost(job.record, job.int8, full=full, int8=engine, progress=progress)
        quantisation = Quantisation(
            method=METHOD, calibration_pictures=len(calibration), parity=parity, cost=cost
        )
    if job.kind == "onnx":
        describe(model, job.record, job.precision, parity)
        if quantisation is not None:
            add_metadata(model, {"quantisation": quantisation.model_dump_json()})
        file.write_bytes(model.SerializeToString())
    return parity, quantisation


def _write_openvino(
    model: ModelProto, size: Size, path: Path, described: dict[str, str], *, half: bool
) -> Engine:
    """Write OpenVINO's IR (.xml with a .bin beside it) and load it again, in float32 on the CPU.

    `described` is kept as `rt_info` under `humanseg`; `half` stores weights as float16.
    """
    openvino: Any = import_openvino()
    core = openvino.Core()
    try:
        # `openvino.convert_model` does the same, but has a telemetry of its own.
        converted = core.read_model(model.SerializeToString())
        for name, value in described.items():
            converted.set_rt_info(value, ["humanseg", name])
        openvino.save_model(converted, str(path), compress_to_fp16=half)
        compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise ExportError(f"OpenVINO cannot take the network ({first_line(error)}).") from error

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (probability,) = compiled({INPUT: np.ascontiguousarray(images)}).values()
        return np.array(probability, dtype=np.float32)

    return FunctionEngine.of(run, size)


def _record(
    directory: Path, job: _Job, folder: Path, parity: Parity, quantisation: Quantisation | None
) -> ExportRecord:
    files = sorted(folder.iterdir())
    return ExportRecord(
        model=str(directory),
        format=job.kind,
        precision=job.precision,
        files={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        size_bytes=sum(file.stat().st_size for file in files),
        image_size=job.size,
        threshold=job.record.threshold,
        parity=parity,
        tolerance=job.tolerance,
        quantisation=quantisation,
        versions={"humanseg": __version__} | versions_of([*_WRITERS, job.kind]),
    )


def _note_in_directory(directory: Path, record: ModelRecord, written: ExportRecord) -> None:
    if written.quantisation is None:
        made = {"precision": "fp32", "parity": written.parity}
    else:
        made = {"int8": written.quantisation}
    onnx = record.onnx or OnnxRecord(precision="fp32", parity=written.parity)
    onnx = onnx.model_copy(update=made)
    write_model_record(directory, record.model_copy(update={"onnx": onnx}))


def format_of(output: Path, asked: str | None) -> Format:
    """Format of a file, by its suffix, or the one asked for if the suffix is its own."""
    if asked is not None and asked not in get_args(Format):
        raise UsageError(f"format: got {asked!r}; allowed are {', '.join(SUFFIXES)}.")
    for name, suffix in SUFFIXES.items():
        if asked in (None, name) and output.suffix.lower() == suffix:
            return name
        if asked == name:
            raise UsageError(f"{output}: format {asked} needs a file name that ends in {suffix}.")
    allowed = ", ".join(f"{suffix} ({name})" for name, suffix in SUFFIXES.items())
    got = repr(output.suffix) if output.suffix else "no suffix"
    raise UsageError(f"{output}: got {got}; allowed are {allowed}.")


def record_file(output: Path) -> Path:
    """Where the record of an exported file lies: FILE.json."""
    return output.with_name(f"{output.name}.json")


def check_output(output: Path, kind: Format, *, overwrite: bool) -> None:
    """Refuse a place that cannot or must not be written to."""
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; -o needs a file.")
    above = next(folder for folder in output.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UsageError(f"{above}: is a file, not a folder; {output} cannot be written.")
    weights = [output.with_suffix(".bin")] if kind == "openvino" else []
    existing = [path for path in (output, *weights, record_file(output)) if path.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]}: exists already; add --overwrite or name another file.")


def is_own_file(output: Path, model: Path, precision: str) -> bool:
    """Whether the output is one of the model directory's own ONNX files, each in its precision."""
    if output.parent.resolve() != model.resolve():
        return False
    if output.name == ONNX_FILE and precision != "fp32":
        raise UsageError(
            f"{output}: model.onnx is the network itself; int8 goes to {ONNX_INT8_FILE}, rounded "
            "weights to another folder."
        )
    if output.name == ONNX_INT8_FILE and precision != "int8":
        raise UsageError(f"{output}: is the name of the int8 file; add --quantize int8.")
    return output.name in (ONNX_FILE, ONNX_INT8_FILE)
