"""What `humanseg predict` says: a line of JSON per input, remarks, and a summary at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.cli.predict_flags import PIPE, Request
from humanseg.cli.terminal import complain, duration, note, numbered, say, shown

if TYPE_CHECKING:
    from humanseg.batch.discovery import Discovery, Job, Plan
    from humanseg.batch.runner import Outcome

_TEXTS = 100  # different remarks
_SHOWN = 10  # names in a remark; all are in the JSON lines


@dataclass
class _Some:
    """The first of many texts, and how many there were: memory does not grow with them."""

    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, text: str) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            self.first.append(text)

    def shown(self) -> list[str]:
        more = self.count - len(self.first)
        return [*self.first, f"and {more} more"] if more else list(self.first)


class Report:
    """Collects outcomes and tells them."""

    def __init__(self, request: Request) -> None:
        """Begin to count and to take the time."""
        self._ranked: list[tuple[float, dict[str, object]]] | None
        self._ranked = [] if request.files.rank else None  # lines of JSON wait for their order too
        # Standard output takes no text if it takes the picture.
        self._place = None if request.output == PIPE else Path(request.output)
        self._as_json, self._quiet, self._no_bar = request.as_json, request.quiet, request.no_bar
        self._began = time.perf_counter()
        self._failed = 0
        self._nobody = _Some()
        self._notes: dict[str, _Some] = {}
        self._remarks: list[str] = []
        self._existing = 0
        self._missing: int | None = None
        self._done = 0
        self.told = 0
        """Inputs that were tried."""

    @property
    def code(self) -> int:
        """Exit code: 1 if anything could not be done."""
        return 1 if self._failed else 0

    def left_out(self, plan: Plan, found: Discovery | None = None) -> None:
        """Take note of what is not done: results that exist, other shards' jobs, other files."""
        for problem in found.problems if found else ():
            self._fail(problem)
            place, _, _ = problem.rpartition(": ")
            self._print(_record(place, None, status="failed", error=problem))
        if plan.older:
            self.remark(
                f"Older than their inputs: {numbered(len(plan.older), 'result')} of these, such as "
                f"{plan.older[0].target}."
            )
        self._existing = len(plan.existing)
        for job in plan.existing:
            self._line(job, status="skipped")
        if plan.other_shards:
            self.remark(f"Left to other shards: {numbered(plan.other_shards, 'input')}.")
        if found and found.others:
            others = numbered(found.others, "file")
            self.remark(f"Passed over: {others} without the suffix of a picture or video.")
        if found and found.results:
            results, first = numbered(len(found.results), "folder"), found.results[0]
            self.remark(f"Passed over: {results} of results, such as {first}; name it to read it.")

    def remark(self, text: str) -> None:
        """Say a sentence in the end."""
        self._remarks.append(text)

    def missing(self, jobs: Iterable[Job]) -> None:
        """Name the inputs whose results are missing, which is all that is done about them."""
        self._missing = 0
        for job in jobs:
            self._missing += 1
            self._line(job, status="missing")
            if not self._as_json:
                say(str(job.source))

    def tell_all(
        self, outcomes: Generator[Outcome], stage: str, *, total: int | None = None
    ) -> None:
        """Take note of what comes of jobs, and show how many of them are done."""
        bar = shown(stage, unit="pictures", quiet=self._no_bar)
        with closing(outcomes), bar as progress:
            for number, outcome in enumerate(outcomes, start=1):
                self.tell(outcome)
                progress(number, total)

    def tell(self, outcome: Outcome) -> None:
        """Take note of what came of a job."""
        self.told += 1
        source = str(outcome.job.source)
        if outcome.error is not None:
            self._fail(outcome.error)
        if outcome.status == "skipped":
            self._existing += 1
        if outcome.status == "done":
            self._done += 1
            if outcome.people is False:
                self._nobody.add(source)
        for text in outcome.notes:
            if text in self._notes or len(self._notes) < _TEXTS:
                self._notes.setdefault(text, _Some()).add(source)
        self._line(
            outcome.job,
            status=outcome.status,
            people=outcome.people,
            coverage=None if outcome.coverage is None else round(outcome.coverage, 6),
            seconds=round(outcome.seconds, 4),
            error=outcome.error,
            notes=list(outcome.notes),
            uncertainty=None if outcome.uncertainty is None else round(outcome.uncertainty, 6),
        )

    def close(self) -> None:
        """Say what there is to say at the end."""
        ranked, self._ranked = self._ranked, None
        ranked = sorted(ranked or (), key=lambda line: -line[0])
        for _, record in ranked:
            self._print(record)
        if not self._quiet:
            if not self._as_json:
                say(*_ranking(ranked))
            self._summarise()

    def _fail(self, error: str) -> None:
        """Told at once: whatever ends the work, it is known what went wrong before."""
        self._failed += 1
        complain(error)

    def _summarise(self) -> None:
        for text, sources in self._notes.items():
            first, count = sources.first[0], sources.count
            where = first if count == 1 else f"{count} inputs, such as {first}"
            note(f"humanseg: note: {where}: {text}")
        if self._nobody.count:
            names = ", ".join(self._nobody.shown())
            note(f"humanseg: note: nobody was found in {names}.")
        seconds = time.perf_counter() - self._began
        lines = [*self._left_alone(), *self._remarks]
        if self._missing is not None:
            lines.append(f"Still to be done: {numbered(self._missing, 'input')}.")
        if self._done and self._place is not None:
            done = f"{numbered(self._done, 'input')} in {duration(seconds)}"
            lines.append(f"Done: {done}, {self._done / seconds:.1f} per second: {self._place}")
        if self._failed and self.told > 1:
            lines.append(f"Failed: {numbered(self._failed, 'input')}; see the errors.")
        aside = self._as_json or self._place is None or self._missing is not None
        (note if aside else say)(*lines)

    def _left_alone(self) -> list[str]:
        if not self._existing:
            return []
        again = "--overwrite makes them again" if self._existing > 1 else "--overwrite redoes it"
        return [f"Left alone: {numbered(self._existing, 'result')} that existed; {again}."]

    def _line(self, job: Job, **values: object) -> None:
        record = _record(str(job.source), str(job.target), **values)
        unsure = record["uncertainty"]
        if self._ranked is not None and isinstance(unsure, float):
            self._ranked.append((unsure, record))
        else:
            self._print(record)

    def _print(self, record: dict[str, object]) -> None:
        if self._as_json:
            say(json.dumps(record))


def _ranking(ranked: Sequence[tuple[float, dict[str, object]]]) -> list[str]:
    """The pictures to look at first, a line each."""
    if not ranked:
        return []
    lines = [f"  {value:.4f}  {record['input']}" for value, record in ranked[:_SHOWN]]
    more = len(ranked) - len(lines)
    return [
        "Least sure first:",
        *lines,
        *([f"  and {more} more; --json names all"] if more else []),
    ]


def _record(source: str, target: str | None, **values: object) -> dict[str, object]:
    empty: dict[str, object] = {
        "status": "",
        "people": None,
        "coverage": None,
        "seconds": 0.0,
        "error": None,
        "notes": [],
        "uncertainty": None,
    }
    return {"input": source, "output": target} | empty | values
