from __future__ import annotations

from collections.abc import Callable

import pytest

from humanseg.report.summary import Study, load_study
from humanseg.report.words import answer, basis, headline, problems, protocol

StudyMaker = Callable[..., Study]


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_headline__clear_difference(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.90, 0.91]], "fpn": [[0.85, 0.86]], "deeplabv3plus": [[0.7, 0.7]]})
    text = "U-Net scored highest: per-image IoU 0.905, 5.0 points above FPN."
    assert plain(headline(study)) == text


def test_headline__no_winner_by_the_third_decimal(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.902] * 6], "fpn": [[0.900] * 6], "deeplabv3plus": [[0.8] * 6]})
    assert headline(study) == (
        "No evidence of a difference between U-Net and FPN in per-image IoU; "
        "DeepLabV3+ scored lower than U-Net."
    )


def test_headline__all_level(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.902] * 6], "fpn": [[0.900] * 6]})
    expected = "No evidence of a difference between U-Net and FPN in per-image IoU."
    assert headline(study) == expected
    finding = plain(answer(study).findings[0])
    assert "FPN (0.900) is 0.2 points lower" in finding
    assert "no evidence of a difference, because it is below one point" in finding


def test_headline__seed_spread_counts(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.95] * 6, [0.85] * 6], "fpn": [[0.87] * 6, [0.87] * 6]})
    assert headline(study).startswith("No evidence")
    assert "no larger than the spread between seeds" in answer(study).findings[0]


def test_headline__one_network(study_of: StudyMaker) -> None:
    study = study_of({"fpn": [[0.9]]})
    assert headline(study) == "FPN reaches 0.900 per-image IoU; no other network was scored."
    assert "In the same order" not in answer(study).cost


def test_headline__nothing_finished(study_of: StudyMaker) -> None:
    study = study_of({"unet": []})
    said = answer(study)
    assert said.headline == "No run finished: there is nothing to compare."
    assert said.findings == ()
    assert said.cautions == ()


def test_cautions__single_seed(study_of: StudyMaker) -> None:
    one = study_of({"unet": [[0.9] * 3], "fpn": [[0.8] * 3]})
    two = study_of({"unet": [[0.9] * 3] * 2, "fpn": [[0.8] * 3] * 2})
    assert any("One training seed" in text for text in answer(one).cautions)
    assert not any("One training seed" in text for text in answer(two).cautions)
    assert plain(basis(two)) == "3 test pictures, 2 training seeds"
    assert any("Only 3" in plain(text) for text in answer(two).cautions)


def test_warnings__network_below_the_floor(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 3], "deeplabv3plus": [[0.3] * 3]}, floor=0.4)
    assert answer(study).warnings == (
        "DeepLabV3+ does not beat the mean mask (0.300 against 0.400), which looks at no picture: "
        "it has learned nothing useful.",
    )


def test_warnings__runs_that_must_not_be_compared(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9]], "fpn": [[0.8]]})
    first, second = study.result.runs
    resolved = second.resolved.model_copy(update={"precision": "fp32"})
    split = second.split.model_copy(update={"train": ("other",)})
    changes = {"data_fingerprint": "00", "resolved": resolved, "split": split}
    runs = (first, second.model_copy(update=changes))
    changed = Study(study.folder, study.result.model_copy(update={"runs": runs}))
    text = " ".join(answer(changed).warnings)
    assert "fingerprints differ" in text
    assert "different splits" in text
    assert "different precisions" in text


def test_problems__failed_and_missing_runs_are_named(request: pytest.FixtureRequest) -> None:
    study = load_study(request.getfixturevalue("broken"))
    found = {one.name: (one.state, one.detail) for one in problems(study)}
    assert found["fpn-seed43"] == ("failed", "RuntimeError: out of memory\nafter 3 epochs <b>")
    assert found["deeplabv3plus-seed43"] == ("missing", "not reached")
    said = answer(study)
    assert any("chosen on the very pictures that are scored" in text for text in said.warnings)
    assert any("different numbers of finished runs" in text for text in said.cautions)
    assert any(text.startswith("Warning") for text in protocol(study))


def test_protocol__says_what_was_done(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9]]}, evaluation={"threshold": 0.4, "flip_averaging": True})
    text = plain(" ".join(protocol(study)))
    assert "Hold-out split (seed 42): 40 training pictures, 3 validation pictures, 1 test" in text
    assert "nothing was selected" in text
    assert "from probability 0.4; probabilities are averaged" in text
    assert "Encoder efficientnet-b0, starting weights: imagenet." in text
