"""POST /v1/segment and POST /v1/segment/batch."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanseg.serving.openapi_text import SEGMENT_REFUSALS, operation
from humanseg.serving.problem_details import Problem, problem_of
from humanseg.serving.request_body import SentImage, read_request
from humanseg.serving.security import BATCH_PATH
from humanseg.serving.segment_options import MEDIA_TYPES, Wanted
from humanseg.serving.service import Service, leaving
from humanseg.system.errors import HumansegError


def segment_routes(service: Service) -> APIRouter:
    """The two routes, which make the same of the same options."""
    router = APIRouter(tags=["segmentation"])
    config = service.config

    @router.post(
        "/v1/segment",
        summary="Find the people in a picture",
        response_class=Response,
        responses=_answers(*MEDIA_TYPES.values()),
        openapi_extra=operation(many=False),
        max_body_size=config.max_bytes,
    )
    async def segment(request: Request) -> Response:
        """Takes the bytes of a picture and answers with those of the result."""
        with service.pool.holding(_size(request, config.max_bytes)):
            sent = await read_request(request, config)
            if len(sent.images) > 1:
                raise Problem("bad-option", f"image: given twice; send several to {BATCH_PATH}.")
            accept = request.headers.get("accept", "")
            with service.pool.admitted(1):
                async with leaving(request) as gone:
                    wanted = await service.understand(sent.options, accept, gone)
                    made = await service.make(sent.images[0], wanted, gone)
        service.metrics.image(people=made.people)
        headers = {
            "Humanseg-People": "yes" if made.people else "no",
            "Humanseg-Coverage": f"{made.coverage:.6f}",
            "Content-Disposition": f'inline; filename="{wanted.effect.output}.{wanted.suffix}"',
            "Vary": "Accept",
        }
        if made.notes:
            headers["Humanseg-Notes"] = "; ".join(made.notes).encode("ascii", "replace").decode()
        return Response(made.content, media_type=wanted.media_type, headers=headers)

    @router.post(
        BATCH_PATH,
        summary="Find the people in several pictures",
        response_class=Response,
        responses=_answers("application/zip"),
        openapi_extra=operation(many=True),
    )
    async def segment_batch(request: Request) -> Response:
        """Takes a form of pictures; answers with a zip of results and results.json."""
        with service.pool.holding(_size(request, config.max_batch_bytes)):
            sent = await read_request(request, config, form_only=True)
            with service.pool.admitted(len(sent.images)):
                accept = request.headers.get("accept", "")
                accept = "" if "zip" in accept else accept
                async with leaving(request) as gone:
                    wanted = await service.understand(sent.options, accept, gone)
                    made = await asyncio.gather(
                        *(_batched(service, image, wanted, gone) for image in sent.images)
                    )
        headers = {"Content-Disposition": 'attachment; filename="results.zip"'}
        content = await asyncio.to_thread(_packed, made, sent.images, wanted)
        return Response(content, media_type="application/zip", headers=headers)

    return router


def _answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    return {200: {"description": "The result.", "content": content}, **SEGMENT_REFUSALS}


def _size(request: Request, limit: int) -> int:
    """Bytes that a request will hold: as many as it declares, or else as many as it may have."""
    length = request.headers.get("content-length", "")
    return min(int(length), limit) if length.isdecimal() else limit


async def _batched(
    service: Service, image: SentImage, wanted: Wanted, gone: asyncio.Future[None]
) -> tuple[bytes | None, dict[str, Any]]:
    """Content and facts of one of several results; what is wrong with it stops no other."""
    try:
        made = await service.make(image, wanted, gone)
    except (HumansegError, Problem, MemoryError) as error:
        return None, {"problem": problem_of(error).document()}
    service.metrics.image(people=made.people)
    return made.content, made.facts()


def _packed(
    made: list[tuple[bytes | None, dict[str, Any]]], images: tuple[SentImage, ...], wanted: Wanted
) -> bytes:
    """A zip: the results by number, and what is told of each."""
    stream = io.BytesIO()
    told = []
    with zipfile.ZipFile(stream, "w") as archive:  # pictures are packed already
        for number, (image, (content, facts)) in enumerate(zip(images, made, strict=True), start=1):
            name = f"{number:04}.{wanted.suffix}"
            told.append({"input": image.name, "output": name if content else None, **facts})
            if content:
                archive.writestr(name, content)
        archive.writestr("results.json", json.dumps(told, indent=1))
    return stream.getvalue()
