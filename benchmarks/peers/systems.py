"""What a comparison with other projects needs of a system: ours, or theirs behind an adapter."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import worker
from humanseg.system.errors import HumansegError, UsageError

_ADAPTERS = Path(__file__).with_name("adapters")
PEERS = {
    "mediapipe": (_ADAPTERS / "selfie_segmentation.py", "0"),
    "mediapipe-landscape": (_ADAPTERS / "selfie_segmentation.py", "1"),
    "isnet": (_ADAPTERS / "isnet.py", ""),
}
"""Peers by name: adapter file and its argument, unless the name is given as `NAME=ARGUMENT`."""

INSTALL = {
    "mediapipe": "python3 -m venv PEERS && PEERS/bin/pip install mediapipe==0.10.14",
    "mediapipe-landscape": "python3 -m venv PEERS && PEERS/bin/pip install mediapipe==0.10.14",
    "isnet": "python3 -m venv PEERS && PEERS/bin/pip install onnxruntime",
}

_PATIENCE = 10.0  # seconds for a worker to end by itself


class System(Protocol):
    """Something that turns decoded images into masks, and tells how long that takes."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def settings(self) -> dict[str, str]:
        """Versions, threshold, threads: what its numbers depend on."""
        ...

    @property
    def load_seconds(self) -> float:
        """Importing and loading it, once."""
        ...

    def segment(
        self, image: NDArray[np.uint8], calls: int
    ) -> tuple[NDArray[np.bool_], tuple[float, ...]]:
        """Mask, bool (H, W), of an RGB image, uint8 (H, W, 3), and the seconds of each call."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Ours:
    """A `Segmenter` in this process."""

    def __init__(self, model: str | Path, **options: Any) -> None:  # noqa: ANN401  checked by Segmenter
        """Import and load.

        Args:
            model: model directory, `bundled` or `fast`.
            options: `backend`, `precision`, `device` and `threads` of `Segmenter`.

        Raises:
            UsageError: this machine, installation or model has no such thing.
            ModelError: not a readable model.
        """
        start = time.perf_counter()
        from humanseg.inference.segmenter import Segmenter

        self._segmenter = Segmenter(model, **options)
        self.load_seconds = time.perf_counter() - start
        record = self._segmenter.record
        assert record is not None  # a segmenter of a model directory has one
        self.model = self._segmenter.model
        self.trained_on = (record.data_fingerprint, *record.extra_fingerprints)
        opened = self._segmenter.engine
        self.name = f"humanseg {opened.name} {opened.precision} x{opened.threads}"
        self.settings = {
            "backend": opened.name,
            "precision": opened.precision,
            "device": opened.device,
            "threads": str(opened.threads),
            "threshold": str(self._segmenter.threshold),
            "image size": "{}x{}".format(*self._segmenter.image_size),
            "flip averaging": "yes" if self._segmenter.flip_averaging else "no",
        }

    def segment(
        self, image: NDArray[np.uint8], calls: int
    ) -> tuple[NDArray[np.bool_], tuple[float, ...]]:
        """See `System`."""
        message, mask = worker.time_mask(self._segmenter.mask, image, calls)
        return np.asarray(mask, dtype=np.bool_), tuple(message["seconds"])

    def close(self) -> None:
        """See `System`."""


class Peer:
    """Another project's network in a process of its own, by an adapter; see `worker`."""

    def __init__(self, name: str, *, python: Path | None = None) -> None:
        """Start the process and wait until it has loaded.

        Args:
            name: of `PEERS`, or the path of an adapter file; either with `=ARGUMENT`.
            python: interpreter of the environment that the peer is installed in; this one by
                default.

        Raises:
            UsageError: no such peer or interpreter, or the peer is not installed there.
        """
        adapter, argument = _adapter(name)
        name = name.partition("=")[0]
        interpreter = str(python) if python else sys.executable
        self.name = name if name in PEERS else adapter.stem
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        try:
            self._process = subprocess.Popen(
                [interpreter, worker.__file__, str(adapter), argument],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except OSError as error:
            self._stderr.close()
            raise UsageError(
                f"{interpreter}: cannot be run ({error.strerror}); --python needs the Python "
                "interpreter of the peer's environment, such as PEERS/bin/python."
            ) from error
        try:
            hello, _ = self._receive()
        except HumansegError as error:
            self.close()
            how = f" Install it with: {INSTALL[name]}; then give" if name in INSTALL else " Give"
            raise UsageError(
                f"{error}{how} that environment's interpreter with --python."
            ) from error
        self.load_seconds = float(hello["load_seconds"])
        self.settings = {**hello["versions"], "threshold": str(worker.THRESHOLD)}

    def segment(
        self, image: NDArray[np.uint8], calls: int
    ) -> tuple[NDArray[np.bool_], tuple[float, ...]]:
        """See `System`.

        Raises:
            HumansegError: it failed, or gave something that is no mask of this image.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended; the answer says why
            worker.send(self._process.stdin, {"calls": calls}, image)
        message, mask = self._receive()
        if mask is None or mask.dtype != np.bool_ or mask.shape != image.shape[:2]:
            raise HumansegError(
                f"{self.name}: gave no mask of the image's size "
                f"({image.shape[1]}x{image.shape[0]})."
            )
        return mask, tuple(message["seconds"])

    def close(self) -> None:
        """End the process."""
        process = self._process
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                if stream is not None:
                    stream.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._stderr.close()

    def _receive(self) -> tuple[dict[str, Any], NDArray[Any] | None]:
        assert self._process.stdout is not None
        try:
            answer = worker.receive(self._process.stdout)
        except ValueError as error:
            raise HumansegError(f"{self.name}: answered nonsense ({error}).") from error
        if answer is None:
            raise HumansegError(f"{self.name}: its process ended{self._last_error_line()}.")
        if "error" in answer[0]:
            raise HumansegError(f"{self.name}: failed ({answer[0]['error']}).")
        return answer

    def _last_error_line(self) -> str:
        self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1].strip()})" if lines else f" with code {self._process.returncode}"


def _adapter(name: str) -> tuple[Path, str]:
    name, _, argument = name.partition("=")
    if name in PEERS:
        file, usual = PEERS[name]
        return file, argument or usual
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return path, argument
    raise UsageError(
        f"{name}: no such peer; give {', '.join(PEERS)}, or the path of an adapter (a .py file)."
    )
