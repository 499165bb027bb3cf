"""Records that no run wrote: the report says so, and draws no verdict from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.report.load_study import comparison_study, load_study
from humanseg.report.study import Study
from humanseg.report.text.contradictions import contradictions
from humanseg.report.text.summary_text import answer
from humanseg.results import RunResult

StudyMaker = Callable[..., Study]


def _twice(run: RunResult) -> RunResult:
    return run.model_copy(update={"scores": (*run.scores, run.scores[0])})


def _left_out(run: RunResult) -> RunResult:
    return run.model_copy(update={"scores": run.scores[:4]})


def _trained_on(run: RunResult) -> RunResult:
    train = (*run.split.train, "3")
    return run.model_copy(update={"split": run.split.model_copy(update={"train": train})})


def _chosen_on(run: RunResult) -> RunResult:
    split = run.split.model_copy(update={"validation": ("3",), "validation_is_test": False})
    return run.model_copy(update={"split": split})


def _smaller_truth(run: RunResult) -> RunResult:
    first, *others = run.scores
    other = first.model_copy(update={"fn": 0, "tn": first.tn + first.fn})
    return run.model_copy(update={"scores": (other, *others)})


def _other_size(run: RunResult) -> RunResult:
    scores = tuple(score.model_copy(update={"height": 50, "width": 40}) for score in run.scores)
    return run.model_copy(update={"scores": scores})


_TRUTHS = "other true masks in some records than in others"
_DRAWN = "no verdict is drawn from such records."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_twice, f"Pictures have more than one score in a record (FPN): {_DRAWN}"),
        (_left_out, f"The pictures with a score are not those of the test part (FPN): {_DRAWN}"),
        (
            _trained_on,
            "Parts of a split share pictures, and no picture may be trained on and tested (FPN): "
            f"{_DRAWN}",
        ),
        (
            _chosen_on,
            "Parts of a split share pictures, and no picture may be trained on and tested (FPN): "
            f"{_DRAWN}",
        ),
        (
            _smaller_truth,
            f"1 picture has {_TRUTHS}: {_DRAWN}",
        ),
        (_other_size, f"5 pictures have {_TRUTHS}: {_DRAWN}"),
    ],
)
def test_contradictions__no_verdict(
    study_of: StudyMaker, change: Callable[[RunResult], RunResult], said: str
) -> None:
    result = study_of({"unet": [[0.9] * 5] * 2, "fpn": [[0.8] * 5] * 2}, analysed=False).result
    assert result is not None
    assert "No verdict" not in answer(comparison_study(Path(), result)).headline
    runs = (*result.runs[:3], change(result.runs[3]))
    study = comparison_study(Path(), result.model_copy(update={"runs": runs}))
    told = answer(study)
    assert told.headline == "No verdict: the records contradict themselves, as the warnings say."
    assert said in [text.replace("\N{NO-BREAK SPACE}", " ") for text in told.warnings]


def test_contradictions__published_split_validates_on_what_it_tests(unfinished_data: Path) -> None:
    assert list(contradictions(load_study(unfinished_data))) == []
