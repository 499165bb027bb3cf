"""The command line. Every command's work happens in the layers below; here are words and exits."""

from __future__ import annotations

from humanseg.cli.app import main

__all__ = ["main"]
