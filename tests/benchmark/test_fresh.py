"""The probe's process, with a stand-in for the segmenter, and what becomes of its failures."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from PIL import Image

from humanseg.benchmark import fresh
from humanseg.benchmark.fresh import ProbeAnswer, ProbeRequest, run_probe
from humanseg.benchmark.speed_record import Configuration

SEGMENTER = """
    import sys, types
    class Engine:
        way = {{"backend": "onnxruntime", "precision": "fp32", "device": "cpu", "threads": 1}}
        def __call__(self, images):
            assert images.shape == (1, 8, 8, 3) and images.dtype == "uint8"
            return images[..., 0] / 255
    class Segmenter:
        image_size, flip_averaging = (8, 8), False
        def __init__(self, model, *, backend, precision, device, threads):
            print("libraries chatter on stdout")
            {load}
            self.engine = Engine()
        def mask(self, path):
            {mask}
    module = types.ModuleType("humanseg.inference.segmenter")
    module.Segmenter = Segmenter
    sys.modules[module.__name__] = module
"""


@pytest.fixture
def request_(tmp_path: Path) -> ProbeRequest:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    return ProbeRequest(
        model="x",
        way=Configuration(backend="onnxruntime", precision="fp32", device="cpu", threads=1),
        pictures=(str(tmp_path / "a.png"), str(tmp_path / "a.png")),
        usual=1,
        calls=3,
        warm_up=1,
    )


def stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, load: str = "pass", mask: str = "pass"
) -> None:
    """Python's start-up hook puts a stand-in for the segmenter into the probe's process."""
    text = dedent(SEGMENTER).format(load=load, mask=mask)
    (folder / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_run_probe__times_everything_in_a_fresh_process(
    request_: ProbeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, mask="import time; time.sleep(0.01)")
    answer = run_probe(request_)
    assert isinstance(answer, ProbeAnswer), answer
    assert answer.opened.backend == "onnxruntime"
    assert answer.image_size == (8, 8)
    assert len(answer.network) == 3
    assert [len(times) for times in answer.pictures] == [3, 3]
    assert min(answer.pictures[0]) >= 0.01
    assert answer.first >= 0.01
    assert answer.total >= answer.imported + answer.loaded + answer.first
    assert answer.memory is None or answer.memory > 5_000_000


def test_run_probe__throughput_counts_all_workers(
    request_: ProbeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, mask="import time; time.sleep(0.05)")
    answer = run_probe(request_.model_copy(update={"workers": 4}))
    assert isinstance(answer, ProbeAnswer), answer
    assert 1 / 0.05 < answer.rate <= 4 / 0.05  # more than one worker alone could do
    assert answer.network == ()


def test_run_probe__memory_is_its_own_and_not_the_parents(
    request_: ProbeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path)
    ballast = bytearray(250_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    answer = run_probe(request_)
    assert isinstance(answer, ProbeAnswer), answer
    assert answer.memory is None or answer.memory < 200_000_000
    del ballast


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (
            "from humanseg import UsageError; raise UsageError('x: is not installed.')",
            "x: is not installed.",
        ),
        (
            "from humanseg.system.errors import ModelError; raise ModelError('m: is damaged.')",
            "m: is damaged.",
        ),
        ("raise RuntimeError('broken')", "its process ended with code 1: RuntimeError: broken"),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with signal 9"),
        ("import os; os._exit(0)", "its process ended with code 0"),
    ],
)
def test_run_probe__says_why_it_could_not_measure(
    request_: ProbeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: str,
    said: str,
) -> None:
    stand_in(monkeypatch, tmp_path, load=load)
    answer = run_probe(request_)
    assert isinstance(answer, str)
    assert answer.startswith(said)


def test_run_probe__gives_up_a_process_that_hangs(
    request_: ProbeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, load="import time; time.sleep(60)")
    monkeypatch.setattr(fresh, "LONGEST", 1)
    assert run_probe(request_) == "gave no answer within 1 seconds."
