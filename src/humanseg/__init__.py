"""Train, compare and use person-segmentation networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from humanseg.system.version import __version__

if TYPE_CHECKING:
    from humanseg.comparison.run_comparison import compare
    from humanseg.config.architectures import (
        DeepLabModel,
        ModelConfig,
        PANModel,
        PlainModel,
        UNetModel,
    )
    from humanseg.config.comparison_config import CompareConfig, ComparedModel
    from humanseg.config.schema import (
        AugmentationConfig,
        DataConfig,
        EvaluationConfig,
        LossConfig,
        OptimiserConfig,
        TrainConfig,
        TrainingConfig,
    )
    from humanseg.config.split_config import FoldSplit, HoldoutSplit, ReferenceSplit, SourceSplit
    from humanseg.evaluation.evaluate_model import evaluate
    from humanseg.exporting.int8_calibration import Int8Options
    from humanseg.exporting.run_export import export
    from humanseg.inference.prediction import Prediction
    from humanseg.inference.segmenter import Segmenter
    from humanseg.system.errors import (
        DataError,
        HumansegError,
        ImageError,
        ModelError,
        UsageError,
    )
    from humanseg.training.run_training import train

__all__ = [
    "AugmentationConfig",
    "CompareConfig",
    "ComparedModel",
    "DataConfig",
    "DataError",
    "DeepLabModel",
    "EvaluationConfig",
    "FoldSplit",
    "HoldoutSplit",
    "HumansegError",
    "ImageError",
    "Int8Options",
    "LossConfig",
    "ModelConfig",
    "ModelError",
    "OptimiserConfig",
    "PANModel",
    "PlainModel",
    "Prediction",
    "ReferenceSplit",
    "Segmenter",
    "SourceSplit",
    "TrainConfig",
    "TrainingConfig",
    "UNetModel",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "export",
    "train",
]

_MODULES = {
    "comparison.run_comparison": ("compare",),
    "config.architectures": (
        "DeepLabModel",
        "ModelConfig",
        "PANModel",
        "PlainModel",
        "UNetModel",
    ),
    "config.comparison_config": ("ComparedModel", "CompareConfig"),
    "config.schema": (
        "AugmentationConfig",
        "DataConfig",
        "EvaluationConfig",
        "LossConfig",
        "OptimiserConfig",
        "TrainConfig",
        "TrainingConfig",
    ),
    "config.split_config": ("FoldSplit", "HoldoutSplit", "ReferenceSplit", "SourceSplit"),
    "evaluation.evaluate_model": ("evaluate",),
    "exporting.int8_calibration": ("Int8Options",),
    "exporting.run_export": ("export",),
    "inference.prediction": ("Prediction",),
    "inference.segmenter": ("Segmenter",),
    "system.errors": ("DataError", "HumansegError", "ImageError", "ModelError", "UsageError"),
    "training.run_training": ("train",),
}
"""Where each name is made; imported when first asked for, so that `import humanseg` stays quick."""
_HOMES = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
