"""Data sets: find pairs, check them, split them, download and draw them."""

from __future__ import annotations

from humanseg.data._tables import Missing, Pairs
from humanseg.data.audit import AuditReport, Finding, audit
from humanseg.data.download import download
from humanseg.data.duplicates import duplicate_groups
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover, find_pairs
from humanseg.data.samples import Sample
from humanseg.data.splits import check_split, foreground_shares, make_split
from humanseg.data.synthesis import draw_scene, synthesize

__all__ = [
    "AuditReport",
    "Finding",
    "Missing",
    "Pairs",
    "Sample",
    "audit",
    "check_split",
    "discover",
    "download",
    "draw_scene",
    "duplicate_groups",
    "find_pairs",
    "fingerprint",
    "foreground_shares",
    "make_split",
    "synthesize",
]
