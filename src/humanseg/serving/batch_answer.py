"""The answer to a batch: a zip that is sent as it is made."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import ExitStack, aclosing, suppress
from functools import partial
from typing import Any, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from humanseg.serving.problem_details import Problem, problem_of
from humanseg.serving.request_body import SentImage
from humanseg.serving.segment_options import Wanted
from humanseg.serving.service import Service, leaving
from humanseg.system.errors import HumansegError

_Row: TypeAlias = tuple[bytes | None, dict[str, Any]]
"""Content of a result, if there is one, and what is told of it."""


class BatchAnswer(StreamingResponse):
    """Sends parts of an archive as fast as they come and the client takes them.

    `holding` is what is held for the request, and let go when it is answered.
    """

    def __init__(self, parts: AsyncGenerator[bytes, None], holding: ExitStack) -> None:
        headers = {"Content-Disposition": 'attachment; filename="results.zip"'}
        super().__init__(parts, media_type="application/zip", headers=headers)
        self._parts = parts
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. That the client leaves is seen by the parts."""
        with self._holding, suppress(ClientDisconnect):
            async with aclosing(self._parts):
                await self.stream_response(send)


class _Unsent(io.BytesIO):
    """The part of an archive that is not sent yet; places count from the archive's beginning.

    `zipfile` goes back to the head of an entry when it knows its size. Without that it would write
    entries that some programs cannot read.
    """

    _sent = 0

    def tell(self) -> int:
        return self._sent + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._sent + super().seek(offset - self._sent, whence)

    def taken(self) -> bytes:
        """What is there, which is gone then."""
        content = self.getvalue()
        self._sent += len(content)
        super().seek(0)
        self.truncate(0)
        return content


async def archive_of(
    service: Service,
    request: Request,
    images: Iterable[SentImage],
    wanted: Wanted,
    hold: Callable[[int], None],
) -> AsyncGenerator[bytes, None]:
    """Parts of a zip: the results by number, and what is told of each.

    The body of the request is read; each of its images is let go when it is done. `hold` is told of
    bytes that are there, and, as less than none, of those that are gone.
    """
    stream = _Unsent()
    told: list[dict[str, Any]] = []
    left = deque(images)
    del images
    names = [image.name for image in left]
    with zipfile.ZipFile(stream, "w") as archive:  # pictures are packed already
        async with leaving(request) as gone:
            make = partial(_made, service, wanted, hold, gone)
            rows = _in_order(left, make, service.pool.workers)
            async with aclosing(rows):
                async for content, facts in rows:
                    name = f"{len(told) + 1:04}.{wanted.suffix}"
                    output = None if content is None else name
                    told.append({"input": names[len(told)], "output": output, **facts})
                    if content is None:
                        continue
                    archive.writestr(name, content)
                    size = len(content)
                    del content
                    yield stream.taken()
                    hold(-size)
        archive.writestr("results.json", json.dumps(told, indent=1))
    yield stream.taken()


async def _in_order(
    left: deque[SentImage], make: Callable[[SentImage], Coroutine[Any, Any, _Row]], workers: int
) -> AsyncGenerator[_Row, None]:
    """Results in the order of the pictures; one more is under way than the workers can do."""
    under_way: deque[asyncio.Task[_Row]] = deque()
    try:
        while left or under_way:
            while left and len(under_way) <= workers:
                under_way.append(asyncio.ensure_future(make(left.popleft())))
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _made(
    service: Service,
    wanted: Wanted,
    hold: Callable[[int], None],
    gone: asyncio.Future[None],
    image: SentImage,
) -> _Row:
    """One of several results; what is wrong with it stops no other."""
    try:
        made = await service.make(image, wanted, gone)
        hold(len(made.content))
    except (HumansegError, Problem, MemoryError) as error:
        return None, {"problem": problem_of(error).document()}
    finally:
        hold(-len(image.content))
    service.metrics.image(people=made.people)
    return made.content, made.facts()
