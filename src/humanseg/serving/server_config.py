"""The settings of a server; the flags of `humanseg serve` are made from them."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from humanseg.config.section import Positive, Section
from humanseg.images import MAX_BYTES, MAX_PIXELS

Count = Annotated[int, Field(ge=1)]


class ServeConfig(Section):
    """Where to listen, who may ask, and how much is taken on."""

    host: str = "127.0.0.1"
    """Address to listen on; one that other machines reach needs a token, or no-auth."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0 for any that is free."""
    token: Annotated[str | None, Field(repr=False)] = None
    """Clients must send it: Authorization: Bearer TOKEN. Given as HUMANSEG_TOKEN,
    other users of the machine do not see it."""
    no_auth: bool = False
    """Let everybody who can reach the address ask."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the server may be asked, besides localhost and addresses."""
    queue: Annotated[int, Field(ge=0)] = 64
    """Pictures that may wait while others are computed; more are answered 429."""
    max_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES)] = 64_000_000
    """Bytes of a request."""
    max_batch_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES)] = 256_000_000
    """Bytes of a batch."""
    max_held_bytes: Count = 1_000_000_000
    """Bytes of all requests that are read, wait or are computed; more are answered 429."""
    max_pixels: Annotated[int, Field(ge=1, le=MAX_PIXELS)] = MAX_PIXELS
    """Pixels of a picture."""
    max_parts: Count = 64
    """Parts of a multipart request, which is pictures of a batch and options."""
    max_header_bytes: Annotated[int, Field(ge=1024)] = 16_384
    """Bytes of a request's headers."""
    max_connections: Count = 512
    """Connections at a time."""
    read_seconds: Positive = 30.0
    """Seconds that a client may take to send a request, and to take some of the answer."""
    answer_seconds: Positive = 60.0
    """Seconds that a picture may wait and be computed."""
    drain_seconds: Positive = 60.0
    """Seconds that requests under way are given when the server is told to stop."""

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        if "/" in host:
            raise ValueError(f"got {host!r}; give an address or a name, such as 127.0.0.1.")
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(r"[\w.-]+", host, re.ASCII):
                raise ValueError(
                    f"got {host!r}; give names without scheme, port and path, such as "
                    "masks.example."
                )
        return hosts

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: str | None) -> str | None:
        if token is not None and not re.fullmatch(r"[\x21-\x7e]{16,}", token):
            raise ValueError(
                "give at least 16 letters, digits or signs, without spaces, that nobody guesses, "
                "such as those of: "
                'python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        return token

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.no_auth and self.token is not None:
            raise ValueError("no_auth: contradicts the token; leave one of them out.")
        if not (self.token or self.no_auth or is_loopback(self.host)):
            raise ValueError(
                f"host: {self.host} can be reached from other machines; give --token (better: "
                "HUMANSEG_TOKEN in the environment), or --no-auth if everybody may ask."
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
