"""Which file an export writes, settled before anything slow begins."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from humanseg.exporting.export_record import Format, Quantize
from humanseg.model_directory import ONNX_FILE, ONNX_INT8_FILE
from humanseg.system.errors import UsageError

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}


def format_of(output: Path, asked: str | None) -> Format:
    """Format of a file, by its suffix, or the one asked for if the suffix is its own.

    Raises:
        UsageError: unknown suffix or format, or the two do not belong together.
    """
    if asked is not None and asked not in get_args(Format):
        raise UsageError(f"format: got {asked!r}; allowed are {', '.join(SUFFIXES)}.")
    known = {suffix: name for name, suffix in SUFFIXES.items()}
    found = known.get(output.suffix.lower())
    if asked is None and found is None:
        allowed = ", ".join(f"{suffix} ({name})" for suffix, name in known.items())
        got = repr(output.suffix) if output.suffix else "no suffix"
        raise UsageError(f"{output}: got {got}; allowed are {allowed}.")
    if asked is not None and found != asked:
        wanted = next(suffix for name, suffix in SUFFIXES.items() if name == asked)
        raise UsageError(f"{output}: format {asked} needs a file name that ends in {wanted}.")
    assert found is not None
    return found


def record_file(output: Path) -> Path:
    """Where the record of an exported file lies: FILE.json."""
    return output.with_name(f"{output.name}.json")


def companions(output: Path, kind: Format) -> list[Path]:
    """Every file that the export writes."""
    weights = [output.with_suffix(".bin")] if kind == "openvino" else []
    return [output, *weights, record_file(output)]


def check_output(output: Path, kind: Format, *, overwrite: bool) -> None:
    """Refuse a place that cannot or must not be written to.

    Raises:
        UsageError: a folder, below a file, or there already.
    """
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; -o needs a file.")
    above = next(folder for folder in output.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UsageError(f"{above}: is a file, not a folder; {output} cannot be written.")
    existing = [path for path in companions(output, kind) if path.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]}: exists already; add --overwrite or name another file.")


def check_options(quantize: Quantize, *, half: bool, calibrated: bool, measured: bool) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: int8 without calibration pictures or with float16, or pictures that nothing
            would look at.
    """
    if quantize not in get_args(Quantize):
        raise UsageError(
            f"quantize: got {quantize!r}; allowed are {', '.join(get_args(Quantize))}."
        )
    if quantize == "int8":
        if half:
            raise UsageError("half and int8 exclude each other; give one of them.")
        if not calibrated:
            raise UsageError(
                "int8 needs calibration pictures; name a folder of 24 to 64 pictures of the kind "
                "that will be segmented with --calibrate."
            )
        return
    if calibrated or measured:
        what = "--calibrate" if calibrated else "--data"
        raise UsageError(f"{what} serves int8 only; add --quantize int8 or leave it out.")


def place_in_directory(output: Path, model: Path, quantize: Quantize, *, half: bool) -> bool:
    """True where the output is one of the model directory's own ONNX files.

    Raises:
        UsageError: model.int8.onnx is to be written without int8, or model.onnx with it or with
            rounded weights.
    """
    if output.parent.resolve() != model.resolve():
        return False
    if output.name == ONNX_FILE and (quantize == "int8" or half):
        raise UsageError(
            f"{output}: model.onnx is the network itself; int8 goes to {ONNX_INT8_FILE}, rounded "
            "weights to another folder."
        )
    if output.name == ONNX_INT8_FILE and quantize != "int8":
        raise UsageError(f"{output}: is the name of the int8 file; add --quantize int8.")
    return output.name in (ONNX_FILE, ONNX_INT8_FILE)
