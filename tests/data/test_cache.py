from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from humanseg.cli import main
from humanseg.data import Sample, audit, discover, fingerprint, read_facts
from humanseg.system.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import CachedData

Write = Callable[..., Path]
SIZE = (8, 8)
COUNT = 12


@pytest.mark.parametrize("mask_resize", ["area", "nearest"])
@pytest.mark.parametrize("size", [(8, 8), (7, 5), (12, 16)])
def test_cached_images__are_what_decoding_gives(
    cached: CachedData, mask_resize: str, size: tuple[int, int]
) -> None:
    resized = cached.resized(size, mask_resize)
    assert len(resized) == COUNT
    images, masks, _ = resized.get([3, 0, 3])
    assert images.dtype == np.uint8
    assert masks.dtype == np.bool_
    assert np.array_equal(images[0], images[2])
    assert cached.holds(resized, mask_resize)
    assert cached.holds(cached.resized(size, mask_resize), mask_resize)
    assert resized.get([])[0].shape == (0, *size, 3)


def test_cache__decodes_each_file_once_for_all_that_is_asked(
    cached: CachedData, decoded: Counter[str]
) -> None:
    calls: list[tuple[int, int]] = []
    cached.resized().prepare(range(COUNT), lambda *call: calls.append(call))
    assert calls == [(done, COUNT) for done in range(1, COUNT + 1)]
    cache, samples = cached.open(), discover(cached.root)
    facts, report = read_facts(samples, cache=cache), audit(cached.root, cache=cache)
    number = fingerprint(samples, digests=cache.digests(samples))
    cached.resized().get([0, 1])
    assert set(decoded.values()) == {1}
    assert len(decoded) == 2 * COUNT
    assert facts == read_facts(samples)
    assert report == audit(cached.root)
    assert number == fingerprint(samples)


def test_cached_images__prepare_only_what_is_asked(
    cached: CachedData, decoded: Counter[str]
) -> None:
    resized = cached.resized()
    resized.prepare([2, 5, 2])
    resized.get([5, 7])
    assert {name for name in decoded if name.startswith("images")} == {
        "images/02", "images/05", "images/07",
    }  # fmt: skip
    assert cached.notes == [
        cached.said(
            "2 of 2 pictures are new, changed or not yet there at 8x8; 0 are taken as they are."
        )
    ]


def test_cache__grows_and_changes_with_the_data(
    cached: CachedData, write: Write, decoded: Counter[str]
) -> None:
    before = cached.resized()
    before.prepare(range(COUNT))
    old = before.get([4])[0]
    cached.add("new", seed=50)
    write("data/images/04.png", seed=51)
    write("data/masks/05.png", np.eye(12, 16, dtype=np.bool_))
    decoded.clear()
    cached.notes.clear()
    calls: list[tuple[int, int]] = []
    resized = cached.resized()
    resized.prepare(range(COUNT + 1), lambda *call: calls.append(call))
    assert calls == [(11, 13), (12, 13), (13, 13)]
    assert {name for name in decoded if name.startswith("images")} == {
        "images/04", "images/05", "images/new",
    }  # fmt: skip
    assert cached.notes == [
        cached.said(
            "3 of 13 pictures are new, changed or not yet there at 8x8; 10 are taken as they are."
        )
    ]
    assert cached.holds(resized)
    assert np.array_equal(before.get([4])[0], old)  # who began earlier keeps what was there
    samples = discover(cached.root)
    cache = cached.open()
    assert read_facts(samples, cache=cache) == read_facts(samples)
    assert fingerprint(samples, digests=cache.digests(samples)) == fingerprint(samples)


@pytest.mark.parametrize("name", ["00", "11"])
def test_cache__changed_pictures_change_at_every_size(
    cached: CachedData, write: Write, name: str
) -> None:
    for size in (SIZE, (6, 4)):
        cached.resized(size).prepare(range(COUNT))
    write(f"data/images/{name}.png", seed=51)
    cached.resized(SIZE).prepare(range(COUNT))
    assert cached.holds(cached.resized((6, 4)))


def test_digests__leave_out_what_has_changed(cached: CachedData, write: Write) -> None:
    samples = discover(cached.root)
    cache = cached.open()
    cache.inspect(samples)
    write("data/images/04.png", seed=51)
    digests = cache.digests(samples)
    assert set(digests) == {sample.id for sample in samples} - {"04"}
    assert fingerprint(samples, digests=digests) == fingerprint(samples)


def test_cache__is_shared_by_data_sets_that_hold_the_same_files(
    cached: CachedData, decoded: Counter[str]
) -> None:
    cached.resized().prepare(range(COUNT))
    table = cached.root / "some.csv"
    table.write_text("images,masks\nimages/03.png,masks/03.png\n./images/04.png,masks/04.png\n")
    decoded.clear()
    samples = discover(table)
    cached.open().resized(samples, size=SIZE, mask_resize="area").prepare([0, 1])
    assert not decoded


def test_cache__one_file_in_several_samples_is_one_row(
    cached: CachedData, decoded: Counter[str]
) -> None:
    one, other = discover(cached.root)[:2]
    samples = [one, other, Sample("again", one.image, one.mask)]
    cache = cached.open()
    images, _, _ = cache.resized(samples, size=SIZE, mask_resize="area").get([0, 1, 2])
    assert np.array_equal(images[0], images[2])
    assert decoded["images/00"] == 1
    first, second, again = cache.inspect(samples)
    assert again.digests == first.digests != second.digests


