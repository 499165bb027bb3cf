"""Where an export may write, which options go together, and what is left after a failure."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.exporting import export
from humanseg.exporting.run_export import check_output, format_of
from humanseg.system.errors import UsageError

pytestmark = pytest.mark.contract

Run = Callable[..., tuple[int, str, str]]
INT8 = ("--quantize", "int8", "--calibrate", ".")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line: exit code, stdout, stderr."""
    from humanseg.cli import main

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("name", "asked", "kind"),
    [
        ("a.onnx", None, "onnx"),
        ("a.ONNX", None, "onnx"),
        ("a.xml", "openvino", "openvino"),
    ],
)
def test_format__by_suffix(name: str, asked: str | None, kind: str) -> None:
    assert format_of(Path(name), asked) == kind


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("a.tflite", None, r"got '.tflite'; allowed are .onnx \(onnx\), .xml \(openvino\)"),
        ("a", None, "got no suffix"),
        ("a.onnx", "openvino", "format openvino needs a file name that ends in .xml"),
        ("a", "onnx", "format onnx needs a file name that ends in .onnx"),
        ("a.onnx", "coreml", "got 'coreml'; allowed are onnx, openvino"),
    ],
)
def test_format__refused(name: str, asked: str | None, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        format_of(Path(name), asked)


class TestOutput:
    def test_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a.onnx").mkdir()
        with pytest.raises(UsageError, match="is a folder; -o needs a file"):
            check_output(tmp_path / "a.onnx", "onnx", overwrite=True)

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="is a file, not a folder"):
            check_output(tmp_path / "file" / "new" / "a.onnx", "onnx", overwrite=True)

    @pytest.mark.parametrize("there", ["a.xml", "a.bin", "a.xml.json"])
    def test_any_of_its_files_exists(self, tmp_path: Path, there: str) -> None:
        (tmp_path / there).touch()
        with pytest.raises(UsageError, match=f"{there}: exists already; add --overwrite"):
            check_output(tmp_path / "a.xml", "openvino", overwrite=False)
        check_output(tmp_path / "a.xml", "openvino", overwrite=True)
        check_output(tmp_path / "b.xml", "openvino", overwrite=False)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 1.5, float("nan")])
def test_tolerance__refused(model: Path, tmp_path: Path, tolerance: float) -> None:
    with pytest.raises(UsageError, match="give a number above 0 and at most 1"):
        export(model, tmp_path / "x.onnx", tolerance=tolerance)


def test_openvino_missing(
    model: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match=r'pip install "humanseg\[openvino\]"'):
        export(model, tmp_path / "x.xml")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class TestCommand:
    def test_says_what_was_written(
        self, run: Run, model: Path, tmp_path: Path, quick: None
    ) -> None:
        code, out, err = run("export", model, "-o", tmp_path / "new" / "x.onnx")
        assert (code, err) == (0, "")
        first, second = out.splitlines()
        assert first.endswith("x.onnx: ONNX in fp32, 0.5 MB.")
        assert second.startswith("Against torch on 6 pictures: probabilities differ by ")
        assert "masks agree in 100.000% of the pixels." in second

    def test_existing_file_and_overwrite(
        self, run: Run, model: Path, tmp_path: Path, quick: None
    ) -> None:
        file = tmp_path / "x.onnx"
        file.write_text("mine")
        code, _, err = run("export", model, "-o", file)
        assert code == 2
        assert err.strip().endswith("exists already; add --overwrite or name another file.")
        assert file.read_text() == "mine"
        assert run("export", model, "-o", file, "--overwrite")[0] == 0
        assert file.stat().st_size > 100_000

    def test_int8_with_its_cost(
        self, run: Run, model: Path, drawn: Path, tmp_path: Path, quick: None
    ) -> None:
        words = ("--quantize", "int8", "--calibrate", drawn, "--data", drawn)
        code, out, _ = run("export", model, "-o", tmp_path / "x.onnx", *words)
        assert code == 0
        assert "IoU, mean over pictures" in out
        assert "Measured on 20 labelled pictures." in out

    def test_int8_unmeasured_is_said(
        self, run: Run, model: Path, drawn: Path, tmp_path: Path, quick: None
    ) -> None:
        words = ("--quantize", "int8", "--calibrate", drawn)
        code, _, err = run("export", model, "-o", tmp_path / "x.onnx", *words)
        assert code == 0
        assert "--data DIR measures it" in err

    def test_bundled(
        self,
        run: Run,
        model: Path,
        tmp_path: Path,
        quick: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("humanseg.model_directory.directory.bundled", lambda: model)
        assert run("export", "bundled", "-o", tmp_path / "x.onnx")[0] == 0
        assert (tmp_path / "x.onnx").is_file()

    @pytest.mark.parametrize(
        ("words", "code", "sentence"),
        [
            ((), 2, "-o is missing"),
            (("-o", "."), 2, "is a folder; -o needs a file"),
            (("-o", "x.tflite"), 2, "allowed are .onnx"),
            (("-o", "x.onnx", "--quantize", "int8"), 2, "int8 needs calibration pictures"),
            (("-o", "x.onnx", "--quantize", "int8", "--calibrate", "none"), 2, "does not exist"),
            (("-o", "x.onnx", "--quantize", "int4"), 2, "int4"),
            (("-o", "x.onnx", *INT8, "--half"), 2, "half and int8 exclude each other"),
            (("-o", "x.onnx", "--calibrate", "."), 2, "--calibrate serves int8 only"),
            (("-o", "x.onnx", "--data", "."), 2, "--data serves int8 only"),
            (("-o", "x.onnx", "--data", "none"), 2, "does not exist"),
            (
                ("-o", "x.onnx", "--seed", "42", "--calibration-pictures", "32"),
                2,
                "--calibration-pictures and --seed serve int8 only; add --quantize int8",
            ),
            (("-o", "x.onnx", "--classes", "dog"), 2, "--classes serves int8 only"),
            (("-o", "x.onnx", *INT8, "--layout", "coco"), 2, "--layout says how --data is read"),
            (
                ("--hub", "a/b", "--seed", "42", "--tolerance", "0", "--overwrite", "--half"),
                2,
                "leave out --half, --seed, --tolerance, --overwrite, and give it alone",
            ),
            (("--hub", "a/b", "--calibration-pictures", "32"), 2, "out --calibration-pictures,"),
            (("-o", "x.onnx", "--calibration-pictures", "3"), 2, "allowed are 8 to 1000"),
            (("-o", "x.onnx", "--format", "tflite"), 2, "tflite"),
            (("-o", "x.onnx", "--tolerance", "2"), 2, "at most 1"),
        ],
    )
    def test_refused_in_a_sentence(
        self,
        run: Run,
        model: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
        code: int,
        sentence: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        found, out, err = run("export", model, *words)
        assert (found, out) == (code, "")
        assert sentence in err
        assert len(err.splitlines()) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["model"]

    def test_no_model(self, run: Run, tmp_path: Path) -> None:
        code, _, err = run("export", tmp_path / "none", "-o", tmp_path / "x.onnx")
        assert code == 2
        assert "does not exist; give the folder `model` of a finished run, or `bundled`." in err

    def test_disk_full(
        self,
        run: Run,
        model: Path,
        tmp_path: Path,
        quick: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(path: Path, content: bytes) -> int:
            with path.open("wb") as stream:
                stream.write(content[:1000])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        monkeypatch.setattr(Path, "write_bytes", full)
        code, _, err = run("export", model, "-o", tmp_path / "x.onnx")
        assert code == 1
        assert "the disk is full" in err
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
