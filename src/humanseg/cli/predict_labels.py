"""What is particular about `humanseg predict --as coco` and other labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.annotations.label_output import LabelOutput
from humanseg.cli.predict_flags import PIPE, Request, is_tar, refuse_flags
from humanseg.system.errors import UsageError

if TYPE_CHECKING:
    from humanseg.batch.discovery import Discovery, Job

_NOT_FOLDERS = (".json", ".tar", ".txt", ".xml", ".yaml", ".yml", ".zip", ".png")


def check_labels(request: Request, labels: LabelOutput) -> None:
    """Refuse what labels cannot be made of, and flags that they have no use for.

    Raises:
        UsageError: at the first of them.
    """
    files, flag = request.files, f"--as {labels.output}"
    if files.camera is not None or files.to in (None, PIPE) or PIPE in request.inputs:
        raise UsageError(f"{flag} labels files in a folder; give pictures, and -o FOLDER.")
    output = Path(request.output)
    if any(map(is_tar, request.inputs)):
        raise UsageError(f"{flag} does not read tar files; unpack them first.")
    if output.is_file() or (output.suffix.lower() in _NOT_FOLDERS and not output.is_dir()):
        raise UsageError(f"{output}: {flag} needs a folder with -o, such as -o labels.")
    alike = () if labels.output == "labelme" else ("keep_suffix",)
    refuse_flags(files, f"on {flag}", "format", "quality", "keep_metadata", *alike)


def planned_jobs(
    request: Request, labels: LabelOutput, discovery: Discovery, output: Path
) -> list[Job]:
    """A job for each picture.

    Raises:
        UsageError: there is a video.
    """
    from humanseg.batch.discovery import output_jobs

    video = next((item.path for item in discovery.items if item.video), None)
    if video is not None:
        raise UsageError(
            f"{video}: is a video; --as {labels.output} labels pictures. Name these alone, such as "
            '"photos/**/*.jpg".'
        )
    # Parts of one document may well be called 1.jpg.json, texts for YOLO may not.
    keep = request.files.keep_suffix or labels.output == "coco"
    folder = output / labels.folder
    return output_jobs(
        discovery.items, output=folder, suffix_of=lambda _: labels.suffix, keep_suffix=keep
    )
