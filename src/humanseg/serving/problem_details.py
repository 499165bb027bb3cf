"""Refusals as documents: RFC 9457, one type per refusal; docs/serving.md lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from humanseg.system.errors import (
    ConfigError,
    HumansegError,
    ImageError,
    ImageFormatError,
    ImageSizeError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"

PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed-body": (400, "The body cannot be taken apart"),
    "unknown-host": (400, "The server does not answer under this name"),
    "token-needed": (401, "The token is missing or wrong"),
    "other-site": (403, "A page of another site may not ask"),
    "not-found": (404, "Nothing is here"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "not-acceptable": (406, "No accepted format can hold the result"),
    "slow-body": (408, "The body took too long to arrive"),
    "too-large": (413, "The picture or the request is too large"),
    "unknown-format": (415, "The body is no picture in a known format"),
    "damaged-picture": (422, "The picture cannot be read"),
    "bad-option": (422, "An option is not allowed"),
    "busy": (429, "Too much work is waiting"),
    "large-headers": (431, "The headers are too large"),
    "client-gone": (499, "The client has gone"),
    "internal-error": (500, "The server failed"),
    "timeout": (503, "The answer took too long"),
    "stopping": (503, "The server is being stopped"),
    "not-ready": (503, "The server is not ready"),
}
"""Status and title by the last part of the type."""

_OF_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_OF_ERROR: tuple[tuple[type[Exception], str], ...] = (
    (ImageFormatError, "unknown-format"),
    (ImageSizeError, "too-large"),
    (ImageError, "damaged-picture"),
    (UsageError, "bad-option"),
    (ClientDisconnect, "client-gone"),
    (MemoryError, "too-large"),
)


class Problem(Exception):
    """A refusal."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[str] | None = None,
    ) -> None:
        """Describe a refusal of a kind of `PROBLEMS`; `errors` has a sentence each of several."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors
        self.status, self.title = PROBLEMS[kind]

    def document(self) -> dict[str, Any]:
        """What the answer says."""
        told = {
            "type": f"urn:humanseg:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return told | ({"errors": self.errors} if self.errors else {})

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(
            self.document(),
            status_code=self.status,
            headers={**self.headers, "Humanseg-Problem": self.kind},
            media_type=MEDIA_TYPE,
        )


def stopping() -> Problem:
    """The refusal of all that a stop leaves no time for."""
    return Problem(
        "stopping",
        "The server is being stopped; ask another one.",
        headers={"Retry-After": "5"},
    )


def problem_of(error: Exception) -> Problem:
    """The refusal that an error stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        kind = _OF_STATUS.get(error.status_code, "malformed-body")
        return Problem(kind, _SENTENCES.get(kind, f"{error.detail}."), headers=error.headers)
    kind = next((kind for class_, kind in _OF_ERROR if isinstance(error, class_)), "internal-error")
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        return Problem(kind, " ".join(error.problems), errors=error.problems)
    if isinstance(error, HumansegError):
        return Problem(kind, _without_flags(str(error)))
    return Problem(kind, _SENTENCES.get(kind, "not enough memory; send a smaller picture."))


_SENTENCES = {
    "not-found": "There is nothing at this address; /openapi.json names all that there are.",
    "method-not-allowed": "The header Allow names the methods that are.",
    "too-large": "The request has more bytes than the server takes; send a smaller picture.",
    "client-gone": "The client closed the connection.",
    "internal-error": "Something failed that should not; the server's log says what.",
}


def _without_flags(sentence: str) -> str:
    """A sentence of the command line in the names of the API: `--as` is `output` here."""
    named = sentence.replace("--as", "output")
    return re.sub(r"--([a-z-]+)", lambda flag: flag[1].replace("-", "_"), named)


async def answer_error(_: Request, error: Exception) -> Response:
    """Exception handler of the application."""
    return problem_of(error).response()
