"""Folders of inputs: found, planned, run."""
