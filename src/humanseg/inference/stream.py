"""Predictions of many pictures: decoding in threads ahead of the network, in order."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.images import ImageLike
from humanseg.images.files import Quiet, identify
from humanseg.images.load_image import rereadable
from humanseg.inference.prediction import Prediction
from humanseg.system.cpu import usable_cores

_MOST_READERS = 4
_BATCHES = 3  # taken from the pictures: the one that the network has, and two ahead
_MOST_PIXELS = 48_000_000
"""Pixels that are decoded at once and wait decoded: one picture of any size, or four of 12
megapixels."""


@dataclass(frozen=True)
class Decoded:
    """A picture that is ready for the network."""

    grid: NDArray[np.uint8]
    """(h, w, 3) RGB on the network's grid."""
    finish: Callable[[NDArray[np.float32]], Prediction]
    """Makes its prediction of the probabilities there."""
    keeps_pixels: bool
    """Whether the prediction keeps the decoded pixels; otherwise they are let go already."""


@dataclass(frozen=True)
class _Begun:
    """A picture that a reader has, or has had."""

    future: Future[Decoded]
    pixels: int

    def outcome(self) -> Decoded | Exception:
        """What came of it, when that is there."""
        try:
            return self.future.result()
        except Exception as error:  # noqa: BLE001  raised again at the picture's place
            return error

    def held(self) -> int:
        """Pixels that it may have in memory now."""
        if not self.future.done():
            return self.pixels
        outcome = self.outcome()
        return self.pixels if isinstance(outcome, Decoded) and outcome.keeps_pixels else 0


class PredictionStream(Iterator[Prediction]):
    """Iterator over predictions in the order of the pictures.

    Not a generator: an error that is raised at one picture's place does not end it.
    """

    def __init__(
        self,
        images: Iterable[ImageLike],
        *,
        decode: Callable[[ImageLike], Decoded],
        run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        at_least: int | None,
        batch_size: int,
        on_error: Callable[[int, Exception], None] | None,
    ) -> None:
        """Describe the work; nothing is read before the first prediction is asked for.

        `images` are iterated in the thread that asks; `decode` gets no file objects, and is called
        in threads; `run` gives probabilities (N, H, W) of pictures (N, H, W, 3) on the network's
        grid; `at_least` is as `decode` gives it to `images.load`. See `Segmenter.predict_many`.
        """
        self._images = iter(images)
        self._failure: Exception | None = None
        self._decode = decode
        self._run = run
        self._at_least = at_least
        self._batch_size = batch_size
        self._on_error = on_error
        readers = min(_MOST_READERS, usable_cores())
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="humanseg-reader")
        self._next: tuple[ImageLike | Exception, int] | None = None
        self._begun: deque[_Begun] = deque()
        self._done: deque[Prediction | Exception] = deque()
        self._number = -1

    def __next__(self) -> Prediction:
        while True:
            if not self._done:
                self._run_batch()
            outcome = self._done.popleft()
            self._number += 1
            if not isinstance(outcome, Exception):
                return outcome
            if self._on_error is None:
                raise outcome
            self._on_error(self._number, outcome)

    def _run_batch(self) -> None:
        """Put the outcomes of the next batch into `_done`; the readers go on meanwhile.

        Raises:
            StopIteration: there are no more pictures.
            Exception: what `images` raised, after the pictures before it.
        """
        self._begin()
        if not self._begun:
            failure, self._failure = self._failure, None
            self.close()
            raise failure or StopIteration
        outcomes = []
        for begun in list(islice(self._begun, self._batch_size)):
            outcomes.append(begun.outcome())
            self._begin()
        for _ in outcomes:
            self._begun.popleft()
        images = [outcome.grid for outcome in outcomes if isinstance(outcome, Decoded)]
        grids = iter(self._run(np.stack(images)) if images else ())
        self._done += [
            outcome.finish(next(grids)) if isinstance(outcome, Decoded) else outcome
            for outcome in outcomes
        ]

    def _begin(self) -> None:
        """Hand pictures to the readers, as many as may be in memory; one always may."""
        while len(self._begun) < _BATCHES * self._batch_size:
            if self._next is None:
                try:
                    image = next(self._images)
                except StopIteration:
                    return
                except Exception as error:  # noqa: BLE001  raised in its turn
                    self._images, self._failure = iter(()), error
                    return
                self._next = self._sized(image)
            source, pixels = self._next
            held = sum(begun.held() for begun in self._begun)
            if held and held + pixels > _MOST_PIXELS:
                return
            self._next = None
            self._begun.append(_Begun(self._submitted(source), pixels))

    def _sized(self, image: ImageLike) -> tuple[ImageLike | Exception, int]:
        """A picture, or what is wrong with it, and how many pixels it will have in memory."""
        try:
            source = rereadable(image)
        except Exception as error:  # noqa: BLE001  raised again at the picture's place
            return error, 0
        return source, _pixels(source, self._at_least)

    def _submitted(self, image: ImageLike | Exception) -> Future[Decoded]:
        if isinstance(image, Exception):
            failed: Future[Decoded] = Future()
            failed.set_exception(image)
            return failed
        return self._pool.submit(self._decode, image)

    def close(self) -> None:
        """Stop reading ahead; nothing more will come."""
        self._images = iter(())
        self._next = None
        self._begun.clear()
        self._done.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _pixels(source: ImageLike, at_least: int | None) -> int:
    """Pixels that `images.load` will decode, by the header; 0 where it will refuse."""
    if isinstance(source, np.ndarray):
        return source.shape[0] * source.shape[1] if source.ndim > 1 else 0
    if isinstance(source, Image.Image):
        return source.width * source.height
    try:
        with Quiet(), _opened(source) as stream, identify(stream, "picture") as file:
            if at_least is not None:
                file.draft(None, (at_least, at_least))  # as `load` does, of JPEG files only
            return file.width * file.height
    except Exception:  # noqa: BLE001  `load` will say what is wrong with it
        return 0


def _opened(source: object) -> BinaryIO:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    return Path(source).open("rb")  # type: ignore[arg-type]  # what is no path raises
