"""What a request brings: pictures and options, within limits, in memory and never on a disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from humanseg.images import MAX_BYTES
from humanseg.serving.problem_details import Problem
from humanseg.serving.server_config import ServeConfig

_FIELD_BYTES = 4096
_FORM = "multipart/form-data"


@dataclass(frozen=True)
class SentImage:
    """A picture that was sent."""

    name: str
    """As the client calls it: text for the answer, never a path."""
    content: bytes


_Parts: TypeAlias = tuple[list[SentImage], list[tuple[str, str | bytes]]]
"""Pictures, and names with values."""


class _MemoryParser(MultiPartParser):
    """Keeps files in memory: what is too large for that is refused on its way."""

    spool_max_size = MAX_BYTES


async def read_request(
    request: Request,
    config: ServeConfig,
    hold: Callable[[int], None],
    *,
    form_only: bool = False,
) -> tuple[list[SentImage], dict[str, str | bytes]]:
    """Read the pictures of a request, and its options by name, which may stand in its address too.

    A background may be the content of a file.

    Args:
        request: its body is not begun.
        config: the limits.
        hold: is told how many bytes arrive, as they do; see `Pool.holding`.
        form_only: refuse the bytes of a picture without a form around them.

    Raises:
        Problem: a body of another kind, that cannot be taken apart, is too slow, or without a
            picture; an option twice; or what `hold` raises.
        HTTPException: it is too large, counted while it arrives.
        ClientDisconnect: the client has gone.
    """
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unknown-format", "Content-Encoding: send the picture as it is.")
    raw = not form_only and (kind.startswith("image/") or kind == "application/octet-stream")
    if not raw and kind != _FORM:
        bytes_too = (
            "" if form_only else "the picture's bytes as image/jpeg, image/png and so on, or "
        )
        raise Problem(
            "unknown-format",
            f"Content-Type: got {given[:80]!r}; send {bytes_too}a form as {_FORM}.",
        )
    try:
        async with asyncio.timeout(config.read_seconds):
            stream = _counted(request, hold)
            reading = _read_raw(stream) if raw else _read_form(request, stream, config)
            images, fields = await reading
    except TimeoutError:
        raise Problem(
            "slow-body", f"The body did not arrive within {config.read_seconds:g} s."
        ) from None
    options = [*request.query_params.multi_items(), *fields]
    for name, count in Counter(name for name, _ in options).items():
        if count > 1:
            raise Problem("bad-option", f"{name[:80]}: given {count} times; give it once.")
    return images, dict(options)


async def _counted(request: Request, hold: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        hold(len(chunk))
        yield chunk


async def _read_raw(stream: AsyncGenerator[bytes, None]) -> _Parts:
    return [SentImage("", b"".join([chunk async for chunk in stream]))], []


async def _read_form(
    request: Request, stream: AsyncGenerator[bytes, None], config: ServeConfig
) -> _Parts:
    """Pictures and fields of a form."""
    parser = _MemoryParser(
        request.headers,
        stream,
        max_files=config.max_parts,
        max_fields=config.max_parts,
        max_part_size=_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        kind = "too-large" if error.message.startswith(("Too many", "Part exceeded")) else ""
        raise Problem(kind or "malformed-body", f"form: {error.message.rstrip('.')}.") from error
    except (LookupError, ValueError) as error:  # a charset that cannot be: text is decoded by it
        raise Problem(
            "malformed-body", f"form: cannot be decoded ({error}); send it without a charset."
        ) from error
    try:
        return await _taken_apart(form)
    finally:
        await form.close()


async def _taken_apart(form: FormData) -> _Parts:
    images: list[SentImage] = []
    fields: list[tuple[str, str | bytes]] = []
    for name, value in form.multi_items():
        content = await value.read() if isinstance(value, UploadFile) else value
        if name == "image" and isinstance(value, UploadFile) and isinstance(content, bytes):
            images.append(SentImage(value.filename or "", content))
        elif isinstance(content, str) or name == "background":
            fields.append((name, content))
        else:
            raise Problem(
                "bad-option", f"form: no file is expected as {name[:80]!r}; call pictures image."
            )
    if not images:
        raise Problem("malformed-body", "form: there is no file in a part with the name image.")
    return images, fields
