from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from humanseg.config.schema import AugmentationConfig, TrainConfig
from humanseg.data.layouts import discover
from humanseg.data.resized import ImagesInMemory, Pixels, ResizedImages
from humanseg.system.errors import DataError, UsageError
from humanseg.training.augmentation import augment
from humanseg.training.batches import (
    Batches,
    DeviceSource,
    batches_of_parts,
    from_host,
    mask_chunks,
)
from humanseg.training.distributed import SINGLE_PROCESS, Processes


@pytest.fixture
def resized(drawn: Path) -> ImagesInMemory:
    return ImagesInMemory(discover(drawn), (32, 32), "area")


def _batches(
    resized: ImagesInMemory,
    rows: Sequence[int],
    *,
    processes: Processes = SINGLE_PROCESS,
    seed: int | None = 1,
    smallest: int = 2,
) -> Batches:
    return Batches(
        partial(from_host, resized),
        rows,
        resized.ids,
        batch_size=6,
        seed=seed,
        processes=processes,
        smallest=smallest,
    )


def test_batches__show_every_row_once_in_a_new_order_every_epoch(resized: ImagesInMemory) -> None:
    batches = _batches(resized, range(20))
    epochs = []
    for epoch in (0, 1):
        batches.sampler.set_epoch(epoch)
        epochs.append([name for batch in batches for name in batch["ids"]])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(resized.ids)
    assert epochs[0] != epochs[1]
    assert epochs[1] == [name for batch in batches for name in batch["ids"]]
    other = _batches(resized, range(20), seed=2)
    assert epochs[0] != [name for batch in other for name in batch["ids"]]
    assert len(batches) == 4


