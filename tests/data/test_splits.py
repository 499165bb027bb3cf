from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from humanseg.config.split_config import FoldSplit, HoldoutSplit, ReferenceSplit, SourceSplit
from humanseg.data import Facts, Sample, check_split, make_split, read_facts
from humanseg.results import SplitRecord
from humanseg.system.errors import DataError

Write = Callable[..., Path]

REFERENCE = ReferenceSplit()
REFERENCE_IDS = {
    4, 9, 14, 15, 29, 34, 40, 41, 43, 56, 66, 68, 70, 79, 80, 83, 84, 87,
    89, 92, 98, 103, 107, 114, 119, 120, 126, 129, 137, 140, 153, 156, 159, 167, 169, 170,
    175, 180, 190, 198, 200, 204, 205, 206, 210, 211, 228, 230, 231, 241, 242, 248, 250, 257,
    258, 261, 263, 277,
}  # fmt: skip


def dummies(ids: list[str]) -> list[Sample]:
    return [Sample(name, Path(f"{name}.jpg"), Path(f"{name}.png")) for name in ids]


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def single(ids: list[str]) -> dict[str, str]:
    return {name: name for name in ids}


def ramp(ids: list[str]) -> dict[str, float]:
    return {name: index / len(ids) for index, name in enumerate(ids)}


def facts(
    shares: dict[str, float], groups: dict[str, str], sources: dict[str, str] | None = None
) -> Facts:
    return Facts(groups, shares, sources or dict.fromkeys(shares, "one"))


def parts(split: SplitRecord) -> dict[str, tuple[str, ...]]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


def test_reference__is_the_published_split() -> None:
    ids = [str(number) for number in range(1, 290)] + ["300"]  # in numerical order, on purpose
    split = make_split(dummies(ids), REFERENCE)
    assert {int(name) for name in split.test} == REFERENCE_IDS
    assert len(split.test) == 58
    assert split.validation == split.test
    assert split.validation_is_test
    assert sorted(split.train + split.test) == sorted(ids)
    # The published aggregates are over batches in this order.
    order = np.random.RandomState(42).permutation(290)[:58]
    assert split.test == tuple(sorted(ids)[index] for index in order)


@pytest.mark.parametrize("count", [2, 5, 10, 57, 290, 1001])
@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_reference__is_that_of_scikit_learn(count: int, seed: int) -> None:
    ids = sorted(numbered(count))
    train, test = train_test_split(ids, test_size=0.2, random_state=seed)
    split = make_split(dummies(ids), ReferenceSplit(seed=seed))
    assert (split.train, split.test) == (tuple(train), tuple(test))


def test_reference__seed_counts() -> None:
    ids = numbered(50)
    other = make_split(dummies(ids), ReferenceSplit(seed=1))
    assert set(other.test) != set(make_split(dummies(ids), REFERENCE).test)


def test_reference__takes_the_largest_seed() -> None:
    config = ReferenceSplit(seed=2**32 - 1)
    assert len(make_split(dummies(["a", "b"]), config).test) == 1


def test_reference__too_few() -> None:
    with pytest.raises(DataError, match="at least 2 pictures; 1 given"):
        make_split(dummies(["a"]), REFERENCE)


@pytest.mark.parametrize("count", [3, 5, 10, 33, 290])
@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.0, 0.2), (0.25, 0.25)])
def test_holdout__disjoint_parts_of_the_sizes_asked_for(
    count: int, validation: float, test: float
) -> None:
    ids = numbered(count)
    config = HoldoutSplit(validation=validation, test=test)
    split = make_split(dummies(ids), config, facts=facts(ramp(ids), single(ids)))
    assert sorted(split.train + split.validation + split.test) == sorted(ids)
    assert len(split.test) == max(1, round(test * count))
    assert len(split.validation) == (max(1, round(validation * count)) if validation else 0)
    assert not split.validation_is_test
    check_split(split)


def test_holdout__every_part_has_small_and_large_foregrounds() -> None:
    ids = numbered(290)
    shares = ramp(ids)
    split = make_split(dummies(ids), HoldoutSplit(), facts=facts(shares, single(ids)))
    for names in parts(split).values():
        thirds = np.bincount([int(shares[name] * 3) for name in names], minlength=3)
        assert np.abs(thirds - len(names) / 3).max() <= 1.5, thirds


