"""The record of a measurement: `humanseg benchmark -o FILE` writes it as JSON."""

from __future__ import annotations

from typing import Literal

from humanseg.results import SCHEMA_VERSION, Environment, Record


class Timing(Record):
    """Repeated times of one thing, in seconds."""

    rounds: tuple[tuple[float, ...], ...]
    """Every time, by round. Between rounds everything else was measured."""
    count: int
    median: float
    p95: float
    """95th percentile, linear between order statistics, like the quartiles."""
    lower_quartile: float
    upper_quartile: float
    minimum: float
    maximum: float
    drift: float | None
    """Largest less smallest median of a round, as a share of the median; None for one round."""


class Configuration(Record):
    """One way to run the network."""

    backend: str
    precision: str
    device: str
    threads: int
    """Of the network, for one picture."""


class Unavailable(Record):
    """A way to run the network that this machine, installation or model does not offer."""

    backend: str
    precision: str
    reason: str


class ImageFile(Record):
    """A file that is timed from its bytes on disk to its mask."""

    name: str
    height: int
    """Pixels, upright."""
    width: int
    bytes: int
    generated: bool


class ColdStart(Record):
    """From nothing to the first mask, in a fresh process; one time per round."""

    imported: Timing
    """Importing humanseg's segmenter."""
    loaded: Timing
    """Making the segmenter: reading the model and preparing it for the processor."""
    first: Timing
    """The first picture, from file to mask."""
    total: Timing
    """From the start of the process to the first mask: the interpreter's own start included."""


class Measured(Record):
    """What one configuration took."""

    configuration: Configuration
    network: Timing
    """One picture that already has the network's size, to its probability map."""
    pictures: dict[str, Timing]
    """By name of the picture: from the file to the mask at the picture's own size."""
    cold_start: ColdStart
    peak_memory: tuple[int, ...] | None
    """Bytes: the process's largest resident memory over all of the above, one figure per round;
    None where the system does not tell."""


class Throughput(Record):
    """Pictures per second with every core at work."""

    configuration: Configuration
    """`threads` of each network."""
    workers: int
    """Threads that each read a picture, run the network on it and make its mask."""
    picture: str
    rates: tuple[float, ...]
    """Pictures per second, one figure per round."""
    median: float
    peak_memory: tuple[int, ...] | None
    """Bytes, as in `Measured`."""


class Machine(Record):
    """What an `Environment` does not say and times depend on."""

    usable_cores: int
    """Physical ones that this process may use."""
    memory: int | None
    """Bytes of the whole machine; None where the system does not tell."""
    features: tuple[str, ...]
    """Of the processor's instruction sets, those that networks profit from."""
    load_before: float | None
    """Processes that wanted to run, mean of the last minute, before anything was measured."""
    load_after: float | None
    """The same when all was done; the measurement itself included."""
    thread_variables: dict[str, str]
    """Environment variables that set numbers of threads."""


class SpeedRecord(Record):
    """Times and memory of a model on one machine."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["speed"] = "speed"
    model: str
    """Path as it was given, or `bundled`."""
    model_files: dict[str, str]
    """SHA-256 by name of the files with weights."""
    image_size: tuple[int, int]
    """Height and width of the network's grid."""
    flip_averaging: bool
    """Whether a mask took two runs of the network; the model's own setting."""
    calls: int
    """Timed calls per round."""
    warm_up: int
    """Untimed calls before them."""
    pictures: tuple[ImageFile, ...]
    measured: tuple[Measured, ...]
    throughput: tuple[Throughput, ...]
    unavailable: tuple[Unavailable, ...]
    machine: Machine
    environment: Environment
