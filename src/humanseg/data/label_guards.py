"""Find masks that do not belong to their images as they lie: mirrored, turned, too wide and so on.

Three witnesses, none of which was trained on the data set: edges in the images under the outlines
of masks (`humanseg.data.edge_agreement`), where in the image people stand, and the bundled model
where it knows such images. They are asked about at most 200 pairs, evenly over the set. Thresholds
lie between what sound sets of photographs and drawings show and what planted mistakes show
(benchmarks/planted.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from humanseg.config.finding_codes import Code
from humanseg.data.bundled_witness import ask_bundled_model, unmarked_people
from humanseg.data.edge_agreement import (
    MAX_SHIFT,
    REMEDIES,
    EdgeAgreement,
    edge_agreement,
    has_outline,
    solidity,
    straight,
)
from humanseg.data.inspection import Finding, Severity, finding
from humanseg.data.label_sample import SIDE, LabelSample

MIN_PAIRS = 16
"""Sets with fewer masks that can be tested are not judged."""
MOST = 0.15
"""From this share of all masks on, a mistake is one of the set, and always an error ..."""
SOME, SOME_MASKS = 0.08, 4
"""... and from this share, and so many masks, on it is worth saying."""
SOME_REMEDIED, REMEDIED_STRANGE = 0.12, 1 / 3
"""The share for `REMEDIES`, of which many are tried; and as many, over the masks that may be of
other images, as their chance is lower among shuffled ones."""
SAME_SHARE, DIFFERENT_IMAGES = 0.2, 8.0
"""From this share on, masks that are the same although their images are not: mean absolute
difference of grey levels."""
SOME_COARSE, SOLID, SOLID_MASKS, SOLID_DEVIATIONS, BESIDE_SOLID = 0.12, 0.94, 8, 3.0, 0.5
"""From this share of coarse masks on it is said. Hulls and ellipses fill so much of their own
convex hulls; 0 to 5 % of sound masks do, and up to a third of those of heads. The median of hulls
stands out by 3 deviations at most, of heads by 4 to 5, and of masks beside hulls by 0.9 more;
of fewer masks than eight a median says too little."""

MIN_SHIFT, SHIFT_GAIN, SHIFT_SHARE = 2, 0.04, 0.75
"""Pixels of the small grid, mean gain in edge strength, and share of masks that gain."""
ALTERED_GAIN, ALTERED_DEVIATIONS = 0.08, 2.0
"""An altered mask fits better if it gains so much and stands out so far from other masks."""
STRANGE_DEVIATIONS, STRANGE_MASKS = 1.5, 5
"""A mask that stands out less than this from the masks of other images may be one of them; and so
many of them are worth saying."""
CLEAR_DEVIATIONS = 3.8
"""Some masks are called strange only where most others stand out so far: coarse outlines do not."""
NEIGHBOUR_GAIN = 0.1
"""The mask of the image beside fits better by this if masks are moved on by one."""
CLOSE_UP, SOME_CLOSE_UPS = 0.5, 0.15
"""Where masks mark more than this share of their images, fewer strange ones are not worth saying:
short outlines at the border tell less."""

BORDER = 8
"""Pixels of the small grid: the width of the border where people are rarer than in the middle."""
INVERTED_SHARE, INVERTED_BORDER = 0.6, 0.6
"""Of masks that mark more of the border than of the middle: so many only if all are inverted; of
fewer masks than are judged otherwise, they must also mark so much of the border."""
FRAME, FRAMED, FRAMED_GAIN = 4, 0.8, 0.05
"""A mask that marks this share of the strips at the top, left and right, so many pixels of the
small grid wide, and so much more of the border than of the middle, is inverted: people hardly ever
stand so (docs/data-check.md)."""
FRAMED_SHARE, FRAMED_MASKS = 0.02, 3
"""From this share of all masks, and so many, on they are named."""

SOME_UNMARKED = 0.15
"""Share of the images asked about in which people are left out, from which on it is said."""

ALL_FULL = (
    "every mask is entirely person, so there is nothing to learn; look at the values or colours "
    "that stand for background."
)

_SHOWN = 5  # ids in one message

Which = NDArray[np.bool_]
"""(N,): whether a pair is meant."""

_CODES: dict[str, Code] = {
    "too wide": "offset-masks",
    "too narrow": "offset-masks",
    "scaled": "scaled-masks",
    "shifted": "shifted-masks",
    "mirrored": "mirrored-masks",
    "upside-down": "upside-down-masks",
    "turned by 180": "turned-masks",
    "turned by 90": "turned-masks",
    "turned by 270": "turned-masks",
    "transposed": "turned-masks",
    "anti-transposed": "turned-masks",
}
_BACK = {"turned by 90": "turned by 270", "turned by 270": "turned by 90"}  # what was done to it
_ADVICE = {
    "mirrored": "mirror them left to right, or their images, but not one alone",
    "upside-down": "turn them over, or look which of both was stored so",
    "too wide": "people's edges lie inside their outlines; look what widened them",
    "too narrow": "people's edges lie outside their outlines; look what made them smaller",
    "scaled": "crop, frame and stretch an image and its mask alike",
    "transposed": "their rows and columns are exchanged: look where x and y, or height and width, "
    "were taken for one another, or for images with an EXIF orientation of 5",
    "anti-transposed": "their rows and columns are exchanged, counted from the end: look at how "
    "they were turned, or for images with an EXIF orientation of 7",
    "shifted": "shift them back, or look what cut or framed images and masks differently",
}
_TURNED = (
    "images are shown as their EXIF orientation says: masks made of the file as it is stored must "
    "be turned alike"
)


def label_findings(sample: LabelSample, where: str) -> list[Finding]:
    """What is wrong with the masks of a data set, all or some; findings name `where` it is."""
    judge = _EdgeJudge(sample, where)
    outlines = count_outlines(sample)
    misplaced = []
    if outlines >= MIN_PAIRS:
        misplaced = [*judge.repeated()] or [*judge.shaped_and_placed()]
    background = [*judge.inverted()] if outlines >= SOME_MASKS else []
    found = [*misplaced, *(background or judge.full())]
    return found or (list(judge.unmarked()) if outlines >= MIN_PAIRS else [])


def count_outlines(sample: LabelSample) -> int:
    """How many masks can be judged by their outlines; `MIN_PAIRS` are needed."""
    return int(np.count_nonzero(has_outline(sample.masks)))


class Judge:
    """What is found about the masks of one data set, of which some are named."""

    def __init__(self, ids: Sequence[str], where: str) -> None:
        """Judge masks of these images; `where` is the data set's folder or file."""
        self._ids, self._where = ids, where

    def _names(self, which: Which) -> tuple[str, ...]:
        return tuple(self._ids[index] for index in np.flatnonzero(which).tolist())

    def count(self, which: Which, usable: Which | None = None) -> str:
        """How many masks of those that can be judged, or of all, with the names of some."""
        ids = self._names(which)
        every = len(which) if usable is None else int(usable.sum())
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        return f"{len(ids)} of {every} masks ({', '.join(ids[:_SHOWN])}{more})"

    def finding(self, code: Code, severity: Severity, message: str, which: Which) -> Finding:
        """A finding about some of the images."""
        return finding(code, severity, self._where, message, self._names(which))


