from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from humanseg.images.stored_maps import write_probability
from humanseg.report.gallery.gallery_rows import (
    CHOSEN_SIDE,
    OTHER_SIDE,
    Cell,
    GalleryRow,
    gallery,
)
from humanseg.report.gallery.image_choice import choose, choose_images
from humanseg.report.load_study import load_study
from humanseg.report.study_files import image_files
from humanseg.results import DataRecord, SuspectLabel, read_record, write_record

MEANS = {"a": 0.99, "b": 0.95, "c": 0.9, "d": 0.85, "e": 0.8, "f": 0.75, "g": 0.7, "h": 0.2}


def record_path(folder: Path, id_: str, path: Path) -> None:
    """Let a folder say that an image lies elsewhere."""
    record = read_record(folder / "data.json", DataRecord)
    changed = record.model_copy(update={"images": {**record.images, id_: str(path)}})
    write_record(folder / "data.json", changed)


def kinds(reasons: Sequence[str]) -> list[str]:
    return [reason.split(":")[0] for reason in reasons]


def test_choose__follows_the_rule() -> None:
    scores = {f"{number:02}": 1 - number / 100 for number in range(40)}
    chosen = {id_: kinds(own) for id_, own in choose({"U-Net": scores}, seed=1).items()}
    expected = {
        kind: {id_ for id_, reasons in chosen.items() if kind in reasons}
        for kind in ("Best", "Median", "Worst", "Drawn at random")
    }
    assert expected["Best"] == {"00", "01", "02"}
    assert expected["Median"] == {"19", "20", "18"}
    assert expected["Worst"] == {"37", "38", "39"}
    assert len(expected["Drawn at random"]) == 2
    assert {reason for reasons in chosen.values() for reason in reasons} == set(expected)


def test_choose__shows_what_is_marked_where_nobody_is() -> None:
    alarms = {"e1": 0.0, "e2": 0.12, "e3": 0.5, "e4": 0.02, "e5": 0.01}
    chosen = choose({"U-Net": MEANS}, 1, alarms=alarms)
    assert {id_ for id_ in chosen if id_ in alarms} == {"e2", "e3", "e4"}
    assert chosen["e2"] == ["Marked though nobody is there: 12.0\N{NO-BREAK SPACE}% of it"]


def test_choose__several_networks_give_their_worst_and_what_divides_them() -> None:
    first = {**MEANS, "b": 0.1}
    second = {**MEANS, "a": 0.05}
    chosen = choose({"U-Net": first, "FPN": second}, seed=1)
    assert "Worst of U-Net: IoU 0.100" in chosen["b"]
    assert "Worst of FPN: IoU 0.050" in chosen["a"]
    assert "Networks disagree: IoU differs by 0.940" in chosen["a"]
    assert "Networks disagree" not in kinds(chosen["h"])


def test_choose__draws_from_every_source_and_names_suspects() -> None:
    sources = {id_: "web" if id_ in "abcd" else "graz" for id_ in MEANS}
    suspects = [SuspectLabel(id="c", reason="holes", value=0.1, count=3)]
    chosen = choose({"U-Net": MEANS}, 1, sources=sources, suspects=suspects)
    reasons = [reason for own in chosen.values() for reason in own]
    assert reasons.count("Drawn at random from web") == 2
    assert reasons.count("Drawn at random from graz") == 2
    assert "True mask to check: holes that all networks fill" in chosen["c"]


def test_choose__seed_decides_the_random_ones_alone() -> None:
    scores = {"unet": {str(number): 1 - number / 100 for number in range(60)}}
    draws = {tuple(choose(scores, seed)) for seed in range(5)}
    assert len(draws) > 1
    assert len({draw[:9] for draw in draws}) == 1
    assert choose(scores, 3) == choose(scores, 3)


def test_choose__names_a_picture_once_with_every_reason() -> None:
    chosen = choose({"unet": {"a": 0.5, "b": 0.4}, "fpn": {"a": 0.5}}, seed=0)
    assert list(chosen) == ["a", "b"]
    assert kinds(chosen["a"])[:3] == ["Best", "Median", "Worst"]
    assert choose({}, seed=0) == {}


def test_selection__holds_every_picture_hardest_of_the_others_first(cross_data: Path) -> None:
    study = load_study(cross_data)
    choices = choose_images(study)
    assert set(choices) == {id_ for net in study.finished for id_ in net.image_scores}
    chosen = [bool(reasons) for reasons in choices.values()]
    assert chosen == sorted(chosen, reverse=True)


