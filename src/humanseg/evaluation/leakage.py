"""What of the data may be wrong: images that show the same, and truth masks to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.data.label_checks import suspects
from humanseg.data.same_scene import divider, known_leaks, scene_pairs
from humanseg.data.samples import Sample
from humanseg.evaluation.analysis import FinishedPlan, Subject
from humanseg.evaluation.bounds import ceilings
from humanseg.images.resize import Size, resize_image
from humanseg.images.stored_maps import read_probability
from humanseg.models import SegmentationNetwork
from humanseg.results import Analysis, DataRecord, Leak, RunResult, SuspectLabel
from humanseg.system.archives import ZIP_ERRORS
from humanseg.system.atomic import replacing
from humanseg.system.errors import DataError

FEATURES_FILE = "features.npz"
"""In the comparison's folder: encoder features of all images, to find images of one scene."""


def write_features(
    network: SegmentationNetwork,
    size: Size,
    samples: Sequence[Sample],
    file: Path,
    *,
    read: Callable[[Sample], NDArray[np.uint8]],
) -> None:
    """Leave encoder features of all images, to find images of one scene.

    The file is a NumPy archive with `ids` and `features`, float32 (images, channels), of a network
    with pretrained encoder weights whose input has `size`, (height, width).
    """
    was_training = network.training
    network.eval()
    features = [_pooled_features(network, read(sample), size) for sample in samples]
    network.train(was_training)
    with replacing(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, ids=[sample.id for sample in samples], features=np.stack(features))


@torch.inference_mode()
def _pooled_features(
    network: SegmentationNetwork, image: NDArray[np.uint8], size: Size
) -> NDArray[np.float32]:
    """Mean over places of the encoder's deepest features, float32 (channels,).

    Pictures of one scene have features that point the same way, if the encoder was pretrained.
    """
    grid = torch.from_numpy(resize_image(image, size).copy()).permute(2, 0, 1)[None]
    normalised = (grid.float() / 255.0 - network.mean) / network.std
    deepest = network.network.get_submodule("encoder")(normalised)[-1]
    return np.asarray(deepest.mean(dim=(2, 3))[0].numpy(), dtype=np.float32)


def find_leaks(runs: Sequence[RunResult], data: DataRecord, features: Path) -> tuple[Leak, ...]:
    """Images that show the same, and whether a network was tested on what it trained on.

    Groups are reported where a split divided them, such as the published one, which knows none.
    Without the file of `write_features` no scenes are looked for.
    """
    splits = {run.split for run in runs}
    scenes: Sequence[Leak] = ()
    if features.exists():
        ids, vectors = _read_features(features)
        divided = divider(splits)
        scenes = scene_pairs(ids, vectors, groups=data.groups, divided=divided)
    return (*known_leaks(splits, data.copies, data.groups), *scenes)


def _read_features(file: Path) -> tuple[list[str], NDArray[np.float32]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return [str(name) for name in stored["ids"]], stored["features"]
    except ZIP_ERRORS as error:
        raise DataError(f"{file}: is damaged ({error}); delete it and run again.") from error


def find_suspects(
    samples: Mapping[str, Sample], finished: FinishedPlan
) -> tuple[SuspectLabel, ...]:
    """Truth masks that may be wrong, where all networks say so that have learned anything.

    Raises:
        DataError: a damaged stored prediction.
        ImageError: a mask that cannot be read.
    """
    subjects = [subject for subject in finished.subjects if not subject.weak]
    best: dict[str, float] = {}
    for subject in subjects:
        for name, iou in subject.metric("iou").items():
            if iou is not None:
                best[name] = max(best.get(name, 0.0), iou)

    def said(name: str) -> NDArray[np.float32] | None:
        maps = [_stored_maps(finished, subject, name) for subject in subjects]
        if not maps or not all(maps):
            return None
        return np.stack([np.mean(each, axis=0) for each in maps])

    masks = ((name, sample.read_mask()) for name, sample in samples.items())
    return tuple(suspects(masks, best, said))


def _stored_maps(finished: FinishedPlan, subject: Subject, image: str) -> list[NDArray[np.float32]]:
    """What the runs of a network that tested an image say of it; none that was deleted."""
    runs = [run for run in finished.by_arch[subject.arch] if image in run.split.test]
    folders = [finished.folder / "runs" / run.name / "predictions" for run in runs]
    files = [folder / f"{image}.png" for folder in folders]
    return [read_probability(file) for file in files if file.exists()]


def add_data_checks(
    analysis: Analysis, finished: FinishedPlan, samples: Mapping[str, Sample]
) -> Analysis:
    """Add ceilings, leaks and suspect labels to what `analyse_comparison` says.

    Raises:
        DataError: stored features or predictions that cannot be read, or an image without a truth.
        ImageError: a mask that cannot be read.
    """
    runs, data = finished.main_runs, finished.data
    tested = {
        name: samples[name] for name in sorted({name for run in runs for name in run.split.test})
    }
    return analysis.model_copy(
        update={
            "bounds": (*analysis.bounds, *ceilings(runs, tested, data)),
            "leaks": find_leaks(runs, data, finished.folder / FEATURES_FILE),
            "suspects": find_suspects(tested, finished),
        }
    )
