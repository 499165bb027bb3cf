"""A folder on a disk that keeps what was decoded, so that no run does it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from humanseg.data.cache.cached import CachedImages
from humanseg.data.cache.store import Store
from humanseg.data.inspection import InspectedSample
from humanseg.data.samples import Sample
from humanseg.images.resize import Size

__all__ = ["Cache", "CachedImages", "InspectedSample"]


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

    def inspect(
        self, samples: Sequence[Sample], *, progress: Callable[[int, int], None] | None = None
    ) -> list[InspectedSample]:
        """Facts, digests and findings of each; looks at pictures that are new or have changed.

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
        return self._store.seen(samples, progress)

    def digests(self, samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
        """Digests for `fingerprint`, by id, of those samples that were examined and are unchanged.

        Raises:
            OSError: the disk fails.
        """
        return self._store.digests(samples)

    def resized(self, samples: Sequence[Sample], *, size: Size, mask_resize: str) -> CachedImages:
        """Samples on a network's grid; nothing is read or decoded before it is asked for.

        Args:
            samples: pictures.
            size: (height, width) of the network's input.
            mask_resize: `area` or `nearest`, see `DataConfig`.
        """
        return CachedImages(self._store, samples, size, mask_resize)
