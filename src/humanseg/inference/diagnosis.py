"""What is installed, what of it works, and what prediction would use: `humanseg doctor`."""

from __future__ import annotations

import contextlib
import importlib
import io
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from humanseg.inference.engines.runtimes import import_onnxruntime, import_openvino
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import (
    ONNX_FILE,
    ONNX_INT8_FILE,
    default_model,
    find_model,
    installed_models,
    read_model_record,
)
from humanseg.results import Record
from humanseg.system.cpu import Processor, processor, usable_cores
from humanseg.system.errors import HumansegError

EXTRAS = {
    "train": ("torch", "torchvision", "lightning", "segmentation-models-pytorch"),
    "openvino": ("openvino",),
    "video": ("av",),
    "heic": ("pillow-heif",),
    "tensorboard": ("tensorboard",),
}
"""By extra of the package: what it installs, which is imported with `_` for `-`."""

_BASE = ("numpy", "pillow", "pydantic", "onnxruntime")
_X86 = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_ARM = ("asimddp", "i8mm", "bf16")  # dot products and products of matrices of int8, and bf16
_CALLS = 5

Status = Literal["ok", "absent", "broken"]


class Check(Record):
    """One thing that was looked at."""

    name: str
    status: Status
    """`absent` is no fault: an optional part that is not installed."""
    detail: str
    """What was found; for what is broken, what is wrong and what to do."""


class Smoke(Record):
    """One prediction with the default model."""

    backend: str
    precision: str
    device: str
    threads: int
    reason: str
    """Why `auto` took this backend."""
    image_size: tuple[int, int]
    load_seconds: float
    first_seconds: float
    """The first prediction of a drawn picture of 640x480."""
    seconds: float
    """Median of five more."""


class DoctorReport(Record):
    """All that `humanseg doctor` finds."""

    humanseg: str
    python: str
    platform: str
    processor: str
    cores: int
    """Physical cores that this process may use."""
    instructions: dict[str, bool] | None
    """Whether the processor has what makes networks fast, by Linux's names; None where they cannot
    be read, or are not known for this kind of processor."""
    versions: dict[str, str]
    checks: tuple[Check, ...]
    smoke: Smoke | None
    """None if the default model could not be run."""

    @property
    def ok(self) -> bool:
        """Whether nothing that is installed is broken."""
        return all(check.status != "broken" for check in self.checks)


def examine() -> DoctorReport:
    """Look at everything. Imports all that is installed, torch included; takes some seconds."""
    smoke, prediction = _smoke()
    machine = processor()
    return DoctorReport(
        humanseg=_version("humanseg") or "unknown",
        python=platform.python_version(),
        platform=platform.platform(),
        processor=machine.name,
        cores=usable_cores(),
        instructions=_instructions(machine),
        versions=_versions(),
        checks=(
            _checked("onnxruntime", _onnxruntime),
            _checked("openvino", _openvino, needs="openvino"),
            _checked("torch", _torch, needs="torch"),
            _checked("torchvision", _torchvision, needs="torchvision"),
            *(
                _checked(name, partial(_imports, packages), needs=packages[0])
                for name, packages in EXTRAS.items()
                if name not in ("openvino", "train")
            ),
            _training(),
            *(
                _checked(f"{name} model", partial(_model, name))
                for name in sorted({default_model(), *installed_models()})
            ),
            prediction,
        ),
        smoke=smoke,
    )


def _instructions(machine: Processor) -> dict[str, bool] | None:
    names = _ARM if machine.is_arm else _X86 if machine.is_x86 else None
    if names is None or machine.features is None:
        return None
    return {name: name in machine.features for name in names}


def _checked(name: str, look: Callable[[], str], *, needs: str | None = None) -> Check:
    """The outcome of a look at what needs a package; whatever it raises is what is broken."""
    if needs is not None and _version(needs) is None:
        extra = next(name for name, packages in EXTRAS.items() if needs in packages)
        how = f'not installed; pip install "humanseg[{extra}]"'
        return Check(name=name, status="absent", detail=how)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # what matters is raised
            return Check(name=name, status="ok", detail=look())
    except Exception as error:  # noqa: BLE001  broken packages raise anything
        text = " ".join(str(error).split()) or type(error).__name__
        return Check(name=name, status="broken", detail=text)


