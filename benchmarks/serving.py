"""`humanseg serve` on loopback: latency, throughput, memory, stopping and starting.

    .venv/bin/python -m benchmarks.serving --output benchmarks/results/NAME.json

One-megapixel JPEG files in, PNG masks out, with the bundled model and the server's own defaults;
client and server share the cores. Throughput is compared, in turns, with threads of this process
that call the same code on the same pictures, as many as the server has workers. Before SIGTERM it
is made sure that pictures are being computed and others wait. Memory is what is resident.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from benchmarks.folder import SMALL, photographs

from humanseg import Segmenter
from humanseg.batch.runner import predict_image
from humanseg.effects.effect import effect_of
from humanseg.results import Environment, Record, write_record
from humanseg.results.provenance import describe_environment
from humanseg.system.cpu import usable_cores

DRAWN = 16
"""Different pictures; they are sent in turn."""
STOPPED_SIZE = (4000, 3000)
STOPPED_REQUESTS = 8


class Load(Record):
    """Many requests at one concurrency."""

    concurrency: int
    requests: int
    statuses: dict[str, int]
    per_second: float
    median_ms: float
    p95_ms: float


class Result(Record):
    """The result file."""

    environment: Environment
    backend: str
    precision: str
    workers: int
    image_bytes: float
    """Mean of the files that are sent."""
    alone: Load
    """One request after the other."""
    loads: tuple[Load, ...]
    """At concurrency 32, a round each."""
    in_process_per_second: tuple[float, ...]
    """Of threads of this process, a round each, in turn with `loads`."""
    share_of_in_process: float
    """Median of `loads` over median of `in_process_per_second`."""
    soak_requests: int
    soak_statuses: dict[str, int]
    memory_before: int
    memory_after: int
    """Bytes, before and after the soak, which begins when the loads are over."""
    stops: int
    stop_requests: int
    """Requests that were taken on when SIGTERM came, of all stops together."""
    stop_answered: int
    """Of these, answered whole with 200."""
    stop_exit_codes: dict[str, int]
    first_answer_seconds: tuple[float, ...]
    """From the start of the process to the first mask, a process each."""
    first_answer_median: float


@dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @property
    def memory(self) -> int:
        """Bytes that are resident (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def get(self, path: str) -> str:
        """What a GET answers."""
        with urlopen(f"{self.url}{path}", timeout=60) as answer:
            return str(answer.read().decode())


@contextmanager
def running() -> Iterator[Running]:
    """A server on a free port; killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "humanseg", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("Serving at "):
            raise SystemExit("The server did not start.")
        yield Running(process, line.split()[2])
    finally:
        process.kill()
        process.wait()


def request_of(url: str, content: bytes, query: str = "") -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"POST /v1/segment{query} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def _load(url: str, contents: Sequence[bytes], *, concurrency: int, count: int) -> Load:
    """Send requests over as many connections as there may be at a time."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    requests = [request_of(url, content) for content in contents]
    numbers = iter(range(count))
    statuses: Counter[str] = Counter()
    seconds: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for number in numbers:
            began = time.perf_counter()
            status, _ = await _ask(reader, writer, requests[number % len(requests)])
            seconds.append(time.perf_counter() - began)
            statuses[str(status)] += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(concurrency)))
    return load_of(concurrency, statuses, seconds, time.perf_counter() - began)


def load_of(
    concurrency: int, statuses: Counter[str], seconds: Sequence[float], whole: float
) -> Load:
    """The figures of requests that took `seconds` each and `whole` together."""
    return Load(
        concurrency=concurrency,
        requests=len(seconds),
        statuses=dict(statuses),
        per_second=statuses["200"] / whole,
        median_ms=statistics.median(seconds) * 1000,
        p95_ms=statistics.quantiles(seconds, n=20, method="inclusive")[-1] * 1000,
    )


def load(url: str, contents: Sequence[bytes], *, concurrency: int, count: int) -> Load:
    """See `Load`."""
    return asyncio.run(_load(url, contents, concurrency=concurrency, count=count))


def in_process(
    segmenter: Segmenter, contents: Sequence[bytes], *, workers: int, count: int
) -> float:
    """Pictures per second of threads that do what the server's do."""
    effect = effect_of("mask")

    def work(content: bytes) -> None:
        _, prediction = predict_image(content, segmenter=segmenter, effect=effect, name="png")
        _ = prediction.found, prediction.coverage

    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, itertools.islice(itertools.cycle(contents), count)))
    return count / (time.perf_counter() - began)


