"""The one path from an image to its people: `Segmenter().predict("photo.jpg").mask`.

The Python API, the command line, folders, video, evaluation, int8 calibration and the benchmark all
call `Segmenter`; none has a path of its own. What it promises them:

* `Segmenter(model, ...)` opens a model directory with the best engine for this machine;
  `Segmenter.of_engine(engine)` wraps any `Engine`, such as a network in memory or a function.
* `predict(image)` reads whatever a user has, stretches it to the network's grid with
  `images.resize`, runs the engine, and averages with the mirrored image if asked to.
* `Prediction.grid` is the network's own answer. Scores are made from it; everything at the image's
  size is worked out from it when it is asked for, so that equal grids give equal masks everywhere.
* `full_size=True` decodes an image whole, as evaluation does; otherwise a JPEG is decoded at a
  reduced scale that still covers the grid: faster, not bit-identical.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.effects.compositing import Background
from humanseg.effects.regions import drop_unsure
from humanseg.images import ImageLike, LoadedImage
from humanseg.images.load_image import rereadable
from humanseg.images.resize import Size, resize_image
from humanseg.inference.arguments import checked_count, checked_rate, checked_share, refuse_single
from humanseg.inference.engines.engine import Engine
from humanseg.inference.engines.select import BackendName, DeviceName, PrecisionName, open_engine
from humanseg.inference.prediction import Prediction
from humanseg.inference.stream import Decoded, PredictionStream
from humanseg.inference.uncertainty import measure_uncertainty
from humanseg.model_directory import (
    VARIANTS,
    ModelRecord,
    find_model,
    read_model_record,
    warn_if_weak,
)

_LOG = logging.getLogger(__name__)
_FORKED = threading.Lock()
_ABANDONED: list[Engine] = []


class Segmenter:
    """Finds the people in pictures. May be used from several threads at once.

    Attributes:
        model: the model's directory; None if it has none.
        record: what its humanseg.json says: scores, provenance, configuration; None if it has none.
        engine: what runs the network; `name`, `precision`, `device`, `threads` and `reason` say
            what was chosen and why.
        image_size: (height, width) of the grid that pictures are stretched to for the network.
        threshold: a pixel is a person where its probability is at least this.
        flip_averaging: whether the probability is averaged with that of the mirrored picture.
        sure_share: regions of which a smaller share is surely a person are left out.
    """

    _reopen: Callable[[], Engine] | None = None
    """Opens the same model in the same way, in another process; None for an engine of one's own."""

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        backend: BackendName = "auto",
        precision: PrecisionName = "auto",
        device: DeviceName = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        flip_averaging: bool | None = None,
        image_size: Size | None = None,
        sure_share: float | None = None,
    ) -> None:
        """Load a model. Touches no network and writes no files; logs a warning if it is weak.

        Args:
            model: model directory, as training writes it; the bundled one if None; `fast` is the
                bundled one on images of 256x256 pixels, `best` the bundled one with flip averaging.
            backend: `auto`, `onnxruntime`, `openvino` or `torch`.
            precision: `auto`, `fp32`, `bf16` or `int8`; see `open_engine` in
                `humanseg.inference.engines.select`.
            device: `auto`, `cpu` or `cuda`.
            threads: processor threads for one picture; all usable cores if None.
            threshold: 0 to 1; the model's own if None.
            flip_averaging: average with the mirrored picture, for twice the time; the model's own
                setting if None.
            image_size: (height, width) of the grid, multiples of 32; the model's own if None.
                Smaller is faster and loses small people.
            sure_share: 0 to 1, see `effects.regions.drop_unsure`; the model's own if None.

        Raises:
            ModelError: no model directory there, or it is damaged or foreign.
            UsageError: a value that is not allowed, or a backend, precision or device that is not
                there.
        """
        if variant := VARIANTS.get(str(model)):
            model, image_size = None, image_size or variant.image_size
            flip_averaging = variant.flip_averaging if flip_averaging is None else flip_averaging
        directory = find_model(model)
        record = read_model_record(directory)
        warn_if_weak(directory, record)
        own = record.config.evaluation
        threshold = record.threshold if threshold is None else checked_share("threshold", threshold)
        flip_averaging = own.flip_averaging if flip_averaging is None else flip_averaging
        sure_share = (
            own.sure_share if sure_share is None else checked_share("sure_share", sure_share)
        )
        engine = open_engine(
            directory,
            backend=backend,
            precision=precision,
            device=device,
            threads=threads,
            image_size=image_size,
        )
        self._take(engine, threshold, flip_averaging, sure_share, record, directory)
        self._reopen = partial(open_engine, directory, image_size=self.image_size, **engine.way)
        chosen = f"{engine.name} {engine.precision} on {engine.device}, {engine.threads} threads"
        _LOG.info("%s: %s (%s)", directory, chosen, engine.reason)

    @classmethod
    def of_engine(
        cls,
        engine: Engine,
        *,
        threshold: float = 0.5,
        flip_averaging: bool = False,
        sure_share: float = 0.0,
        record: ModelRecord | None = None,
        model: Path | None = None,
    ) -> Self:
        """A segmenter of an engine that is open already, such as one of a network in memory.

        Args:
            engine: runs the network.
            threshold: 0 to 1; a pixel is a person where its probability is at least this.
            flip_averaging: average with the mirrored picture, for twice the time.
            sure_share: leave out regions of which less than this share is surely a person.
            record: what is known of the network.
            model: its directory.

        Raises:
            UsageError: a threshold or share that is not allowed.
        """
        segmenter = cls.__new__(cls)
        threshold = checked_share("threshold", threshold)
        sure_share = checked_share("sure_share", sure_share)
        segmenter._take(engine, threshold, flip_averaging, sure_share, record, model)
        return segmenter

    def _take(
        self,
        engine: Engine,
        threshold: float,
        flip_averaging: bool,
        sure_share: float,
        record: ModelRecord | None,
        model: Path | None,
    ) -> None:
        self.engine = engine
        self.image_size: Size = engine.image_size
        self.threshold = threshold
        self.flip_averaging = flip_averaging
        self.sure_share = sure_share
        self.record = record
        self.model = model
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """For pickling: without the engine of a model directory, which is opened anew there."""
        return self.__dict__ | ({"engine": None} if self._reopen else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the model in this process."""
        self.__dict__.update(state, _process=os.getpid())
        if self._reopen:
            self.engine = self._reopen()

    def _after_fork(self) -> None:
        """Open the model anew in a forked process: threads of a runtime do not come along."""
        with _FORKED:
            if self._process != os.getpid() and self._reopen:
                _ABANDONED.append(self.engine)  # ending its threads, which are not here, crashes
                self.engine = self._reopen()
            self._process = os.getpid()

    def predict(
        self, image: ImageLike | LoadedImage, *, full_size: bool = False, uncertainty: bool = False
    ) -> Prediction:
        """Find the people in a picture.

        Args:
            image: path, bytes of a file, binary file object, PIL image, or uint8 array: (H, W, 3)
                RGB, (H, W) grey or (H, W, 4) RGBA; or a `LoadedImage`, which is decoded
                already and whose pixels are not copied.
            full_size: decode files at full size at once, because their pixels will be wanted;
                otherwise a JPEG is decoded at a reduced scale, which is faster, and once more
                should its pixels be asked for.
            uncertainty: also measure how unsure the network is, for `Prediction.uncertainty`; runs
                it on the mirrored image too, for twice the time.

        Raises:
            ImageError: missing, not a picture, damaged, too large, or an array of another type or
                shape.
        """
        loaded = image if isinstance(image, LoadedImage) else self.load(image, full_size=full_size)
        decoded = self._decoded(loaded)
        grids = decoded.grid[None]
        if not uncertainty:
            return decoded.finish(self._run(grids)[0])
        probability, mirrored = self._run_both(grids)
        grid = _mean(probability, mirrored) if self.flip_averaging else probability
        measured = decoded.finish(grid[0])
        measured.uncertainty = measure_uncertainty(probability[0], mirrored[0])
        return measured

    __call__ = predict

    async def apredict(
        self, image: ImageLike | LoadedImage, *, full_size: bool = False, uncertainty: bool = False
    ) -> Prediction:
        """`predict` in a thread, for asyncio: other tasks go on meanwhile.

        Runs in the event loop's default executor, whose size bounds how many run at once. A task
        that is cancelled stops waiting at once; what its thread has begun is finished unseen.
        """
        return await asyncio.to_thread(
            self.predict, image, full_size=full_size, uncertainty=uncertainty
        )

    def predict_many(
        self,
        images: Iterable[ImageLike],
        *,
        batch_size: int = 8,
        full_size: bool = False,
        on_error: Callable[[int, Exception], None] | None = None,
    ) -> Iterator[Prediction]:
        """Find the people in many pictures; threads decode the next ones meanwhile.

        Args:
            images: any number of images, see `predict`; taken as they are needed, at most two
                batches ahead, and of large ones fewer, so that memory does not grow with them.
            batch_size: pictures given to the network at a time, at least 1.
            full_size: see `predict`.
            on_error: called with a picture's number, from 0, and what is wrong with it; the picture
                is then left out. Without it the error is raised at the picture's place, and the
                iterator goes on with the next one if it is asked again.

        Returns:
            Iterator over predictions in the order of the pictures; for use by one thread.

        Raises:
            UsageError: a single picture instead of many, or a batch size below 1.
            ImageError: see `predict`; when the iterator gets there.
        """
        batch_size = checked_count("batch_size", batch_size)
        refuse_single(images)
        return PredictionStream(
            images,
            decode=partial(self._loaded, full_size=full_size),
            run=self._run,
            at_least=None if full_size else max(self.image_size),
            batch_size=batch_size,
            on_error=on_error,
        )

    def _loaded(self, source: ImageLike, *, full_size: bool) -> Decoded:
        keep = full_size or not isinstance(source, (str, Path, bytes))
        return self._decoded(self.load(source, full_size=full_size), keep=keep)

    def predict_stream(
        self,
        frames: Iterable[NDArray[np.uint8]],
        *,
        smoothing: bool = True,
        frame_rate: float | None = None,
    ) -> Iterator[Prediction]:
        """Find the people in frames that follow one another, as of a camera, one by one.

        Args:
            frames: uint8 (H, W, 3) RGB, taken as they are needed.
            smoothing: steady the probability over time, as videos are; see docs/video.md.
            frame_rate: frames per second; if None, frames are of the time at which they come.

        Returns:
            Iterator over a prediction per frame, in order, as soon as the frame is there.

        Raises:
            UsageError: a single frame instead of many, or a rate that is not above 0.
            ImageError: see `predict`; when the iterator gets there.
        """
        refuse_single(frames)
        rate = None if frame_rate is None else checked_rate("frame_rate", frame_rate)
        return self._in_time(frames, smoothing, rate)

    def _in_time(
        self, frames: Iterable[NDArray[np.uint8]], smoothing: bool, rate: float | None
    ) -> Iterator[Prediction]:
        from humanseg.video.smoothing import Smoother

        smoother = Smoother() if smoothing else None
        before = time.monotonic()
        for frame in frames:
            now = time.monotonic()
            decoded = self._loaded(frame, full_size=True)
            probability = self._run(decoded.grid[None])[0]
            if smoother is not None:
                seconds = now - before if rate is None else 1.0 / rate
                probability = smoother.update(probability, decoded.grid, seconds=seconds)
            before = now
            yield decoded.finish(probability)

    def _run(self, grids: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (N, height, width) of images (N, height, width, 3) on the grid."""
        return _mean(*self._run_both(grids)) if self.flip_averaging else self._run_once(grids)

    def _run_once(self, grids: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._process != os.getpid():
            self._after_fork()
        return np.ascontiguousarray(self.engine(grids), dtype=np.float32)

    def _run_both(
        self, grids: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities of images, and of the mirrored ones, mirrored back."""
        mirrored = np.ascontiguousarray(grids[:, :, ::-1])
        return self._run_once(grids), self._run_once(mirrored)[:, :, ::-1]

    def probability(self, image: ImageLike) -> NDArray[np.float32]:
        """Probability of a person in every pixel, float32 (H, W), 0 to 1; see `predict`."""
        return self.predict(image).probability

    def mask(self, image: ImageLike) -> NDArray[np.bool_]:
        """Person mask, bool (H, W); see `predict`."""
        return self.predict(image).mask

    def cutout(self, image: ImageLike) -> NDArray[np.uint8]:
        """The people on transparency, uint8 (H, W, 4); see `Prediction.cutout`."""
        return self.predict(image, full_size=True).cutout()

    def composite(self, image: ImageLike, background: Background) -> NDArray[np.uint8]:
        """The people before another background, uint8 (H, W, 3); see `Prediction.composite`."""
        return self.predict(image, full_size=True).composite(background)

    def blur(self, image: ImageLike, radius: float | None = None) -> NDArray[np.uint8]:
        """The picture with its background blurred, uint8 (H, W, 3); see `Prediction.blur`."""
        return self.predict(image, full_size=True).blur(radius)

    def load(self, source: ImageLike, *, full_size: bool = False) -> LoadedImage:
        """Decode an image as `predict` does: a JPEG reduced unless at full size, in sRGB.

        Raises:
            ImageError: see `predict`.
        """
        source = rereadable(source)
        return images.load(source, at_least=None if full_size else max(self.image_size))

    def _decoded(self, loaded: LoadedImage, *, keep: bool = True) -> Decoded:
        """An image that is ready for the network; its pixels are held only to keep them."""
        made = partial(
            Prediction,
            size=loaded.size,
            threshold=self.threshold,
            source=loaded.pixels if loaded.source is None else loaded.source,
            notes=loaded.notes,
            picture=loaded if keep else None,
            version=loaded.version,
        )
        grid = resize_image(loaded.pixels, self.image_size)
        return Decoded(grid, lambda probability: made(self.decided(probability)), keep)

    def decided(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of one image on the grid, less the regions that are hardly sure."""
        return drop_unsure(grid, self.threshold, self.sure_share)

    def __repr__(self) -> str:
        model = "" if self.model is None else f"{str(self.model)!r}, "
        how = f"{self.engine.name} {self.engine.precision} on {self.engine.device}"
        return f"Segmenter({model}{how}, threshold={self.threshold})"


def _mean(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray((first + second) / 2.0, dtype=np.float32)
