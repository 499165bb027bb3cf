"""Data sets: find pairs, check them, split them, download and draw them."""

from __future__ import annotations

from humanseg.annotations.label_set import Missing
from humanseg.data.audit import AuditReport, audit
from humanseg.data.download import download
from humanseg.data.fingerprint import fingerprint
from humanseg.data.inspection import Finding
from humanseg.data.layouts import discover, find_pairs
from humanseg.data.metadata import Facts, read_facts
from humanseg.data.pairs import Pairs
from humanseg.data.same_scene import leaks, scene_pairs
from humanseg.data.samples import Sample
from humanseg.data.splits import check_split, make_split
from humanseg.data.synthesis import draw_scene, synthesize

__all__ = [
    "AuditReport",
    "Facts",
    "Finding",
    "Missing",
    "Pairs",
    "Sample",
    "audit",
    "check_split",
    "discover",
    "download",
    "draw_scene",
    "find_pairs",
    "fingerprint",
    "leaks",
    "make_split",
    "read_facts",
    "scene_pairs",
    "synthesize",
]
