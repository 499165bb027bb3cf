"""What of a data set stops a training before it begins: the errors that `data check` names."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from humanseg.config.finding_codes import Code
from humanseg.data.inspection import Finding
from humanseg.data.label_guards import label_findings
from humanseg.data.label_sample import evenly, label_sample
from humanseg.data.resized import ResizedImages
from humanseg.system.errors import DataError, GuardError

_log = logging.getLogger(__name__)


def check_data(
    findings: Sequence[Finding],
    resized: ResizedImages,
    rows: Sequence[int],
    root: Path,
    accept: Sequence[Code],
) -> tuple[str, ...]:
    """Look for masks that do not belong to their images, at images that are decoded anyway.

    `findings` are about single images and masks; of `resized`, on the network's grid, `rows` are
    those of the data set at `root`. What is found goes to `refuse_errors`.
    """
    chosen = [rows[index] for index in evenly(len(rows))]
    sample = label_sample(resized, chosen, lambda row: np.asarray(resized.get([row]).images[0]))
    return refuse_errors([*findings, *label_findings(sample, str(root))], accept, root)


def refuse_errors(
    findings: Sequence[Finding], accept: Sequence[Code], root: Path
) -> tuple[str, ...]:
    """Stop at errors that nobody accepted.

    Returns:
        What is to be said of the masks all the same: a sentence for each doubt about the whole set,
        and for each kind of error that was accepted.

    Raises:
        DataError: there are errors that nobody accepted.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    refused = [finding for finding in errors if finding.code not in accept]
    doubts = [
        f"{finding.file}: {finding.message}"
        for finding in findings
        if finding.images and finding not in refused
    ]
    for text in doubts:
        _log.warning("%s", text)
    if not refused:
        accepted = Counter(finding.code for finding in errors if not finding.images)
        counts = (
            f"{root}: {count} error{'s' if count > 1 else ''} of the kind {code} accepted."
            for code, count in accepted.items()
        )
        return (*doubts, *counts)
    first = refused[0]
    where = "" if first.file == str(root) else f"{first.file}: "
    more = f" ({len(refused) - 1} more errors like this)" if len(refused) > 1 else ""
    codes = " ".join(sorted({finding.code for finding in refused}))
    raise DataError(
        f"{root}: {where}{first.message.rstrip('.')}{more}. Mend the data (`humanseg data check "
        f"{root}` lists everything), or train all the same with --accept {codes}."
    )


def check_learned_labels(
    findings: Sequence[Finding], accept: Sequence[Code], run: Path
) -> tuple[str, ...]:
    """Stop where the trained network of a run says that the masks it learned from are wrong.

    Returns:
        What it says all the same, a sentence each.

    Raises:
        GuardError: an error that nobody accepted.
    """
    for finding in findings:
        if finding.severity == "error" and finding.code not in accept:
            raise GuardError(
                f"{finding.file}: {finding.message.rstrip('.')}, or take what was trained all the "
                f"same with humanseg train --resume {run} --accept {finding.code}."
            )
    return tuple(f"{finding.file}: {finding.message}" for finding in findings)
