"""The page as a folder for any web server, even one for plain files: private mode alone."""

from __future__ import annotations

from pathlib import Path

from humanseg.serving.static_files import HEADERS, POLICY, page_files
from humanseg.system.atomic import replacing_folder
from humanseg.system.errors import UsageError

_CHARSET = b'<meta charset="utf-8">\n'
_POLICY = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'.encode()


def export_static(folder: Path, model: Path | None = None) -> int:
    """Write the page into a new folder, at once or not at all.

    Plain file hosts send no headers of a page's own: the policy stands in the page itself, and
    without isolation the network runs in one thread. Hosts that read a file `_headers` isolate it.

    Args:
        folder: a new or empty one.
        model: see `humanseg.serving.static_files.page_files`.

    Returns:
        Bytes written.

    Raises:
        UsageError: the folder holds something, or is a file.
        ModelError: see `page_files`.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists already; give a new or an empty folder.")
    contents = {
        address or "index.html": file.content
        for address, file in page_files(model, api=False).items()
    }
    contents["index.html"] = contents["index.html"].replace(_CHARSET, _CHARSET + _POLICY, 1)
    lines = "".join(f"  {name}: {value}\n" for name, value in HEADERS.items())
    contents["_headers"] = f"/*\n{lines}".encode()
    with replacing_folder(folder) as temporary:
        for address, content in contents.items():
            (temporary / address).parent.mkdir(exist_ok=True)
            (temporary / address).write_bytes(content)
    return sum(map(len, contents.values()))
