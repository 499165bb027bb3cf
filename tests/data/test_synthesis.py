from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.tree import DecisionTreeClassifier

from humanseg.data import audit, discover, draw_scene, synthesize
from humanseg.data.synthesis.painting import Canvas, Paint, ellipse, point
from humanseg.system.errors import HumansegError, UsageError

SIZE = (60, 80)


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_synthesize__writes_a_data_set_that_passes_the_check(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))

    root = synthesize(tmp_path / "drawn", count=12, size=SIZE, progress=progress)
    assert root == tmp_path / "drawn"
    assert calls == [(index, 12) for index in range(1, 13)]
    samples = discover(root)
    assert [sample.id for sample in samples] == [f"{index:05d}" for index in range(1, 13)]
    assert {sample.read_image().shape for sample in samples} == {(60, 80, 3)}
    with Image.open(root / "masks/00001.png") as mask:
        assert mask.mode == "L"
        assert set(np.unique(np.asarray(mask))) <= {0, 255}
    report = audit(root)
    assert report.ok
    assert not {"exact-duplicate", "near-duplicate"} & set(report.totals)
    assert len(digests(root)) == 24  # nothing else is left in the folders


def test_synthesize__a_picture_depends_on_seed_and_number_only(tmp_path: Path) -> None:
    few = digests(synthesize(tmp_path / "few", count=2, size=SIZE, seed=5))
    many = digests(synthesize(tmp_path / "many", count=4, size=SIZE, seed=5))
    other = digests(synthesize(tmp_path / "other", count=2, size=SIZE, seed=6))
    assert few.items() <= many.items()
    assert len(set(many.values())) == 8
    assert few["images/00001.jpg"] != other["images/00001.jpg"]


@pytest.mark.parametrize(
    ("clutter", "expected"), [(0.0, "986cb11ba6aed938"), (1.0, "4563ccec01eef856")]
)
def test_draw_scene__same_scenes_on_every_machine(clutter: float, expected: str) -> None:
    scenes = [
        draw_scene(np.random.default_rng([0, number]), SIZE, clutter=clutter) for number in range(8)
    ]
    masks = np.stack([mask for _, mask in scenes])
    assert hashlib.sha256(np.packbits(masks).tobytes()).hexdigest()[:16] == expected
    again, _ = draw_scene(np.random.default_rng([0, 7]), SIZE, clutter=clutter)
    assert np.array_equal(again, scenes[7][0])


@pytest.mark.parametrize("size", [(32, 32), (33, 97), (120, 50), (300, 40)])
def test_draw_scene__any_size(size: tuple[int, int]) -> None:
    for seed in range(5):
        image, mask = draw_scene(np.random.default_rng(seed), size)
        assert image.shape == (*size, 3)
        assert image.dtype == np.uint8
        assert mask.shape == size
        assert mask.dtype == np.bool_


@pytest.mark.simulation
def test_draw_scene__people_of_every_size_and_nobody() -> None:
    shares = [draw_scene(np.random.default_rng([1, i]), SIZE)[1].mean() for i in range(100)]
    assert 0.03 <= np.mean(np.array(shares) == 0) <= 0.18
    assert 0.18 <= np.mean(shares) <= 0.34
    assert np.percentile(shares, 95) > 0.5
    assert np.mean(np.array(shares) < 0.1) > 0.1


def test_draw_scene__without_clutter_there_is_one_large_person() -> None:
    for index in range(25):
        _, mask = draw_scene(np.random.default_rng([4, index]), SIZE, clutter=0.0)
        assert 0.04 < mask.mean() < 0.9
        parts, count = ndimage.label(mask)
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() > 0.9 * sizes.sum(), (index, count)  # nothing hides a part


@pytest.mark.parametrize("clutter", [0.0, 1.0])
@pytest.mark.simulation
def test_draw_scene__colour_alone_does_not_find_people(clutter: float) -> None:
    scenes = [draw_scene(np.random.default_rng([2, i]), SIZE, clutter=clutter) for i in range(90)]
    colours = np.stack([image for image, _ in scenes]).astype(np.float32)
    people = np.stack([mask for _, mask in scenes])
    tree = DecisionTreeClassifier(
        max_depth=12, min_samples_leaf=20, class_weight="balanced", random_state=0
    )
    tree.fit(colours[:60].reshape(-1, 3), people[:60].ravel())
    scores = tree.predict_proba(colours[60:].reshape(-1, 3))[:, 1]
    truth = people[60:].ravel()
    best = max(
        (truth & (scores >= cut)).sum() / (truth | (scores >= cut)).sum()
        for cut in np.linspace(0.1, 0.9, 17)
    )
    assert truth.mean() > 0.15  # there is something to find
    assert best < 0.5


