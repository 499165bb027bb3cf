"""Faster training on CPUs with the same sums."""
