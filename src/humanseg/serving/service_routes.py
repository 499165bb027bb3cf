"""GET /v1/models, /healthz, /readyz and /metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from humanseg.serving.openapi_text import refusals
from humanseg.serving.problem_details import Problem
from humanseg.serving.service import Service
from humanseg.system.version import __version__


def service_routes(service: Service) -> APIRouter:
    """Routes that never touch the pool."""
    router = APIRouter(tags=["service"], responses=refusals())

    @router.head("/v1/models", include_in_schema=False)
    @router.get("/v1/models", summary="The model that answers")
    async def models() -> dict[str, Any]:
        return {"humanseg": __version__, "models": [_model(service)]}

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", summary="Whether the server lives", response_class=JSONResponse)
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="Whether the server can segment now",
        responses=refusals("not-ready"),
    )
    async def ready() -> dict[str, str]:
        if not service.ready:
            raise Problem(
                "not-ready",
                "The model is being tried out, or the server is being stopped.",
                headers={"Retry-After": "1"},
            )
        return {"status": "ready"}

    @router.head("/metrics", include_in_schema=False)
    @router.get("/metrics", summary="For Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _model(service: Service) -> dict[str, Any]:
    segmenter = service.segmenter
    engine, record = segmenter.engine, segmenter.record
    height, width = segmenter.image_size
    return {
        "name": "none" if segmenter.model is None else segmenter.model.name,
        "arch": None if record is None else record.arch,
        "encoder_name": None if record is None else record.encoder_name,
        "image_size": [height, width],
        "threshold": segmenter.threshold,
        "flip_averaging": segmenter.flip_averaging,
        "sure_share": segmenter.sure_share,
        **engine.way,
        "workers": service.pool.workers,
    }
