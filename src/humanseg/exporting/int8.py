"""Turn an ONNX model into int8 arithmetic, and measure what that costs."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.evaluation.scoring import score_samples
from humanseg.exporting.int8_calibration import Int8Options
from humanseg.inference.engines.engine import Engine
from humanseg.inference.engines.onnx_check import INPUT
from humanseg.inference.engines.runtimes import import_onnxruntime
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import ModelRecord, QuantisationCost
from humanseg.system.errors import DataError, ExportError, first_line
from humanseg.system.progress import ItemProgress
from humanseg.system.quiet_logs import quiet_logs

if TYPE_CHECKING:
    from onnx import ModelProto

METHOD = "minmax"
"""How ranges of activations are found: smallest and largest value seen. Percentiles and entropy
were no better in a trial and keep every activation of every picture in memory."""

_IN_INT8 = ["Conv", "Add", "Concat", "Resize", "Relu", "Clip"]
"""Everything else stays in float: the normalisation of bytes, the gates of squeeze-and-excitation
and SiLU, which lose much, and the last sigmoid, whose 256 levels would show in a soft edge."""


def quantise(model: ModelProto, images: NDArray[np.uint8]) -> ModelProto:
    """Static int8: per channel, int8 weights, uint8 activations, in QDQ form.

    The convolution that gives the logits stays in float, so that probabilities keep their levels.
    Ranges of activations are those of the images, uint8 (N, H, W, 3) on the network's grid.
    """
    import_onnxruntime()  # first, for its telemetry is switched off there
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quant_pre_process,
        quantize_static,
    )

    class Inputs(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(images)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            image = next(self._left, None)
            return None if image is None else {INPUT: image[None]}

    try:
        with tempfile.TemporaryDirectory(prefix="humanseg-") as folder, _silence():
            plain, folded, done = (Path(folder) / f"{name}.onnx" for name in ("a", "b", "c"))
            onnx.save(model, plain)
            # Symbolic shapes need SymPy, leave a file in the working folder when they fail, and
            # change nothing here: all sizes but the batch's are known.
            quant_pre_process(plain, folded, skip_symbolic_shape=True)
            nodes = onnx.load(folded).graph.node
            convolutions = [node.name for node in nodes if node.op_type == "Conv"]
            quantize_static(
                folded,
                done,
                Inputs(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_IN_INT8,
                nodes_to_exclude=convolutions[-1:],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            return onnx.load(done)
    except OSError:
        raise
    except Exception as error:  # ONNX Runtime's errors share no public class
        raise ExportError(f"The network cannot be quantised ({first_line(error)}).") from error


def quantisation_cost(
    record: ModelRecord,
    options: Int8Options,
    *,
    full: Engine,
    int8: Engine,
    progress: ItemProgress | None = None,
) -> QuantisationCost | None:
    """Score both on the same labelled pictures, as `humanseg evaluate` does; None without any."""
    data = options.data
    if data is None:
        return None
    samples = discover(data, options.layout, options.classes)

    def score(engine: Engine, done_before: int) -> tuple[float, float]:
        segmenter = Segmenter.of_engine(
            engine,
            threshold=record.threshold,
            flip_averaging=record.config.evaluation.flip_averaging,
            sure_share=record.config.evaluation.sure_share,
        )
        scored = score_samples(
            samples,
            lambda image: segmenter.predict(image).grid,
            threshold=segmenter.threshold,
            mask_resize=record.config.data.mask_resize,
            read=lambda sample: segmenter.load(sample.image).pixels,
            progress=progress and (lambda done, _: progress(done_before + done, 2 * len(samples))),
        )
        iou, boundary_iou = scored.summary.iou_mean, scored.summary.boundary_iou_mean
        people = any(score.tp + score.fn for score in scored.scores)
        if not people or iou is None or boundary_iou is None:
            raise DataError(
                f"{data}: no picture has a person in its mask, so nothing can be lost on it; give "
                "pictures with people."
            )
        return iou, boundary_iou

    iou_fp32, boundary_iou_fp32 = score(full, 0)
    iou_int8, boundary_iou_int8 = score(int8, len(samples))
    return QuantisationCost(
        pictures=len(samples),
        data_fingerprint=fingerprint(samples),
        iou_fp32=iou_fp32,
        iou_int8=iou_int8,
        boundary_iou_fp32=boundary_iou_fp32,
        boundary_iou_int8=boundary_iou_int8,
    )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """ONNX Runtime's quantiser prints, logs and warns about what a user can do nothing about."""
    logger, handler = logging.getLogger(), logging.NullHandler()
    logger.addHandler(handler)  # without any, `logging.warning` sets one up for good
    printed = contextlib.redirect_stdout(io.StringIO())
    try:
        with quiet_logs(""), warnings.catch_warnings(action="ignore"), printed:
            yield
    finally:
        logger.removeHandler(handler)
