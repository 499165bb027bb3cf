"""What of a data set stops a training before it begins: the errors that `data check` names."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg.config.finding_codes import Code
from humanseg.data.inspection import Finding
from humanseg.data.label_guards import label_findings
from humanseg.data.label_sample import SIDE, LabelSample, evenly, small_pair
from humanseg.data.resized import ResizedImages
from humanseg.system.errors import DataError, GuardError

_log = logging.getLogger(__name__)

_ROWS = 16  # on the network's grid, held at a time


def check_labels(resized: ResizedImages, count: int, root: Path) -> list[Finding]:
    """Look for masks that do not belong to their images, at images that are decoded anyway.

    Of `resized` the first `count` are the data set's own.
    """
    rows = evenly(count)
    resized.prepare(rows)
    images = np.empty((len(rows), SIDE, SIDE, 3), dtype=np.uint8)
    masks = np.empty((len(rows), SIDE, SIDE), dtype=np.bool_)
    for start in range(0, len(rows), _ROWS):
        some = zip(*resized.get(rows[start : start + _ROWS]), strict=True)
        for index, (image, mask) in enumerate(some, start=start):
            images[index], masks[index] = small_pair(image, mask)

    def read(index: int) -> NDArray[np.uint8]:
        return np.asarray(resized.get([rows[index]])[0][0])

    ids = tuple(resized.ids[row] for row in rows)
    return label_findings(LabelSample(ids, images, masks, read), str(root))


def refuse_errors(findings: Sequence[Finding], accept: Sequence[Code], root: Path) -> None:
    """Stop at errors that nobody accepted; say what the labels' warnings are.

    Raises:
        DataError: there are such errors.
    """
    refused = [
        finding
        for finding in findings
        if finding.severity == "error" and finding.code not in accept
    ]
    for finding in findings:
        if finding.images and finding not in refused:
            _log.warning("%s: %s", finding.file, finding.message)
    if not refused:
        return
    first = refused[0]
    where = "" if first.file == str(root) else f"{first.file}: "
    more = f" ({len(refused) - 1} more errors like this)" if len(refused) > 1 else ""
    codes = " ".join(sorted({finding.code for finding in refused}))
    raise DataError(
        f"{root}: {where}{first.message.rstrip('.')}{more}. Mend the data (`humanseg data check "
        f"{root}` lists everything), or train all the same with --accept {codes}."
    )


def check_learned_labels(findings: Sequence[Finding], accept: Sequence[Code]) -> None:
    """Stop where a trained network says that the masks it learned from are wrong.

    Raises:
        GuardError: an error that nobody accepted.
    """
    for finding in findings:
        if finding.severity == "error" and finding.code not in accept:
            raise GuardError(
                f"{finding.file}: {finding.message.rstrip('.')}, or train all the same with "
                f"--accept {finding.code}."
            )
        _log.warning("%s: %s", finding.file, finding.message)
