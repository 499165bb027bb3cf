"""Labels of one image for other tools, from its prediction."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.annotations.label_output import Labelled, LabelOutput
from humanseg.batch.discovery import Job

if TYPE_CHECKING:
    from humanseg.batch.runner import Encoded
    from humanseg.inference.prediction import Prediction
    from humanseg.inference.segmenter import Segmenter


def predict_labelled(
    source: Path | bytes,
    *,
    segmenter: Segmenter,
    labels: LabelOutput,
    name: str,
    path: str,
    uncertainty: bool = False,
) -> tuple[Labelled, Prediction]:
    """Take one image file, or its content, through the network, for its labels.

    Gives the people, with `name` and `path` as `Labelled` has them, and the prediction as the
    labels show it.

    Raises:
        ImageError: not an image, or damaged.
    """
    whole = segmenter.predict(source, full_size=labels.needs_image, uncertainty=uncertainty)
    prediction = whole.under(labels)
    mask = whole.apply(labels.mask_effect) > 0
    return Labelled(name, path, mask, prediction.grid), prediction


def labels_made(
    job: Job, *, segmenter: Segmenter, labels: LabelOutput, folder: Path, uncertainty: bool = False
) -> Encoded:
    """The labels of one image, for `predict_images`; its result lies somewhere in `folder`."""
    picture, prediction = predict_labelled(
        job.source,
        segmenter=segmenter,
        labels=labels,
        name=job.target.relative_to(folder).with_name(job.source.name).as_posix(),
        path=_seen_from(job.source, job.target.parent),
        uncertainty=uncertainty,
    )
    return labels.content(picture), prediction


def _seen_from(path: Path, folder: Path) -> str:
    """A path as tools in a folder would write it, with forward slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()
