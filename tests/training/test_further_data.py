"""Data sets that are only trained on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.builders.configurations import find_data

from humanseg.config.schema import TrainConfig
from humanseg.data.composition import RECORD_FILE, CompositionRecord, SourceRecord
from humanseg.data.signatures import image_bits
from humanseg.data.training_images import read_training_images
from humanseg.model_directory import read_model_record, write_model_record
from humanseg.results import write_record
from humanseg.system.errors import DataError, UsageError
from humanseg.training import train
from humanseg.training.further_data import Start, check_start
from humanseg.training.preparation import RunData, find_data_set

pytestmark = pytest.mark.training


def with_extra(config: TrainConfig, *roots: Path) -> TrainConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"extra": roots})})


def copy_some(drawn: Path, root: Path, names: list[str], suffix: str = "") -> Path:
    """Pictures of the drawn data set, changed by a byte after their end unless `suffix` is ``."""
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
        for name in names:
            shutil.copy(drawn / part / f"{name}.png", root / part / f"{name}.png")
    if suffix:
        for name in names:
            with (root / "images" / f"{name}.png").open("ab") as stream:
                stream.write(suffix.encode())
    return root


def trained_on(data: RunData, config: TrainConfig) -> list[str]:
    return [data.data_set.resized.ids[row] for row in data.training_rows(config)]


def test_extra_pictures__are_trained_on_and_nothing_else(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    plain = find_data(tiny)
    extra = copy_some(drawn, tmp_path / "more", list(plain.split.train), "x")
    data = find_data(with_extra(tiny, extra))
    assert data.split == plain.split
    assert data.fingerprint == plain.fingerprint
    ids = trained_on(data, tiny)
    assert ids[: len(plain.split.train)] == list(plain.split.train)
    assert ids[len(plain.split.train) :] == [f"more/{name}" for name in sorted(plain.split.train)]


def test_extra_pictures__named_like_own_ones_do_not_take_their_place(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    shutil.copytree(drawn / "images", tmp_path / "own/images/more")
    shutil.copytree(drawn / "masks", tmp_path / "own/masks/more")
    shutil.copytree(drawn / "images", tmp_path / "own/images/b")  # or all would lie in one folder
    shutil.copytree(drawn / "masks", tmp_path / "own/masks/b")
    name = find_data(tiny).split.train[0]
    extras = [copy_some(drawn, tmp_path / folder / "more", [name], "x") for folder in "cd"]
    config = with_extra(tiny, *extras)
    config = config.model_copy(
        update={"data": config.data.model_copy(update={"root": tmp_path / "own"})}
    )
    data_set = find_data_set(config)
    assert data_set.rows(["b/000", "more/000", "more/019"]) == [0, 20, 39]
    assert [data.name for data in data_set.extra] == ["more-2", "more-3"]
    assert data_set.resized.ids[40:] == (f"more-2/{name}", f"more-3/{name}")


def test_repeated_pictures__are_shown_more_often(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    data = find_data(tiny)
    extra = copy_some(drawn, tmp_path / "more", [data.split.train[0]], "x")
    config = with_extra(tiny, extra)
    values = config.data.model_copy(update={"repeat": 3})
    ids = trained_on(find_data(config), config.model_copy(update={"data": values}))
    assert [ids.count(name) for name in data.split.train] == [3] * len(data.split.train)
    assert ids.count(f"more/{data.split.train[0]}") == 1


def test_extra_pictures__move_the_weights(tiny: TrainConfig, drawn: Path, tmp_path: Path) -> None:
    extra = copy_some(drawn, tmp_path / "more", list(find_data(tiny).split.train), "x")
    losses = [
        train(config, output=tmp_path / name).epochs[0].train_loss
        for name, config in (("a", tiny), ("b", with_extra(tiny, extra)))
    ]
    assert losses[0] != losses[1]


def test_held_out_picture_in_extra__is_refused(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    name = find_data(tiny).split.test[0]
    extra = copy_some(drawn, tmp_path / "more", [name])
    with pytest.raises(DataError, match=f"shows the same as the held-out picture {name}"):
        find_data(with_extra(tiny, extra))


def test_mirrored_copy_of_a_held_out_picture__is_refused(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    name = find_data(tiny).split.test[0]
    extra = copy_some(drawn, tmp_path / "more", [name])
    for file in extra.glob("*/*.png"):
        Image.open(file).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(file)
    with pytest.raises(DataError, match=rf"held-out picture {name} \(mirrored\)"):
        find_data(with_extra(tiny, extra))


def test_scenes_that_were_not_composed_to_the_end__are_refused(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    extra = copy_some(drawn, tmp_path / "scenes", [find_data(tiny).split.train[0]])
    record = CompositionRecord(seed=0, sources=(), backgrounds={}, objects={}, kinds={"small": 2})
    write_record(extra / RECORD_FILE, record)
    with pytest.raises(DataError, match="holds 1 of 2 scenes; composing was interrupted"):
        find_data(with_extra(tiny, extra))


def test_other_extra__ends_a_run_that_had_begun(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    extra = copy_some(drawn, tmp_path / "more", [find_data(tiny).split.train[0]], "x")
    config = with_extra(tiny, extra)
    result = train(config, output=tmp_path / "run")
    assert list(result.further_data) == ["more"]
    with (extra / "images" / f"{find_data(tiny).split.train[0]}.png").open("ab") as stream:
        stream.write(b"y")
    with pytest.raises(DataError, match="have changed since this run began"):
        train(config, output=tmp_path / "run", resume=True)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_scenes_of_held_out_people__are_refused(
    tiny: TrainConfig, drawn: Path, tmp_path: Path, part: str
) -> None:
    data = find_data(tiny)
    name = getattr(data.split, part)[0]
    extra = copy_some(drawn, tmp_path / "scenes", [data.split.train[0]])
    source = SourceRecord(name="drawn", fingerprint=data.fingerprint, pictures=(name,))
    record = CompositionRecord(
        seed=0, sources=(source,), backgrounds={}, objects={}, kinds={"small": 1}
    )
    write_record(extra / RECORD_FILE, record)
    with pytest.raises(DataError, match="show people of 1 held-out picture"):
        find_data(with_extra(tiny, extra))


def test_scenes_of_training_people__are_welcome(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    data = find_data(tiny)
    extra = copy_some(drawn, tmp_path / "scenes", [data.split.train[0]])
    source = SourceRecord(name="drawn", fingerprint=data.fingerprint, pictures=data.split.train)
    record = CompositionRecord(
        seed=0, sources=(source,), backgrounds={}, objects={}, kinds={"small": 1}
    )
    write_record(extra / RECORD_FILE, record)
    assert len(find_data(with_extra(tiny, extra)).data_set.extra[0].samples) == 1


def test_missing_extra__is_a_sentence(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.extra: .* does not exist"):
        find_data(with_extra(tiny, tmp_path / "none"))


def test_start_from__a_model_that_saw_a_held_out_picture_is_refused(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    data = find_data(tiny)
    started = tiny.model_copy(
        update={"model": tiny.model.model_copy(update={"start_from": str(tmp_path)})}
    )
    name = data.split.test[0]
    bits = image_bits([data.data_set.facts.signatures[name]])
    seen = Start("model.start_from", str(tmp_path), images=bits)
    with pytest.raises(DataError, match=rf"1 of the pictures that are held out here \({name}\)"):
        check_start(seen, started, data.fingerprint, data.held_out)


def test_start_from__sources_and_terms_are_inherited(tiny: TrainConfig, tmp_path: Path) -> None:
    parent = tmp_path / "parent" / "model"
    train(tiny, output=tmp_path / "parent")
    record = read_model_record(parent).model_copy(update={"provenance": ("Some Set: no licence.",)})
    write_model_record(parent, record)
    child = tiny.model_copy(
        update={"model": tiny.model.model_copy(update={"start_from": str(parent)})}
    )
    train(child, output=tmp_path / "child")
    card = (tmp_path / "child" / "model" / "README.md").read_text()
    assert (
        f"* Through the model that training started from ({parent}): Some Set: no licence." in card
    )
    assert "Where a source states no licence, nobody has granted one." in card
    before, after = (read_training_images(path) for path in (parent, tmp_path / "child" / "model"))
    assert before is not None
    assert after is not None
    assert len(before) == len(after) == len(find_data(tiny).split.train)
