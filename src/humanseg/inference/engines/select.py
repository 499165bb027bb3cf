"""Choose and open the engine of a model: backend, precision and device, each `auto` or asked for.

`auto` may fall back and says why in `reason`; what was asked for by name is had or refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from humanseg.config.architectures import problem_of_size
from humanseg.config.section import Side
from humanseg.images.resize import Size
from humanseg.inference.arguments import checked_count
from humanseg.inference.engines.engine import Engine, EngineName, Precision, torch_opener
from humanseg.inference.engines.onnxruntime_engine import CUDA_PROVIDER, open_onnxruntime
from humanseg.inference.engines.openvino_engine import open_openvino
from humanseg.inference.engines.runtimes import import_onnxruntime
from humanseg.model_directory import (
    ONNX_FILE,
    ONNX_INT8_FILE,
    read_model_record,
    refuse_changed,
)
from humanseg.system.cpu import processor
from humanseg.system.errors import ModelError, UsageError, first_line

_log = logging.getLogger(__name__)

BackendName = Literal["auto", "onnxruntime", "openvino", "torch"]
PrecisionName = Literal["auto", "fp32", "bf16", "int8"]
DeviceName = Literal["auto", "cpu", "cuda"]


def open_engine(
    model: Path,
    *,
    backend: BackendName = "auto",
    precision: PrecisionName = "auto",
    device: DeviceName = "auto",
    threads: int | None = None,
    image_size: Size | None = None,
) -> Engine:
    """Open a model directory for prediction.

    Args:
        model: model directory, as `model_directory.find_model` gives it.
        backend: `auto` is OpenVINO if it is installed and can run the model, else ONNX Runtime;
            torch if the directory has no model.onnx; for device cuda ONNX Runtime if it has CUDA,
            else torch.
        precision: `auto` is int8 if the directory has model.int8.onnx and the processor multiplies
            int8 without saturating, but not on OpenVINO where AMX makes bf16 as fast, which is more
            exact; else bf16 on OpenVINO where the processor has it; else fp32.
        device: `auto` is the CPU; with backend torch a CUDA device if there is one.
        threads: processor threads for one image, at least 1; all usable physical cores if None.
        image_size: (height, width) of the grid; the model's own if None.

    Returns:
        The engine, callable from several threads at once; its attributes say what was chosen.

    Raises:
        ModelError: the directory is damaged, foreign, or lacks the file that was asked for.
        UsageError: what was asked for does not exist, is not installed, or does not go together.
    """
    _check_words(backend, precision, device)
    if threads is not None:
        threads = checked_count("threads", threads, otherwise=", or None for all cores")
    size = _grid_size(model, image_size)
    name, reason = _choose(model, backend, precision, device)
    _refuse_mismatch(name, precision, device)
    if name == "torch":
        return torch_opener()(
            model,
            precision="bf16" if precision == "bf16" else "fp32",
            device=None if device == "auto" else device,
            threads=threads,
            image_size=size,
            reason=reason,
        )
    opened = partial(_open_onnx, model, precision, device, threads, size)
    try:
        return opened(name, reason)
    except (ModelError, UsageError) as error:
        if (name, backend) != ("openvino", "auto") or precision == "bf16":  # OpenVINO's alone
            raise
        cause = first_line(error.__cause__ or error).rstrip(".")
        return opened("onnxruntime", f"OpenVINO, which is faster, fails here ({cause})")


def _check_words(backend: str, precision: str, device: str) -> None:
    for name, given, kind in (
        ("backend", backend, BackendName),
        ("precision", precision, PrecisionName),
        ("device", device, DeviceName),
    ):
        if given not in get_args(kind):
            raise UsageError(f"{name}: got {given!r}; allowed: {', '.join(get_args(kind))}.")


def _grid_size(model: Path, asked: Size | None) -> Size:
    """The model's own size, or the one that is asked for if the network can have it."""
    record = read_model_record(model)
    own = record.preprocessing.image_size
    if asked in (None, own):
        return own
    try:
        height, width = (TypeAdapter(Side).validate_python(side) for side in asked)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"image_size: got {asked!r}; give height and width, multiples of 32 up to 4096."
        ) from error
    if problem := problem_of_size(record.config.model, (height, width)):
        raise UsageError(f"image_size: is {problem}")
    return height, width


