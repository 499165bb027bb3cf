"""Fixed texts: what each number means, and what was published for the reference protocol."""

from __future__ import annotations

from typing import NamedTuple

from humanseg.report.tables.difference_tables import MARGIN

DEFINITIONS: dict[str, str] = {
    "Per-image IoU": (
        "Pixels that are person in both the true and the predicted mask, over those that are in "
        "either, per picture; the table shows the mean over pictures, so each counts the same."
    ),
    "5th percentile": "One picture in twenty has a lower per-image IoU.",
    "SD over pictures": (
        "Sample standard deviation of per-image IoU over pictures; scores of one picture from "
        "several runs are averaged first."
    ),
    "SD over seeds": (
        "Sample standard deviation over training seeds of the mean over pictures: how much a score "
        "varies between trainings. Not part of any interval."
    ),
    "Dice": (
        "Twice the shared person pixels over the sum of both person areas, per picture; mean over "
        "pictures."
    ),
    "Boundary IoU": (
        "IoU of the two contour bands, each 2 % of the picture's diagonal wide and inside its "
        "mask; the picture's edge counts as contour; mean over pictures."
    ),
    "NSD": (
        "Normalised surface Dice: share of the contour pixels of both masks that lie within a "
        "tolerance of the other's contour, 0.5 % or 1 % of the diagonal; mean over pictures. The "
        "picture's edge does not count as contour."
    ),
    "ASSD": (
        "Average distance of the contour pixels of either mask to the other's contour, as a share "
        "of the diagonal; the whole diagonal where only one mask has a contour; mean over pictures."
    ),
    "HD95": (
        "The larger of both directions' 95th percentiles of these distances, as a share of the "
        "diagonal; mean over pictures."
    ),
    "Dataset IoU": ("IoU of the pixels of all pictures pooled, so large persons weigh more."),
    "Two-class mIoU": "Mean of the dataset IoU of the person and that of the background.",
    "Pixel accuracy": (
        "Share of all pixels classified correctly; high even for an empty mask where persons are "
        "small."
    ),
    "Precision and recall": (
        "Share of the predicted person pixels that are person, and share of the true person pixels "
        "that are predicted, per picture; means over pictures."
    ),
    "Calibration error": (
        "Mean distance between a probability and the share of such pixels that are person, in 15 "
        "bins of equal width: over all pixels, most of which are easy, and over those within 2 % "
        "of the diagonal of the true contour."
    ),
    "Batch-averaged IoU": (
        "IoU pooled over each batch of 16 pictures on the network's grid, mean over batches, as in "
        "the published figures; do not compare it with the other columns."
    ),
    "Pictures without people": (
        "Where the true mask has no person, no per-image score has a value: for every network "
        "alike the picture is left out of means and differences, and counted by false positives."
    ),
    "Alarm": "More than 0.1 % of the pixels of a picture without a person are marked.",
    "Point": "One hundredth of a score.",
    "95 % interval": (
        "Percentile bootstrap over groups of pictures, 10,000 resamples with a fixed seed: how "
        "much the number would vary with other pictures of the same kind. It covers neither "
        "another training nor pictures of another kind; only the interval of a difference "
        "resamples seeds too, where there are several."
    ),
    "Signed ranks over pictures": (
        "Two-sided Wilcoxon signed-rank test of the paired differences, corrected for the number "
        "of pairs (Holm), and its effect size: share of ranks for the first network minus that for "
        "the second, −1 to 1."
    ),
    "t-test over trainings": (
        "With folds the corrected resampled t-test (Nadeau and Bengio 2003), which allows for "
        "training pictures shared between folds; without folds Welch's t-test over seeds. "
        "Corrected for the number of pairs (Holm), with its own 95 % interval. One training of a "
        "network leaves nothing to test."
    ),
    "Clear difference": (
        "At least one point, its interval excludes zero, the signed ranks are significant and "
        "point the same way, and the t-test over trainings is significant."
    ),
    "Equal": (
        f"Not a clear difference, and both intervals of it, over pictures and over trainings, lie "
        f"within {MARGIN}; of several networks that holds for every two. Only then cost decides."
    ),
    "Undecided": (
        "Neither a clear difference nor equal: either network may be better, by as much as the "
        "intervals allow."
    ),
    "Gap": (
        "Per-image IoU on a network's own training pictures minus that on held-out ones: how much "
        "it overfits."
    ),
    "IoU retained": (
        "Mean over five severities of the IoU on corrupted pictures, over the IoU on the same "
        "pictures uncorrupted; 100 % is no loss."
    ),
    "Baseline": (
        "An answer that needs no network: the mean of the training masks, thresholded, for every "
        "picture; or all background."
    ),
    "Upper bound": (
        "What a score cannot exceed: the true mask after a round trip through a network's output "
        "grid, which limits the detail it can draw; or one true mask against another of the same "
        "photograph, which shows how exact the labels are."
    ),
    "Foreground share": "Share of the picture's pixels that are person in the true mask.",
    "Training time": "Time in training iterations only, without validation and set-up.",
    "Wall time": (
        "From the start of a run to its result: set-up, data, training, validation, evaluation."
    ),
    "MACs": "Multiply-accumulate operations of one forward pass of one picture.",
    "Peak memory": (
        "Largest resident memory of the process on a CPU, device memory in use on a GPU."
    ),
}


class Published(NamedTuple):
    """Published figures of one network under the reference protocol."""

    iou: float
    dice: float
    seconds: float
    """Training time on an NVIDIA T4."""


PUBLISHED_TEST_IDS = frozenset(
    str(number)
    for number in (
        *(4, 9, 14, 15, 29, 34, 40, 41, 43, 56, 66, 68, 70, 79, 80),
        *(83, 84, 87, 89, 92, 98, 103, 107, 114, 119, 120, 126, 129, 137, 140),
        *(153, 156, 159, 167, 169, 170, 175, 180, 190, 198, 200, 204, 205, 206, 210),
        *(211, 228, 230, 231, 241, 242, 248, 250, 257, 258, 261, 263, 277),
    )
)
"""Images that the published figures are of: `train_test_split(rows, test_size=0.2,
random_state=42)` of the data set's train.csv."""

PUBLISHED = {
    "unet": Published(0.8991, 0.9468, 178),
    "fpn": Published(0.8986, 0.9465, 143),
    "deeplabv3plus": Published(0.2068, 0.3424, 165),
}

PUBLISHED_NOTE = (
    "The published DeepLabV3+ value comes from a programming error: its optimiser was given the "
    "FPN's parameters, so DeepLabV3+ was never trained. Times come from different machines."
)
