"""Measure times and memory of a model on this machine. Needs no torch."""

from humanseg.benchmark.speed import SpeedOptions, measure_speed
from humanseg.benchmark.speed_record import SpeedRecord

__all__ = ["SpeedOptions", "SpeedRecord", "measure_speed"]
