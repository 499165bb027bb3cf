"""Predictions of many pictures: decoding in threads ahead of the network, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.geometry import Size, resize_image
from humanseg.images import ImageLike, Picture
from humanseg.inference.prediction import Prediction
from humanseg.inference.processor import usable_cores

_MOST_READERS = 4
_MOST_PIXELS = 48_000_000
"""Decoded pixels that may wait; no further picture is begun beyond."""


@dataclass(frozen=True)
class _Read:
    """A picture that is ready for the network."""

    source: ImageLike
    picture: Picture
    grid: NDArray[np.uint8]


class PredictionStream(Iterator[Prediction]):
    """Iterator over predictions in the order of the pictures.

    Not a generator: an error that is raised at one picture's place does not end it.
    """

    def __init__(
        self,
        pictures: Iterable[ImageLike],
        *,
        read: Callable[[ImageLike], tuple[ImageLike, Picture]],
        grids: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
        finish: Callable[[ImageLike, Picture, NDArray[np.float32]], Prediction],
        image_size: Size,
        batch_size: int,
        on_error: Callable[[int, Exception], None] | None,
    ) -> None:
        """Describe the work; nothing is read before the first prediction is asked for.

        Args:
            pictures: the pictures, iterated in the thread that asks for predictions.
            read: decodes one; called in threads.
            grids: probabilities (N, H, W) of pictures (N, H, W, 3) on the network's grid.
            finish: makes the prediction of a picture.
            image_size: (height, width) of the network's grid.
            batch_size: pictures given to the network at a time.
            on_error: told the number of a picture and what is wrong with it, instead of raising.
        """
        self._pictures = iter(pictures)
        self._read = read
        self._grids = grids
        self._finish = finish
        self._image_size = image_size
        self._batch_size = batch_size
        self._on_error = on_error
        self._pool: ThreadPoolExecutor | None = None
        self._begun: deque[Future[_Read]] = deque()
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
        """
        self._begin()
        if not self._begun:
            self.close()
            raise StopIteration
        count = min(self._batch_size, len(self._begun))
        outcomes = [_outcome(self._begun.popleft()) for _ in range(count)]
        self._begin()
        good = [one for one in outcomes if isinstance(one, _Read)]
        found = iter(self._grids(np.stack([one.grid for one in good])) if good else ())
        for one in outcomes:
            if isinstance(one, _Read):
                self._done.append(self._finish(one.source, one.picture, next(found)))
            else:
                self._done.append(one)

    def _begin(self) -> None:
        """Hand pictures to the readers, as many as may wait."""
        while len(self._begun) < 2 * self._batch_size and self._waiting() < _MOST_PIXELS:
            try:
                image = next(self._pictures)
            except StopIteration:
                return
            if self._pool is None:
                readers = max(1, min(_MOST_READERS, usable_cores()))
                self._pool = ThreadPoolExecutor(readers, thread_name_prefix="humanseg-reader")
            self._begun.append(self._pool.submit(self._prepared, image))

    def _prepared(self, image: ImageLike) -> _Read:
        source, picture = self._read(image)
        return _Read(source, picture, resize_image(picture.pixels, self._image_size))

    def _waiting(self) -> int:
        """Decoded pixels that wait for the network."""
        done = (_outcome(one) for one in self._begun if one.done())
        return sum(one.picture.pixels.size // 3 for one in done if isinstance(one, _Read))

    def close(self) -> None:
        """Stop reading ahead; nothing more will come."""
        self._pictures = iter(())
        self._begun.clear()
        self._done.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _outcome(future: Future[_Read]) -> _Read | Exception:
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001  raised again at the picture's place
        return error
