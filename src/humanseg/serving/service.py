"""One picture to one answer, with the code of `humanseg predict`: equal bytes, equal sentences."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image
from starlette.requests import Request

from humanseg.annotations.label_output import LabelOutput
from humanseg.batch.label_files import predict_labelled
from humanseg.batch.runner import predict_image
from humanseg.effects.effect import effect_of
from humanseg.images.files import MAX_PIXELS, Quiet, identify, sentences
from humanseg.inference.prediction import Prediction
from humanseg.inference.segmenter import Segmenter
from humanseg.serving.pool import Pool
from humanseg.serving.request_body import SentImage
from humanseg.serving.segment_options import Wanted, wanted_of
from humanseg.serving.serve_metrics import ServeMetrics
from humanseg.serving.server_config import ServeConfig
from humanseg.system.errors import ImageSizeError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """What came of a picture."""

    content: bytes
    people: bool
    coverage: float
    """Share of the picture that is person, 0 to 1."""
    notes: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """All but the content, as in the lines of `humanseg predict --json`."""
        coverage = round(self.coverage, 6)
        return {"people": self.people, "coverage": coverage, "notes": list(self.notes)}


class Service:
    """A segmenter, with as many threads as each of the workers shall have, and a pool around it.

    It is `ready` when a picture was predicted, and the server is not being stopped.
    """

    def __init__(self, segmenter: Segmenter, config: ServeConfig, *, workers: int) -> None:
        self.segmenter = segmenter
        self.config = config
        self.metrics = ServeMetrics()
        self.pool = Pool(
            workers,
            queue=config.queue,
            max_held_bytes=config.max_held_bytes,
            metrics=self.metrics,
        )
        self.ready = False

    def stop(self) -> None:
        """Take on nothing more."""
        self.ready = False
        self.pool.draining = True

    async def warm_up(self) -> None:
        """Predict an empty picture; the server is ready then."""
        stream = io.BytesIO()
        size = (*self.segmenter.image_size, 3)
        Image.fromarray(np.zeros(size, dtype=np.uint8)).save(stream, format="JPEG")
        wanted = Wanted(effect_of("mask"), "png")
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await self.make(SentImage("", stream.getvalue()), wanted, gone)
        except Exception:  # noqa: BLE001  whatever it is, a balancer shall send nobody here
            _LOG.exception("the first prediction failed; the server stays unready")
        else:
            self.ready = not self.pool.draining

    async def make(self, image: SentImage, wanted: Wanted, gone: asyncio.Future[None]) -> Made:
        """What is wanted of a picture; see `Pool.run`."""

        def work() -> Made:
            self._check_pixels(image.content)
            content, prediction = self._predict(image, wanted)
            return Made(content, prediction.found, prediction.coverage, prediction.notes)

        return await self.pool.run(work, gone=gone, seconds=self.config.answer_seconds)

    def _predict(self, image: SentImage, wanted: Wanted) -> tuple[bytes, Prediction]:
        """The file that `humanseg predict` would write."""
        if not isinstance(wanted.effect, LabelOutput):
            return predict_image(
                image.content,
                segmenter=self.segmenter,
                effect=wanted.effect,
                name=wanted.format,
                quality=wanted.quality,
                keep_metadata=wanted.keep_metadata,
            )
        name = image.name or "image"
        labelled, prediction = predict_labelled(
            image.content, segmenter=self.segmenter, labels=wanted.effect, name=name, path=name
        )
        return wanted.effect.alone(labelled), prediction

    async def understand(
        self, options: Mapping[str, str | bytes], accept: str, gone: asyncio.Future[None]
    ) -> Wanted:
        """What options mean, see `wanted_of`; a background is decoded in the pool."""
        background = options.get("background")
        if not isinstance(background, bytes):
            return wanted_of(options, accept)

        def work() -> Wanted:
            self._check_pixels(background)
            return wanted_of(options, accept)

        return await self.pool.run(work, gone=gone, seconds=self.config.answer_seconds)

    def _check_pixels(self, content: bytes) -> None:
        """Refuse by the header what is within the limit of `predict` but not of the server."""
        if self.config.max_pixels == MAX_PIXELS or not content:
            return
        with sentences("picture"), Quiet():
            width, height = identify(io.BytesIO(content), "picture").size
        if width * height > self.config.max_pixels:
            raise ImageSizeError(
                f"picture: {width}x{height} pixels; at most {self.config.max_pixels} are allowed. "
                "Make it smaller first."
            )


@asynccontextmanager
async def leaving(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    """A future that is done when the client of a request, whose body is read, has gone."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task = asyncio.ensure_future(watch())
    try:
        yield task
    finally:
        task.cancel()
