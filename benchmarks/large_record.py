"""The result file of `large.py`."""

from __future__ import annotations

from typing import Literal

from humanseg.results import Environment, Record


class Drawing(Record):
    """The pictures."""

    pictures: int
    size: tuple[int, int]
    """(height, width) in pixels."""
    drawn_now: int
    """The others were there from an earlier run."""
    workers: int
    seconds: float
    mean_bytes: float
    """Of a JPEG file and its mask."""


class Memory(Record):
    """Resident memory of one process, taken every 0.2 s while it does what is measured."""

    peak_mib: float
    """Of the whole process, from its start to its end."""
    first_third_mib: float
    """Mean over the first third of the time."""
    last_third_mib: float
    growth_mib_per_minute: float
    """Between the middles of the two; 0 is what one wants."""
    measurements: int


class Restart(Record):
    """Filling that was killed (SIGKILL), and begun again."""

    killed_after: int
    """Pictures done, by the process's own count."""
    kept: int
    """Of these, how many the cache knew afterwards."""
    taken_as_they_are: int
    """How many the second process did not decode again."""
    rows_compared: int
    """Drawn at random from all, decoded anew, and found the same in every byte."""


class Filling(Record):
    """The second process, which filled the rest."""

    pictures: int
    seconds: float
    pictures_per_second: float
    decoding_per_second: float
    """Decoding and stretching alone, in as many threads, of pictures that memory may hold."""
    share_of_decoding: float
    """Of the time that decoding alone takes, over that of filling: 1 if nothing else counts."""
    cache_bytes: int
    """Of the whole cache."""
    written_mb_per_second: float
    disk_mb_per_second: float
    """Of one large file, to the disk and not only to memory."""
    share_of_disk: float
    limit: Literal["decoding", "disk", "neither"]
    """What takes more than half of the time, and more than the other."""
    memory: Memory


class Training(Record):
    """One run of `humanseg train` from the cache."""

    pictures: int
    """Of the data set; 2 % are not trained on."""
    epochs: int
    images_per_second: float
    """Training iterations of the last epoch alone."""
    wall_seconds: float
    """From the start of the process to its end."""
    exit_code: int
    """1 where the network had learnt nothing yet, which humanseg refuses to save."""
    memory: Memory
    """During the last epoch."""


class Result(Record):
    """The result file."""

    environment: Environment
    grid: tuple[int, int]
    """(height, width) of the network's input, and of the cache's rows."""
    drawing: Drawing
    restart: Restart
    filling: Filling
    few: tuple[Training, ...]
    """With a tenth of the pictures, one per round."""
    all: tuple[Training, ...]
    """With all of them, in turn with the former."""
    ratio: float
    """Median images per second with all pictures, over that with a tenth."""
