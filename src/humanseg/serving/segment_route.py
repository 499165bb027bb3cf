"""POST /v1/segment and POST /v1/segment/batch."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanseg.serving.batch_answer import BatchAnswer, archive_of
from humanseg.serving.openapi_text import SEGMENT_REFUSALS, operation
from humanseg.serving.problem_details import Problem
from humanseg.serving.request_body import read_request
from humanseg.serving.security import BATCH_PATH
from humanseg.serving.segment_options import MEDIA_TYPES
from humanseg.serving.service import Service, leaving


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
        with service.pool.holding(_declared(request)) as hold:
            images, options = await read_request(request, config, hold)
            if len(images) > 1:
                raise Problem("bad-option", f"image: given twice; send several to {BATCH_PATH}.")
            accept = request.headers.get("accept", "")
            service.pool.check_room(1)
            async with leaving(request) as gone:
                wanted = await service.understand(options, accept, gone)
                made = await service.make(images[0], wanted, gone)
        service.metrics.image(people=made.people)
        headers = {
            "Humanseg-People": "yes" if made.people else "no",
            "Humanseg-Coverage": f"{made.coverage:.6f}",
            "Content-Disposition": f'inline; filename="{wanted.effect.output}.{wanted.suffix}"',
            "Vary": "Accept",
        }
        if made.notes:
            headers["Humanseg-Notes"] = "; ".join(made.notes).encode("ascii", "replace").decode()
        return Response(made.content, media_type=MEDIA_TYPES[wanted.suffix], headers=headers)

    @router.post(
        BATCH_PATH,
        summary="Find the people in several pictures",
        response_class=Response,
        responses=_answers("application/zip"),
        openapi_extra=operation(many=True),
    )
    async def segment_batch(request: Request) -> Response:
        """Takes a form of pictures; answers with a zip of results and results.json."""
        with ExitStack() as holding:
            hold = holding.enter_context(service.pool.holding(_declared(request)))
            images, options = await read_request(request, config, hold, form_only=True)
            service.pool.check_room(len(images))
            accept = request.headers.get("accept", "")
            accept = "" if "zip" in accept else accept
            async with leaving(request) as gone:
                wanted = await service.understand(options, accept, gone)
            parts = archive_of(service, request, images, wanted, hold)
            return BatchAnswer(parts, holding.pop_all())

    return router


def _answers(*media_types: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    return {200: {"description": "The result.", "content": content}, **SEGMENT_REFUSALS}


def _declared(request: Request) -> int:
    """Bytes that a request says it has; 0 if it says nothing."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0
