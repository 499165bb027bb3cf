"""A prediction in other people's terms: NumPy, Pillow, DLPack (torch, JAX, CuPy), notebooks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Container
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from PIL import Image

from humanseg import images
from humanseg.effects.effect import Effect, OutputName
from humanseg.images import ImageLike, LoadedImage
from humanseg.images.resize import resize_image, size_within
from humanseg.inference.arguments import checked_share
from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from humanseg.inference.prediction import Prediction

_SHOWN_SIDE = 288
"""Pixels on the longer side of each image in a notebook."""
_CHECKER = (8, 255, 204)
"""Side of a square, and both levels, of the board below a cut-out."""


class Interchange:
    """What a `Prediction` is to other libraries. None of them is imported for it."""

    @classmethod
    def of(cls, image: ImageLike, probability: ArrayLike, *, threshold: float = 0.5) -> Self:
        """A prediction of probabilities, or a mask, that something else has computed.

        All that a prediction can make follows from it: cut-outs, blurred backgrounds, regions.

        Args:
            image: what it is of, see `Segmenter.predict`.
            probability: (height, width), of the image's shape but of any size: floats from 0 to 1,
                bool, or uint8 from 0 to 255, which without any above 1 are a mask of 0 and 1. An
                array of any library that NumPy can read, such as a torch tensor on the CPU, is
                taken without a copy where it is float32.
            threshold: a pixel is a person where its probability is at least this.

        Raises:
            UsageError: an array of another kind, values beyond 0 to 1, or such a threshold.
            ImageError: see `Segmenter.predict`.
        """
        picture = images.load(image)
        made = cast("type[Prediction]", cls)(
            _as_probability(probability),
            size=picture.size,
            threshold=checked_share("threshold", threshold),
            source=image,
            notes=picture.notes,
            picture=picture,
        )
        return cast("Self", made)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The mask, bool (height, width), for `np.asarray(prediction)`; read-only."""
        return np.array(_prediction(self).mask, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:  # noqa: ANN401  as the protocol has it
        """The probability, float32 (height, width), uncopied: `torch.from_dlpack(prediction)`.

        The memory is shared with `probability`, which the other library does not know to be
        read-only: copy there before writing.
        """
        shared = _prediction(self).probability.view()
        shared.flags.writeable = True  # NumPy exports nothing else to libraries without the flag
        return shared.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU, in DLPack's numbers."""
        return _prediction(self).probability.__dlpack_device__()

    def to_pil(
        self,
        effect: Effect | OutputName = "cutout",
        **settings: Any,  # noqa: ANN401  as the effect's class has them
    ) -> Image.Image:
        """What `apply` makes, as an image of Pillow: L, I;16, RGB or RGBA.

        Raises:
            UsageError, ImageError: see `Prediction.apply`.
        """
        return Image.fromarray(_prediction(self).apply(effect, **settings))

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        """What a notebook shows: image, overlay and cut-out side by side, with a line of words."""
        prediction = _prediction(self)
        bundle = {"text/plain": repr(prediction)}
        words = _in_words(prediction)
        try:
            png = _png(_panel(prediction))
        except ImageError as error:  # the file has gone since
            bundle["text/html"] = f"<p>{html.escape(f'{words}. {error}')}</p>"
        else:
            text = html.escape(words)
            bundle["image/png"] = png
            bundle["text/html"] = (
                f'<figure style="margin:0"><img src="data:image/png;base64,{png}" '
                f'alt="Image, people tinted, people cut out"><figcaption>{text}</figcaption>'
                "</figure>"
            )
        return {
            kind: content
            for kind, content in bundle.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }


def _prediction(view: Interchange) -> Prediction:
    return cast("Prediction", view)


def _as_probability(values: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0:
        raise UsageError(f"probability: got shape {array.shape}; give one of (height, width).")
    if array.dtype == np.uint8 and array.max() > 1:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype not in (np.bool_, np.uint8) and array.dtype.kind != "f":
        raise UsageError(
            f"probability: got {array.dtype}; give floats from 0 to 1, bool, or uint8 to 255."
        )
    if not (array.min() >= 0 and array.max() <= 1):  # false of NaN too
        raise UsageError("probability: got values beyond 0 to 1; give probabilities, no logits.")
    return array.astype(np.float32, copy=False)


def _in_words(prediction: Prediction) -> str:
    height, width = prediction.size
    people = f"{prediction.coverage:.1%} person" if prediction.found else "nobody found"
    return "; ".join((f"{width}x{height} pixels", people, *prediction.notes))


def _panel(prediction: Prediction) -> NDArray[np.uint8]:
    """Image, overlay and cut-out, uint8 (h, 3 w + gaps, 3): made small, so that it is quick."""
    from humanseg.inference.prediction import Prediction

    size = size_within(prediction.size, _SHOWN_SIDE)
    pixels = resize_image(prediction.image, size)
    small = Prediction(
        prediction.grid,
        size=size,
        threshold=prediction.threshold,
        source=pixels,
        picture=LoadedImage(pixels, size, None, (), reduced=False),
    )
    gap = np.full((size[0], 4, 3), 255, np.uint8)
    return np.hstack([pixels, gap, small.overlay(), gap, _on_board(small.cutout())])


def _on_board(cutout: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A cut-out, uint8 (h, w, 4), on a checkerboard."""
    side, light, dark = _CHECKER
    rows, columns = np.indices(cutout.shape[:2]) // side
    board = np.where((rows + columns) % 2, dark, light)[..., None]
    alpha = cutout[..., 3:].astype(np.uint16)
    return ((cutout[..., :3] * alpha + board * (255 - alpha) + 127) // 255).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")
