"""Labels of many pictures for other tools: a file for each, and what belongs to all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.annotations.label_output import Labelled, LabelOutput
from humanseg.batch.discovery import Item, Job, is_written, output_jobs
from humanseg.batch.runner import Outcome, in_threads, run_job
from humanseg.system.atomic import write_bytes

if TYPE_CHECKING:
    from humanseg.inference.prediction import Prediction
    from humanseg.inference.segmenter import Segmenter


def label_jobs(
    items: Iterable[Item], labels: LabelOutput, *, output: Path, keep_suffix: bool
) -> list[Job]:
    """Jobs whose results lie in the folder that the format has for files of single pictures.

    Args:
        items: the pictures.
        labels: what is written.
        output: the output folder.
        keep_suffix: see `output_jobs`.
    """
    folder = output / labels.folder
    return output_jobs(
        items, output=folder, suffix_of=lambda _: labels.suffix, keep_suffix=keep_suffix
    )


def predict_labelled(
    source: Path | bytes,
    *,
    segmenter: Segmenter,
    labels: LabelOutput,
    name: str,
    path: str,
    uncertainty: bool = False,
) -> tuple[Labelled, Prediction]:
    """Take one image file through the network, for its labels.

    Args:
        source: an image file or its content.
        segmenter: finds the people.
        labels: what will be written.
        name: see `Labelled`.
        path: see `Labelled`.
        uncertainty: see `Segmenter.predict`.

    Returns:
        The people, and the prediction as the labels show it.

    Raises:
        ImageError: not an image, or damaged.
    """
    whole = segmenter.predict(source, full_size=labels.needs_image, uncertainty=uncertainty)
    prediction = whole.under(labels)
    mask = whole.apply(labels.mask_effect) > 0
    return Labelled(name, path, mask, prediction.grid), prediction


def predict_labels(
    jobs: Iterable[Job],
    *,
    segmenter: Segmenter,
    labels: LabelOutput,
    output: Path,
    uncertainty: bool = False,
    workers: int,
    overwrite: bool = True,
    since: float = 0.0,
    stop: threading.Event | None = None,
) -> Generator[Outcome]:
    """Write the labels of pictures, each file at once or not at all; see `predict_images`.

    Args:
        jobs: the pictures, as `label_jobs` makes them.
        segmenter: finds the people.
        labels: what is written.
        output: the output folder.
        uncertainty: see `Segmenter.predict`.
        workers: pictures at a time.
        overwrite: see `predict_images`.
        since: see `is_written`.
        stop: see `predict_images`.

    Yields:
        the outcome of each job as soon as it is done.
    """
    folder = output / labels.folder

    def work(job: Job) -> Outcome:
        if not overwrite and is_written(job.target, since):
            return Outcome(job, "skipped")
        picture, prediction = predict_labelled(
            job.source,
            segmenter=segmenter,
            labels=labels,
            name=job.target.relative_to(folder).with_name(job.source.name).as_posix(),
            path=_seen_from(job.source, job.target.parent),
            uncertainty=uncertainty,
        )
        write_bytes(job.target, labels.content(picture))
        return Outcome.of_prediction(job, prediction)

    return in_threads(jobs, lambda job: run_job(job, work), workers=workers, stop=stop)


def _seen_from(path: Path, folder: Path) -> str:
    """A path as tools in a folder would write it, with forward slashes."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.absolute().as_posix()


def finish_labels(
    jobs: Iterable[Job], *, labels: LabelOutput, output: Path, since: float = 0.0
) -> None:
    """Write what belongs to all pictures, of those whose files are there.

    Args:
        jobs: all pictures, those of other shards and those that were done before too.
        labels: what is written.
        output: the output folder.
        since: see `is_written`.
    """
    labels.finish(output, (job.target for job in jobs if is_written(job.target, since)))
