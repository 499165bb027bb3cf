"""Listen, serve, and stop without losing a request that was taken on."""

from __future__ import annotations

import errno
import math
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from humanseg.serving.connections import TimedProtocol
from humanseg.serving.server_config import ServeConfig
from humanseg.serving.service import Service
from humanseg.system.errors import UsageError


def listen(config: ServeConfig) -> socket.socket:
    """Take the address, before anything slow begins.

    Raises:
        UsageError: it is taken, not of this machine, or not allowed.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listener = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        where = f"{config.host}:{config.port}"
        if error.errno == errno.EADDRINUSE:
            text = f"{where}: is taken by another program; give another --port, or 0 for any."
        else:
            text = f"{where}: cannot be listened on ({error.strerror or error}); give another."
        raise UsageError(text) from error
    # Accepted sockets inherit it. asyncio sets it only where a socket names its protocol, which
    # these do not: the body of an answer then waited 40 ms for the client to acknowledge the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds what listens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run_server(app: FastAPI, config: ServeConfig, listener: socket.socket) -> bool:
    """Serve until SIGTERM or Ctrl-C; a second one ends at once.

    Readiness goes first, then what was taken on is finished, for `drain_seconds` at most. What is
    not finished by then is answered that the server is being stopped.

    Args:
        app: see `create_app`.
        config: its limits.
        listener: see `listen`.

    Returns:
        Whether no thread is computing any more. One that does cannot be stopped, and Python waits
        for it: the process ends when it is done, or by `os._exit`.
    """
    settings = uvicorn.Config(
        app,
        http=TimedProtocol.limited(config.read_seconds),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=config.max_connections,
        h11_max_incomplete_event_size=config.max_header_bytes,
        timeout_graceful_shutdown=math.ceil(config.drain_seconds),
    )
    service: Service = app.state.service
    _Server(settings, service).run(sockets=[listener])
    return service.pool.images == 0


class _Server(uvicorn.Server):
    def __init__(self, settings: uvicorn.Config, service: Service) -> None:
        super().__init__(settings)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal stops politely; uvicorn's own would raise it anew at the end."""
        self._service.stop()
        if self.should_exit:
            self.force_exit = True
            for task in list(self.server_state.tasks):
                task.cancel()
        self.should_exit = True