def test_holdout__depends_on_the_seed_and_not_on_the_order() -> None:
    ids = numbered(40)
    shares, groups = ramp(ids), single(ids)
    first = make_split(dummies(ids), HoldoutSplit(), facts=facts(shares, groups))
    again = make_split(dummies(ids[::-1]), HoldoutSplit(), facts=facts(shares, groups))
    other = make_split(dummies(ids), HoldoutSplit(seed=43), facts=facts(shares, groups))
    assert first == again
    assert first.test != other.test


def test_holdout__never_divides_a_group() -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        count = int(rng.integers(6, 40))
        ids = numbered(count)
        groups = {name: f"g{rng.integers(3 + count // 2)}" for name in ids}
        if len(set(groups.values())) < 3:
            continue
        config = HoldoutSplit(seed=seed)
        split = make_split(dummies(ids), config, facts=facts(ramp(ids), groups))
        assert sorted(split.train + split.validation + split.test) == sorted(ids)
        seen = [{groups[name] for name in names} for names in parts(split).values()]
        assert all(seen)
        assert sum(len(names) for names in seen) == len(set(groups.values()))


def test_holdout__single_pictures_make_up_for_groups() -> None:
    ids = numbered(100)
    groups = single(ids) | dict.fromkeys(ids[:7], "g")
    split = make_split(dummies(ids), HoldoutSplit(), facts=facts(ramp(ids), groups))
    assert [len(names) for names in parts(split).values()] == [70, 10, 20]


