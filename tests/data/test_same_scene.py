from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data import Sample, leaks, read_facts, scene_pairs

Features = NDArray[np.float32]


def random_features(count: int, seed: int = 0) -> Features:
    """Vectors far from zero, as features after a rectifier are, and hardly alike once centred."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, 200)) + 8).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"p{number}" for number in range(count)]


def alone(ids: list[str]) -> dict[str, str]:
    return {name: name for name in ids}


def never(first: str, second: str) -> bool:
    return False


def test_scene_pairs__by_centred_cosine_across_blocks() -> None:
    features = random_features(600)
    noise = random_features(600, seed=1) - 8
    features[599] = features[3]
    features[400] = features[10] + 0.5 * noise[0]
    features[20] = features[300] + 0.9 * noise[1]
    ids = names(600)
    listed = scene_pairs(ids, features, groups=alone(ids), divided=never)
    assert [(leak.first, leak.second) for leak in listed] == [
        ("p3", "p599"), ("p10", "p400"), ("p20", "p300"),
    ]  # fmt: skip
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    for leak in listed:
        first, second = (centred[int(name[1:])] for name in (leak.first, leak.second))
        cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
        assert leak.similarity == pytest.approx(cosine, abs=1e-4)
        assert leak.kind == "scene"
    assert listed[0].similarity is not None
    assert listed[0].similarity <= 1


def test_scene_pairs__threshold() -> None:
    features = random_features(50)
    features[7] = features[4] + 0.8 * (random_features(1, seed=1)[0] - 8)
    ids = names(50)
    similarity = scene_pairs(ids, features, groups=alone(ids), divided=never)[0].similarity
    assert similarity is not None
    for threshold, count in ((similarity, 1), (similarity + 1e-4, 0)):
        listed = scene_pairs(ids, features, groups=alone(ids), divided=never, threshold=threshold)
        assert len(listed) == count


def test_scene_pairs__pairs_of_one_group_are_known() -> None:
    features = random_features(40)
    features[[5, 6, 7]] = features[5]
    ids = names(40)
    groups = alone(ids) | {"p7": "p5"}
    listed = scene_pairs(ids, features, groups=groups, divided=never)
    assert [(leak.first, leak.second) for leak in listed] == [("p5", "p6"), ("p6", "p7")]


def test_scene_pairs__says_what_was_divided() -> None:
    features = random_features(40)
    features[6], features[9] = features[5], features[8]
    ids = names(40)
    listed = scene_pairs(
        ids, features, groups=alone(ids), divided=lambda *pair: pair == ("p8", "p9")
    )
    assert {leak.first: leak.divided for leak in listed} == {"p5": False, "p8": True}


def test_scene_pairs__the_most_similar_from_all_blocks() -> None:
    features = random_features(900)
    noise = random_features(900, seed=1) - 8
    for number in range(70):  # later pairs are more alike
        features[890 - number] = features[10 * number] + 0.01 * (70 - number) * noise[number]
    ids = names(900)
    listed = scene_pairs(ids, features, groups=alone(ids), divided=never)
    centred = (features - features.mean(axis=0)).astype(np.float64)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = np.triu(centred @ centred.T, k=1)
    firsts, seconds = np.unravel_index(np.argsort(-cosines, axis=None)[:50], cosines.shape)
    assert [(leak.first, leak.second) for leak in listed] == [
        (f"p{first}", f"p{second}") for first, second in zip(firsts, seconds, strict=True)
    ]
    few = scene_pairs(ids, features, groups=alone(ids), divided=never, limit=3)
    assert few == listed[:3]


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_scene_pairs__pictures_without_a_difference_are_not_pairs(count: int) -> None:
    features = np.full((count, 64), 0.3, dtype=np.float32)
    ids = names(count)
    assert scene_pairs(ids, features, groups=alone(ids), divided=never) == []


def test_scene_pairs__features_of_other_pictures() -> None:
    with pytest.raises(ValueError, match="3 rows of features for 2 pictures"):
        scene_pairs(["a", "b"], random_features(3), groups={"a": "a", "b": "b"}, divided=never)


def test_leaks__exact_first_and_what_was_divided() -> None:
    listed = leaks(
        [("d", "e", "mirrored"), ("a", "b", "near"), ("c", "f", "exact"), ("a", "g", "near")],
        divided=lambda first, second: second in ("b", "e"),
    )
    assert [(leak.first, leak.second, leak.kind, leak.divided) for leak in listed] == [
        ("c", "f", "exact", False), ("a", "b", "near", True), ("a", "g", "near", False),
        ("d", "e", "mirrored", True),
    ]  # fmt: skip
    assert all(leak.similarity is None for leak in listed)


def test_leaks__of_a_data_set(drawn: Path) -> None:
    paths = sorted((drawn / "images").iterdir())[:4]
    masks = sorted((drawn / "masks").iterdir())[:4]
    samples = [Sample(path.stem, path, mask) for path, mask in zip(paths, masks, strict=True)] + [
        Sample("copy", paths[2], masks[2])
    ]
    listed = leaks(read_facts(samples).copies, divided=never)
    assert [(leak.first, leak.second, leak.kind) for leak in listed] == [("002", "copy", "exact")]