def test_batches__hold_the_pictures_they_name(resized: ImagesInMemory) -> None:
    for batch in _batches(resized, range(20)):
        images, masks, _ = resized.get([resized.ids.index(name) for name in batch["ids"]])
        assert np.array_equal(batch["image"].permute(0, 2, 3, 1), images)
        assert np.array_equal(batch["mask"][:, 0], masks)
        assert batch["image"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_batches__of_several_processes_are_those_of_one_divided(
    resized: ImagesInMemory, count: int
) -> None:
    whole = list(_batches(resized, range(20)))
    shares = [
        list(_batches(resized, range(20), processes=Processes(rank, count)))
        for rank in range(count)
    ]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert [name for part in parts for name in part["ids"]] == batch["ids"]
        assert torch.equal(torch.cat([part["image"] for part in parts]), batch["image"])
        sizes = [len(part["ids"]) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        first = 0
        for part in parts:
            assert part["shard"] == (first, len(batch["ids"]))
            first += len(part["ids"])


def test_batches__leave_out_a_last_batch_that_is_too_small(resized: ImagesInMemory) -> None:
    trained = [batch["ids"] for batch in _batches(resized, range(13))]
    assert [len(ids) for ids in trained] == [6, 6]
    assert len(list(_batches(resized, range(15), smallest=4))) == 2
    assert len(list(_batches(resized, range(16), smallest=4))) == 3
    scored = [batch["ids"] for batch in _batches(resized, range(13), seed=None, smallest=1)]
    assert [name for ids in scored for name in ids] == list(resized.ids[:13])


def test_batches__pass_on_what_went_wrong_in_reading(resized: ImagesInMemory) -> None:
    def broken(rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        raise DataError("row is damaged.")

    batches = Batches(broken, range(9), resized.ids, batch_size=3, seed=1)
    with pytest.raises(DataError, match="damaged"):
        list(batches)


def test_batches__are_read_ahead_but_not_far(resized: ImagesInMemory) -> None:
    read_so_far = []

    def counting(rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        read_so_far.append(rows)
        return from_host(resized, rows)

    batches = iter(Batches(counting, range(20), resized.ids, batch_size=2, seed=1))
    next(batches)
    assert len(read_so_far) <= 4
    assert len(list(batches)) == 9


def test_device_source__gives_what_the_host_gives(resized: ImagesInMemory) -> None:
    rows = [3, 7, 7, 19, 0]
    images, masks = DeviceSource(resized, rows, torch.device("cpu"))([19, 3, 3])
    expected, expected_masks = from_host(resized, [19, 3, 3])
    assert torch.equal(images, expected)
    assert torch.equal(masks, expected_masks)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_mask_chunks__bound_memory_and_keep_the_order(resized: ImagesInMemory) -> None:
    rows = [*range(20)] * 30
    chunks = list(mask_chunks(resized, rows))
    assert max(len(chunk) for chunk in chunks) == 256
    assert np.array_equal(np.concatenate(chunks), resized.get(rows)[1])


def test_parts__refuse_what_cannot_be_trained_on(
    resized: ImagesInMemory, tiny: TrainConfig
) -> None:
    with pytest.raises(DataError, match="at least 2"):
        batches_of_parts(resized, tiny, train=[4])
    with pytest.raises(DataError, match="at least 4"):
        batches_of_parts(resized, tiny, train=[4, 5, 6], processes=Processes(0, 2))
    with pytest.raises(UsageError, match="got 4 for 3 processes on CPUs; at least 6 are needed"):
        batches_of_parts(resized, tiny, train=range(20), processes=Processes(0, 3))

    class Empty(ResizedImages):
        ids = resized.ids
        size = resized.size
        ignoring = False

        def __init__(self) -> None:
            pass

        def prepare(self, rows: Sequence[int], progress: object = None) -> None:
            pass

        def get(self, rows: Sequence[int]) -> Pixels:
            images, masks, _ = resized.get(rows)
            return Pixels(images, np.zeros_like(masks))

    with pytest.raises(DataError, match="no training mask holds a person"):
        batches_of_parts(Empty(), tiny, train=range(20))


def test_augment__of_a_part_is_the_part_of_the_augmented_batch() -> None:
    config = AugmentationConfig(
        vertical_flip=0.5, affine=0.5, colour=0.5, grey=0.4, blur=0.4, noise=0.4
    )
    images = torch.randint(0, 256, (9, 3, 24, 20), dtype=torch.uint8)
    masks = torch.rand(9, 1, 24, 20) > 0.5
    for seed in range(8):
        whole, whole_masks = augment(images, masks, config, torch.Generator().manual_seed(seed))
        for count in (2, 4, 9):
            for rank in range(count):
                own = Processes(rank, count).share(9)
                part, part_masks = augment(
                    images[own],
                    masks[own],
                    config,
                    torch.Generator().manual_seed(seed),
                    shard=(own.start, 9),
                )
                torch.testing.assert_close(part, whole[own], rtol=1e-5, atol=1e-3)
                assert torch.equal(part_masks, whole_masks[own])


def test_augment__of_no_pictures_changes_none_and_draws_as_much() -> None:
    config = AugmentationConfig(affine=1.0, copy_paste=1.0, blur=1.0, noise=1.0)
    generator, other = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    masks = torch.rand(3, 1, 16, 16) > 0.5
    augment(images, masks, config, other)
    nothing, _ = augment(images[:0], masks[:0], config, generator, shard=(0, 3))
    assert nothing.shape == (0, 3, 16, 16)
    assert torch.equal(torch.rand(4, generator=generator), torch.rand(4, generator=other))


def test_copy_paste__of_a_part_takes_people_of_this_part() -> None:
    """Every picture is one person of a grey of its own; blur leaves a plain picture as it is."""
    config = AugmentationConfig(
        horizontal_flip=0.0, affine=0.0, copy_paste=0.6, colour=0.0, grey=0.0, blur=0.5, noise=0.0
    )
    images = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    masks = torch.ones(9, 1, 8, 8, dtype=torch.bool)
    pasted = 0
    for seed in range(8):
        for rank in range(3):
            own = Processes(rank, 3).share(9)
            generator = torch.Generator().manual_seed(seed)
            part, _ = augment(images[own], masks[own], config, generator, shard=(own.start, 9))
            greys = part[:, 0, 0, 0].round().int().tolist()
            assert set(greys) <= set(range(own.start, own.stop))
            pasted += sum(grey != row for row, grey in enumerate(greys, own.start))
    assert 30 < pasted < 56  # 0.6 of 72