def test_cache__outlines(
    cached: CachedData, tmp_path: Path, write: Write, decoded: Counter[str]
) -> None:
    def document(right: int) -> dict[str, object]:
        square = [[1, 1, right, 1, right, 9, 1, 9]]
        return {
            "images": [{"id": 1, "file_name": "a.png", "height": 12, "width": 16}],
            "annotations": [{"image_id": 1, "category_id": 1, "segmentation": square}],
            "categories": [{"id": 1, "name": "person"}],
        }

    write("outlines/a.png")
    cached = cached._replace(root=tmp_path / "outlines")
    for right in (6, 9):
        (cached.root / "people.json").write_text(json.dumps(document(right)))
        samples = discover(cached.root)
        cache = cached.open()
        assert cached.holds(cached.resized())
        assert audit(cached.root, cache=cache) == audit(cached.root)
        assert fingerprint(samples, digests=cache.digests(samples)) == fingerprint(samples)
    decoded.clear()
    cached.resized().get([0])
    assert not decoded


def test_cache__unreadable_pictures_are_named_and_looked_at_again(
    cached: CachedData, write: Write
) -> None:
    (cached.root / "images/03.png").write_bytes(b"no picture")
    (cached.root / "masks/05.png").write_bytes(b"no picture")
    resized = cached.resized()
    for _ in range(2):
        with pytest.raises(DataError, match=r"^2 of 12 samples cannot be read\. .*03\.png"):
            resized.prepare(range(COUNT))
    resized.get([0, 1])
    cache = cached.open()
    for _ in range(2):
        assert audit(cached.root, cache=cache) == audit(cached.root)
        with pytest.raises(Exception, match=r"images/03\.png") as with_cache:
            read_facts(discover(cached.root), cache=cache)
        with pytest.raises(type(with_cache.value)) as without:
            read_facts(discover(cached.root))
        assert str(with_cache.value) == str(without.value)
    write("data/images/03.png", seed=3)
    write("data/masks/05.png", np.eye(12, 16, dtype=np.bool_))
    assert cached.holds(cached.resized())


def test_audit__findings_come_from_the_cache(
    cached: CachedData, write: Write, decoded: Counter[str]
) -> None:
    write("data/images/01.png", np.zeros((12, 16), np.uint8))
    write("data/masks/02.png", np.zeros((12, 16), np.uint8))
    write("data/masks/03.png", np.ones((24, 30), np.bool_))
    shutil.copy(cached.root / "images/06.png", cached.root / "images/07.png")
    report = audit(cached.root)
    assert len(report.findings) == 5
    assert audit(cached.root, cache=cached.open()) == report
    decoded.clear()
    assert audit(cached.root, cache=cached.open()) == report
    assert set(decoded) == {"masks/06", "masks/07"}  # of copies, compared


def test_audit__of_a_set_that_can_be_judged_decodes_each_file_once(
    cached: CachedData, decoded: Counter[str]
) -> None:
    """Sixteen pairs are judged as a whole too, from the same decoding; one cannot be read."""
    for number in range(COUNT, 17):
        cached.add(f"{number:02d}", seed=number)
    (cached.root / "images/03.png").write_bytes(b"no picture")
    report = audit(cached.root)
    assert {count for name, count in decoded.items() if name != "images/03"} == {1}
    decoded.clear()
    assert audit(cached.root, cache=cached.open()) == report
    assert {count for name, count in decoded.items() if not name.endswith("/03")} == {1}
    decoded.clear()
    assert audit(cached.root, cache=cached.open()) == report
    assert set(decoded) == {"images/03", "masks/03"}


def test_audit__interrupted_goes_on_where_it_stopped(
    cached: CachedData, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(cached.root, cache=cached.open(), progress=stop)
    decoded.clear()
    calls: list[tuple[int, int]] = []
    audit(cached.root, cache=cached.open(), progress=lambda *call: calls.append(call))
    again = len([name for name in decoded if name.startswith("images")])
    assert again <= COUNT - 7
    assert calls == [(done, COUNT) for done in range(COUNT - again + 1, COUNT + 1)]


def test_command__check_keeps_what_it_finds(
    cached: CachedData, capsys: pytest.CaptureFixture[str], decoded: Counter[str]
) -> None:
    (cached.root / "images/03.png").write_bytes(b"no picture")
    words = ["data", "check", str(cached.root), "--cache", str(cached.folder)]
    assert main(words) == 1
    first = capsys.readouterr()
    assert "03.png: not a picture" in first.out
    assert "12 of 12 pictures are new or changed; 0 are taken as they are." in first.err
    decoded.clear()
    assert main(words) == 1
    second = capsys.readouterr()
    assert second.out == first.out
    assert "1 of 12 pictures are new or changed; 11 are taken as they are." in second.err
    assert set(decoded) <= {"images/03", "masks/03"}
    assert main([*words[:3], "--cache", str(cached.root)]) == 2
    assert "is not empty and no cache; give --cache a new or empty" in capsys.readouterr().err
