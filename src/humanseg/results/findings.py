"""What follows from the scores of several networks: intervals, tests, generalisation, checks."""

from __future__ import annotations

from typing import Literal

from humanseg.results.io import Record


class Interval(Record):
    """A number and its 95 % bootstrap interval over groups of images."""

    estimate: float
    low: float | None = None
    """None where no interval can be had: fewer than two groups, or a number without resampling."""
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether it has ends, both above zero or both below."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


class Stratum(Record):
    """Some of the images, by foreground size or by source."""

    kind: Literal["size", "source"]
    name: str
    """`small`, `medium` and `large` thirds of foreground shares; the source's name."""
    images: int
    """With a person in the truth; others have no per-image score."""
    metrics: dict[str, Interval]
    """`iou` and `boundary_iou`."""


class AttributeGroup(Record):
    """The images to which one value of an attribute belongs."""

    name: str
    images: int
    """With a person in the truth; others have no per-image score."""
    metrics: dict[str, Interval]
    """`iou` and `boundary_iou`; empty where fewer than 20 are independent."""
    independent: int | None = None
    """How many of the images are independent: those that show the same, or that a table puts
    together, count once. None in older records."""


class AttributeAnalysis(Record):
    """One model by the value of an attribute of the images; see docs/groups.md."""

    attribute: str
    """`person-size`, `people`, `cut-off`, `luminance`, `contrast`, or a column of a table."""
    groups: tuple[AttributeGroup, ...]
    unlabelled: int
    """Images with a person of which the attribute is not known."""
    worst: str | None
    """Scored group of the lowest mean IoU; None with fewer than two scored groups."""
    best: str | None
    gap: Interval | None
    """Mean IoU of `best` less that of `worst`."""
    gap_p: float | None = None
    """How often the largest gap is as clear where the groups are drawn by lot; None without a gap,
    and in older records."""


class NetworkAnalysis(Record):
    """One network over all images that it was tested on, each by a network that never saw it.

    Scores of one image from several seeds or repeats are averaged first.
    """

    name: str
    """Unique in the analysis: the architecture, or a label where several models of one are."""
    arch: str
    runs: tuple[str, ...]
    """Names of the runs that these scores come from."""
    images: int
    undefined: int
    """Images without a person in the truth: not in per-image numbers."""
    metrics: dict[str, Interval]
    """Of docs/metrics.md: `iou`, `iou_sd`, `iou_median`, `iou_p05`, `dice`, `dataset_iou`,
    `dataset_dice`, `two_class_miou`, `pixel_accuracy`, `precision`, `recall`, `boundary_iou`,
    `surface_dice_05`, `surface_dice_10`, `assd`, `hd95`, `ece`, `band_ece`, `false_positive_images`
    and `false_positive_area`; those that were not measured are not there. Shares from 0 to 1;
    `assd` and `hd95` in shares of the image's diagonal. Lower is better for the last six."""
    seed_sd: float | None
    """Sample deviation over seeds of the mean IoU over images; None with one seed."""
    fold_ious: tuple[float, ...]
    """Mean IoU of every test fold, in the order of the runs."""
    train_iou: float | None
    """Mean over runs of the per-image IoU on the run's own training images."""
    gap: float | None
    """`train_iou` minus the mean over the same runs of their held-out IoU: what was learned by
    heart."""
    strata: tuple[Stratum, ...]
    without_contour: int = 0
    """Images that count as the whole diagonal in `assd` and `hd95`, since a mask has no contour."""
    weak: bool = False
    """Whether any of its runs scores no better than the mean training mask: no verdict is drawn."""


Doubt = Literal[
    "interval",
    "wilcoxon",
    "direction",
    "training",
    "folds",
    "seeds",
    "small",
    "few",
    "pictures",
    "weak",
]
"""What speaks against a difference: its interval includes zero; the signed ranks are not
significant, or say the opposite; there is but one training of a network, or one that was not tested
on all images; the test over folds or the one over seeds is not significant, or the folds are not
the same; it is below one point; rare failures that so few images do not show could undo it; the
images are not the same; or a network is no better than the mean training mask."""


