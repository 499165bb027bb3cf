r"""A part of a data set as a table of the layout `csv`, so that another part stays unseen.

    .venv/bin/python -m benchmarks.subset OUT.csv --data DIR --folds 5 --fold 0 [--inside]
    .venv/bin/python -m benchmarks.subset OUT.csv --data DIR --split FILE --part test
    .venv/bin/python -m benchmarks.subset OUT.csv --nobody DIR

The fold of a picture is its position among the sorted ids modulo the number of folds. Without
`--inside` the table holds all pictures outside of the fold. `--nobody` takes a folder of
photographs without people and writes empty masks for them beside the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.bundle import write_table

from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.images import read_image
from humanseg.images.stored_maps import write_mask


def of_part(samples: Sequence[Sample], split: Path, part: str) -> list[Sample]:
    """Samples of one part of a file of `humanseg data split`, in the order of the data set."""
    ids = set(json.loads(split.read_text("utf-8"))[part])
    return [sample for sample in samples if sample.id in ids]


def of_fold(samples: Sequence[Sample], folds: int, fold: int, *, inside: bool) -> list[Sample]:
    """Samples inside or outside of a fold."""
    ordered = sorted(samples, key=lambda sample: sample.id)
    return [sample for i, sample in enumerate(ordered) if (i % folds == fold) == inside]


def of_nobody(folder: Path, masks: Path) -> list[Sample]:
    """Photographs of a folder as samples in which nobody is, with masks written for them."""
    samples = []
    for path in sorted(folder.iterdir()):
        mask = masks / f"{path.stem}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        write_mask(mask, np.zeros(read_image(path).shape[:2], dtype=np.bool_))
        samples.append(Sample(id=path.stem, image=path, mask=mask))
    return samples


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.subset")
    parser.add_argument("output", type=Path)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path)
    source.add_argument("--nobody", type=Path)
    parser.add_argument("--folds", type=int)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--inside", action="store_true")
    parser.add_argument("--split", type=Path, help="file of `humanseg data split`")
    parser.add_argument("--part", default="train", help="of the split")
    arguments = parser.parse_args()
    samples: Sequence[Sample]
    if arguments.nobody:
        samples = of_nobody(arguments.nobody, arguments.output.with_suffix(""))
    else:
        samples = discover(arguments.data, "auto")
    if arguments.split:
        samples = of_part(samples, arguments.split, arguments.part)
    if arguments.folds:
        samples = of_fold(samples, arguments.folds, arguments.fold, inside=arguments.inside)
    write_table(list(samples), arguments.output)
    print(f"{len(samples)} pictures in {arguments.output}")


if __name__ == "__main__":
    main()
