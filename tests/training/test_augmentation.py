from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from humanseg.config.schema import AugmentationConfig
from humanseg.training.augmentation import _blur, _Draw, augment

OFF = AugmentationConfig(horizontal_flip=0, affine=0, colour=0, grey=0, blur=0, noise=0)


def _batch(count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (count, 3, 32, 48), generator=generator, dtype=torch.uint8)
    return images, torch.rand(count, 1, 32, 48, generator=generator) < 0.5


def _run(config: AugmentationConfig, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = _batch()
    return augment(images, masks, config, torch.Generator().manual_seed(seed))


def test_augment__nothing_on_changes_nothing() -> None:
    images, masks = _batch()
    changed, changed_masks = _run(OFF)
    torch.testing.assert_close(changed, images.float())
    assert torch.equal(changed_masks, masks)


@pytest.mark.parametrize(("field", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_augment__flips_picture_and_mask_together(field: str, axis: int) -> None:
    images, masks = _batch()
    changed, changed_masks = _run(OFF.model_copy(update={field: 1.0}))
    torch.testing.assert_close(changed, images.flip(axis).float())
    assert torch.equal(changed_masks, masks.flip(axis))


def test_augment__flips_are_drawn_per_picture() -> None:
    images, _ = _batch()
    changed, _ = _run(OFF.model_copy(update={"horizontal_flip": 0.5}))
    same = [torch.equal(changed[i], images[i].float()) for i in range(len(images))]
    assert any(same)
    assert not all(same)


def test_augment__is_repeatable_and_depends_on_the_generator() -> None:
    config = AugmentationConfig()
    torch.testing.assert_close(_run(config, 5), _run(config, 5))
    assert not torch.equal(_run(config, 5)[0], _run(config, 6)[0])


def test_augment__keeps_range_dtype_and_shape() -> None:
    config = AugmentationConfig(noise=1, blur=1, colour=1, affine=1)
    images, masks = _run(config)
    assert images.dtype == torch.float32
    assert masks.dtype == torch.bool
    assert images.shape == (6, 3, 32, 48)
    assert images.min() >= 0.0
    assert images.max() <= 255.0


def test_augment__affine_moves_mask_with_picture() -> None:
    """A picture that shows its own mask must still show it afterwards."""
    masks = torch.zeros(8, 1, 64, 64, dtype=torch.bool)
    masks[:, :, 20:44, 12:50] = True
    images = (masks * 255).to(torch.uint8).expand(-1, 3, -1, -1)
    config = OFF.model_copy(update={"affine": 1.0, "rotate": 40.0})
    changed, changed_masks = augment(images, masks, config, torch.Generator().manual_seed(0))
    shown = changed[:, :1] >= 127.5
    assert torch.equal(shown, changed_masks)
    assert not torch.equal(changed_masks, masks)


def test_augment__rotation_equals_torchvision() -> None:
    """A pure turn about the centre, checked on a smooth picture away from the margin."""
    rows = torch.linspace(0, 255, 65).view(-1, 1).expand(65, 65)
    image = rows.expand(1, 3, -1, -1).contiguous()
    config = OFF.model_copy(
        update={"affine": 1.0, "scale": (1.0, 1.0), "translate": 0.0, "rotate": 30.0}
    )
    mask = torch.zeros(1, 1, 65, 65, dtype=torch.bool)
    changed, _ = augment(image, mask, config, torch.Generator().manual_seed(4))
    inner = slice(20, 45)
    errors = [
        (
            reference.rotate(image, angle, reference.InterpolationMode.BILINEAR)[..., inner, inner]
            - changed[..., inner, inner]
        )
        .abs()
        .max()
        .item()
        for angle in torch.linspace(-30, 30, 601).tolist()
    ]
    assert min(errors) < 0.5


def test_augment__grey_has_equal_channels() -> None:
    images, _ = _run(OFF.model_copy(update={"grey": 1.0}))
    torch.testing.assert_close(images[:, 0], images[:, 1])
    expected = reference.rgb_to_grayscale(_batch()[0].float())[:, 0]
    torch.testing.assert_close(images[:, 0], expected, atol=0.5, rtol=0)


def test_augment__blur_equals_torchvision_per_picture() -> None:
    images = _batch()[0].float()

    def all_chosen() -> _Draw:
        generator = torch.Generator().manual_seed(2)
        draw = _Draw(range(len(images)), len(images), images.device, generator)
        assert len(next(draw.chosen(1.0))) == len(images)
        return draw

    blurred = _blur(images, all_chosen())
    sigmas = all_chosen().uniform(0.4, 1.6).flatten()
    assert sigmas.max() - sigmas.min() > 0.1
    for picture, result, sigma in zip(images, blurred, sigmas, strict=True):
        expected = reference.gaussian_blur(picture, [9, 9], [sigma.item()])
        torch.testing.assert_close(result, expected, atol=1e-2, rtol=1e-3)


def test_augment__noise_has_its_level_and_meets_only_some() -> None:
    images, _ = _batch(64)
    flat = torch.full_like(images, 128)
    masks = torch.zeros(64, 1, 32, 48, dtype=torch.bool)
    config = OFF.model_copy(update={"noise": 0.5})
    noisy, _ = augment(flat, masks, config, torch.Generator().manual_seed(0))
    deviations = (noisy - 128).std((1, 2, 3))
    untouched = int((deviations == 0).sum())
    assert 16 <= untouched <= 48
    assert 8.0 < deviations.max() < 13.0


def test_augment__noise_and_colour_leave_the_mask() -> None:
    _, masks = _batch()
    config = OFF.model_copy(update={"noise": 1.0, "colour": 1.0, "blur": 1.0})
    assert torch.equal(_run(config)[1], masks)


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures of 1 x 3 pixels: grey 10 with a person of 200 on the left, and grey 50."""
    images = torch.tensor([[200, 10, 10], [50, 50, 50]], dtype=torch.uint8)
    masks = torch.tensor([[True, False, False], [False, False, False]])
    return images[:, None, None].expand(-1, 3, -1, -1).contiguous(), masks[:, None, None]


def test_copy_paste__puts_the_people_of_one_picture_in_front_of_another() -> None:
    images, masks = _pair()
    config = OFF.model_copy(update={"copy_paste": 1.0})
    changed, changed_masks = augment(images, masks, config, torch.Generator().manual_seed(0))
    assert changed[0, 0].tolist() == [[200, 10, 10]]  # the other shows nobody
    assert changed[1, 2].tolist() == [[200, 50, 50]]
    assert changed_masks[:, 0, 0].tolist() == [[True, False, False]] * 2


def test_copy_paste__counts_what_was_ignored_behind() -> None:
    images, masks = _pair()
    ignored = torch.tensor([[False, False, True], [True, True, False]])[:, None, None]
    planes = torch.cat([masks, ignored], dim=1)
    config = OFF.model_copy(update={"copy_paste": 1.0})
    _, changed = augment(images, planes, config, torch.Generator().manual_seed(0))
    assert changed[0, 1, 0].tolist() == [False, False, True]
    assert changed[1, 1, 0].tolist() == [False, True, False]


def test_copy_paste__takes_any_picture_but_its_own() -> None:
    """Every picture is one person of a grey of its own: what is pasted covers it wholly."""
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(-1, 3, 2, 2)
    masks = torch.ones(5, 1, 2, 2, dtype=torch.bool)
    config = OFF.model_copy(update={"copy_paste": 1.0})
    donors = set()
    for seed in range(60):
        changed, _ = augment(images, masks, config, torch.Generator().manual_seed(seed))
        donors |= set(enumerate(changed[:, 0, 0, 0].int().tolist()))
    assert donors == {(own, other) for own in range(5) for other in range(5) if own != other}


def test_copy_paste__of_a_single_picture_leaves_it() -> None:
    images, masks = (part[:1] for part in _pair())
    config = OFF.model_copy(update={"copy_paste": 1.0})
    changed, changed_masks = augment(images, masks, config, torch.Generator().manual_seed(0))
    torch.testing.assert_close(changed, images.float())
    assert torch.equal(changed_masks, masks)
