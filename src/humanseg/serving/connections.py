"""Time limits of connections: uvicorn itself waits for slow clients without end."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_LINGER = 5.0
"""Seconds in which a client that is still sending can see that it was answered already."""


class TimedProtocol(H11Protocol):
    """The protocol of uvicorn, with an end to waiting.

    A connection is closed when its client takes longer than `seconds` to send the headers of a
    request, or to take any part of an answer; and `_LINGER` after the answer to a request whose
    body is still being sent. Bodies of requests that are under way have their own limit, see
    `request_body`.
    """

    seconds: ClassVar[float] = 30.0

    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    @classmethod
    def limited(cls, seconds: float) -> type[TimedProtocol]:
        """The class for uvicorn, which makes the objects itself."""
        return type(cls.__name__, (cls,), {"seconds": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first headers."""
        super().connection_made(transport)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """See whether they are complete."""
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """Wait for the rest of the body, if there is one."""
        super().on_response_complete()
        self._set_deadline()

    def _set_deadline(self) -> None:
        """Begin to count where the client has begun something and not finished it."""
        late = self.cycle is not None and self.cycle.response_complete
        sending = late and self.conn.their_state is h11.SEND_BODY
        if self.cycle is None or sending or (late and self.conn.trailing_data[0]):
            if self._deadline is None:
                limit = min(self.seconds, _LINGER) if sending else self.seconds
                self._deadline = self.loop.call_later(limit, self.transport.abort)
        else:
            self._deadline = _cancelled(self._deadline)

    def pause_writing(self) -> None:
        """Watch a client that does not take its answer as fast as it comes."""
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size() + 1)

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        self._reading = _cancelled(self._reading)

    def _watch_reader(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:  # not a byte was taken in all that time
            self.transport.abort()
        else:
            self._reading = self.loop.call_later(self.seconds, self._watch_reader, left)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._deadline = _cancelled(self._deadline)
        self._reading = _cancelled(self._reading)
        super().connection_lost(exc)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """What takes the timer's place."""
    if timer is not None:
        timer.cancel()
    return None
