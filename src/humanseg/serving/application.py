"""`create_app`: the whole server as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from humanseg.inference.segmenter import Segmenter
from humanseg.serving.problem_details import Problem, answer_error
from humanseg.serving.security import Guard
from humanseg.serving.segment_route import segment_routes
from humanseg.serving.server_config import ServeConfig
from humanseg.serving.service import Service
from humanseg.serving.service_routes import service_routes
from humanseg.serving.static_files import page_routes
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import HumansegError
from humanseg.system.version import __version__

_ANSWERED = (Problem, HumansegError, HTTPException, ClientDisconnect, MemoryError)


def create_app(
    segmenter: Segmenter, config: ServeConfig | None = None, *, workers: int | None = None
) -> FastAPI:
    """An application for `run_server`, or for any other ASGI server.

    Its `state.service` is the `Service` behind it.

    Args:
        segmenter: finds the people; best with one thread, since there are several workers.
        config: the limits; the usual ones if None.
        workers: pictures at a time; one per core if None.
    """
    config = config or ServeConfig()
    service = Service(segmenter, config, workers=workers or usable_cores())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(service.warm_up())
        try:
            yield
        finally:
            warming.cancel()
            service.ready = False
            service.pool.close()

    app = FastAPI(
        title="humanseg",
        summary="Finds the people in pictures.",
        version=__version__,
        docs_url=None,  # its page loads scripts from a stranger's server
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        max_body_size=config.max_batch_bytes,
        exception_handlers=dict.fromkeys(_ANSWERED, answer_error),
    )
    app.state.service = service
    app.add_middleware(Guard, service=service)
    # For the schema alone: `Guard` is what asks for the token.
    bearer = [Security(HTTPBearer(auto_error=False))] if config.token else []
    app.include_router(segment_routes(service), dependencies=bearer)
    app.include_router(service_routes(service))
    app.router.routes.extend(page_routes(segmenter))
    return app
