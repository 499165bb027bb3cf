"""What came of one picture: the probability, and everything that can be made from it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.annotations.contours import Ring
from humanseg.annotations.person_regions import TOLERANCE, Region, person_regions
from humanseg.annotations.rle import RunLengths, encode_mask
from humanseg.config.sentences import shown
from humanseg.effects.compositing import Background, soft_alpha
from humanseg.effects.effect import (
    BlurEffect,
    CutoutEffect,
    Effect,
    OutputName,
    OverlayEffect,
    ReplaceEffect,
    effect_of,
)
from humanseg.effects.encode import SUFFIXES, check_format, encode, show_mask
from humanseg.effects.regions import has_person, keep_regions
from humanseg.effects.rendering import render
from humanseg.images import ImageLike, LoadedImage
from humanseg.images.resize import Size, resize_mask_from_probability, resize_probability
from humanseg.inference.interchange import Interchange
from humanseg.inference.uncertainty import Uncertainty
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import ImageError, UsageError

_Array = TypeVar("_Array", bound=NDArray[Any])
_Selection: TypeAlias = tuple[float, float, bool, float]
"""Threshold, smallest region and whether the largest alone is kept: what decides on the mask."""


class Prediction(Interchange):
    """Where the people are in one picture. Everything is worked out when it is first asked for.

    The arrays of its attributes are kept, shared between calls and read-only: copy one to write
    into it. What methods make is the caller's own.

    Attributes:
        grid: probabilities on the network's grid, float32 (grid height, grid width), 0 to 1.
        size: (height, width) of the upright picture in pixels.
        threshold: a pixel is a person where its probability is at least this.
        source: the picture as it was given; of a file object, its content.
        notes: remarks on the picture, such as `animated: first of 12 frames`.
        uncertainty: how unsure the network is, where `predict` was asked to measure it.
    """

    def __init__(
        self,
        grid: NDArray[np.float32],
        *,
        size: Size,
        threshold: float,
        source: ImageLike,
        notes: tuple[str, ...] = (),
        picture: LoadedImage | None = None,
        version: tuple[int, int] | None = None,
    ) -> None:
        """Describe a prediction by its attributes, and the decoded `picture` if it is at hand.

        Where it is missing or reduced, `source` is read again; a file must be of the same
        `version`, see `LoadedImage`.
        """
        self.grid = _read_only(grid)
        self.size = size
        self.threshold = threshold
        self.source = source
        self.notes = notes
        self.uncertainty: Uncertainty | None = None
        self._version = version
        self._decoded = None if picture is None or picture.reduced else picture
        self._selection: _Selection = (threshold, 0.0, False, 0.0)
        self._selected: Prediction | None = None

    @cached_property
    def probability(self) -> NDArray[np.float32]:
        """Probability of a person in every pixel, float32 (height, width), 0 to 1.

        Never rescaled, so that a picture without people stays low.
        """
        return _read_only(resize_probability(self.grid, self.size))

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Bool (height, width), True where there is a person: `probability >= threshold`."""
        return _read_only(resize_mask_from_probability(self.grid, self.size, self.threshold))

    @cached_property
    def coverage(self) -> float:
        """Share of the picture's own pixels whose mask is set, 0 to 1."""
        return float(np.count_nonzero(self.mask) / self.mask.size)

    @cached_property
    def found(self) -> bool:
        """Whether there is a person: a region of which the network is sure, and not too small.

        On the network's grid; see `humanseg.effects.regions.has_person`. Any other mask is still
        shown, but may well be of no person.
        """
        return has_person(self.grid, self.threshold)

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The picture, uint8 (height, width, 3), RGB, upright, at full size.

        Raises:
            ImageError: the file has to be read again for it and has gone or changed.
        """
        return _read_only(self._picture.pixels)

    @cached_property
    def transparency(self) -> NDArray[np.uint8] | None:
        """The picture's own alpha channel, uint8 (height, width), 255 opaque; None without one.

        Raises:
            ImageError: see `image`.
        """
        alpha = self._picture.alpha
        return None if alpha is None else _read_only(alpha)

    @cached_property
    def _picture(self) -> LoadedImage:
        if self._decoded is not None:
            return self._decoded
        picture = images.load(self.source)
        if picture.size != self.size or self._version not in (None, picture.version):
            name = self.source if isinstance(self.source, (str, Path)) else "picture"
            raise ImageError(f"{name}: has changed since its people were looked for.")
        return picture

    @cached_property
    def alpha(self) -> NDArray[np.uint8]:
        """Opacity of the people with soft outlines, uint8 (height, width), 255 person.

        The alpha channel of `cutout()`, except that this would also keep what was transparent in
        the picture itself.
        """
        return _read_only(soft_alpha(self.grid, self.size, threshold=self.threshold))

    @cached_property
    def _regions(self) -> tuple[Region, ...]:
        return person_regions(self.mask, self.grid)

    def regions(self) -> tuple[Region, ...]:
        """The connected parts of the mask, the largest first: box, area, score, outline.

        People who touch or overlap are one region; see `humanseg.annotations.person_regions`.
        """
        return self._regions

    def boxes(self) -> NDArray[np.int64]:
        """Boxes of the regions: int64 (regions, 4), left, top, width, height in pixels."""
        return np.array([region.box for region in self._regions], dtype=np.int64).reshape(-1, 4)

    def polygons(self, tolerance: float = TOLERANCE) -> list[list[Ring]]:
        """Outlines of the regions: for each its outline, then its holes.

        Args:
            tolerance: pixels by which a polygon may leave the mask's outline; see
                `Region.polygons`.

        Returns:
            float64 (points, 2), x and y in pixels; (0, 0) is the image's top left corner.
        """
        return [region.polygons(tolerance) for region in self._regions]

    def rle(self) -> RunLengths:
        """The whole mask as COCO's compressed run lengths, as pycocotools has them in JSON."""
        return encode_mask(self.mask)

    def cutout(
        self, *, feather: float = 0.0, refine: bool | None = None, decontaminate: bool = True
    ) -> NDArray[np.uint8]:
        """The people on transparency.

        Args:
            feather: pixels by which the soft outline is widened to either side.
            refine: follow the picture's own edges at full resolution, which takes longer; done
                unless False.
            decontaminate: replace the background's colour in the rim by the person's.

        Returns:
            uint8 (height, width, 4): red, green, blue, straight (not premultiplied) alpha.
        """
        return self._made(CutoutEffect(feather=feather, refine=refine, decontaminate=decontaminate))

    def composite(
        self,
        background: Background,
        *,
        feather: float = 0.0,
        refine: bool | None = None,
        decontaminate: bool = True,
    ) -> NDArray[np.uint8]:
        """The people in front of something else.

        Args:
            background: (red, green, blue), 0 to 255 each; a colour's name, `#20a040` or
                `32,160,64`; or an image, which is scaled to cover and cut off evenly.
            feather: see `cutout`.
            refine: see `cutout`.
            decontaminate: see `cutout`.

        Returns:
            uint8 (height, width, 3), RGB.

        Raises:
            UsageError: no colour, and no image that exists.
            ImageError: the background is no picture that can be read.
        """
        return self._made(
            ReplaceEffect(
                background=background,
                feather=feather,
                refine=refine,
                decontaminate=decontaminate,
            )
        )

    def blur(
        self, radius: float | None = None, *, feather: float = 0.0, refine: bool | None = None
    ) -> NDArray[np.uint8]:
        """The picture with everything but the people blurred.

        Args:
            radius: standard deviation of the blur in pixels; by the picture's size if None.
            feather: see `cutout`.
            refine: see `cutout`; not done unless True.

        Returns:
            uint8 (height, width, 3), RGB.
        """
        return self._made(BlurEffect(blur_radius=radius, feather=feather, refine=refine))

    def overlay(self) -> NDArray[np.uint8]:
        """The picture with the mask tinted, to look at: uint8 (height, width, 3), RGB."""
        return self._made(OverlayEffect())

    def apply(
        self,
        effect: Effect | OutputName,
        **settings: Any,  # noqa: ANN401  as the effect's class has them
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """Anything that `humanseg predict` can make.

        Args:
            effect: by name, such as `cutout`, or an object of `humanseg.effects.effect`.
            settings: of an effect by name, such as `feather=2.0`.

        Returns:
            See `humanseg.effects.rendering.render`.

        Raises:
            ConfigError: no such effect, or a setting that it does not have or allow.
            UsageError: no effect at all, or settings beside an object.
            ImageError: see `image`.
        """
        effect = _effect(effect, settings)
        selected = self.under(effect)
        if effect.output == "mask" and not effect.refines:
            return show_mask(selected.mask)
        picture = self._picture if effect.needs_image else None
        return render(effect, picture, selected.grid, self.size, threshold=selected.threshold)

    def save(
        self,
        path: str | Path,
        effect: Effect | OutputName = "mask",
        **settings: Any,  # noqa: ANN401  as the effect's class has them
    ) -> None:
        """Write what `apply` makes to a file, at once or not at all; one that exists is replaced.

        Args:
            path: its suffix is the format: .png, .jpg, .webp or .tiff.
            effect: see `apply`.
            settings: see `apply`.

        Raises:
            UsageError: a suffix of another format, or of one that cannot hold the result; see
                `apply` too.
            ImageError: see `image`; or the format holds no image of this size.
            OSError: the file cannot be written.
        """
        path = Path(path)
        name = SUFFIXES.get(path.suffix.lower())
        if name is None:
            raise UsageError(f"{path}: give a name that ends in one of {', '.join(SUFFIXES)}.")
        effect = _effect(effect, settings)
        check_format(name, effect.output)
        write_bytes(path, encode(self.apply(effect), name))

    def under(self, effect: Effect) -> Prediction:
        """The prediction that an effect shows: at its threshold, its regions chosen and filled.

        Its `mask`, `coverage` and `found` are what is told of a result.
        """
        threshold = self.threshold if effect.threshold is None else effect.threshold
        selection = (threshold, effect.smallest_region, effect.largest, effect.fill_holes)
        if selection == self._selection:
            return self
        if self._selected is None or self._selected._selection != selection:
            grid = keep_regions(
                self.grid,
                threshold=threshold,
                smallest=effect.smallest_region,
                largest=effect.largest,
                holes=effect.fill_holes,
            )
            selected = Prediction(
                grid=grid,
                size=self.size,
                threshold=threshold,
                source=self.source,
                notes=self.notes,
                picture=self._decoded,
                version=self._version,
            )
            selected.uncertainty = self.uncertainty
            selected._selection = selection
            self._selected = selected
        return self._selected

    def _made(self, effect: Effect) -> NDArray[np.uint8]:
        return cast("NDArray[np.uint8]", self.apply(effect))

    def __repr__(self) -> str:
        height, width = self.size
        return f"Prediction({height}x{width}, threshold={self.threshold})"


def _effect(effect: object, settings: dict[str, Any]) -> Effect:
    """See `Prediction.apply`."""
    if isinstance(effect, str):
        return effect_of(cast("OutputName", effect), **settings)
    if not isinstance(effect, Effect):
        raise UsageError(
            f"effect: got {shown(effect)}; give a name such as 'cutout', or an object such as "
            "CutoutEffect()."
        )
    if settings:
        kind, name = type(effect).__name__, next(iter(settings))
        raise UsageError(f"{name}: has no effect beside an object; give {kind}({name}=...).")
    return effect


def _read_only(array: _Array) -> _Array:
    """A view that cannot be written through: what is kept stays what it was."""
    view = array.view()
    view.flags.writeable = False
    return view
