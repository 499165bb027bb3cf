"""Complete the analysis of a comparison by what needs its images: ceilings, leaks, suspects."""

from __future__ import annotations

from collections.abc import Mapping

from humanseg.data.samples import Sample
from humanseg.evaluation.analysis import FinishedPlan
from humanseg.evaluation.bounds import ceilings
from humanseg.evaluation.leakage import find_leaks, find_suspects
from humanseg.results import Analysis

FEATURES_FILE = "features.npz"
"""In the comparison's folder: encoder features of all images, to find images of one scene."""


def add_data_checks(
    analysis: Analysis, finished: FinishedPlan, samples: Mapping[str, Sample]
) -> Analysis:
    """Add ceilings, leaks and suspect labels to what `analyse_comparison` says.

    Raises:
        DataError: stored features that cannot be read, or an image without a truth.
        ImageError: a mask that cannot be read.
    """
    runs, data = finished.main_runs, finished.data
    tested = {
        name: samples[name] for name in sorted({name for run in runs for name in run.split.test})
    }
    return analysis.model_copy(
        update={
            "bounds": (*analysis.bounds, *ceilings(runs, tested, data)),
            "leaks": find_leaks(runs, data, finished.folder / FEATURES_FILE),
            "suspects": find_suspects(tested, finished.subjects),
        }
    )
