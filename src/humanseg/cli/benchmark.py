"""`humanseg benchmark`: times and memory on this machine, and other networks beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from cyclopts import Group, Parameter

from humanseg.cli import flags
from humanseg.cli.bars import shown
from humanseg.cli.terminal import note, say
from humanseg.errors import UsageError
from humanseg.images import MAX_PIXELS
from humanseg.results import Record, write_record

R = TypeVar("R", bound=Record)

_Backend: TypeAlias = Literal["auto", "onnxruntime", "openvino", "torch"]
_Precision: TypeAlias = Literal["auto", "fp32", "bf16", "int8"]
_Device: TypeAlias = Literal["auto", "cpu", "cuda"]

_MANY = Parameter(consume_multiple=True, negative_iterable="")
_SPEED = Group("Speed", sort_key=10)
_PEERS = Group("Peers", help="Other projects' networks, measured in turn with ours.", sort_key=11)


def benchmark(
    model: Annotated[
        Path | None, Parameter(help="Model directory; the bundled model if not given.")
    ] = None,
    /,
    *,
    backends: Annotated[
        tuple[_Backend, ...] | None,
        _MANY,
        Parameter(
            help="What runs the network; every one by default, `auto` with --quick or --peers."
        ),
    ] = None,
    precisions: Annotated[
        tuple[_Precision, ...] | None,
        _MANY,
        Parameter(help="Its arithmetic; every one by default, `auto` with --quick or --peers."),
    ] = None,
    threads: Annotated[
        tuple[int, ...] | None,
        _MANY,
        Parameter(help="Threads of the network; 1 and all cores by default."),
    ] = None,
    device: Annotated[_Device, Parameter(help="Where the network runs.")] = "cpu",
    calls: Annotated[
        int | None,
        Parameter(help="Timed calls per round, or per picture with --peers; 20, or 3, by default."),
    ] = None,
    json: Annotated[bool, flags.switch("Print the record as JSON instead of tables.")] = False,
    output: Annotated[
        Path | None, Parameter(name=["-o", "--output"], help="JSON file for the record.")
    ] = None,
    pictures: Annotated[
        tuple[Path, ...] | None,
        _MANY,
        Parameter(group=_SPEED, help="Files or folders to time; generated ones by default."),
    ] = None,
    sizes: Annotated[
        tuple[str, ...] | None,
        _MANY,
        Parameter(group=_SPEED, help="WIDTHxHEIGHT of generated pictures, such as 4000x3000."),
    ] = None,
    rounds: Annotated[
        int | None,
        Parameter(group=_SPEED, help="Fresh processes per configuration; 5 by default."),
    ] = None,
    quick: Annotated[
        bool,
        Parameter(group=_SPEED, negative="", show_default=False),
        Parameter(help="One round of what is chosen for you: a look, nothing to quote."),
    ] = False,
    peers: Annotated[
        tuple[str, ...] | None,
        _MANY,
        Parameter(
            group=_PEERS, help="mediapipe, mediapipe-landscape, or an adapter of your own (.py)."
        ),
    ] = None,
    peer_python: Annotated[
        Path | None,
        Parameter(group=_PEERS, help="Python interpreter that the peers are installed for."),
    ] = None,
    data: Annotated[
        Path | None,
        Parameter(group=_PEERS, help="Folder, CSV or COCO JSON with images and masks."),
    ] = None,
    layout: Annotated[flags.LayoutName, Parameter(group=_PEERS)] = "auto",
    split: Annotated[
        Path | None,
        Parameter(group=_PEERS, help="JSON of `humanseg data split`: its test pictures alone."),
    ] = None,
    groups: Annotated[
        Path | None,
        Parameter(group=_PEERS, help="CSV with id and group; pictures of a group count as one."),
    ] = None,
    person_free: Annotated[
        tuple[Path, ...] | None,
        _MANY,
        Parameter(group=_PEERS, help="Files or folders of pictures without people."),
    ] = None,
    limit: Annotated[
        int | None, Parameter(group=_PEERS, help="At most so many pictures of each kind.")
    ] = None,
) -> None:
    """Time a model on this machine, by backend, precision, threads and picture size.

    With --peers: accuracy and time of other projects' networks beside it, on the same pictures.
    """
    flags.free_output_file(output)
    ways = {
        "backends": backends,
        "precisions": precisions,
        "threads": threads,
        "device": device,
        "calls": calls,
    }
    speed = {"pictures": pictures, "sizes": sizes, "rounds": rounds, "quick": quick or None}
    beside = {
        "peer_python": peer_python,
        "data": data,
        "layout": None if layout == "auto" else layout,
        "split": split,
        "groups": groups,
        "person_free": person_free,
        "limit": limit,
    }
    if peers:
        _refuse(speed, "is not for --peers; leave one of them out")
        _compare(model, _given(ways | beside | {"peers": peers}), json, output)
    else:
        _refuse(beside, "is for --peers; name some, or leave it out")
        _measure(model, ways | speed, json, output)


def _refuse(values: dict[str, Any], why: str) -> None:
    for name, value in values.items():
        if value is not None:
            raise UsageError(f"--{name.replace('_', '-')} {why}.")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _measure(model: Path | None, asked: dict[str, Any], json: bool, output: Path | None) -> None:
    sizes = parsed_sizes(asked["sizes"])
    if sizes and asked["pictures"]:
        raise UsageError("--sizes is for generated pictures; leave it or --pictures out.")
    from humanseg.benchmark.speed import Effort, measure_speed, quick_look
    from humanseg.cli.benchmark_text import noise_in_words, speed_in_words

    effort = {name: asked.pop(name) for name in ("rounds", "calls")}
    quick = asked.pop("quick")
    settings = (quick_look() if quick else {"effort": Effort()}) | _given(asked | {"sizes": sizes})
    settings["effort"] = replace(settings["effort"], **_given(effort))
    with shown("Measuring") as progress:
        record = measure_speed(model, **settings, progress=progress)
    _finish(record, json, output, speed_in_words)
    note(*noise_in_words(record))


def _compare(model: Path | None, asked: dict[str, Any], json: bool, output: Path | None) -> None:
    from humanseg.benchmark.peers import compare_with_peers
    from humanseg.cli.benchmark_text import doubts_in_words, peers_in_words

    if "data" in asked:
        flags.existing_data(asked["data"])
    with shown("Comparing", unit="images") as progress:
        record = compare_with_peers(model, **asked, progress=progress)
    _finish(record, json, output, peers_in_words)
    note(*doubts_in_words(record))


def _finish(
    record: R, json: bool, output: Path | None, in_words: Callable[[R], Sequence[str]]
) -> None:
    """Show a record and keep it."""
    if output is not None:
        write_record(output, record)
    say(*([record.model_dump_json(indent=1)] if json else in_words(record)))


def parsed_sizes(texts: Sequence[str] | None) -> tuple[tuple[int, int], ...] | None:
    """(height, width) of every WIDTHxHEIGHT."""
    if texts is None:
        return None
    sizes = []
    for text in texts:
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
        width, height = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 0 < width * height <= MAX_PIXELS:
            raise UsageError(
                f"--sizes {text}: give WIDTHxHEIGHT in pixels, such as 1920x1080, of at most "
                f"{MAX_PIXELS // 1_000_000} million."
            )
        sizes.append((height, width))
    return tuple(sizes)
