"""Percentile bootstrap over groups of pictures (Field and Welsh 2007)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from humanseg.results import Interval

Floats = NDArray[np.float64]
Values = Sequence[float | None] | Floats
"""One number per picture; None and NaN are undefined."""

_TAILS = (0.025, 0.975)
_CHUNK_ENTRIES = 1_000_000
_KEPT_BYTES = 128 * 2**20


class GroupBootstrap:
    """Resamples of groups of pictures, the same ones for every number of an analysis.

    A resample draws as many groups as there are, with replacement; a group comes with all its
    pictures. The draw depends on `seed` and on the groups' names, not on the order of the pictures.

    A picture whose number is undefined is left out, within every resample as within the sample.
    That is also the way to look at some of the pictures only: call the others None.

    Every method returns an interval whose estimate is that of the sample itself and whose ends are
    the 2.5th and 97.5th percentile over resamples; the ends are None where fewer than two groups
    have a number. Resamples in which the number is undefined are left out. Where no picture has a
    number, methods return None instead of an interval. They raise ValueError for values that are
    infinite, or not one per picture.

    Memory is bounded: up to 128 MiB of multiplicities are kept (6,700 groups at 10,000 resamples);
    with more they are drawn anew for every number, which takes time in proportion to groups times
    resamples: ten to twenty seconds for 100,000 groups at 10,000.
    """

    def __init__(self, groups: Sequence[str], resamples: int = 10_000, seed: int = 0) -> None:
        """Draw so many resamples of pictures whose groups have these names.

        Raises:
            ValueError: no pictures or no resamples.
        """
        if len(groups) == 0 or resamples < 1:
            raise ValueError(
                f"{len(groups)} pictures and {resamples} resamples: give at least one of both."
            )
        names, index = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
        self._index: NDArray[np.intp] = index
        self._groups = len(names)
        self._resamples = resamples
        self._seed = seed
        self._kept: list[NDArray[np.uint16]] | None = None
        if self._groups * resamples * np.dtype(np.uint16).itemsize <= _KEPT_BYTES:
            self._kept = list(self._draw())

    def count(self, values: Values) -> int:
        """Number of groups that have a number among (pictures,) values."""
        return len(np.unique(self._index[~np.isnan(self._column(values))]))

    def mean(self, values: Values) -> Interval | None:
        """Mean over pictures of (pictures,) values, finite or undefined."""
        column = self._column(values)
        shift = _first_defined(column)  # equal values become exact zeros
        columns = np.column_stack([np.ones_like(column), column - shift])
        return self.of_sums(columns, lambda sums: shift + sums[:, 1] / sums[:, 0])

    def ratio(self, numerators: Values, denominators: Values) -> Interval | None:
        """Sum of numerators over sum of denominators, as of the pooled IoU.

        Both are (pictures,), finite or undefined; a picture counts if it has both.
        """
        columns = np.column_stack([self._column(numerators), self._column(denominators)])
        return self.of_sums(columns, lambda sums: sums[:, 0] / sums[:, 1])

    def difference_over_seeds(self, first: Floats, second: Floats) -> Interval | None:
        """Mean difference of two networks by their (seeds, pictures) scores.

        A hierarchical bootstrap: every resample draws groups of pictures, and of either network as
        many seeds as it has, with replacement. Resampled seeds vary (n - 1)/n as much as other
        seeds would, so their deviations are enlarged by sqrt(n/(n - 1)). A picture with an
        undefined score is left out.
        """
        columns = np.column_stack([first.T, second.T, np.ones(first.shape[1])])
        sums, defined = self._group_sums(columns)
        if not len(defined):
            return None
        rng = np.random.default_rng([self._seed, 1])
        ours, theirs = (_seed_weights(rng, self._resamples, len(part)) for part in (first, second))
        weights = np.concatenate([ours, -theirs], axis=1)
        totals = np.concatenate([chunk.astype(np.float64) @ sums for chunk in self._chunks()])
        with np.errstate(divide="ignore", invalid="ignore"):
            resampled = (weights * totals[:, :-1] / totals[:, -1:]).sum(axis=1)
        means = sums.sum(axis=0)[:-1] / len(defined)
        estimate = float(means[: len(first)].mean() - means[len(first) :].mean())
        return self._interval(estimate, resampled, defined)

    def sd(self, values: Values) -> Interval | None:
        """Sample standard deviation of (pictures,) values; None with fewer than two."""
        column = self._column(values)
        centred = column - _first_defined(column)
        if not np.isnan(centred).all():
            centred -= np.nanmean(centred)  # keeps the difference of squares below accurate

        def deviation(sums: Floats) -> Floats:
            count, total, squares = sums.T
            variance = np.maximum(squares - total**2 / count, 0) / (count - 1)
            return np.sqrt(np.where(count > 1, variance, np.nan))

        columns = np.column_stack([np.ones_like(centred), centred, centred**2])
        return self.of_sums(columns, deviation)

    def quantile(self, values: Values, q: float) -> Interval | None:
        """Quantile `q`, 0 to 1, over pictures, linear between order statistics as `numpy.quantile`.

        Raises:
            ValueError: also for `q` out of range.
        """
        column = self._column(values)
        if not 0 <= q <= 1:
            raise ValueError(f"Quantile {q}: give a number from 0 to 1.")
        defined = np.flatnonzero(~np.isnan(column))
        if not len(defined):
            return None
        order = defined[np.argsort(column[defined], kind="stable")]
        ranked, index = column[order], self._index[order]
        resampled = [_quantiles(chunk[:, index], ranked, q) for chunk in self._chunks()]
        estimate = float(np.quantile(ranked, q))
        return self._interval(estimate, np.concatenate(resampled), defined)

    def of_sums(self, columns: Floats, function: Callable[[Floats], Floats]) -> Interval | None:
        """Any number of sums over pictures; None where the sample's own is undefined.

        `columns` (pictures, columns) is summed, without pictures that have an undefined entry;
        `function` takes sums (n, columns) to numbers (n,), undefined where they are not finite.
        """
        sums, defined = self._group_sums(columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = float(function(sums.sum(axis=0, keepdims=True))[0])
            if not np.isfinite(estimate):
                return None
            resampled = [function(chunk.astype(np.float64) @ sums) for chunk in self._chunks()]
        return self._interval(estimate, np.concatenate(resampled), defined)

    def _group_sums(self, columns: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """(groups, columns) sums over the pictures of each group, and which those are."""
        self._check(columns)
        defined = np.asarray(~np.isnan(columns).any(axis=1), dtype=np.bool_)
        sums = np.zeros((self._groups, columns.shape[1]))
        np.add.at(sums, self._index, np.where(defined[:, None], columns, 0.0))
        return sums, np.flatnonzero(defined)

    def _interval(self, estimate: float, resampled: Floats, defined: NDArray[np.intp]) -> Interval:
        resampled = resampled[np.isfinite(resampled)]
        if len(np.unique(self._index[defined])) < 2 or not len(resampled):
            return Interval(estimate=estimate)
        low, high = np.quantile(resampled, _TAILS)
        return Interval(estimate=estimate, low=float(low), high=float(high))

    def _chunks(self) -> Iterator[NDArray[np.uint16]]:
        """Multiplicities of the groups, some resamples at a time: (resamples, groups)."""
        return self._draw() if self._kept is None else iter(self._kept)

    def _draw(self) -> Iterator[NDArray[np.uint16]]:
        rng = np.random.default_rng(self._seed)
        groups = self._groups
        rows = max(1, _CHUNK_ENTRIES // len(self._index))
        for start in range(0, self._resamples, rows):
            count = min(rows, self._resamples - start)
            drawn = rng.integers(groups, size=(count, groups))
            drawn += groups * np.arange(count)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=count * groups)
            yield counts.reshape(count, groups).astype(np.uint16)

    def _column(self, values: Values) -> Floats:
        column = np.array(values, dtype=np.float64)
        self._check(column)
        return column

    def _check(self, values: Floats) -> None:
        if len(values) != len(self._index):
            raise ValueError(
                f"{len(values)} values for {len(self._index)} pictures: give one per picture."
            )
        if np.isinf(values).any():
            raise ValueError("A score is infinite: give finite ones, and None for undefined ones.")


def _seed_weights(rng: np.random.Generator, resamples: int, seeds: int) -> Floats:
    """(resamples, seeds) weights of the means of resampled seeds; the weights of a row sum to 1."""
    if seeds == 1:
        return np.ones((resamples, 1))
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    return np.asarray(1 / seeds + np.sqrt(seeds / (seeds - 1)) * (drawn - 1 / seeds))


def _first_defined(column: Floats) -> float:
    defined = column[~np.isnan(column)]
    return float(defined[0]) if len(defined) else 0.0


def _quantiles(counts: NDArray[np.uint16], ranked: Floats, q: float) -> Floats:
    """Quantile of every row: `ranked` (n,) ascending, each repeated as `counts` (rows, n) says."""
    reached = np.cumsum(counts, axis=1, dtype=np.int32)
    total = reached[:, -1]
    position = np.maximum(total - 1, 0) * q
    lower = np.floor(position).astype(np.int32)
    upper = np.minimum(lower + 1, np.maximum(total - 1, 0))
    last = len(ranked) - 1  # where a row is empty
    below, above = (
        ranked[np.minimum((reached <= rank[:, None]).sum(axis=1), last)] for rank in (lower, upper)
    )
    return np.where(total > 0, below + (above - below) * (position - lower), np.nan)
