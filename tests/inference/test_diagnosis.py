"""`humanseg doctor`: what it finds, and what it says of what is broken."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from humanseg.cli import main
from humanseg.inference import diagnosis
from humanseg.inference.diagnosis import EXTRAS, Check, DoctorReport, examine
from humanseg.inference.engines import runtimes
from humanseg.model_directory import directory as model_directory
from humanseg.system.cpu import Processor
from humanseg.system.errors import ModelError, UsageError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _light(brightness_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The formula as bundled model, and stand-ins for the training parts, which load slowly."""
    monkeypatch.setattr(model_directory, "bundled", lambda: brightness_model)
    without = SimpleNamespace(is_available=lambda: False)
    torch = SimpleNamespace(__version__="2.15.0", cuda=without, version=SimpleNamespace(cuda=None))
    monkeypatch.setitem(sys.modules, "torch", torch)
    for name in ("torchvision", "lightning", "segmentation_models_pytorch", "tensorboard"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(__version__="1.0"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that packages are installed, in a version, or are not."""
    real = diagnosis._version

    def pretend(**versions: str | None) -> None:
        wanted = {name.replace("_", "-"): number for name, number in versions.items()}
        monkeypatch.setattr(
            diagnosis, "_version", lambda name: wanted[name] if name in wanted else real(name)
        )

    return pretend


def found(report: DoctorReport, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


def test_examine__a_sound_installation() -> None:
    report = examine()
    assert report.ok
    assert {check.status for check in report.checks} == {"ok"}
    assert "CPUExecutionProvider" in found(report, "onnxruntime").detail
    assert "fp32" in found(report, "openvino").detail
    assert "no device" in found(report, "torch").detail
    assert found(report, "bundled model").detail == "unet with none; model.onnx"
    assert report.smoke is not None
    assert report.smoke.backend == "openvino"
    assert 0 < report.smoke.seconds < 5
    assert report.versions["numpy"]
    assert report.cores >= 1


@pytest.mark.parametrize(
    ("machine", "features", "told"),
    [
        ("x86_64", {"avx2", "bf16"}, {"avx2"}),
        ("AMD64", {"avx2", "avx512_vnni", "asimddp"}, {"avx2", "avx512_vnni"}),
        ("aarch64", {"asimd", "asimddp", "bf16", "avx2"}, {"asimddp", "bf16"}),
        ("riscv64", {"rv64imafdc"}, None),
        ("arm64", None, None),
    ],
)
def test_examine__instructions_are_those_of_this_kind_of_processor(
    machine: str, features: set[str] | None, told: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = None if features is None else frozenset(features)
    monkeypatch.setattr(diagnosis, "processor", lambda: Processor("p", machine, known))
    monkeypatch.setattr(
        diagnosis, "_smoke", lambda: (None, Check(name="x", status="ok", detail=""))
    )
    instructions = examine().instructions
    assert (instructions is None) == (told is None)
    if instructions is not None:
        assert {name for name, has in instructions.items() if has} == told
        assert ("avx2" in instructions) == (machine in ("x86_64", "AMD64"))


def test_examine__torch_and_torchvision_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unfit:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "torchvision":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.setattr(sys, "meta_path", [Unfit(), *sys.meta_path])
    report = examine()
    check = found(report, "torchvision")
    assert (report.ok, check.status) == (False, "broken")
    assert "torchvision::nms does not exist" in check.detail
    assert "pip install --force-reinstall torch torchvision" in check.detail


def test_examine__what_is_not_installed_is_absent_and_no_fault(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [package for packages in EXTRAS.values() for package in packages]
    installed(**dict.fromkeys(names))
    monkeypatch.setattr("humanseg.inference.engines.select._installed", lambda _: False)
    report = examine()
    assert report.ok
    for name, extra in {"openvino": "openvino", "video": "video", "train": "train"}.items():
        check = found(report, name)
        assert check.status == "absent"
        assert f'pip install "humanseg[{extra}]"' in check.detail
    assert report.smoke is not None
    assert report.smoke.backend == "onnxruntime"
    assert "torch" not in report.versions


@pytest.mark.parametrize("module", ["av", "pillow_heif", "openvino"])
def test_examine__what_is_installed_and_does_not_load_is_broken(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"av": "video", "pillow_heif": "heic"}.get(module, module)
    monkeypatch.setitem(sys.modules, module, None)
    report = examine()
    assert not report.ok
    assert found(report, name).status == "broken"
    assert [check.name for check in report.checks if check.status == "broken"] == [name]
    assert report.smoke is not None  # `auto` does without


def test_examine__half_of_the_training_parts(installed: Callable[..., None]) -> None:
    installed(lightning=None)
    check = found(examine(), "train")
    assert check.status == "broken"
    assert "lightning missing beside the rest" in check.detail


def test_examine__both_kinds_of_onnxruntime(installed: Callable[..., None]) -> None:
    installed(onnxruntime="1.32.0", onnxruntime_gpu="1.32.0")
    check = found(examine(), "onnxruntime")
    assert check.status == "broken"
    assert "overwrite each other" in check.detail


def test_examine__missing_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise ModelError("the bundled model is missing from this installation.")

    monkeypatch.setattr(model_directory, "bundled", missing)
    report = examine()
    assert report.smoke is None
    for name in ("bundled model", "prediction"):
        assert found(report, name).status == "broken"
        assert "is missing from this installation" in found(report, name).detail


def test_examine__cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 1, get_device_name=lambda _: "H200"
    )
    torch = SimpleNamespace(__version__="2.15.0", cuda=cuda, version=SimpleNamespace(cuda="13.2"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert found(examine(), "torch").detail == "2.15.0; CUDA 13.2: H200"


def test_extras__are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(EXTRAS) <= set(extras)
    for name, packages in EXTRAS.items():
        for package in packages:
            assert any(line.startswith(package) for line in extras[name]), package


def test_command__says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "onnxruntime" in said
    assert "auto takes openvino" in said
    assert said.endswith("Nothing is broken.\n")


def test_command__exit_code_1_if_something_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.endswith("1 part broken; see above.\n")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["checks"] if one["status"] == "broken"] == ["video"]
    assert told["smoke"]["backend"] == "openvino"


def test_runtimes__a_broken_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> ModuleType:
        raise ImportError("libonnxruntime.so.1:\n cannot open")

    monkeypatch.setattr("importlib.import_module", load)
    with pytest.raises(UsageError, match=r"cannot be loaded \(libonnxruntime\.so\.1: c"):
        runtimes.import_onnxruntime()
