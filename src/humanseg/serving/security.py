"""What every request must pass before anything is read of its body, and every answer carries."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from humanseg.serving.problem_details import Problem, problem_of, stopping
from humanseg.serving.service import Service

BATCH_PATH = "/v1/segment/batch"

_LOG = logging.getLogger(__name__)
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
_OWN_SITE = ("same-origin", "none")  # none: typed into the address line


class Guard:
    """Middleware: host, site, token and declared size of requests; headers, log and metrics.

    It answers what nothing within it has answered: bugs, and requests that are cut off by a stop.

    Plain ASGI: Starlette's `BaseHTTPMiddleware` would hide from the application that a client has
    gone.
    """

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self._app = app
        self._service = service
        self._config = config = service.config
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
                self._check(scope)
                await self._app(scope, receive, send_guarded)
            except (Exception, asyncio.CancelledError) as error:
                refusal = self._refusal_of(error)
                if not status:
                    await refusal.response()(scope, receive, send_guarded)
                elif isinstance(error, Exception):
                    raise  # half an answer cannot be taken back: the server closes the connection
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "other")
            self._service.metrics.answered(route, status or 500, problem, seconds)
            # The path of no route is the client's own words.
            _REQUESTS.info(
                "%s %s %d %s%.0f ms", scope["method"], route, status, problem and f"{problem} ",
                1000 * seconds,
            )  # fmt: skip

    def _refusal_of(self, error: BaseException) -> Problem:
        """What is answered for an error that nothing else answers.

        A cancellation is raised again, if it is not for a stop of the server.
        """
        if isinstance(error, Problem):
            return error
        if isinstance(error, Exception):
            _LOG.error("a request failed", exc_info=error)
            return problem_of(error)
        if not self._service.pool.draining:
            raise error
        return stopping()

    def _check(self, scope: Scope) -> None:
        """Refuse what needs no look at the body."""
        method, path, headers = scope["method"], _route_path(scope), Headers(scope=scope)
        size = len(scope["path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) + 4 for name, value in headers.raw)
        most = self._config.max_header_bytes
        if size > most:
            raise Problem(
                "large-headers",
                f"The address and headers have {size} bytes; at most {most} are taken.",
            )
        self._check_host(headers.get("host", ""))
        # Pages of other sites could otherwise use up the machine.
        if method not in ("GET", "HEAD") and not _is_own_site(headers):
            raise Problem("other-site", "The request comes from a page of another site.")
        if path.startswith("/v1/") or path == "/metrics":
            self._check_token(headers.get("authorization", ""))
        limit = self._config.max_batch_bytes if path == BATCH_PATH else self._config.max_bytes
        length = headers.get("content-length", "0")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise Problem(
                "malformed-body",
                "The request has both Content-Length and Transfer-Encoding; send one of them.",
                headers={"Connection": "close"},
            )
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


def _route_path(scope: Scope) -> str:
    """The path that routes are looked up by: without the prefix that another server gives us."""
    path: str = scope["path"]
    inner = path.removeprefix(scope.get("root_path", ""))
    return inner if inner.startswith("/") else path


def _is_own_site(headers: Headers) -> bool:
    """Whether no page of another site asks, by what a browser says of the page that does."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in _OWN_SITE
    # Browsers tell the site to https addresses and this machine alone, but the origin to all.
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
