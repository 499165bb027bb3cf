"""Scores of a network: metrics, intervals and tests, baselines, leaks, other data."""
