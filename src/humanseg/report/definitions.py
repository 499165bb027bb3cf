"""Fixed texts: what each number means, and what was published for the reference protocol."""

from __future__ import annotations

from dataclasses import dataclass

DEFINITIONS: dict[str, str] = {
    "Per-image IoU": (
        "Person pixels that truth and prediction share, over those that either has, per picture; "
        "the table shows the mean over pictures, so every picture counts the same."
    ),
    "5th percentile": "One picture in twenty has a lower per-image IoU.",
    "SD over pictures": (
        "Sample standard deviation of per-image IoU over the test pictures of one run; with "
        "several seeds, its mean over seeds."
    ),
    "SD over seeds": "Sample standard deviation of a run's number over training seeds.",
    "Dice": (
        "Twice the shared person pixels over the sum of both person areas, per picture; mean over "
        "pictures."
    ),
    "Boundary IoU": (
        "IoU of the two contour bands, each 2 % of the picture's diagonal wide and inside its "
        "mask; the picture's edge counts as contour; mean over pictures."
    ),
    "Dataset IoU": (
        "Shared person pixels of all pictures together over united person pixels of all pictures "
        "together, so large persons weigh more."
    ),
    "Pixel accuracy": (
        "Share of all pixels called right; high even for a mask without anyone where persons are "
        "small."
    ),
    "Batch-averaged IoU": (
        "Mean over batches of 16 pictures on the network's grid of the IoU pooled in the batch, as "
        "the published figures were made; never compare it with the other columns."
    ),
    "Undefined": (
        "Where neither truth nor prediction has a person, IoU, Dice and Boundary IoU have no value "
        "and the picture is left out of their means."
    ),
    "Point": "One hundredth of a score.",
    "95 % interval": (
        "Percentile bootstrap over pictures of the paired difference of two networks, 5000 "
        "resamples with a fixed seed."
    ),
    "Evidence of a difference": (
        "Said only where the difference is at least one point, its interval excludes zero, and it "
        "is larger than the spread between seeds."
    ),
    "Mean mask": (
        "The average of the training masks, thresholded, as the answer to every picture."
    ),
    "All background": "The answer that nobody is there, to every picture.",
    "Foreground share": "Share of the picture's pixels that the truth calls person.",
    "Training time": "Seconds in training iterations only, without validation and set-up.",
    "Wall time": (
        "From the start of a run to its result: set-up, data, training, validation, evaluation."
    ),
    "MACs": "Multiply-accumulate operations of one forward pass of one picture.",
    "Peak memory": (
        "Largest resident memory of the process on a CPU, device memory in use on a GPU."
    ),
}


@dataclass(frozen=True)
class Published:
    """Published figures of one network under the reference protocol."""

    iou: float
    dice: float
    seconds: float
    """Training time on an NVIDIA T4."""


PUBLISHED = {
    "unet": Published(0.8991, 0.9468, 178),
    "fpn": Published(0.8986, 0.9465, 143),
    "deeplabv3plus": Published(0.2068, 0.3424, 165),
}

PUBLISHED_NOTE = (
    "The published DeepLabV3+ value is an optimiser mistake, not a property of the network: its "
    "optimiser held the FPN's parameters, so DeepLabV3+ was never trained. Times come from "
    "different machines."
)
