"""`humanseg doctor`: what is installed, what works, and what would be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from humanseg.cli import flags
from humanseg.cli.terminal import numbered, say

if TYPE_CHECKING:
    from humanseg.inference.diagnosis import DoctorReport, Smoke


def doctor(
    *, json: Annotated[bool, flags.option(help="Print the findings as JSON.")] = False
) -> int:
    """Say what is installed, what of it works, and what prediction would use.

    Ends with exit code 1 if something that is installed is broken.
    """
    from humanseg.inference.diagnosis import examine

    report = examine()
    say(*([report.model_dump_json(indent=1)] if json else _told(report)))
    return 0 if report.ok else 1


def _told(report: DoctorReport) -> list[str]:
    width = max(len(check.name) for check in report.checks)
    broken = sum(check.status == "broken" for check in report.checks)
    return [
        f"humanseg {report.humanseg}, Python {report.python}, {report.platform}",
        f"{report.processor}, {numbered(report.cores, 'usable core')}",
        f"Instructions: {_instructions(report)}",
        "",
        *(f"{check.name:<{width}}  {check.status:<6}  {check.detail}" for check in report.checks),
        "",
        *([] if report.smoke is None else _told_smoke(report.smoke)),
        "Nothing is broken." if not broken else f"{numbered(broken, 'part')} broken; see above.",
    ]


def _instructions(report: DoctorReport) -> str:
    if report.instructions is None:
        return "not known for this processor"
    there = [name for name, has in report.instructions.items() if has]
    missing = [name for name, has in report.instructions.items() if not has]
    return f"with {', '.join(there) or 'none'}; without {', '.join(missing) or 'none'}"


def _told_smoke(smoke: Smoke) -> list[str]:
    height, width = smoke.image_size
    return [
        f"auto takes {smoke.backend}, {smoke.precision}, on {smoke.device} with "
        f"{numbered(smoke.threads, 'thread')}: {smoke.reason}.",
        f"A prediction takes {smoke.seconds * 1000:.0f} ms on its {height}x{width} grid (the first "
        f"{smoke.first_seconds * 1000:.0f} ms, loading {smoke.load_seconds * 1000:.0f} ms).",
    ]
