"""From trained weights to scores, a saved model and the cost of a run."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass

from humanseg.config.schema import TrainConfig
from humanseg.errors import ExportError
from humanseg.evaluation.baselines import score_baselines
from humanseg.evaluation.scoring import score_samples, setup_of
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import ONNX_FILE, ModelRecord, Preprocessing
from humanseg.models import (
    SegmentationNetwork,
    TorchEngine,
    count_macs,
    count_parameters,
    measure_latency,
    save_network,
)
from humanseg.results import Calibration, Cost, ImageScore, ScoreSummary, ScoringSetup
from humanseg.training.batches import mask_chunks
from humanseg.training.callbacks.recorder import EpochRecorder
from humanseg.training.preparation import RunData
from humanseg.training.run_folder import RunFolder, RunState

MAX_TRAINING_SCORED = 1000
"""Training pictures that the final network is scored on, evenly over all of them."""


@dataclass(frozen=True)
class Outcome:
    """Scores of the test part, and of what needs no network."""

    setup: ScoringSetup
    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    baselines: dict[str, ScoreSummary]
    calibration: Calibration | None
    band_calibration: Calibration | None
    train_summary: ScoreSummary
    """The same network on the pictures that it was trained on, at most `MAX_TRAINING_SCORED`."""


def score_network(
    config: TrainConfig,
    folder: RunFolder,
    data: RunData,
    network: SegmentationNetwork,
    device: str,
) -> Outcome:
    """Score the kept network through the segmenter, and leave what it found in the run folder.

    What is scored is what was stored, so that scores can be made again without the network.
    """
    samples = data.part(data.split.test)
    segmenter = Segmenter.of_engine(
        TorchEngine.of_network(network, config.model.image_size, device=device),
        threshold=config.evaluation.threshold,
        flip_averaging=config.evaluation.flip_averaging,
    )

    mask_resize = config.data.mask_resize
    scored = score_samples(
        samples,
        segmenter.grid_probability,
        threshold=segmenter.threshold,
        mask_resize=mask_resize,
        store=folder.prediction,
        read=data.pictures.picture,
    )
    train = data.split.train
    trained = score_samples(
        data.part(train[:: -(-len(train) // MAX_TRAINING_SCORED)]),
        segmenter.grid_probability,
        threshold=segmenter.threshold,
        mask_resize=mask_resize,
        detailed=False,
        read=data.pictures.picture,
    )
    rows = data.training_rows(config)
    return Outcome(
        setup=setup_of(segmenter, whole_files=True),
        scores=scored.scores,
        summary=scored.summary,
        baselines=score_baselines(
            samples, lambda: mask_chunks(data.pictures.resized, rows), mask_resize=mask_resize
        ),
        calibration=scored.calibration,
        band_calibration=scored.band_calibration,
        train_summary=trained.summary,
    )


def save_model(
    config: TrainConfig,
    folder: RunFolder,
    network: SegmentationNetwork,
    state: RunState,
    summary: ScoreSummary,
) -> None:
    """Write the model directory, if need be without model.onnx: a trained network is not lost."""
    resolved = state.resolved
    record = ModelRecord(
        arch=config.model.arch,
        encoder_name=config.model.encoder_name,
        preprocessing=Preprocessing(
            image_size=config.model.image_size, mean=resolved.mean, std=resolved.std
        ),
        threshold=config.evaluation.threshold,
        encoder_weights=resolved.encoder_weights,
        config=config,
        data_fingerprint=state.data_fingerprint,
        extra_fingerprints=tuple(
            dict.fromkeys(
                one
                for one in (*state.extra.values(), *state.started_from)
                if one != state.data_fingerprint
            )
        ),
        summary=summary,
        environment=state.environment,
    )
    try:
        save_network(network, record, folder.model, onnx=config.training.onnx)
    except ExportError as error:
        save_network(network, record, folder.model)
        sys.stderr.write(f"humanseg: note: {folder.model} has no {ONNX_FILE}: {error}\n")


def measure_cost(
    config: TrainConfig, network: SegmentationNetwork, recorder: EpochRecorder, device: str
) -> Cost:
    """What the run took, all of its parts together if it was interrupted."""
    epochs = recorder.epochs
    return Cost(
        parameters=count_parameters(network),
        macs=count_macs(network, config.model.image_size),
        train_seconds=sum(epoch.seconds for epoch in epochs),
        wall_seconds=recorder.wall_seconds,
        images_per_second=statistics.median(epoch.images_per_second for epoch in epochs),
        latency_seconds=measure_latency(
            TorchEngine.of_network(network, config.model.image_size, device=device)
        ),
        peak_memory_bytes=recorder.peak_memory_bytes,
    )