async def _stop_under_load(server: Running, content: bytes) -> int:
    """Requests that were answered whole, of `STOPPED_REQUESTS` that were taken on."""
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    request = request_of(server.url, content, "?output=cutout&refine=true")

    async def ask() -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            status, _ = await _ask(reader, writer, request)
        except (OSError, asyncio.IncompleteReadError):
            return False
        writer.close()
        return status == 200

    answers = [asyncio.create_task(ask()) for _ in range(STOPPED_REQUESTS)]
    taken_on = f"humanseg_waiting {float(STOPPED_REQUESTS)}"
    while taken_on not in await asyncio.to_thread(server.get, "/metrics"):
        if any(answer.done() for answer in answers):
            raise SystemExit("The pictures were done before all of them were taken on.")
    server.process.send_signal(signal.SIGTERM)
    return sum(await asyncio.gather(*answers))


def stops(count: int, content: bytes) -> tuple[int, Counter[str]]:
    """Answers and exit codes of servers that are stopped in the midst of work."""
    answered, codes = 0, Counter[str]()
    for _ in range(count):
        with running() as server:
            answered += asyncio.run(_stop_under_load(server, content))
            codes[str(server.process.wait(timeout=120))] += 1
    return answered, codes


def first_answers(rounds: int, content: bytes) -> list[float]:
    """Seconds from start to first mask; the first process, which fills caches, is left out."""
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        with running() as server:
            if load(server.url, [content], concurrency=1, count=2).statuses != {"200": 2}:
                raise SystemExit("The first request failed.")
            seconds.append(time.perf_counter() - began)
    return seconds[1:]


def packed(data: Path | None, size: tuple[int, int], count: int) -> list[bytes]:
    """JPEG files of one size."""
    contents = []
    for image in itertools.islice(photographs(data, size), count):
        stream = io.BytesIO()
        image.save(stream, format="JPEG", quality=90)
        contents.append(stream.getvalue())
    return contents


def measure(options: argparse.Namespace, say: Callable[[str], None]) -> Result:
    """All of it, one after the other."""
    contents = packed(options.data, SMALL, DRAWN)
    workers = usable_cores()
    segmenter = Segmenter(threads=1)
    loads, rates = [], []
    with running() as server:
        load(server.url, contents, concurrency=1, count=20)
        in_process(segmenter, contents, workers=workers, count=20)
        alone = load(server.url, contents, concurrency=1, count=options.requests)
        say(f"alone: median {alone.median_ms:.1f} ms, p95 {alone.p95_ms:.1f} ms")
        for _ in range(options.rounds):
            loads.append(load(server.url, contents, concurrency=32, count=options.requests))
            rates.append(in_process(segmenter, contents, workers=workers, count=options.requests))
            say(f"32 at a time: {loads[-1].per_second:.1f}/s; in process: {rates[-1]:.1f}/s")
        before = server.memory
        soak = load(server.url, contents, concurrency=8, count=options.soak)
        after = server.memory
    say(f"{options.soak} requests: {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after")
    (large,) = packed(options.data, STOPPED_SIZE, 1)
    answered, codes = stops(options.stops, large)
    say(f"SIGTERM: {answered} of {options.stops * STOPPED_REQUESTS} answered, exit {dict(codes)}")
    firsts = first_answers(options.rounds, contents[0])
    say(f"start to first answer: {statistics.median(firsts):.2f} s")
    return Result(
        environment=describe_environment(device="cpu", threads=workers),
        backend=segmenter.engine.name,
        precision=segmenter.engine.precision,
        workers=workers,
        image_bytes=statistics.mean(map(len, contents)),
        alone=alone,
        loads=tuple(loads),
        in_process_per_second=tuple(rates),
        share_of_in_process=statistics.median(row.per_second for row in loads)
        / statistics.median(rates),
        soak_requests=options.soak,
        soak_statuses=soak.statuses,
        memory_before=before,
        memory_after=after,
        stops=options.stops,
        stop_requests=options.stops * STOPPED_REQUESTS,
        stop_answered=answered,
        stop_exit_codes=dict(codes),
        first_answer_seconds=tuple(firsts),
        first_answer_median=statistics.median(firsts),
    )


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of photographs; drawn ones if not given")
    parser.add_argument("--requests", type=int, default=500, help="of every load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--soak", type=int, default=10_000)
    parser.add_argument("--stops", type=int, default=50)
    options = parser.parse_args()
    write_record(options.output, measure(options, print))


if __name__ == "__main__":
    main()
