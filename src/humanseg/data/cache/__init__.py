"""A folder on a disk that keeps what was decoded, so that no run does it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from humanseg.data.cache.cached import CachedGrids
from humanseg.data.cache.store import Store
from humanseg.data.inspection import Seen
from humanseg.data.samples import Sample
from humanseg.images.resize import Size

__all__ = ["Cache", "CachedGrids", "Seen"]


class Cache:
    """A folder that many data sets, sizes and processes may share.

    It holds what was found out about pictures and their truths (sizes, shares of persons, digests,
    signatures, findings), and their pixels on the grids that networks were trained on. A picture
    and its truth are known by their absolute paths, outlines by their digest. Files of the same
    length and time of change as when they were looked at are taken as unchanged, without being
    read; whatever has changed is looked at again.

    What is found out is kept every few seconds. A process that is killed loses that little; one
    process fills at a time, and others read meanwhile. No method leaves anything open, so a cache
    may be used in threads and in forked processes.
    """

    def __init__(self, folder: Path, *, note: Callable[[str], None]) -> None:
        """Open a cache, or make one in a folder that is new or empty.

        A cache whose index is damaged, or that another version of humanseg or Pillow made, is
        emptied.

        Args:
            folder: where it is or shall be.
            note: called with a sentence about whatever the user would not expect: how many
                pictures have changed, what is damaged and made again, that another process fills.

        Raises:
            UsageError: `folder` is a file, or holds something else.
            OSError: it cannot be made, read or written to.
        """
        self.folder = folder
        self._store = Store(folder, note=note)

    def examine(
        self, samples: Sequence[Sample], *, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Seen]:
        """Facts, digests and findings by id; looks at pictures that are new or have changed.

        Grids of the same pictures are best prepared before: `CachedGrids.prepare` examines what is
        new from the very decoding that gives its row, and this then decodes nothing.

        Args:
            samples: pictures; their ids differ.
            progress: called with (pictures done, all pictures) where there is something to do.

        Returns:
            About 3.5 kB per picture. Pictures that cannot be read are in it, with the reason
            as a remark; they are looked at again every time.

        Raises:
            DataError: no room on the disk.
            OSError: the disk is full or fails; what was done stays.
        """
        seen = self._store.seen(samples, progress)
        return {sample.id: one for sample, one in zip(samples, seen, strict=True)}

    def digests(self, samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
        """Digests for `fingerprint`, by id, of those samples that were examined and are unchanged.

        Raises:
            OSError: the disk fails.
        """
        return self._store.digests(samples)

    def grids(self, samples: Sequence[Sample], *, size: Size, mask_resize: str) -> CachedGrids:
        """Samples on a network's grid; nothing is read or decoded before it is asked for.

        Args:
            samples: pictures.
            size: (height, width) of the network's input.
            mask_resize: `area` or `nearest`, see `DataConfig`.
        """
        return CachedGrids(self._store, samples, size, mask_resize)
