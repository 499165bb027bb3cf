"""Fetch the public data set, file by file, each against its SHA-256.

The pictures have no licence: humanseg only knows their hashes and takes them from where their
author put them. The table train.csv is part of a copy of that repository and is written here.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path, PurePosixPath

from humanseg.results import write_text
from humanseg.system.errors import HumansegError, UsageError
from humanseg.system.progress import Progress
from humanseg.system.quiet_logs import quiet_logs

BASE_URL = (
    "https://raw.githubusercontent.com/VikramShenoy97/Human-Segmentation-Dataset/"
    "fe4efc56003005a58b7d2449aa563a20e3861e24/"
)
"""The author's repository at its last commit."""

CACHE_VARIABLE = "HUMANSEG_CACHE"
"""Environment variable that names the folder for downloads."""

_FOLDER = "human-segmentation-dataset"
_TABLE = "train.csv"
_TABLE_PREFIX = "Human-Segmentation-Dataset-master"
_PARALLEL = 8
_TIMEOUT = 30.0  # seconds without an answer
_PIECE = 1 << 16  # bytes


def download(
    destination: Path | None = None,
    *,
    base_url: str = BASE_URL,
    progress: Progress | None = None,
    registry: Mapping[str, str] | None = None,
    retries: int = 2,
) -> Path:
    """Bring the public data set into a folder of the layout `original`, and return that.

    Files that are there with the right hash are not fetched again, so an interrupted download goes
    on where it stopped. A file appears whole or not at all.

    `destination` is by default `human-segmentation-dataset` in HUMANSEG_CACHE or the user's cache
    folder, `registry` the SHA-256 of 581 files by relative path. `base_url` ends with a slash;
    `progress` is called with the files there, and all; `retries` are for each file.

    Raises:
        HumansegError: a file that cannot be fetched or is not what it should be.
        UsageError: a destination that is a file.
    """
    hashes = dict(known_hashes() if registry is None else registry)
    folder = default_folder() if destination is None else destination
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder to download into.")
    table = hashes.pop(_TABLE, None)
    try:
        _fetch_all(folder, base_url, hashes, retries, progress)
        if table is not None:
            _write_table(folder, hashes, table)
    except OSError as error:
        raise HumansegError(f"{folder}: cannot be written to ({error.strerror}).") from error
    return folder


def known_hashes() -> dict[str, str]:
    """SHA-256 of every file of the public data set, by relative path."""
    text = files("humanseg.data").joinpath("registry.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in lines}


def default_folder() -> Path:
    """Where the data set goes unless told otherwise."""
    import pooch  # an extra

    cache = os.environ.get(CACHE_VARIABLE)
    return Path(cache or pooch.os_cache("humanseg")).expanduser() / _FOLDER


def _fetch_all(
    folder: Path,
    base_url: str,
    hashes: dict[str, str],
    retries: int,
    progress: Progress | None,
) -> None:
    import pooch

    store = pooch.create(
        path=folder,
        base_url=base_url,
        registry={name: f"sha256:{digest}" for name, digest in hashes.items()},
        retry_if_failed=retries,
    )
    # pooch's own folder making fails when two threads want the same one.
    for parent in {(folder / name).parent for name in hashes} | {folder}:
        parent.mkdir(parents=True, exist_ok=True)
    with (
        quiet_logs(pooch.get_logger().name, level=logging.WARNING),  # a line per file
        _downloader() as downloader,
        ThreadPoolExecutor(_PARALLEL) as pool,
    ):
        futures = {pool.submit(store.fetch, name, downloader=downloader): name for name in hashes}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                _result(future, futures[future], folder, base_url)
                if progress is not None:
                    progress(done, len(futures))
        except BaseException:
            # The first failure stands for all; what waits would fail alike, or can wait.
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _downloader() -> Iterator[Callable[[str, str, object], None]]:
    """What pooch fetches with; its own leaves connections open after an error."""
    import requests  # comes with pooch

    with requests.Session() as session:
        session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=_PARALLEL))

        def fetch(url: str, output: str, _: object) -> None:
            with session.get(url, stream=True, timeout=_TIMEOUT) as response:
                response.raise_for_status()
                with Path(output).open("wb") as stream:
                    for piece in response.iter_content(_PIECE):
                        stream.write(piece)

        yield fetch


def _result(future: Future[str], name: str, folder: Path, base_url: str) -> None:
    """Turn what went wrong with one file into a sentence."""
    from requests import RequestException

    try:
        future.result()
    except RequestException as error:
        reason = str(error).split("\n", 1)[0][:120]
        raise HumansegError(
            f"{base_url}{name}: cannot be fetched ({reason}). What was fetched is in {folder}; "
            "check the network and run it again to go on."
        ) from error
    except ValueError as error:
        raise HumansegError(
            f"{base_url}{name}: is not the file it should be (wrong SHA-256). Nothing of it was "
            "kept; if it happens again, something between you and the server changes files."
        ) from error


def table_text(names: Iterable[str]) -> str:
    """The published table: mask and picture of every id, ids sorted as strings."""
    ids = sorted(PurePosixPath(name).stem for name in names if name.startswith("Training_Images/"))
    rows = (
        f"{_TABLE_PREFIX}/Ground_Truth/{i}.png,{_TABLE_PREFIX}/Training_Images/{i}.jpg\n"
        for i in ids
    )
    return "masks,images\n" + "".join(rows)


def _write_table(folder: Path, names: Iterable[str], digest: str) -> None:
    """Write train.csv, which must come out byte for byte as published."""
    text = table_text(names)
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise HumansegError(
            f"{_TABLE}: the list of files does not give the published table (wrong SHA-256); "
            "reinstall humanseg."
        )
    path = folder / _TABLE
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)
