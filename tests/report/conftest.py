"""Finished folders on disk, and bare studies from given scores."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from tests.builders.analyses import analyse
from tests.builders.drawn_study import NASTY, Drawn
from tests.builders.records import plain_score, run_result, summarise

from humanseg.config.comparison_config import CompareConfig
from humanseg.report import write_report
from humanseg.report.load_study import comparison_study
from humanseg.report.study import Study
from humanseg.results import ComparisonResult


def reported(folder: Path) -> Path:
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    return Drawn(ids=[NASTY])


@pytest.fixture(scope="session")
def compared(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three networks with one seed on one split. Do not change it."""
    return drawn.build(tmp_path_factory.mktemp("compared"), CompareConfig())


@pytest.fixture(scope="session")
def finished(compared: Path) -> Path:
    """`compared` with its report. Do not change it."""
    return reported(compared)


@pytest.fixture(scope="session")
def cross_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds, two seeds, sources left out, and everything analysed. Do not change it."""
    values = {"seeds": (42, 43), "folds": 3, "leave_one_source_out": True}
    config = CompareConfig.model_validate(values)
    folder = tmp_path_factory.mktemp("crossed")
    return Drawn(12, ids=[NASTY]).build(folder, config, everything=True)


@pytest.fixture(scope="session")
def cross_validated(cross_data: Path) -> Path:
    """`cross_data` with its report. Do not change it."""
    return reported(cross_data)


@pytest.fixture(scope="session")
def unfinished_data(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of the published protocol, interrupted: one run failed, one is missing."""
    config = CompareConfig.model_validate(
        {
            "seeds": (42, 43),
            "split": {"protocol": "reference"},
            "training": {"checkpoint": "best", "batch_size": 8},
        }
    )
    return drawn.build(
        tmp_path_factory.mktemp("unfinished"),
        config,
        failed={"fpn-seed43": "RuntimeError: out of memory\nafter 3 epochs <b>"},
        missing=["deeplabv3plus-seed43"],
        validation_is_test=True,
    )


@pytest.fixture(scope="session")
def unfinished(unfinished_data: Path) -> Path:
    """`unfinished_data` with its report. Do not change it."""
    return reported(unfinished_data)


@pytest.fixture(scope="session")
def evaluation_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of one model, two pictures without anyone. Do not change it."""
    shown = Drawn(9, ids=[NASTY], empty=["nobody/1", "nobody/2"])
    return shown.evaluate(tmp_path_factory.mktemp("evaluated"))


@pytest.fixture(scope="session")
def evaluated(evaluation_data: Path) -> Path:
    """`evaluation_data` with its report. Do not change it."""
    return reported(evaluation_data)


StudyMaker = Callable[..., Study]


@pytest.fixture
def study_of() -> StudyMaker:
    """Makes a study without files from IoU by network, seed and picture."""

    def make(
        scores: Mapping[str, Sequence[Sequence[float]]],
        *,
        floor: float = 0.4,
        analysed: bool = True,
        **changes: object,
    ) -> Study:
        most = max((len(by_seed) for by_seed in scores.values()), default=1)
        seeds = tuple(range(1, 1 + max(most, 1)))
        config = CompareConfig.model_validate({"archs": tuple(scores), "seeds": seeds, **changes})
        baselines = {"mean_mask": summarise([plain_score("1", floor)])}
        runs = [
            run_result(
                f"{arch}-seed{seed}",
                config.runs()[f"{arch}-seed{seed}"],
                [plain_score(str(number), value) for number, value in enumerate(values)],
                baselines=baselines,
            )
            for arch, by_seed in scores.items()
            for seed, values in zip(seeds, by_seed, strict=False)
        ]
        networks = {
            arch: (arch, [run for run in runs if run.config.model.arch == arch]) for arch in scores
        }
        result = ComparisonResult(
            config=config,
            runs=tuple(runs),
            failed=(),
            missing=(),
            sources={},
            groups={},
            analysis=analyse(networks) if analysed and runs else None,
        )
        return comparison_study(Path("nowhere"), result)

    return make


@pytest.fixture
def finished_copy(finished: Path, tmp_path: Path) -> Path:
    """The finished comparison, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))