class _EdgeJudge(Judge):
    """Judges pairs by their edges, and by where people stand."""

    def __init__(self, sample: LabelSample, where: str) -> None:
        super().__init__(sample.ids, where)
        self._sample, self._usable = sample, has_outline(sample.masks)
        self._close_ups = bool(sample.masks.mean() > CLOSE_UP)

    def repeated(self) -> Iterator[Finding]:
        """The same mask for images that differ."""
        masks, images, usable = self._sample.masks, self._sample.images, self._usable
        whose = np.unique(masks.reshape(len(masks), -1), axis=0, return_inverse=True)[1]
        same = np.zeros(len(masks), dtype=np.bool_)
        for mask in np.unique(whose[usable]):
            alike = np.flatnonzero(whose == mask)
            apart = np.abs(images[alike].astype(np.int16) - images[alike[0]]).mean(axis=(1, 2, 3))
            same[alike] = apart.max() > DIFFERENT_IMAGES
        if _matters(same, usable, SAME_SHARE):
            message = (
                f"{self.count(same, usable)} are exactly that of another image, though the images "
                "differ; look what wrote them."
            )
            yield self.finding("shuffled-masks", "error", message, same)

    def full(self) -> Iterator[Finding]:
        """Masks without any background."""
        full = np.asarray(self._sample.masks.all(axis=(1, 2)))
        if full.all():
            yield self.finding("full-mask", "error", ALL_FULL, full)
        elif _matters(full, ~np.zeros_like(full)):
            message = (
                f"{self.count(full)} are entirely person; look whether their values or colours "
                "stand for a person and background."
            )
            yield self.finding("full-mask", "warning", message, full)

    def shaped_and_placed(self) -> Iterator[Finding]:
        """Masks that are no outlines; of the others, those that lie elsewhere than their images."""
        masks, usable = self._sample.masks, self._usable
        which = usable & straight(masks)
        what = f"{self.count(which, usable)} are boxes or blocks"
        if not _matters(which, usable, SOME_COARSE):
            agreement = edge_agreement(self._sample)
            which = usable & np.array([solidity(mask) >= SOLID for mask in masks])
            if not _matters(which, usable, SOME_COARSE) or not _hulls(agreement, which):
                yield from self.placed(agreement)
                return
            what = f"{self.count(which, usable)} are convex hulls, ellipses or tilted boxes"
        message = (
            f"{what} instead of outlines of people: a network that learns them, and scores against "
            "them, are as coarse."
        )
        yield self.finding("coarse-masks", _severity(which, usable), message, which)
        if np.count_nonzero(usable & ~which) >= MIN_PAIRS:
            rest = replace(self._sample, masks=masks & ~which[:, None, None])
            yield from self.placed(edge_agreement(rest))

    def placed(self, agreement: EdgeAgreement) -> Iterator[Finding]:
        """Masks that lie elsewhere than their images' edges: shifted, altered, or of others."""
        if _beside(agreement, agreement.testable):
            yield self._shuffled(agreement, agreement.testable)
            return
        names = list(agreement.altered)
        gains = np.stack([agreement.altered[name] - agreement.own for name in names])
        shifted = self._shifted(agreement)
        if shifted is not None and agreement.shift_gain.mean() >= max(
            gains[names.index(name), agreement.testable].mean()
            for name in names
            if name != "shifted"
        ):
            yield shifted
            return
        own = agreement.deviations(agreement.own)
        stands = np.stack([agreement.deviations(agreement.altered[name]) for name in names])
        fits = agreement.testable & (gains > ALTERED_GAIN) & (stands > ALTERED_DEVIATIONS)
        best = np.where(fits, gains, -1.0).argmax(axis=0)
        explained = np.zeros(len(self._sample), dtype=np.bool_)
        named = []
        strange = agreement.testable & (own < STRANGE_DEVIATIONS)
        rest = own[agreement.testable & ~strange]
        remedied = fits.any(axis=0) & (best >= len(names) - len(REMEDIES))
        mended = remedied.sum() >= REMEDIED_STRANGE * strange.sum()
        for index, name in enumerate(names):
            which = fits[index] & (best == index)
            share = SOME_REMEDIED if name in REMEDIES else SOME
            if (mended or name not in REMEDIES) and _matters(which, agreement.testable, share):
                explained |= which
                named.append((name, which))
        strange &= ~explained
        severity = _severity(explained | strange, agreement.testable)
        yield from (self._altered(*each, agreement.testable, severity) for each in named)
        # Where whole groups are altered, the rest is judged once those are mended.
        clear = strange.sum() >= 0.5 * agreement.testable.sum() or (
            float(np.median(rest)) >= CLEAR_DEVIATIONS
        )
        share = SOME_CLOSE_UPS if self._close_ups else SOME
        some = strange.sum() >= STRANGE_MASKS and _matters(strange, agreement.testable, share)
        if clear and not named and some:
            yield self._shuffled(agreement, strange)

    def inverted(self) -> Iterator[Finding]:
        """Masks that mark the background."""
        masks = self._sample.masks
        border = np.ones((SIDE, SIDE), dtype=np.bool_)
        border[BORDER:-BORDER, BORDER:-BORDER] = False
        middle = slice(SIDE // 4, -SIDE // 4)
        outer, inner = masks[:, border].mean(axis=1), masks[:, middle, middle].mean(axis=(1, 2))
        least = inner.mean() if self._usable.sum() >= MIN_PAIRS else INVERTED_BORDER
        if float((outer > inner).mean()) >= INVERTED_SHARE and outer.mean() > least:
            yield self.finding(
                "inverted-masks",
                "error",
                f"masks mark the background: {100 * outer.mean():.0f} % of the image's border is "
                f"marked but only {100 * inner.mean():.0f} % of its middle; invert them.",
                outer > inner,
            )
            return
        strips = (masks[:, :FRAME], masks[:, :, :FRAME], masks[:, :, -FRAME:])
        frame = np.mean([strip.mean(axis=(1, 2)) for strip in strips], axis=0)
        framed = (frame > FRAMED) & (outer > inner + FRAMED_GAIN)
        suspected = framed.copy()
        asked = np.flatnonzero(outer > inner)
        if len(asked) >= SOME_MASKS:
            suspected[ask_bundled_model(self._sample, asked.tolist())] = True
        share = SOME if self._close_ups else FRAMED_SHARE
        if framed.sum() >= max(FRAMED_MASKS, share * len(masks)) or suspected.sum() >= max(
            SOME_MASKS, SOME / 2 * len(masks)
        ):
            message = (
                f"{self.count(suspected)}, and perhaps others, mark the background instead of the "
                "person; invert them."
            )
            yield self.finding("inverted-masks", "error", message, suspected)

    def unmarked(self) -> Iterator[Finding]:
        """People whom the masks leave out, if the bundled model sees enough of them."""
        asked, seen = unmarked_people(self._sample)
        if len(seen) >= max(SOME_MASKS, SOME_UNMARKED * len(asked)):
            which, every = np.zeros((2, len(self._sample)), dtype=np.bool_)
            which[seen], every[asked] = True, True
            message = (
                f"{self.count(which, every)} that the bundled model was asked about leave out "
                "people whom it sees clearly; look whether masks are missing, cut off, of one "
                "person only or of another class."
            )
            yield self.finding("unmarked-people", "warning", message, which)

    def _shifted(self, agreement: EdgeAgreement) -> Finding | None:
        gain = agreement.shift_gain
        size = max(abs(step) for step in agreement.shift)
        clear = gain.mean() >= SHIFT_GAIN and (gain > 0).mean() >= SHIFT_SHARE
        if not MIN_SHIFT <= size < MAX_SHIFT or not clear:  # at the end of the window is none
            return None
        # The outlines would have to go there, so the masks lie the other way.
        down, right = (-100 * step / SIDE for step in agreement.shift)
        parts = []
        if right:
            way = "right" if right > 0 else "left"
            parts.append(f"{abs(right):.0f} % of the image's width too far to the {way}")
        if down:
            parts.append(f"{abs(down):.0f} % of its height too far {'down' if down > 0 else 'up'}")
        return self.finding(
            "shifted-masks",
            "error" if size > MIN_SHIFT else "warning",
            f"masks are shifted: they lie {' and '.join(parts)}; {_ADVICE['shifted']}.",
            agreement.testable,
        )

    def _altered(self, name: str, which: Which, usable: Which, severity: Severity) -> Finding:
        done = _BACK.get(name, name)
        subject = self._subject(which, usable)
        turn = f"{done} degrees" if done.startswith("turned") else done
        return self.finding(
            _CODES[name],
            severity,
            f"{subject} {turn} against their images; {_ADVICE.get(done, _TURNED)}.",
            which,
        )

    def _subject(self, which: Which, usable: Which) -> str:
        all_of_them = which.sum() >= 0.7 * usable.sum()
        return "masks are" if all_of_them else f"{self.count(which, usable)} are"

    def _shuffled(self, agreement: EdgeAgreement, strange: Which) -> Finding:
        usable, whose = agreement.testable, _beside(agreement, strange)
        most = strange.sum() >= 0.5 * usable.sum()
        if whose:
            subject = self._subject(strange, usable)
            message = (
                f"{subject} moved on by one: each lies under the name of the {whose} image in the "
                "order of names; pair them anew."
            )
        elif most:
            message = (
                "masks do not belong to their images: they fit them no better than the masks of "
                "other images do; pair them anew."
            )
        else:
            message = (
                f"{self.count(strange, usable)} fit their images no better than the masks of other "
                "images do, while the rest fits; look at these pairs."
            )
        return self.finding("shuffled-masks", _severity(strange, usable), message, strange)


def _beside(agreement: EdgeAgreement, which: Which) -> str:
    """Whose masks fit these images better than their own: the image's beside, if any."""
    order = np.arange(len(which))
    for step, whose in ((1, "previous"), (-1, "next")):
        # Mask j fits image j - step, the one after or before it in the order of names.
        gain = (agreement.others[order, np.roll(order, step)] - agreement.own)[which]
        gain = gain[~np.isnan(gain)]
        if len(gain) >= SOME_MASKS and gain.mean() > NEIGHBOUR_GAIN:
            return whose
    return ""


def _hulls(agreement: EdgeAgreement, solid: Which) -> bool:
    """Whether solid masks fit badly, worse than the others, and better in no other way."""
    own, testable = agreement.deviations(agreement.own), agreement.testable
    told, rest = own[solid & testable], own[~solid & testable]
    if told.size < SOLID_MASKS or np.median(told) > SOLID_DEVIATIONS:
        return False
    if rest.size >= SOME_MASKS and np.median(rest) < np.median(told) + BESIDE_SOLID:
        return False
    gains = (values - agreement.own for values in agreement.altered.values())
    return all(np.median(gain[solid & testable]) < ALTERED_GAIN for gain in gains)


def _matters(which: Which, usable: Which, share: float = SOME) -> bool:
    return bool(which.sum() >= max(SOME_MASKS, share * usable.sum()))


def _severity(which: Which, usable: Which) -> Severity:
    return "error" if which.sum() >= MOST * usable.sum() else "warning"