def test_canvas__mask_is_the_painted_shape_and_objects_hide_people() -> None:
    canvas = Canvas(np.zeros((40, 40, 3), np.uint8), np.zeros((256, 256), np.float32))
    red, blue = (Paint([np.array(rgb)], grain=0) for rgb in ([255.0, 0, 0], [0, 0, 255.0]))
    canvas.fill(ellipse(point(40, 40), 20, 20), red, unit=10, person=True)
    hidden = np.array([[40.0, 0.0], [80.0, 0.0], [80.0, 80.0], [40.0, 80.0]])
    canvas.fill(hidden, blue, unit=10, person=False)
    image, mask = canvas.finish()
    assert np.array_equal(mask, image[..., 0] > 127)
    assert mask.sum() == pytest.approx(np.pi * 100 / 2, rel=0.06)
    assert not mask[:, 20:].any()
    assert (image[:, 20:, 2] > 200).all()


@pytest.mark.parametrize(
    ("count", "size", "seed", "message"),
    [
        (0, SIZE, 0, "count is 0; at least 1"),
        (1, (16, 80), 0, "size is 16x80; both sides must be 32 to 4096"),
        (1, (80, 5000), 0, "size is 80x5000"),
        (1, SIZE, -1, "seed is -1; 0 or larger"),
    ],
)
def test_synthesize__bad_requests(
    tmp_path: Path, count: int, size: tuple[int, int], seed: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        synthesize(tmp_path / "x", count=count, size=size, seed=seed)
    assert not (tmp_path / "x").exists()


def test_synthesize__clutter_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"clutter is 1\.5; 0 to 1"):
        synthesize(tmp_path / "x", count=1, size=SIZE, clutter=1.5)


@pytest.mark.parametrize("name", ["masks/00001.png", "images/00003.jpg", "images/00002.jpg"])
def test_synthesize__never_touches_files_of_others(tmp_path: Path, name: str) -> None:
    synthesize(tmp_path, count=3, size=SIZE)
    (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "masks/00003.png").unlink()
    before = digests(tmp_path)
    with pytest.raises(UsageError, match=rf"{name}: is not what these settings draw; name a new"):
        synthesize(tmp_path, count=3, size=SIZE)
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, r"masks/00001.png: is not what these settings draw"),
        ({"size": (64, 64)}, r"masks/00001.png: is not what these settings draw"),
        ({"clutter": 0.2}, r"masks/00001.png: is not what these settings draw"),
        ({"count": 3}, r"masks: has other files in it; name a new or empty folder"),
    ],
)
def test_synthesize__other_settings_in_the_same_folder(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    synthesize(tmp_path, count=4, size=SIZE)
    wanted: dict[str, Any] = {"count": 4, "size": SIZE} | settings
    with pytest.raises(UsageError, match=message):
        synthesize(tmp_path, **wanted)


def test_synthesize__goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = digests(synthesize(tmp_path / "whole", count=9, size=SIZE))
    root = synthesize(tmp_path / "stopped", count=5, size=SIZE)
    (root / "images/00005.jpg").unlink()  # stopped between mask and picture
    (root / "images/00004.jpg").write_bytes(b"")  # a power cut
    (root / "images/.humanseg-0123456789abcdef.part").write_bytes(b"half")
    changed = (root / "images/00003.jpg").stat().st_mtime_ns
    calls: list[tuple[int, int]] = []
    synthesize(root, count=9, size=SIZE, progress=lambda *now: calls.append(now))
    assert calls == [(number, 9) for number in range(4, 10)]
    assert (root / "images/00003.jpg").stat().st_mtime_ns == changed
    drawn = digests(root)
    del drawn["images/.humanseg-0123456789abcdef.part"]  # may be another process's
    assert drawn == whole
    calls.clear()
    synthesize(root, count=9, size=SIZE, progress=lambda *now: calls.append(now))
    assert calls == []


def test_synthesize__cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HumansegError, match=r"file: cannot be written to \(Not a directory\)"):
        synthesize(tmp_path / "file", count=1, size=SIZE)