def _choose(
    model: Path, backend: BackendName, precision: str, device: str
) -> tuple[EngineName, str]:
    """The backend's name and why it was taken."""
    if backend != "auto":
        if backend != "torch":
            _require(model, ONNX_FILE, backend)
        return backend, "asked for"
    if device == "cuda":
        return _for_cuda(model)
    if not (model / ONNX_FILE).is_file():
        if not _installed("torch"):
            _require(model, ONNX_FILE, "the base installation")
        return "torch", f"the model has no {ONNX_FILE}; `humanseg export` makes a faster one"
    if not _installed("openvino"):
        if precision == "bf16":
            raise UsageError(
                "precision bf16: on the CPU it needs OpenVINO; install it with: "
                'pip install "humanseg[openvino]", or give precision fp32.'
            )
        return "onnxruntime", "OpenVINO, which is faster, is not installed"
    return "openvino", "installed, and the fastest on CPUs"


def _for_cuda(model: Path) -> tuple[EngineName, str]:
    providers = import_onnxruntime().get_available_providers()
    if CUDA_PROVIDER in providers and (model / ONNX_FILE).is_file():
        return "onnxruntime", "has CUDA"
    if _installed("torch"):
        torch: Any = importlib.import_module("torch")
        if torch.cuda.is_available():
            return "torch", "has CUDA"
    raise UsageError(
        "device cuda: neither ONNX Runtime nor torch can use a CUDA device here; install "
        "onnxruntime-gpu in place of onnxruntime, or torch with CUDA, or give device cpu. "
        "`humanseg doctor` says what is there."
    )


def _refuse_mismatch(name: EngineName, precision: str, device: str) -> None:
    if name == "onnxruntime" and precision == "bf16":
        raise UsageError(
            "precision bf16: ONNX Runtime does not compute in it; give precision fp32 or int8, or "
            "backend openvino."
        )
    if name == "torch" and precision == "int8":
        raise UsageError(
            "precision int8: torch does not run int8 files; give precision fp32 or bf16, or "
            "backend onnxruntime or openvino."
        )
    if name == "openvino" and device == "cuda":
        raise UsageError(
            "device cuda: OpenVINO does not run on it; give backend onnxruntime or torch, or "
            "device cpu."
        )


def _open_onnx(
    model: Path,
    precision: PrecisionName,
    device: str,
    threads: int | None,
    size: Size,
    name: EngineName,
    reason: str,
) -> Engine:
    int8 = precision == "int8" or (
        precision == "auto"
        and device != "cuda"
        and (model / ONNX_INT8_FILE).is_file()
        and processor().exact_int8
        and not (name == "openvino" and processor().bf16_in_tiles)
    )
    if int8:
        _require(model, ONNX_INT8_FILE, "precision int8")
        if device != "cuda" and not processor().exact_int8:
            _log.warning(
                "int8 overflows on this processor, which has no VNNI: contours are coarser than "
                "with fp32, which auto takes here."
            )
    path = model / (ONNX_INT8_FILE if int8 else ONNX_FILE)
    if path.is_file():
        refuse_changed(model, read_model_record(model), path.name)
    asked: Precision | None = "int8" if int8 else None if precision == "auto" else precision
    if name == "openvino":
        return open_openvino(path, image_size=size, precision=asked, threads=threads, reason=reason)
    return open_onnxruntime(
        path,
        image_size=size,
        precision=asked or "fp32",
        device="cuda" if device == "cuda" else "cpu",
        threads=threads,
        reason=reason,
    )


def _require(model: Path, file: str, what: str) -> None:
    if not (model / file).is_file():
        how = " --quantize int8" if file == ONNX_INT8_FILE else ""
        raise ModelError(
            f"{model}: has no {file}, which {what} needs; make it with `humanseg export{how}`."
        )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
