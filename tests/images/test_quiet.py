"""Nothing phones home and nothing is left behind: watched from within a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.command

_WATCH = """
import os, sys
def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.client.", "ftplib.", "smtplib.")):
        os.write(2, f"NETWORK {event}\\n".encode())
        os._exit(9)
    if event in ("os.fork", "os.posix_spawn", "os.system", "subprocess.Popen"):
        os.write(2, f"PROCESS {event}\\n".encode())
        os._exit(9)
sys.addaudithook(refuse)
"""
_NO_SOCKET = """
fds = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
assert not [fd for fd in fds if os.path.lexists(fd) and "socket" in os.readlink(fd)]
"""
_PREDICT = """
import numpy as np
from humanseg import Segmenter
segmenter = Segmenter({model!r}, backend={backend!r})
assert segmenter.engine.name == {backend!r}
assert segmenter.predict(np.full((40, 50, 3), 250, dtype=np.uint8)).mask.all()
assert all(prediction.found for prediction in segmenter.predict_many([{picture!r}] * 3))
"""
_HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TMPDIR")


def watched(code: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run code in folders of its own; also gives the files that it leaves there."""
    homes = {name: folder / name.lower() for name in (*_HOMES, "CWD")}
    for home in homes.values():
        home.mkdir(parents=True)
    # Both runtimes keep quiet by themselves where CI is set.
    quieting = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")
    environment = {key: value for key, value in os.environ.items() if key not in quieting}
    done = subprocess.run(
        [sys.executable, "-c", _WATCH + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=homes["CWD"],
        env=environment | {name: str(homes[name]) for name in _HOMES},
    )
    left = [str(path) for home in homes.values() for path in home.rglob("*")]
    return done, left


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_segmenter__opens_no_connection_and_leaves_no_file(
    backend: str, brightness_model: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.ppm"
    picture.write_bytes(b"P6 2 2 255 " + b"\xff" * 12)
    code = _PREDICT.format(model=str(brightness_model), backend=backend, picture=str(picture))
    if Path("/proc/self/fd").is_dir():
        code += _NO_SOCKET
    done, left = watched(code, tmp_path / "homes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert left == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import socket; socket.socket()", "NETWORK socket.__new__"),
        ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')", "NETWORK urllib"),
        ("import subprocess; subprocess.run(['true'])", "PROCESS subprocess.Popen"),
        ("import os; os.fork()", "PROCESS os.fork"),
    ],
)
def test_watch__sees_connections_and_processes(code: str, said: str, tmp_path: Path) -> None:
    done, _ = watched(code, tmp_path)
    assert done.returncode == 9
    assert said in done.stderr


def test_watch__sees_files(tmp_path: Path) -> None:
    code = "import pathlib; (pathlib.Path.home() / 'deviceid').write_text('me')"
    _, left = watched(code, tmp_path)
    assert [Path(path).name for path in left] == ["deviceid"]


def test_openvino__its_telemetry_stays_importable_for_others(tmp_path: Path) -> None:
    code = """
import sys
from humanseg.inference.engines.runtimes import import_openvino
openvino = import_openvino()
assert "openvino_telemetry" not in sys.modules
assert import_openvino() is openvino
assert callable(openvino.convert_model)
"""
    done, left = watched(code, tmp_path)
    assert (done.returncode, done.stderr, left) == (0, "", [])


_HEAVY = (
    "numpy", "PIL", "onnxruntime", "openvino", "torch", "torchvision", "av", "scipy", "sklearn",
    "onnx", "pillow_heif", "lightning", "pydantic_settings", "matplotlib",
)  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [
        "import humanseg",
        "import humanseg; dir(humanseg)",
        "from humanseg.cli import main; assert main(['--help']) == 0",
        "from humanseg.cli import main; assert main(['--version']) == 0",
    ],
)
def test_start__imports_nothing_heavy(code: str, tmp_path: Path) -> None:
    code += f"; import sys; sys.exit(repr([name for name in {_HEAVY} if name in sys.modules]))"
    done, left = watched(code, tmp_path)
    assert done.stderr.strip() == "[]"
    assert left == []


def test_segmenter__needs_no_torch_and_no_optional_package(
    brightness_model: Path, tmp_path: Path
) -> None:
    optional = [name for name in _HEAVY if name not in ("numpy", "PIL", "onnxruntime")]
    block = f"import sys; sys.modules.update(dict.fromkeys({optional}))\n"
    picture = tmp_path / "picture.ppm"
    picture.write_bytes(b"P6 2 2 255 " + b"\xff" * 12)
    predict = _PREDICT.format(
        model=str(brightness_model), backend="onnxruntime", picture=str(picture)
    )
    done, _ = watched(block + predict, tmp_path / "homes")
    assert (done.returncode, done.stderr) == (0, "")
