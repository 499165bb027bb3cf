"""The page's files: how they are sent, so that it asks nobody but this server, or written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import (
    ONNX_FILE,
    ONNX_INT8_FILE,
    ModelRecord,
    find_model,
    read_model_record,
    warn_if_weak,
)
from humanseg.system.atomic import replacing_folder
from humanseg.system.errors import ModelError, UsageError
from humanseg.system.version import __version__

RUNTIME = {
    "ort.js": "ort.wasm.min.mjs",
    "ort-threaded.js": "ort-wasm-simd-threaded.mjs",
    # Packed: the page unpacks it itself, so that hosts which do not know of encodings can send it.
    "ort-wasm-simd-threaded.wasm.gz": "ort-wasm-simd-threaded.wasm.gz",
}
"""ONNX Runtime's files in `static/vendor`, which its manifest.json describes, by the names that
they are sent under: many hosts do not know .mjs, and browsers run no script of unknown type."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; style-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""Content-Security-Policy. WebAssembly needs its one exception; no script is made from text."""
HEADERS = {
    # Without these two browsers give a page no shared memory, and private mode has one thread.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asks each time whether its copy is still the newest
}

_CHARSET = b'<meta charset="utf-8">\n'
_POLICY = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'.encode()
_OFFER = 'data-modes="server private" data-threshold="0.5"'
_TYPES = {
    ".css": "text/css",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    content: bytes
    media_type: str

    @cached_property
    def sha256(self) -> str:
        """Of the content, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def page_files(
    model: Path | None = None, *, server: Segmenter | None = None
) -> Mapping[str, PageFile]:
    """All files of the page, by their addresses relative to its own; the page's own is empty.

    Args:
        model: directory of the model that private mode runs; the bundled one if None.
        server: what a server segments with, to be run in private mode in the same way; without one
            there is private mode alone, which runs the model as that says itself.

    Raises:
        UsageError: nothing there, or a file.
        ModelError: no model directory, or one without an ONNX file.
    """
    static = Path(str(files("humanseg.serving"))) / "static"
    pages = {f"static/{path.name}": _page_file(path) for path in sorted(static.glob("*.*"))}
    index = pages.pop("static/index.html").content.decode("utf-8")
    directory = find_model(model)
    record = read_model_record(directory)
    warn_if_weak(directory, record)
    settings = _settings(record, server)
    private = _private_files(static / "vendor", directory, settings, required=server is None)
    offered = (("server", server is not None), ("private", bool(private)))
    modes = [name for name, there in offered if there]
    described = index.replace(
        _OFFER, f'data-modes="{" ".join(modes)}" data-threshold="{settings["threshold"]}"'
    )
    return {"": PageFile(described.encode("utf-8"), "text/html"), **pages, **private}


def _settings(record: ModelRecord, server: Segmenter | None) -> dict[str, Any]:
    """How private mode runs the network: as the model says, or as the server does."""
    own = record.config.evaluation
    settings = {
        "image_size": record.preprocessing.image_size,
        "flip_averaging": own.flip_averaging,
        "threshold": record.threshold,
        "sure_share": own.sure_share,
    }
    return settings if server is None else {name: getattr(server, name) for name in settings}


def page_routes(segmenter: Segmenter) -> list[BaseRoute]:
    """Routes of the page and of its private mode, see `page_files`; there is no other file."""
    offered = page_files(segmenter.model, server=segmenter)
    return [_route(f"/{address}", file) for address, file in offered.items()]


def _route(address: str, file: PageFile) -> Route:
    async def send(request: Request) -> Response:
        headers = {**HEADERS, "ETag": f'"{file.sha256}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        # Not what lies on the disk by now: it may no longer be what manifest and tag say.
        return Response(file.content, media_type=file.media_type, headers=headers)

    return Route(address, send, include_in_schema=False)


def _page_file(path: Path) -> PageFile:
    return PageFile(path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream"))


def _private_files(
    vendor: Path, model: Path, settings: dict[str, Any], *, required: bool
) -> dict[str, PageFile]:
    """What private mode loads, and a manifest with versions, sizes and SHA-256 sums."""
    networks = [model / name for name in (ONNX_INT8_FILE, ONNX_FILE) if (model / name).is_file()]
    if not networks:
        if not required:
            return {}
        raise ModelError(
            f"{model}: has no {ONNX_FILE}, which the page's private mode runs; make one with "
            "`humanseg export`."
        )
    weights = _page_file(networks[0])
    manifest = {
        "humanseg": __version__,
        "model": {
            "file": networks[0].name,
            "bytes": len(weights.content),
            "sha256": weights.sha256,
            **settings,
        },
        "runtime": json.loads((vendor / "manifest.json").read_text(encoding="utf-8")),
    }
    return {
        **{f"private/{name}": _page_file(vendor / file) for name, file in RUNTIME.items()},
        f"private/{networks[0].name}": weights,
        "private/manifest.json": PageFile(json.dumps(manifest).encode("utf-8"), "application/json"),
    }


def export_static(folder: Path, model: Path | None = None) -> int:
    """Write the page into a new folder, at once or not at all.

    Plain file hosts send no headers of a page's own: the policy stands in the page itself, and
    without isolation the network runs in one thread. Hosts that read a file `_headers` isolate it.

    Returns:
        Bytes written.

    Raises:
        UsageError: the folder holds something, or is a file.
        ModelError: see `page_files`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists already; give a new or an empty folder.")
    contents = {
        address or "index.html": file.content for address, file in page_files(model).items()
    }
    contents["index.html"] = contents["index.html"].replace(_CHARSET, _CHARSET + _POLICY, 1)
    lines = "".join(f"  {name}: {value}\n" for name, value in HEADERS.items())
    contents["_headers"] = f"/*\n{lines}".encode()
    with replacing_folder(folder) as temporary:
        for address, content in contents.items():
            (temporary / address).parent.mkdir(exist_ok=True)
            (temporary / address).write_bytes(content)
    return sum(map(len, contents.values()))
