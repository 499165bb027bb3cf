from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from humanseg.system.lock import held

_HOLD = """
import sys, time
from pathlib import Path
from humanseg.system.lock import held
with held(Path(sys.argv[1]), waiting=lambda: print("waits", flush=True)):
    print("holds", flush=True)
    time.sleep(float(sys.argv[2]))
"""


class Refused(Exception):
    pass


def refuse() -> None:
    raise Refused


def holder(lock: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(lock), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.fault
def test_held__by_another_process_until_it_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder(lock, 60) as first:
        assert line(first) == "holds"
        with pytest.raises(Refused), held(lock, waiting=refuse):
            pass
        with holder(lock, 0) as second:
            assert line(second) == "waits"
            first.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
            assert line(second) == "holds"
    with held(lock, waiting=refuse):
        pass


def test_held__by_another_thread(tmp_path: Path) -> None:
    lock, waits, order = tmp_path / "lock", threading.Event(), []

    def second() -> None:
        with held(lock, waiting=waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with held(lock, waiting=refuse):
        thread.start()
        assert waits.wait(30)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_held__an_error_inside_frees_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "lock", waiting=refuse):
        raise KeyError
    with held(tmp_path / "lock", waiting=refuse):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_held__goes_on_where_the_file_system_has_no_locks(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(FileLock, "acquire", fail)
    with held(tmp_path / "lock", waiting=refuse):
        pass