class PairAnalysis(Record):
    """Two networks on the same images, by one metric: `first` minus `second`."""

    first: str
    second: str
    metric: Literal["iou", "boundary_iou"]
    images: int
    difference: Interval
    """Mean over images of the paired difference. The interval resamples groups of images, and
    seeds too where there are several."""
    median: float
    """Median paired difference."""
    wilcoxon_p: float | None
    """Two-sided Wilcoxon signed-rank test, zeros as Pratt; None if all differences are zero."""
    wilcoxon_holm: float | None
    """The same, corrected for the number of pairs (Holm 1979)."""
    rank_biserial: float
    """Effect size of it, -1 to 1 (Kerby 2014): share of ranks for `first` minus for `second`."""
    cohen_dz: float | None
    """Mean over deviation of paired differences."""
    corrected_t: float | None
    """Corrected resampled t over folds (Nadeau and Bengio 2003); None without folds."""
    corrected_df: int | None
    corrected_p: float | None
    corrected_holm: float | None
    seed_sd: float | None
    """The larger of both networks' deviations over seeds."""
    seeds_t: float | None = None
    """Welch's t over the means of each training seed; None with folds, or without several seeds."""
    seeds_df: float | None = None
    seeds_p: float | None = None
    seeds_holm: float | None = None
    trainings: Interval | None = None
    """The difference and its 95 % interval over trainings, by whichever of both t-tests there is;
    None where neither is."""
    unseen: float | None = None
    """How far failures that none of these images shows may move the difference (rule of three)."""
    evidence: bool
    """Whether a difference may be claimed; see docs/statistics.md for the rule."""
    equivalent: bool = False
    """Whether the networks may be called equal: both intervals lie within the margin."""
    doubts: tuple[Doubt, ...]
    """What speaks against a difference; see `Doubt`."""


class FalseAlarms(Record):
    """Two networks on the images without a person in the truth: `first` minus `second`."""

    first: str
    second: str
    images: int
    marked: Interval
    """Difference of the shares of images that are marked, as `false_positive_images`."""
    area: Interval
    """Difference of the shares of pixels that are marked, as `false_positive_area`."""
    clear: bool
    """Whether they differ clearly by either of both; see docs/statistics.md for the rule."""
    marked_clear: bool = False
    area_clear: bool = False


class SourceAnalysis(Record):
    """Images of one source, by networks that trained with and without that source."""

    network: str
    source: str
    images: int
    """With a person in the truth; others have no per-image score."""
    seen: Interval | None
    """Mean per-image IoU of networks that trained on other images of the source; None without
    cross-validation."""
    unseen: Interval
    """Mean per-image IoU of networks that saw no image of the source."""
    gap: Interval | None
    """`seen` minus `unseen`, paired by image."""


class ExternalAnalysis(Record):
    """A network on another data set, that it was not trained on."""

    network: str
    data: str
    """Name of the data set."""
    fingerprint: str
    images: int
    undefined: int
    """Images without a person in the truth, as `person_free`: not in per-image numbers."""
    metrics: dict[str, Interval]
    person_free: int
    """Images without a person in the true mask."""


class RobustnessAnalysis(Record):
    """A network on its own test images, corrupted."""

    network: str
    corruption: str
    images: int
    clean: float
    """Mean per-image IoU of the same images as they are."""
    severities: tuple[float, ...]
    """Mean per-image IoU at severity 1, 2 and so on."""
    retention: Interval
    """Mean over severities of corrupted over clean IoU, 1 is no loss."""


class Bound(Record):
    """What needs no network, or what no network can pass."""

    name: Literal["mean_mask", "all_background", "output_grid", "label_agreement"]
    side: Literal["baseline", "ceiling"]
    networks: tuple[str, ...]
    """Networks that it holds for; empty for all."""
    images: int
    iou: float | None
    boundary_iou: float | None
    detail: str = ""
    """Such as the grid, `80x80`, or the pair of images, `102 and 270`."""


class Leak(Record):
    """Two images that show the same."""

    first: str
    second: str
    kind: Literal["exact", "near", "mirrored", "turned", "group", "scene"]
    """The first four are copies. `group`: the table of groups puts them together, or a chain of
    copies does. `scene`: their encoder features are alike; to be looked at, not certain."""
    similarity: float | None = None
    """Cosine of the features, for scenes."""
    divided: bool
    """Whether one was tested by a network that trained on the other."""


class SuspectLabel(Record):
    """A truth mask that may be wrong, most suspicious first within its reason."""

    id: str
    reason: Literal["holes", "specks", "disagreement"]
    value: float
    """Share of the person's pixels in holes or specks; IoU lost by the best network."""
    count: int = 0
    """Number of holes or specks."""


class Analysis(Record):
    """Everything that is said about a comparison, computed once from its scores."""

    images: int
    """Images that were scored."""
    groups: int
    """Groups of images that show the same; what intervals resample."""
    folds: int | None
    repeats: int
    seeds: int
    networks: tuple[NetworkAnalysis, ...]
    pairs: tuple[PairAnalysis, ...]
    false_alarms: tuple[FalseAlarms, ...] = ()
    """Every pair of networks, where there are images without a person."""
    sources: tuple[SourceAnalysis, ...] = ()
    external: tuple[ExternalAnalysis, ...] = ()
    robustness: tuple[RobustnessAnalysis, ...] = ()
    bounds: tuple[Bound, ...] = ()
    leaks: tuple[Leak, ...] = ()
    suspects: tuple[SuspectLabel, ...] = ()
    attributes: tuple[AttributeAnalysis, ...] = ()
    """Of a single model, where it was asked for."""
