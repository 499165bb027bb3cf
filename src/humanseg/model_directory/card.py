"""The model card, README.md of a model directory, and the record that it tells of."""

from __future__ import annotations

from pathlib import Path

import yaml

from humanseg.model_directory.directory import (
    ONNX_FILE,
    ONNX_INT8_FILE,
    RECORD_FILE,
    WEIGHTS_FILE,
    ModelRecord,
    digests,
)
from humanseg.results import write_record, write_text


def write_model_record(directory: Path, record: ModelRecord) -> ModelRecord:
    """Write humanseg.json and the model card; gives the record, with the digests of the files."""
    record = record.model_copy(update={"files": digests(directory)})
    write_record(directory / RECORD_FILE, record)
    write_text(directory / "README.md", model_card(record))
    return record


def _scores_in_words(record: ModelRecord) -> str:
    summary = record.summary
    if summary is None or summary.iou_mean is None or summary.boundary_iou_mean is None:
        return "Not evaluated."
    text = (
        f"On {summary.images} held-out pictures at the masks' native size: mean per-image IoU "
        f"{summary.iou_mean:.3f}, Boundary IoU {summary.boundary_iou_mean:.3f}."
    )
    if record.weak:
        text += (
            "\n\n**Do not use this model: it is no better than the mean training mask, the same "
            "answer to every picture.**"
        )
    return text


def model_card(record: ModelRecord) -> str:
    """Model card in Markdown; states what is known about licences and what is not."""
    height, width = record.preprocessing.image_size
    sources = "Where the training pictures come from was not stated.\n"
    terms = "humanseg does not know the terms of data that it was given."
    if record.provenance:
        sources = "Trained on:\n\n" + "".join(f"* {source}\n" for source in record.provenance)
        terms = "Where a source states no licence, nobody has granted one."
    return f"""---
{_front_matter(record)}---
# {record.arch} with {record.encoder_name}: person segmentation

Input: RGB picture, 0 to 255, stretched to {height}x{width}. Output: one logit per pixel; a pixel
is a person where its probability is at least {record.threshold}.

The network in `{WEIGHTS_FILE}` expects pictures on the scale 0 to 1, less the mean
{list(record.preprocessing.mean)}, divided by {list(record.preprocessing.std)}; humanseg does this
inside its graph.

{_onnx_in_words(record)}
## Scores

{_scores_in_words(record)}

## Provenance

Encoder weights at the start: {record.encoder_weights}. Data fingerprint: {record.data_fingerprint}.
Made on {record.environment.date} with humanseg {record.environment.humanseg}, seed
{record.config.training.seed}; the whole configuration is in `{RECORD_FILE}`.

{sources}
## Licence

The weights are derived from the training pictures and the initial encoder weights named above;
their terms apply. {terms}
"""


def _front_matter(record: ModelRecord) -> str:
    """What the Hugging Face Hub reads: the task, and the scores by which models are found."""
    values: dict[str, object] = {
        "library_name": "segmentation-models-pytorch",
        "pipeline_tag": "image-segmentation",
        "license": "other",
        "tags": ["person-segmentation", "humanseg"],
    }
    summary = record.summary
    if summary is not None and summary.iou_mean is not None:
        measured = (
            ("mean_iou", summary.iou_mean, "IoU, mean over images"),
            ("boundary_iou", summary.boundary_iou_mean, "Boundary IoU, mean over images"),
        )
        scores = [
            {"type": kind, "value": round(value, 4), "name": name}
            for kind, value, name in measured
            if value is not None
        ]
        root = record.config.data.root
        name = root.name if root else "not named"
        values["metrics"] = [score["type"] for score in scores]
        values["model-index"] = [
            {
                "name": f"{record.arch} with {record.encoder_name}",
                "results": [
                    {
                        "task": {"type": "image-segmentation", "name": "Person segmentation"},
                        "dataset": {
                            "name": f"{name}, {summary.images} held-out images",
                            "type": name,
                            "revision": record.data_fingerprint,
                        },
                        "metrics": scores,
                    }
                ],
            }
        ]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _onnx_in_words(record: ModelRecord) -> str:
    if record.onnx is None:
        return ""
    height, width = record.preprocessing.image_size
    text = (
        f"`{ONNX_FILE}` takes bytes, uint8 (N, {height}, {width}, 3) RGB, and gives probabilities, "
        f"float32 (N, {height}, {width}); both steps are inside. On {record.onnx.parity.pictures} "
        "pictures its probabilities differed from torch's by at most "
        f"{record.onnx.parity.largest_difference:.1e}.\n"
    )
    int8 = record.onnx.int8
    if int8 is None:
        return text
    text += (
        f"\n`{ONNX_INT8_FILE}` does the same in int8, calibrated with {int8.calibration_pictures} "
        f"pictures. "
    )
    if int8.cost is None:
        return text + "What that costs was not measured.\n"
    cost = int8.cost
    return text + (
        f"On {cost.pictures} labelled pictures its mean per-image IoU is {cost.iou_int8:.4f} "
        f"({cost.iou_fp32:.4f} in float32), its Boundary IoU {cost.boundary_iou_int8:.4f} "
        f"({cost.boundary_iou_fp32:.4f}).\n"
    )
