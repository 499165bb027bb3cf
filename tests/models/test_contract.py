"""What every architecture of the table must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from humanseg.config.architectures import (
    ARCHITECTURES,
    Arch,
    ModelConfig,
    model_settings,
    problem_of_size,
)
from humanseg.config.schema import TrainConfig
from humanseg.evaluation.metrics import score_image, summarise
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import ModelRecord, Preprocessing
from humanseg.models import (
    SegmentationNetwork,
    TorchEngine,
    build_network,
    count_macs,
    count_parameters,
    load_network,
    save_network,
)
from humanseg.training import describe_environment
from humanseg.training.autotune import ComputeMode, MemoryFormat

pytestmark = pytest.mark.contract


def _assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """The same arithmetic in another order; attention differs most, and by processor."""
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def _images(size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, *size), generator=generator, dtype=torch.uint8)


def _record(config: ModelConfig, network: SegmentationNetwork) -> ModelRecord:
    mask = np.eye(8, dtype=bool)
    red, green, blue = network.mean.flatten().tolist()
    return ModelRecord(
        arch=config.arch,
        encoder_name=config.encoder_name,
        preprocessing=Preprocessing(
            image_size=config.image_size,
            mean=(red, green, blue),
            std=tuple(network.std.flatten().tolist()),
        ),
        threshold=0.5,
        encoder_weights=network.weights,
        config=TrainConfig(model=config),
        data_fingerprint="0" * 64,
        summary=summarise([score_image("a", mask, mask)]),
        environment=describe_environment("cpu"),
    )


# PAN halves features of stride 16 three times more.
SIZES = {"pan": (128, 160)}


@pytest.mark.parametrize("arch", ARCHITECTURES, scope="class")
class TestEveryArchitecture:
    @pytest.fixture
    def config(self, arch: Arch) -> ModelConfig:
        return model_settings(
            arch=arch,
            encoder_name="tu-test_vit" if arch == "dpt" else "tu-test_efficientnet",
            encoder_weights="none",
            image_size=SIZES.get(arch, (64, 96)),
        )

    @pytest.fixture
    def network(self, config: ModelConfig) -> SegmentationNetwork:
        torch.manual_seed(0)
        return build_network(config).eval()

    def test_forward__one_logit_per_pixel(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        sizes = ((32, 32), (64, 96), (160, 64))
        for size in {
            config.image_size if problem_of_size(config, size) else size for size in sizes
        }:
            logits = network(_images(size))
            assert logits.shape == (2, 1, *size)
            assert logits.dtype == torch.float32

    def test_backward__every_trainable_parameter_gets_a_gradient(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        network.train()
        network(_images(config.image_size)).square().mean().backward()
        without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
        assert without == []
        encoder = network.network.get_submodule("encoder")
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())

    def test_build__same_seed_same_weights(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        torch.manual_seed(0)
        again = build_network(config)
        for first, second in zip(network.parameters(), again.parameters(), strict=True):
            assert torch.equal(first, second)

    def test_forward__normalises_inside(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        vit = config.arch == "dpt"
        mean, std = (
            ([0.5] * 3, [0.5] * 3) if vit else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        assert network.mean.flatten().tolist() == pytest.approx(mean)
        assert network.std.flatten().tolist() == pytest.approx(std)
        outside = (_images(config.image_size) / 255.0 - network.mean) / network.std
        _assert_close(network(_images(config.image_size)), network.network(outside))

    def test_forward__without_normalisation_only_scales(self, config: ModelConfig) -> None:
        plain = config.model_copy(update={"normalisation": "none"})
        network = build_network(plain).eval()
        _assert_close(
            network(_images(config.image_size)),
            network.network(_images(config.image_size) / 255.0),
        )

    def test_save__restored_outputs_are_equal_and_plain_smp_reads_it(
        self, config: ModelConfig, network: SegmentationNetwork, tmp_path: Path
    ) -> None:
        save_network(network, _record(config, network), tmp_path / "model")
        restored, record = load_network(tmp_path / "model")
        assert torch.equal(
            restored(_images(config.image_size)), network(_images(config.image_size))
        )
        assert record.arch == config.arch
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
        plain = smp.from_pretrained(str(tmp_path / "model")).eval()
        images = (_images(config.image_size) / 255.0 - network.mean) / network.std
        images = images.contiguous(memory_format=torch.channels_last)
        assert torch.equal(plain(images), network(_images(config.image_size)))

    def test_engine__gives_probabilities(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        pictures = _images(config.image_size).permute(0, 2, 3, 1).numpy()
        probabilities = TorchEngine.of_network(network, config.image_size)(pictures)
        assert probabilities.shape == (2, *config.image_size)
        assert probabilities.dtype == np.float32
        expected = torch.sigmoid(network(_images(config.image_size)))[:, 0].detach().numpy()
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)

    def test_segmenter__output_size_is_input_size(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        segmenter = Segmenter.of_engine(TorchEngine.of_network(network, config.image_size))
        for size in ((1, 1), (37, 53), (200, 90)):
            picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
            prediction = segmenter.predict(picture)
            assert prediction.probability.shape == size
            assert prediction.mask.dtype == np.bool_

    def test_segmenter__flip_averaging_is_symmetric(
        self, config: ModelConfig, network: SegmentationNetwork
    ) -> None:
        picture = _images(config.image_size)[0].permute(1, 2, 0).numpy()
        engine = TorchEngine.of_network(network, config.image_size)
        segmenter = Segmenter.of_engine(engine, flip_averaging=True)
        np.testing.assert_allclose(
            segmenter.probability(picture),
            segmenter.probability(picture[:, ::-1])[:, ::-1],
            atol=1e-5,
        )

    def test_cost__is_counted(self, config: ModelConfig, network: SegmentationNetwork) -> None:
        assert count_parameters(network) == sum(p.numel() for p in network.network.parameters())
        height, width = config.image_size
        macs = count_macs(network, (height, width))
        if not ARCHITECTURES[
            config.arch
        ].one_size:  # all but the pooled branches grow with the area
            assert count_macs(network, (2 * height, 2 * width)) == pytest.approx(4 * macs, rel=0.05)


class TestDeepLabV3Plus:
    @pytest.fixture
    def config(self) -> ModelConfig:
        return model_settings(
            "deeplabv3plus", encoder_name="tu-test_efficientnet", encoder_weights="none"
        )

    @pytest.mark.parametrize(("stride", "rates"), [(16, (6, 12, 18)), (8, (12, 24, 36))])
    def test_build__atrous_rates_suit_the_stride(
        self, config: ModelConfig, stride: int, rates: tuple[int, int, int]
    ) -> None:
        changed = config.model_copy(update={"encoder_output_stride": stride})
        network = build_network(changed)
        dilations = {
            module.dilation[0]
            for module in network.network.get_submodule("decoder").modules()
            if isinstance(module, torch.nn.Conv2d)
        }
        assert set(rates) <= dilations

    def test_build__given_rates_are_taken(self, config: ModelConfig) -> None:
        network = build_network(config.model_copy(update={"decoder_atrous_rates": (2, 3, 5)}))
        dilations = {
            module.dilation[0]
            for module in network.network.get_submodule("decoder").modules()
            if isinstance(module, torch.nn.Conv2d)
        }
        assert {2, 3, 5} <= dilations


def test_macs__agree_with_a_hand_count() -> None:
    layer = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    assert count_macs(layer, (10, 10)) == 3 * 8 * 9 * 100


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_place__pictures_enter_in_the_chosen_layout(memory_format: MemoryFormat) -> None:
    config = model_settings(encoder_name="tu-test_efficientnet", encoder_weights="none")
    network = ComputeMode("cpu", "fp32", memory_format, {}).place(build_network(config))
    seen: list[torch.Tensor] = []
    network.network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    network(_images().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    assert seen[0].is_contiguous(memory_format=formats[memory_format])
