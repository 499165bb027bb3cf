"""Models on the Hugging Face Hub: fetched by `hf://owner/name@revision`, and put there.

Weights as safetensors, networks as ONNX and records as JSON: nothing else is fetched or put there,
and so no pickle. What was fetched lies in the hub client's own cache, by commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from humanseg.system.errors import HumansegError, UsageError, first_line

_ADDRESS = re.compile(r"hf:/{1,2}([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")  # `Path` makes hf:/ of hf://
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = (
    "README.md",
    "config.json",
    "humanseg.json",
    "model.safetensors",
    "model.onnx",
    "model.int8.onnx",
)


def is_address(name: str | Path) -> bool:
    """Whether a name means a model on the hub; `Path` leaves one slash of `hf://`."""
    return str(name).startswith("hf:/")


def fetch(address: str | Path) -> Path:
    """The folder in the hub client's cache that holds a model, fetched if need be.

    A commit that was fetched before is taken from the cache, without any network; a branch or tag
    is asked for again, and taken as it was last known where the hub cannot be reached.

    Raises:
        UsageError: no address, or nothing there; or huggingface_hub is missing.
        HumansegError: the hub cannot be reached.
    """
    repository, revision = _parsed(address)
    with _sentences(f"hf://{repository}"):
        from huggingface_hub import snapshot_download

        patterns = list(_FILES)
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))


def pinned(name: str, directory: Path) -> str:
    """The address of a model that was found in `directory`, with its commit; other names as is."""
    if not is_address(name) or not _COMMIT.fullmatch(directory.name):
        return name
    return f"hf://{_parsed(name)[0]}@{directory.name}"


def publish(directory: Path, repository: str) -> str:
    """Put a model directory on the hub as `owner/name`, in one commit; a new one is private.

    Gives its address, pinned to the commit. For errors see `fetch`.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"--hub: got {repository!r}; give OWNER/NAME.")
    with _sentences(f"hf://{repository}"):
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repository, private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=directory,
            allow_patterns=list(_FILES),
            commit_message="Add a model of humanseg",
        )
    return f"hf://{repository}@{commit.oid}"


def _parsed(address: str | Path) -> tuple[str, str | None]:
    parts = _ADDRESS.fullmatch(str(address))
    if parts is None:
        raise UsageError(
            f"{address}: is no model; give hf://OWNER/NAME or hf://OWNER/NAME@REVISION."
        )
    return parts[1], parts[2]


@contextmanager
def _sentences(what: str) -> Iterator[None]:
    """The hub client's errors in words."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import errors

        network_error: type[Exception] = vars(errors)["HTTPError"]  # of httpx2, or what follows it
    except ImportError as error:
        raise UsageError(
            f"{what}: needs huggingface_hub, which is missing; install it with: "
            'pip install "humanseg[hub]"'
        ) from error
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise UsageError(
            f"{what}: the hub has no such model or revision, or it is private; check the name, or "
            "log in with `hf auth login`."
        ) from error
    except (network_error, OSError, ValueError) as error:
        raise HumansegError(
            f"{what}: the hub could not be used ({first_line(error)}); try again when it can be "
            "reached, or give a model directory."
        ) from error
