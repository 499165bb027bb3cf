"""`humanseg serve`: the HTTP API and the web page."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Group, Parameter
from pydantic.fields import FieldInfo

from humanseg.cli import flags
from humanseg.cli.network_flags import NetworkFlags
from humanseg.cli.terminal import note, say
from humanseg.serving.server_config import ServeConfig
from humanseg.system.errors import ConfigError, ModelError, UsageError

if TYPE_CHECKING:
    from humanseg.inference.segmenter import Segmenter

    ServeFlags: TypeAlias = flags.Values
else:
    ServeFlags = Annotated[
        flags.flags_of_kinds(FieldInfo(annotation=ServeConfig)),
        Parameter(group=Group("Server", sort_key=1), negative_bool=""),
    ]


def serve(
    model: Annotated[
        str | None, Parameter(help="Model directory; the bundled model if not given.")
    ] = None,
    /,
    *,
    server: ServeFlags | None = None,
    network: NetworkFlags | None = None,
    export_static: Annotated[
        Path | None,
        Parameter(
            help="Serve nothing; write the page in private mode alone into this new folder, for "
            "any web server.",
            show_default=False,
        ),
    ] = None,
    quiet: flags.Silent = False,
) -> None:
    """Answer over HTTP: a web page, and POST /v1/segment for programs."""
    config = _config(server or {})
    network = network or NetworkFlags()
    network.check(None)
    if model is not None:
        if network.model is not None:
            raise UsageError(f"--model and {model} are the same setting; give one of them.")
        network = replace(network, model=model)
    if export_static is not None and (server or replace(network, model=None) != NetworkFlags()):
        raise UsageError("--export-static serves nothing; besides it give a model or nothing.")
    try:
        from humanseg.serving.application import create_app
        from humanseg.serving.run_server import address, listen, run_server
        from humanseg.serving.static_files import export_static as write_page
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; `humanseg serve` needs it: "
            'pip install "humanseg[serve]"'
        ) from error
    if export_static is not None:
        written = write_page(export_static, None if network.model is None else Path(network.model))
        say(f"{export_static}: the page in private mode, {written / 1e6:.1f} MB.")
        return
    with listen(config) as listener:
        workers, threads = network.crew(sys.maxsize)
        app = create_app(_opened(network, threads), config, workers=workers)
        if not quiet:
            _log_requests()
            say(f"Serving at {address(listener)} with {workers} workers; Ctrl-C ends it.")
            if config.no_auth:
                note("humanseg: note: everybody who can reach this address may ask.")
        if not run_server(app, config, listener):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)  # nobody waits for what threads are still computing


def _config(typed: flags.Values) -> ServeConfig:
    """The settings that were typed, and the token from the environment."""
    token = os.environ.get("HUMANSEG_TOKEN")
    try:
        return ServeConfig(**({"token": token} if token else {}) | typed)
    except ConfigError as error:
        raise ConfigError([flags.as_flag(problem) for problem in error.problems]) from error


def _opened(network: NetworkFlags, threads: int | None) -> Segmenter:
    try:
        return network.open(threads=threads)
    except ModelError as error:  # nothing was served: asked for as it cannot be
        raise UsageError(str(error)) from error


def _log_requests() -> None:
    """One line per request on standard error: no picture, no address of a client."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("humanseg.requests")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
