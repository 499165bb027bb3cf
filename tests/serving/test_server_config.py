"""The settings of a server."""

from __future__ import annotations

from typing import Any

import pytest

from humanseg.serving.server_config import ServeConfig
from humanseg.system.errors import ConfigError

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_config__this_machine_needs_no_token(host: str) -> None:
    config = ServeConfig(host=host)
    assert config.token is None
    assert config.host == host.strip("[]")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "humans.example", ""])
def test_config__others_need_a_token_or_a_word(host: str) -> None:
    with pytest.raises(ConfigError, match=r"can be reached from other machines; give --token"):
        ServeConfig(host=host)
    ServeConfig(host=host, token=TOKEN)
    ServeConfig(host=host, no_auth=True)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token": "short"}, "token: give at least 16 letters"),
        (
            {"token": f"{TOKEN} "},
            "token: give at least 16 letters, digits or signs, without spaces,",
        ),
        ({"token": f"{TOKEN}é"}, "token: give at least 16 letters"),
        (
            {"allowed_hosts": ("a.example", "masks.example:443")},
            "allowed_hosts: got 'masks.example:443'; give names without scheme, port and path, "
            "such as masks.example.",
        ),
        (
            {"host": "/tmp/x.sock"},
            "host: got '/tmp/x.sock'; give an address or a name, such as 127.0.0.1.",
        ),
        ({"token": TOKEN, "no_auth": True}, "no_auth: contradicts the token"),
        ({"port": 70_000}, "port: got 70000; must be at least 0 and at most 65535."),
        ({"max_pixels": 10**9}, "max_pixels: got 1000000000; must be at least 1 and at most 1"),
        ({"read_seconds": 0}, "read_seconds: got 0; must be above 0."),
        ({"hosts": "a"}, "hosts: unknown key in the given values; did you mean host?"),
    ],
)
def test_config__sentences(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ServeConfig(**settings)
    assert str(refused.value).startswith(sentence)


def test_config__token_is_not_shown() -> None:
    assert TOKEN not in repr(ServeConfig(token=TOKEN))
