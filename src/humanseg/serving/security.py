"""What every request must pass before anything is read of its body, and every answer carries."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from humanseg.serving.problem_details import Problem
from humanseg.serving.serve_metrics import ServeMetrics
from humanseg.serving.server_config import ServeConfig

BATCH_PATH = "/v1/segment/batch"

_REQUESTS = logging.getLogger("humanseg.requests")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer that does not say otherwise itself, as the page does."""
_OWN_SITE = (None, "same-origin", "none")  # none: typed into the address line


class Guard:
    """Middleware: host, site, token and declared size of requests; headers, log and metrics.

    Plain ASGI: Starlette's `BaseHTTPMiddleware` would hide from the application that a client has
    gone.
    """

    def __init__(self, app: ASGIApp, *, config: ServeConfig, metrics: ServeMetrics) -> None:
        """Guard an application.

        Args:
            app: what is guarded.
            config: the limits.
            metrics: are told of every answer.
        """
        self._app = app
        self._config = config
        self._metrics = metrics
        self._hosts = {"localhost", config.host, *(name.lower() for name in config.allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, problem = 0, ""

        async def send_guarded(message: Message) -> None:
            nonlocal status, problem
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                status, problem = message["status"], headers.get("Humanseg-Problem", "")
                message["headers"] = headers.raw
            await send(message)

        try:
            try:
                self._check(scope["method"], scope["path"], Headers(scope=scope))
            except Problem as refusal:
                await refusal.response()(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(route, status or 500, problem, seconds)
            # The path of no route is the client's own words.
            _REQUESTS.info(
                "%s %s %d %s%.0f ms", scope["method"], route, status, problem and f"{problem} ",
                1000 * seconds,
            )  # fmt: skip

    def _check(self, method: str, path: str, headers: Headers) -> None:
        """Refuse what needs no look at the body.

        Raises:
            Problem: at the first of them.
        """
        self._check_host(headers.get("host", ""))
        # A browser says whose page asks; pages of other sites could otherwise use up the machine.
        if method not in ("GET", "HEAD") and headers.get("sec-fetch-site") not in _OWN_SITE:
            raise Problem("other-site", "The request comes from a page of another site.")
        if path.startswith("/v1/") or path == "/metrics":
            self._check_token(headers.get("authorization", ""))
        limit = self._config.max_batch_bytes if path == BATCH_PATH else self._config.max_bytes
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limit:
            raise Problem(
                "too-large",
                f"The request has {length} bytes; at most {limit} are taken. Send a smaller one.",
            )

    def _check_host(self, given: str) -> None:
        """Refuse names that are not ours: DNS rebinding makes a stranger's name lead here."""
        host = given.rpartition(":")[0] if given.rpartition(":")[2].isdecimal() else given
        host = host.strip("[]").lower()
        if host in self._hosts:
            return
        try:
            ipaddress.ip_address(host)  # needs no DNS, so that none can be rebound
        except ValueError:
            raise Problem(
                "unknown-host",
                f"The request is for {given[:100]!r}; the server answers to addresses, localhost "
                "and the names that --allowed-hosts gives it.",
            ) from None

    def _check_token(self, given: str) -> None:
        token = self._config.token
        if token is None:
            return
        kind, _, value = given.partition(" ")
        # compare_digest takes equally long whatever is wrong
        right = hmac.compare_digest(value.strip().encode(), token.encode())
        if kind.lower() != "bearer" or not right:
            raise Problem(
                "token-needed",
                "Send the server's token in the header Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
