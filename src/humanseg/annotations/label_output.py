"""What `humanseg predict` writes for labelling tools: one class per format, as effects have."""

from __future__ import annotations

import io
import json
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from humanseg.config.section import Section
from humanseg.effects.effect import Effect, EffectKind, LevelEffect, MaskEffect

if TYPE_CHECKING:  # arrays and pictures are not needed for flags
    import numpy as np
    from numpy.typing import NDArray

    from humanseg.annotations.person_regions import Region
    from humanseg.images.resize import Size

COCO_FILE, YOLO_FILE, VOC_FILE = "annotations.json", "data.yaml", "labelmap.txt"


@dataclass(frozen=True, eq=False)
class Labelled:
    """The people in one picture."""

    name: str
    """Of the picture, below the folder of all pictures."""
    path: str
    """Of the picture, as seen from the file of its labels."""
    mask: NDArray[np.bool_]
    """bool (height, width), at the picture's size."""
    probability: NDArray[np.float32]
    """float32, 0 to 1, of the whole picture on a grid of any size."""

    @property
    def size(self) -> Size:
        """(height, width) of the picture."""
        return self.mask.shape[0], self.mask.shape[1]

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """See `person_regions`."""
        from humanseg.annotations.person_regions import person_regions

        return person_regions(self.mask, self.probability)


class LabelOutput(LevelEffect):
    """Labels of a folder of pictures."""

    folder: ClassVar[str] = ""
    """Of the files of single pictures, within the output folder."""
    suffix: ClassVar[str]
    """Of these files."""
    names: ClassVar[tuple[str, str] | None] = None
    """The file in the output folder that names the class, and its text."""

    @property
    def mask_effect(self) -> MaskEffect:
        """What makes the mask that is labelled."""
        shared = {name: getattr(self, name) for name in Effect.model_fields if name != "output"}
        return MaskEffect(**shared)

    @abstractmethod
    def content(self, picture: Labelled) -> bytes:
        """The file of a single picture."""

    def alone(self, picture: Labelled) -> bytes:
        """All there is to say of a picture that no others belong to."""
        return self.content(picture)

    def finish(self, root: Path, files: Iterable[Path]) -> None:
        """Write to the output folder what belongs to all; `files` of single pictures, in order."""
        if self.names is not None:
            from humanseg.system.atomic import write_bytes

            name, text = self.names
            write_bytes(root / name, text.encode())


class _Polygons(LabelOutput):
    """Labels that are polygons."""

    tolerance: Annotated[float, Field(ge=0.0)] = 0.75
    """Pixels by which polygons may leave the mask's outline; below 0.5 every corner is given."""


class CocoOutput(_Polygons):
    """One JSON for all pictures, and its parts."""

    output: Literal["coco"] = "coco"
    """coco, yolo, labelme and voc: labels for other tools."""
    folder = "parts"
    suffix = ".json"

    def content(self, picture: Labelled) -> bytes:
        """See `LabelOutput`."""
        from humanseg.annotations.coco import coco_entry

        entry = coco_entry(picture.name, picture.size, picture.regions, self.tolerance)
        return f"{json.dumps(entry)}\n".encode()

    def alone(self, picture: Labelled) -> bytes:
        """The whole document."""
        from humanseg.annotations.coco import write_coco

        document = io.StringIO()
        write_coco(document, [json.loads(self.content(picture))])
        return document.getvalue().encode()

    def finish(self, root: Path, files: Iterable[Path]) -> None:
        """Join the parts."""
        from humanseg.annotations.coco import write_coco
        from humanseg.annotations.label_set import read_json
        from humanseg.system.atomic import replacing

        with (
            replacing(root / COCO_FILE) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            write_coco(file, map(read_json, files))


class YoloOutput(_Polygons):
    """A text per picture."""

    output: Literal["yolo"] = "yolo"
    """coco, yolo, labelme and voc: labels for other tools."""
    folder = "labels"
    suffix = ".txt"
    names = (YOLO_FILE, "path: .\ntrain: images\nval: images\nnames:\n  0: person\n")

    def content(self, picture: Labelled) -> bytes:
        """See `LabelOutput`."""
        from humanseg.annotations.yolo import yolo_text

        return yolo_text(picture.size, picture.regions, self.tolerance).encode()


class LabelMeOutput(_Polygons):
    """A JSON per picture."""

    output: Literal["labelme"] = "labelme"
    """coco, yolo, labelme and voc: labels for other tools."""
    suffix = ".json"

    def content(self, picture: Labelled) -> bytes:
        """See `LabelOutput`."""
        from humanseg.annotations.labelme import labelme_text

        return labelme_text(picture.path, picture.size, picture.regions, self.tolerance).encode()


class VocOutput(LabelOutput):
    """A PNG with a palette per picture."""

    output: Literal["voc"] = "voc"
    """coco, yolo, labelme and voc: labels for other tools."""
    folder = "SegmentationClass"
    suffix = ".png"
    names = (
        VOC_FILE,
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nperson:192,128,128::\n",
    )

    def content(self, picture: Labelled) -> bytes:
        """See `LabelOutput`."""
        from humanseg.annotations.voc import voc_png

        return voc_png(picture.mask)


class OutputHolder(Section):
    """A section that holds what `humanseg predict` makes of pictures."""

    effect: Annotated[
        EffectKind | CocoOutput | YoloOutput | LabelMeOutput | VocOutput,
        Field(discriminator="output"),
    ]
