"""What the server listens on."""

from __future__ import annotations

import socket

from humanseg.serving.run_server import listen
from humanseg.serving.server_config import ServeConfig


def test_listen__answers_do_not_wait_to_be_acknowledged() -> None:
    with (
        listen(ServeConfig(port=0)) as listener,
        socket.create_connection(listener.getsockname()[:2]),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