def test_holdout__few_groups_still_fill_every_part() -> None:
    ids = numbered(6)
    groups = {name: str(int(name) // 2) for name in ids}
    split = make_split(dummies(ids), HoldoutSplit(), facts=facts(ramp(ids), groups))
    assert [len(names) for names in parts(split).values()] == [2, 2, 2]


def test_holdout__finds_shares_and_duplicates_itself(tmp_path: Path, write: Write) -> None:
    samples = []
    for index in range(12):
        mask = np.zeros((12, 16), dtype=np.bool_)
        mask[:, :index] = True
        image = write(f"{index}.png", seed=index // 2)  # every picture twice
        samples.append(Sample(str(index), image, write(f"m{index}.png", mask)))
    assert read_facts(samples).shares["4"] == 0.25
    split = make_split(samples, HoldoutSplit())
    for names in parts(split).values():
        assert {str(int(name) ^ 1) for name in names} == set(names)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_holdout__too_few_pictures(count: int) -> None:
    ids = numbered(count)
    with pytest.raises(DataError, match=f"needs more pictures: {count} given"):
        make_split(dummies(ids), HoldoutSplit(), facts=facts(ramp(ids), single(ids)))


def test_holdout__too_few_for_two_parts() -> None:
    config = HoldoutSplit(validation=0.0)
    with pytest.raises(DataError, match=r"into train and test parts .* 1 given"):
        make_split(dummies(["a"]), config, facts=facts({"a": 0.1}, {"a": "a"}))


def test_holdout__too_few_without_duplicates() -> None:
    ids = numbered(10)
    groups = dict.fromkeys(ids, "same")
    with pytest.raises(DataError, match=r"10 given, 1 without duplicates .* at least 3 different"):
        make_split(dummies(ids), HoldoutSplit(), facts=facts(ramp(ids), groups))


def test_holdout__nothing_left_to_train_on() -> None:
    ids = numbered(10)
    config = HoldoutSplit(test=0.89, validation=0.1)
    with pytest.raises(DataError, match="needs more pictures"):
        make_split(dummies(ids), config, facts=facts(ramp(ids), single(ids)))


def in_folds(
    known: Facts, folds: int, *, seed: int = 42, validation: float = 0.1
) -> list[SplitRecord]:
    ids = list(known.groups)
    return [
        make_split(
            dummies(ids),
            FoldSplit(folds=folds, fold=fold, seed=seed, validation=validation),
            facts=known,
        )
        for fold in range(1, folds + 1)
    ]


@pytest.mark.parametrize(("count", "folds"), [(290, 5), (23, 4), (6, 2), (10, 10)])
def test_folds__test_every_picture_once(count: int, folds: int) -> None:
    ids = numbered(count)
    splits = in_folds(facts(ramp(ids), single(ids)), folds)
    assert sorted(name for split in splits for name in split.test) == sorted(ids)
    sizes = {len(split.test) for split in splits}
    assert max(sizes) - min(sizes) <= 1
    for split in splits:
        assert sorted(split.train + split.validation + split.test) == sorted(ids)
        assert len(split.validation) == max(1, round(0.1 * count))


def test_folds__never_divide_a_group() -> None:
    rng = np.random.default_rng(1)
    for seed in range(10):
        ids = numbered(int(rng.integers(30, 60)))
        groups = {name: f"g{rng.integers(len(ids) // 2)}" for name in ids}
        for split in in_folds(facts(ramp(ids), groups), 4, seed=seed):
            seen = [{groups[name] for name in names} for names in parts(split).values()]
            assert all(seen)
            assert sum(map(len, seen)) == len(set.union(*seen))


def test_folds__have_their_share_of_every_source_and_size() -> None:
    ids = numbered(290)
    sources = {name: "a" if int(name) % 2 else "b" for name in ids}
    shares = ramp(ids)
    for split in in_folds(facts(shares, single(ids), sources), 5):
        from_a = sum(sources[name] == "a" for name in split.test)
        assert abs(from_a - 29) <= 3
        thirds = np.bincount([int(shares[name] * 3) for name in split.test], minlength=3)
        assert np.abs(thirds - 58 / 3).max() <= 3


def test_folds__other_seed_other_folds() -> None:
    ids = numbered(40)
    known = facts(ramp(ids), single(ids))
    assert in_folds(known, 4) == in_folds(known, 4)
    assert in_folds(known, 4)[0] != in_folds(known, 4, seed=43)[0]


def test_folds__without_validation() -> None:
    ids = numbered(20)
    assert all(
        not split.validation for split in in_folds(facts(ramp(ids), single(ids)), 4, validation=0.0)
    )


def test_folds__fewer_groups_than_folds() -> None:
    ids = numbered(10)
    groups = {name: str(int(name) // 3) for name in ids}
    with pytest.raises(DataError, match=r"5 folds need at least 5 .* 4 without .* fewer folds"):
        in_folds(facts(ramp(ids), groups), 5)


def test_source__tests_on_all_of_it_and_trains_on_none_of_its_scenes() -> None:
    ids = numbered(40)
    sources = {name: "a" if int(name) < 15 else "b" for name in ids}
    groups = single(ids) | {"3": "shared", "20": "shared"}
    split = make_split(
        dummies(ids),
        SourceSplit(held_out="a"),
        facts=facts(ramp(ids), groups, sources),
    )
    assert set(split.test) == {name for name in ids if sources[name] == "a"}
    assert set(split.train + split.validation) == set(ids) - set(split.test) - {"20"}
    assert len(split.validation) == 4


@pytest.mark.parametrize(
    ("sources", "held_out", "message"),
    [("ab", "c", "got 'c'; the sources of this data set are a, b"), ("aa", "a", "of one source")],
)
def test_source__refuses(sources: str, held_out: str, message: str) -> None:
    ids = numbered(10)
    names = {name: sources[int(name) % 2] for name in ids}
    with pytest.raises(DataError, match=message):
        make_split(
            dummies(ids),
            SourceSplit(held_out=held_out),
            facts=facts(ramp(ids), single(ids), names),
        )


def test_split__ids_must_be_unique() -> None:
    with pytest.raises(DataError, match="the same id"):
        make_split(dummies(["a", "b", "a"]), REFERENCE)


@pytest.mark.parametrize(
    ("train", "validation", "test", "is_test", "message"),
    [
        ("ab", "c", "ad", False, r"train and test parts share 1 pictures \(a\)"),
        ("ab", "b", "c", False, "train and validation parts share 1"),
        ("ab", "c", "c", False, "validation and test parts share 1"),
        ("ab", "c", "d", True, "they differ"),
        ("ab", "c", "cb", True, "they differ"),
        ("ab", "bc", "bc", True, "train and test parts share 1"),
        ("aa", "b", "c", False, "train part names a picture twice"),
        ("", "b", "c", False, "train part is empty"),
        ("a", "b", "", False, "test part is empty"),
    ],
)
def test_check_split__refuses(
    train: str, validation: str, test: str, is_test: bool, message: str
) -> None:
    split = SplitRecord(
        train=tuple(train), validation=tuple(validation), test=tuple(test),
        validation_is_test=is_test,
    )  # fmt: skip
    with pytest.raises(DataError, match=message):
        check_split(split)


def test_check_split__accepts_what_is_declared() -> None:
    check_split(
        SplitRecord(train=("a",), validation=("c", "b"), test=("b", "c"), validation_is_test=True)
    )
    check_split(SplitRecord(train=("a",), validation=(), test=("b",), validation_is_test=False))
