"""The command line's application, which the reference is drawn from."""

from humanseg.cli.app import build_app

app = build_app()
