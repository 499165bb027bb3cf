"""How networks do on sources, data sets and corruptions that they did not train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from humanseg.evaluation.analysis.measures import bootstrap_of, measure
from humanseg.evaluation.analysis.subjects import Subject, difference_of
from humanseg.results import CorruptedScores, ExternalAnalysis, RobustnessAnalysis, SourceAnalysis
from humanseg.results.scores import mean_of


def analyse_sources(
    subjects: Sequence[Subject],
    without: Mapping[str, Sequence[Subject]],
    groups: Mapping[str, str],
    *,
    in_folds: bool,
) -> tuple[SourceAnalysis, ...]:
    """Pictures of every source left out, by networks that did and did not train on the source.

    `without` has, by source, the networks of the same names that trained without it; `in_folds`
    says whether every picture was tested in the main protocol.
    """
    seen = {subject.name: subject.metric("iou") for subject in subjects}
    analyses = []
    for source, others in without.items():
        for other in others:
            unseen = other.metric("iou")
            bootstrap = bootstrap_of(list(unseen), groups)
            own = seen.get(other.name, {}) if in_folds else {}
            paired = [difference_of(own.get(name), value) for name, value in unseen.items()]
            mean = bootstrap.mean(list(unseen.values()))
            if mean is None:
                continue
            analyses.append(
                SourceAnalysis(
                    network=other.name,
                    source=source,
                    images=sum(value is not None for value in unseen.values()),
                    seen=bootstrap.mean([own.get(name) for name in unseen]),
                    unseen=mean,
                    gap=bootstrap.mean(paired),
                )
            )
    return tuple(analyses)


def analyse_external(
    subject: Subject, groups: Mapping[str, str], *, name: str, fingerprint: str
) -> ExternalAnalysis:
    """One network on another data set, by its scores and groups there; its name and fingerprint."""
    undefined = len(subject.person_free)
    return ExternalAnalysis(
        network=subject.name,
        data=name,
        fingerprint=fingerprint,
        images=len(subject.by_image),
        undefined=undefined,
        metrics=measure(subject, groups),
        person_free=undefined,
    )


def analyse_robustness(
    network: str, records: Sequence[CorruptedScores], groups: Mapping[str, str]
) -> tuple[RobustnessAnalysis, ...]:
    """How much of its IoU one network keeps, per corruption.

    Retention is the mean over severities of corrupted IoU over clean IoU, as a ratio of sums over
    pictures, so that a picture that was missed anyway does not weigh in.
    """
    clean = _by_image(records, [record.clean for record in records])
    names = [name for name, value in clean.items() if value is not None]
    if not names:
        return ()
    bootstrap = bootstrap_of(names, groups)
    base = [clean[name] or 0.0 for name in names]
    analyses = []
    for corruption in records[0].ious:
        by_severity = zip(*(record.ious[corruption] for record in records), strict=False)
        levels = [_by_image(records, values) for values in by_severity]
        retained = [fmean(level[name] or 0.0 for level in levels) for name in names]
        retention = bootstrap.ratio(retained, base)
        if retention is None:
            continue
        analyses.append(
            RobustnessAnalysis(
                network=network,
                corruption=corruption,
                images=len(names),
                clean=fmean(base),
                severities=tuple(fmean(level[name] or 0.0 for name in names) for level in levels),
                retention=retention,
            )
        )
    return tuple(analyses)


def _by_image(
    records: Sequence[CorruptedScores], values: Sequence[Sequence[float | None]]
) -> dict[str, float | None]:
    """Mean over runs of one number of every picture; `values` are of each record's pictures."""
    by_image: dict[str, list[float | None]] = defaultdict(list)
    for record, own in zip(records, values, strict=True):
        for name, value in zip(record.images, own, strict=True):
            by_image[name].append(value)
    return {name: mean_of(own) for name, own in sorted(by_image.items())}