def decoded(uri: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    image.load()
    return image


def cell(row: GalleryRow, view: str, network: int = -1) -> Cell:
    return next(own for own in row.cells if (own.view, own.network) == (view, network))


def test_gallery__layers_fit_their_picture(finished: Path) -> None:
    for row in gallery(load_study(finished)):
        assert max(row.size) <= (CHOSEN_SIDE if row.chosen else OTHER_SIDE)
        for uri in (row.photo, *(view.uri for view in row.cells if view.uri)):
            assert decoded(uri).size == row.size[::-1]
        assert [view.view for view in row.cells if view.extra] == ["mask"] * 3


def test_gallery__colours_say_what_is_wrong(finished: Path) -> None:
    study = load_study(finished)
    network = study.finished[0]
    for row in gallery(study):
        indices = np.asarray(decoded(cell(row, "errors", 0).uri))
        image = network.image_scores[row.id]
        shares = [(indices == index).mean() for index in range(4)]
        counts = [image.tn, image.tp, image.fp, image.fn]
        wanted = np.array(counts) / (image.height * image.width)
        assert np.abs(np.array(shares) - wanted).max() < 0.02
        mask = np.asarray(decoded(cell(row, "mask", 0).uri))
        assert (mask == np.isin(indices, (1, 2))).all()
        truth = np.asarray(decoded(cell(row, "truth").uri))
        assert (truth == np.isin(indices, (1, 3))).all()


def test_gallery__shows_the_run_that_tested_a_picture(cross_data: Path) -> None:
    study = load_study(cross_data)
    row = gallery(study)[0]
    network = study.finished[0]
    file = network.prediction_file(row.id)
    run = next(run for run in study.runs if run.name == file.relative_to(cross_data).parts[1])
    assert row.id in run.split.test
    image = next(score for score in run.scores if score.id == row.id)
    assert cell(row, "errors", 0).notes[0] == f"IoU {image.iou:.3f}"


def test_gallery__cuts_probabilities_at_the_threshold(finished_copy: Path) -> None:
    study = load_study(finished_copy)
    row = gallery(study)[0]
    file = study.finished[0].prediction_file(row.id)
    half = np.full((4, 4), 0.49, dtype=np.float32)
    half[:, 2:] = 0.51
    write_probability(file, half)
    mask = np.asarray(decoded(cell(gallery(study)[0], "mask", 0).uri))
    middle = mask.shape[1] // 2
    assert not mask[:, : middle - 2].any()
    assert mask[:, middle + 2 :].all()


def test_gallery__old_folders_hold_masks(unfinished_data: Path) -> None:
    rows = gallery(load_study(unfinished_data))
    assert rows
    assert all(cell(row, "errors", 0).uri for row in rows)


def test_gallery__lost_files_leave_words(finished_copy: Path) -> None:
    study = load_study(finished_copy)
    first, second, *_ = gallery(study)
    (finished_copy / "truth" / f"{first.id}.png").unlink()
    prediction = finished_copy / "runs/unet-seed42/predictions"
    (prediction / f"{second.id}.png").write_bytes(b"no picture")
    broken = finished_copy / "broken.png"  # the copy names the images of the original
    broken.write_bytes(b"no picture either")
    record_path(finished_copy, second.id, broken)
    first, second, third, *_ = gallery(study)
    assert cell(first, "truth").problem.startswith("Cannot be shown.")
    masks = [view for view in first.cells if view.view == "mask"]
    assert [(bool(view.uri), view.extra) for view in masks] == [(True, False)] * 3
    assert not [view for view in first.cells if view.view == "errors"]
    assert second.photo == ""
    lost = cell(second, "errors", 0)
    assert lost.problem.startswith("Cannot be shown.")
    assert lost.notes[0].startswith("IoU 0.")
    assert cell(second, "errors", 1).uri
    problems = [view.problem for row in (first, second) for view in row.cells if view.problem]
    assert len(problems) == 3
    assert not [problem for problem in problems if str(finished_copy) in problem]
    assert not [view for view in third.cells if view.problem]


def test_gallery__a_folder_without_files_is_all_words(finished_copy: Path) -> None:
    for name in ("truth", "runs"):
        shutil.rmtree(finished_copy / name)
    study = load_study(finished_copy)
    for id_ in image_files(study.folders):
        record_path(finished_copy, id_, finished_copy / "gone.png")
    for row in gallery(study):
        assert row.photo == ""
        assert [view.view for view in row.cells] == ["picture", "truth", *["errors"] * 3]
        assert all(re.match("Cannot be shown", view.problem) for view in row.cells)


def test_gallery__pictures_without_anyone_have_no_score(evaluation_data: Path) -> None:
    study = load_study(evaluation_data)
    rows = {row.id: row for row in gallery(study)}
    assert rows["nobody/1"].share == 0
    undefined = [id_ for id_, image in study.finished[0].image_scores.items() if image.iou is None]
    assert all(rows[id_].scores == [None] for id_ in undefined)