def _onnxruntime() -> str:
    runtime = import_onnxruntime()
    both = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(both) == 2:
        raise HumansegError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other; "
            "uninstall both, then install one of them."
        )
    return f"{runtime.__version__}; {', '.join(runtime.get_available_providers())}"


def _openvino() -> str:
    openvino = import_openvino()
    core = openvino.Core()
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    native = ", ".join(name.lower() for name in ("FP32", "BF16", "INT8") if name in able)
    release = openvino.__version__.split("-")[0]
    return f"{release}; {', '.join(core.available_devices)}; {native}"


def _torch() -> str:
    torch: Any = importlib.import_module("torch")
    if torch.cuda.is_available():
        devices = [
            torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
        ]
        return f"{torch.__version__}; CUDA {torch.version.cuda}: {', '.join(devices)}"
    if torch.version.cuda is not None and Path("/proc/driver/nvidia/version").exists():
        raise HumansegError(
            f"built for CUDA {torch.version.cuda}, and there is a driver, but torch finds no "
            "device; check `nvidia-smi`, CUDA_VISIBLE_DEVICES and the driver's version."
        )
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    return f"{torch.__version__}; {built}, no device"


def _torchvision() -> str:
    try:
        torchvision: Any = importlib.import_module("torchvision")
    except Exception as error:  # `operator torchvision::nms does not exist`, or a missing symbol
        raise HumansegError(
            f"{' '.join(str(error).split())}: torch and torchvision do not belong together; "
            "install both at once from one index: pip install --force-reinstall torch torchvision"
        ) from error
    return f"{torchvision.__version__}; fits torch {_version('torch')}"


def _imports(packages: Sequence[str]) -> str:
    """Versions of packages that only have to import."""
    for package in packages:
        importlib.import_module(package.replace("-", "_"))
    return ", ".join(f"{package} {_version(package)}" for package in packages)


def _training() -> Check:
    """The training parts; torch and torchvision, which fail most, have checks of their own."""
    absent = [package for package in EXTRAS["train"] if _version(package) is None]

    def look() -> str:
        if absent:
            raise HumansegError(
                f"{', '.join(absent)} missing beside the rest; "
                'pip install "humanseg[train]" completes it.'
            )
        return _imports([name for name in EXTRAS["train"] if name not in ("torch", "torchvision")])

    return _checked("train", look, needs=absent[0] if len(absent) == len(EXTRAS["train"]) else None)


def _model(name: str) -> str:
    """A model that comes with humanseg or another package."""
    directory = find_model(name)
    record = read_model_record(directory)
    files = [each for each in (ONNX_FILE, ONNX_INT8_FILE) if (directory / each).is_file()]
    if ONNX_FILE not in files:
        raise HumansegError(f"{directory}: {ONNX_FILE} is missing; install its package again.")
    return f"{record.arch} with {record.encoder_name}; {', '.join(files)}"


def _smoke() -> tuple[Smoke | None, Check]:
    """A prediction as a user would make it; before torch is imported, which changes timings."""
    smoke: Smoke | None = None

    def look() -> str:
        nonlocal smoke
        rows, columns = np.mgrid[0:480, 0:640]
        image = np.stack([rows // 2, columns // 3, rows // 4 + columns // 8], axis=-1)
        began = time.perf_counter()
        segmenter = Segmenter()
        loaded = time.perf_counter()
        times = []
        for _ in range(_CALLS + 1):
            start = time.perf_counter()
            values = segmenter.predict(image.astype(np.uint8)).probability
            times.append(time.perf_counter() - start)
        if not (np.isfinite(values).all() and 0 <= values.min() <= values.max() <= 1):
            raise HumansegError(
                f"{segmenter.engine.name} gives values that are no probabilities; give another "
                "backend or precision, and report this."
            )
        opened = segmenter.engine
        smoke = Smoke(
            **opened.way,
            reason=opened.reason,
            image_size=opened.image_size,
            load_seconds=loaded - began,
            first_seconds=times[0],
            seconds=float(np.median(times[1:])),
        )
        return f"{opened.name}, {opened.precision} on {opened.device}"

    check = _checked("prediction", look)
    return smoke, check


def _versions() -> dict[str, str]:
    names = chain(_BASE, *EXTRAS.values())
    return {name: number for name in names if (number := _version(name)) is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
