"""One page that says which network finds people best, drawn from records alone.

Reads a comparison, run or evaluation folder and writes a self-contained HTML page, the same in
Markdown, and the per-picture counts as CSV. No model is ever loaded here.
"""

from __future__ import annotations

from humanseg.report.page import ReportFiles, write_report

__all__ = ["ReportFiles", "write_report"]
