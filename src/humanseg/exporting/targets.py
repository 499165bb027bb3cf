"""Which file an export writes, settled before anything slow begins."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from humanseg.exporting.export_record import Format
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
    """Refuse a place that cannot or must not be written to.

    Raises:
        UsageError: a folder, below a file, or there already.
    """
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
    """Whether the output is one of the model directory's own ONNX files.

    Raises:
        UsageError: model.int8.onnx is to be written without int8, or model.onnx with it or with
            rounded weights.
    """
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
