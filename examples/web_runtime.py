"""Fetch anew what the page's private mode runs on: ONNX Runtime for the web, with npm.

    python examples/web_runtime.py

The package's archive must have the hash below, which its registry publishes. Three of its files go
to `static/vendor`, with their licences, which the archive lacks, from the installed onnxruntime
wheel, and a manifest of versions, sizes and SHA-256 sums. To take another version, change VERSION
and INTEGRITY (`npm view onnxruntime-web@VERSION dist.integrity`) and run the browser's tests.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.30.0"
INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4C"
    "XAfKYQ=="
)
VENDOR = Path(__file__).parents[1] / "src/humanseg/serving/static/vendor"
WASM = "ort-wasm-simd-threaded.wasm"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", WASM)
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")


def fetch() -> bytes:
    """The package's archive.

    Raises:
        SystemExit: npm is missing or fails, or the archive is not the one that is meant.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is missing; it comes with node.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"]
        if subprocess.run(command, cwd=folder, check=False).returncode != 0:
            raise SystemExit("npm could not fetch the package; it says why above.")
        archive = next(Path(folder).glob("*.tgz")).read_bytes()
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise SystemExit(f"onnxruntime-web {VERSION}: sha512-{digest} is not {INTEGRITY}.")
    return archive


def vendored(archive: bytes) -> dict[str, bytes]:
    """The files to keep, by name: the WASM file packed, which saves three quarters."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        files = {name: members.extractfile(f"package/dist/{name}") for name in FILES}
        contents = {name: file.read() for name, file in files.items() if file}
    contents[f"{WASM}.gz"] = gzip.compress(contents.pop(WASM), 9, mtime=0)
    package = importlib.util.find_spec("onnxruntime")
    if package is None or package.origin is None:
        raise SystemExit("onnxruntime is missing; run this in the project's environment.")
    folder = Path(package.origin).parent
    return contents | {name: (folder / name).read_bytes() for name in LICENCES}


def main() -> int:
    """Write the files and their manifest."""
    contents = vendored(fetch())
    described = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    }
    manifest = {
        "name": "onnxruntime-web",
        "version": VERSION,
        "integrity": INTEGRITY,
        "wasm": {"file": f"{WASM}.gz", **described[f"{WASM}.gz"]},
        "files": described,
    }
    VENDOR.mkdir(exist_ok=True)
    for name, content in contents.items():
        (VENDOR / name).write_bytes(content)
    text = json.dumps(manifest, indent=1) + "\n"
    (VENDOR / "manifest.json").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{VENDOR}: {sum(map(len, contents.values())) / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
