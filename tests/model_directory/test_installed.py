"""Models that other packages bring, and the one of this repository: humanseg-clean."""

import shutil
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from tests.conftest import draw_folder

from humanseg import Segmenter
from humanseg.cli import main
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.model_directory import (
    bundled,
    default_model,
    find_model,
    installed_models,
    model_names,
    name_of,
    read_model_record,
)
from humanseg.system.errors import ModelError, UsageError

CLEAN = Path(__file__).parents[2] / "packages" / "clean" / "src" / "humanseg_clean" / "model"


def brought(monkeypatch: pytest.MonkeyPatch, **packages: str) -> None:
    """Let packages bring models: the name of each, and the package in which it is."""
    entries = EntryPoints(EntryPoint(*each, group="humanseg.models") for each in packages.items())
    monkeypatch.setattr("humanseg.model_directory.directory.entry_points", entries.select)


@pytest.fixture
def without_bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("humanseg.model_directory.directory._bundled", lambda: tmp_path / "none")


class TestNames:
    def test_a_package_brings_a_model_by_name(self) -> None:
        assert installed_models() == ("clean",)
        assert find_model("clean") == CLEAN
        assert model_names() == ("bundled", "fast", "best", "clean")
        assert (name_of(CLEAN), name_of(bundled())) == ("clean", "bundled")
        assert name_of(Path("runs/mine/model")) == "runs/mine/model"

    def test_a_folder_of_that_name_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        own = shutil.copytree(bundled(), tmp_path / "clean")
        assert find_model("clean").resolve() == own
        assert Segmenter("clean").engine.name

    def test_without_such_a_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        brought(monkeypatch)
        assert installed_models() == ()
        with pytest.raises(UsageError, match=r"^clean: does not exist; .* is in humanseg-clean\.$"):
            find_model("clean")
        with pytest.raises(UsageError, match=r"^other: does not exist; .* or `bundled`\.$"):
            find_model("other")
        with pytest.raises(UsageError, match=r"^bset: does not exist; .* Did you mean `best`\?$"):
            find_model("bset")

    def test_a_package_that_cannot_be_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        brought(monkeypatch, broken="humanseg_is_not_there")
        with pytest.raises(ModelError, match=r"^broken: .* humanseg_is_not_there .* again"):
            find_model("broken")


@pytest.mark.usefixtures("without_bundled")
class TestWithoutBundled:
    """humanseg as a distribution may build it that ships nothing without an open licence."""

    def test_clean_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert default_model() == "clean"
        assert find_model() == CLEAN
        assert Segmenter("fast").model == CLEAN
        assert main(["doctor"]) == 0
        told = capsys.readouterr().out
        assert "clean model" in told
        assert "bundled" not in told

    def test_without_clean_it_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        brought(monkeypatch)
        with pytest.raises(ModelError, match="the bundled model is missing from this installation"):
            find_model()


class TestClean:
    def test_is_of_open_licences_alone(self) -> None:
        record = read_model_record(CLEAN)
        told = "\n".join(record.provenance)
        for source in ("Clothing Co-Parsing", "COCO 2017", "Debian and npm", "EfficientNet-Lite0"):
            assert source in told
        for other in ("Human Segmentation Dataset", "VOC", "Flickr", "no open", "no licence"):
            assert other not in told
        assert record.config.model.start_from is None

    def test_comes_with_the_bundled_ones_network(self) -> None:
        clean, other = read_model_record(CLEAN), read_model_record(bundled())
        assert clean.arch == other.arch
        assert clean.preprocessing == other.preprocessing
        assert sorted(path.name for path in CLEAN.iterdir()) == sorted(
            path.name for path in bundled().iterdir()
        )

    def test_predicts_and_scores_by_its_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        people = draw_folder(tmp_path / "people", 4)
        assert evaluate(Segmenter("clean"), data=people).model == "clean"
        photo = next((people / "images").iterdir())
        words = ["predict", str(photo), "-o", str(tmp_path / "mask.png"), "--model"]
        assert main([*words, "clean"]) == 0
        made = (tmp_path / "mask.png").read_bytes()
        copy = shutil.copytree(CLEAN, tmp_path / "copy")
        words[3] = str(tmp_path / "again.png")
        assert main([*words, str(copy)]) == 0
        assert (tmp_path / "again.png").read_bytes() == made
