from __future__ import annotations

import pytest
import torch
from tests.builders.configurations import changed

from humanseg.config.schema import OptimiserConfig, TrainConfig
from humanseg.models import SegmentationNetwork, build_network
from humanseg.training.batches import Batch
from humanseg.training.losses import SegmentationLoss
from humanseg.training.module import RunningScore, SegmentationModule, rate_factor


@pytest.fixture
def network(tiny: TrainConfig) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(tiny.model)


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return Batch(image=images, mask=images[:, :1] > 128, ids=["a", "b", "c"], shard=(0, 3))


def test_training_step__augments_in_fp32_whatever_the_precision(
    tiny: TrainConfig, network: SegmentationNetwork
) -> None:
    config = changed(tiny, augmentation={"affine": 1.0, "blur": 1.0, "colour": 1.0})
    module = SegmentationModule(network, config)
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].clone()))
    for enabled in (False, True):
        module.on_train_epoch_start()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            module.training_step(_batch(), 0)
    assert torch.equal(seen[0], seen[1])


def test_teacher__is_shown_what_the_network_sees_and_stays_as_it_is(
    tiny: TrainConfig, network: SegmentationNetwork
) -> None:
    config = changed(tiny, loss={"dice": 0.0, "teacher": "some", "teacher_share": 1.0})
    teacher = build_network(tiny.model)
    module = SegmentationModule(network, config, teacher)
    seen: list[list[torch.Tensor]] = [[], []]
    for each, calls in zip((network, teacher), seen, strict=True):
        each.register_forward_hook(
            lambda _module, inputs, output, calls=calls: calls.extend((inputs[0].clone(), output))
        )
    module.on_train_epoch_start()
    loss = module.training_step(_batch(), 0)
    (image, logits), (shown, opinion) = seen
    assert torch.equal(image, shown)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, opinion.sigmoid())
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not teacher.training
    count = sum(1 for _ in network.parameters())
    assert sum(1 for _ in module.parameters()) <= 2 * count  # its own and their average
    assert not any("teacher" in name for name in module.state_dict())


class _AtStep(SegmentationModule):
    """A module that has made so many steps of a run."""

    global_step = 0


def test_average__copies_at_first_and_then_follows_weights_and_statistics(
    tiny: TrainConfig, network: SegmentationNetwork
) -> None:
    module = _AtStep(network, changed(tiny, training={"ema_decay": 0.9}))
    values = network.state_dict()
    for step, decay in ((1, 0.0), (2, 3 / 12), (50, 51 / 60), (500, 0.9)):
        before = {name: value.clone() for name, value in module.kept.state_dict().items()}
        with torch.no_grad():
            for value in values.values():
                value.add_(1)
        _AtStep.global_step = step
        module.on_train_batch_end()
        for name, value in module.kept.state_dict().items():
            wanted = values[name]
            if value.is_floating_point():
                wanted = decay * before[name] + (1 - decay) * wanted
            torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in module.kept.parameters())


def test_validation_step__scores_the_average_and_not_the_raw_weights(
    tiny: TrainConfig, network: SegmentationNetwork
) -> None:
    """Curves and the best epoch are of the weights that would be kept."""
    module = SegmentationModule(network, changed(tiny, training={"ema_decay": 0.9}))
    batch = _batch()
    module.eval()
    with torch.no_grad():
        kept = module.kept(batch["image"])
        for parameter in network.parameters():
            parameter.mul_(-2.0)
        raw = network(batch["image"])
        module.validation_step(batch, 0)
    loss = SegmentationLoss(module._config.loss)
    read = module.validation_score.read()
    assert read is not None
    assert read[0] == pytest.approx(float(loss(kept, batch["mask"])), rel=1e-5)
    assert read[0] != pytest.approx(float(loss(raw, batch["mask"])), rel=1e-2)


def test_kept__is_the_raw_network_without_an_average(
    tiny: TrainConfig, network: SegmentationNetwork
) -> None:
    module = SegmentationModule(network, changed(tiny, training={"ema_decay": None}))
    assert module.kept is network


def test_rate_factor__warms_up_then_falls_along_a_cosine() -> None:
    config = OptimiserConfig(warmup=0.1, schedule="cosine")
    factors = [rate_factor(step, 100, config) for step in range(101)]
    assert factors[0] == pytest.approx(1 / 11)
    assert factors[9] == pytest.approx(10 / 11)
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_rate_factor__constant_stays() -> None:
    config = OptimiserConfig(warmup=0.0, schedule="constant")
    assert {rate_factor(step, 100, config) for step in range(101)} == {1.0}


def test_running_score__weighs_batches_by_their_pictures() -> None:
    score = RunningScore()
    assert score.read() is None
    masks = torch.tensor([[[[True, False]]]])
    score.add(torch.tensor(1.0), torch.tensor([[[[1.0, 1.0]]]]), masks)
    score.add(
        torch.tensor(4.0),
        torch.tensor([[[[1.0, -1.0]]]]).repeat(2, 1, 1, 1),
        masks.repeat(2, 1, 1, 1),
    )
    assert score.peek() == (3.0, 0.75)
    assert score.read() == (3.0, 0.75)
    assert score.read() is None
