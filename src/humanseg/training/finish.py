"""From trained weights to scores, a saved model and the cost of a run."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.data.inspection import Finding
from humanseg.data.label_sample import SIDE
from humanseg.data.training_images import read_training_images
from humanseg.evaluation.bounds import score_baselines
from humanseg.evaluation.learned_labels import learned_findings
from humanseg.evaluation.scoring import Scored, score_samples, setup_of
from humanseg.images.resize import resize_mask
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
from humanseg.models.cpu import restore
from humanseg.results import Cost, RunResult, ScoreSummary, write_record
from humanseg.system.errors import DataError, ExportError
from humanseg.training.batches import mask_chunks
from humanseg.training.callbacks.guards import check_scored
from humanseg.training.data_gate import check_learned_labels
from humanseg.training.module import SegmentationModule
from humanseg.training.run_folder import RunState
from humanseg.training.run_start import RunContext

_log = logging.getLogger(__name__)

MAX_TRAINING_SCORED = 1000
"""Training pictures that the final network is scored on, evenly over all of them."""


def finish_run(run: RunContext, module: SegmentationModule, state: RunState) -> RunResult:
    """Score the kept network in one process, whatever trained it, and write everything down.

    A network that is no better than the mean training mask is written down too: see
    `RunResult.weak`.

    Raises:
        GuardError: no test picture has a person, or the network says that the training masks are
            wrong.
        DataError: the best checkpoint is not of the best epoch.
    """
    config, data = run.config, run.data
    kept_epoch, network = _kept(run, module)
    restore(network)
    segmenter = Segmenter.of_engine(
        TorchEngine.of_network(network, config.model.image_size, device=run.device),
        threshold=config.evaluation.threshold,
        flip_averaging=config.evaluation.flip_averaging,
        sure_share=config.evaluation.sure_share,
    )
    # What is scored is what was stored, so that scores can be made again without the network.
    scored = _score(run, segmenter, data.split.test, store=run.folder.prediction)
    train = data.split.train[:: -(-len(data.split.train) // MAX_TRAINING_SCORED)]
    learned: list[NDArray[np.bool_]] = []
    trained = _score(run, segmenter, train, learned=learned)
    baselines = score_baselines(
        data.part(data.split.test),
        lambda: mask_chunks(data.data_set.resized, data.training_rows(config)),
        mask_resize=config.data.mask_resize,
    )
    _save_model(run, network, state, scored.summary, baselines)  # first: no training is lost
    findings = _label_findings(run, train, learned)
    doubts = check_learned_labels(findings, config.data.accept, run.folder.root)
    if config.split.protocol != "source":  # failing on a source is what that test is to show
        check_scored(scored.summary)
    result = RunResult(
        name=run.folder.root.name,
        config=config,
        resolved=state.resolved,
        split=data.split,
        data_fingerprint=data.fingerprint,
        further_data=data.extra_fingerprints,
        epochs=tuple(run.recorder.epochs),
        kept_epoch=kept_epoch,
        **vars(scored),
        setup=setup_of(segmenter, whole_files=True),
        baselines=baselines,
        train_summary=trained.summary,
        leaks=data.leaks,
        label_doubts=(*data.data_set.label_doubts, *doubts),
        cost=_cost(run, network, segmenter),
        environment=state.environment,
    )
    write_record(run.folder.result_file, result)
    return result


def _kept(run: RunContext, module: SegmentationModule) -> tuple[int, SegmentationNetwork]:
    """The epoch whose weights are kept, and the network with them."""
    epoch, best = run.config.training.epochs, run.folder.best
    if run.config.training.checkpoint == "best":
        checkpoint = torch.load(run.folder.whole(best), map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
        epoch = int(checkpoint["epoch"]) + 1
        if epoch != run.recorder.best_epoch:
            raise DataError(
                f"{best}: is of epoch {epoch}, but epoch {run.recorder.best_epoch} was best; "
                "the folder has been tampered with. Train anew."
            )
    return epoch, module.kept


def _score(
    run: RunContext,
    segmenter: Segmenter,
    names: Sequence[str],
    store: Callable[[str], Path] | None = None,
    learned: list[NDArray[np.bool_]] | None = None,
) -> Scored:
    """Score images of the run through the segmenter; in detail those that are stored.

    Masks on a small grid are added to `learned`, in order.
    """

    def predict(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        grid = segmenter.predict(image).grid
        if learned is not None:
            learned.append(resize_mask(grid >= segmenter.threshold, (SIDE, SIDE)))
        return grid

    return score_samples(
        run.data.part(names),
        predict,
        threshold=segmenter.threshold,
        mask_resize=run.config.data.mask_resize,
        store=store,
        detailed=store is not None,
        read=run.data.data_set.image,
    )


def _label_findings(
    run: RunContext, names: Sequence[str], learned: Sequence[NDArray[np.bool_]]
) -> list[Finding]:
    """What the network says about the masks that it was trained on."""
    data_set, root = run.data.data_set, run.config.data.root
    truths = [
        resize_mask(data_set.resized.get(data_set.rows([name])).masks[0], (SIDE, SIDE))
        for name in names
    ]
    return learned_findings(names, np.stack(learned), np.stack(truths), str(root))


def _save_model(
    run: RunContext,
    network: SegmentationNetwork,
    state: RunState,
    summary: ScoreSummary,
    baselines: Mapping[str, ScoreSummary],
) -> None:
    """Write the model directory, if need be without model.onnx: a trained network is not lost."""
    config, resolved = run.config, state.resolved
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
            name
            for name in dict.fromkeys((*state.extra.values(), *state.started_from))
            if name != state.data_fingerprint
        ),
        summary=summary,
        weak=not summary.is_above(baselines.get("mean_mask")),
        environment=state.environment,
        provenance=state.inherited,
    )
    save = partial(
        save_network,
        network,
        record,
        run.folder.model,
        trained_on=read_training_images(run.folder.root),
    )
    try:
        save(onnx=config.training.onnx)
    except ExportError as error:
        save()
        _log.warning("%s has no %s: %s", run.folder.model, ONNX_FILE, error)


def _cost(run: RunContext, network: SegmentationNetwork, segmenter: Segmenter) -> Cost:
    """What the run took, all of its parts together if it was interrupted."""
    config, recorder = run.config, run.recorder
    epochs = recorder.epochs
    return Cost(
        parameters=count_parameters(network),
        macs=count_macs(network, config.model.image_size),
        train_seconds=sum(epoch.seconds for epoch in epochs),
        wall_seconds=recorder.wall_seconds,
        images_per_second=statistics.median(epoch.images_per_second for epoch in epochs),
        latency_seconds=measure_latency(segmenter.engine),
        peak_memory_bytes=recorder.peak_memory_bytes,
    )
