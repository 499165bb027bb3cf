"""Masks of pictures in batches, as Ray Data, Daft and Spark hand them out.

With Ray Data, on a cluster of 32 cores, of which one reads:

    pictures = ray.data.read_binary_files("photos", include_paths=True)
    workers = ray.data.ActorPoolStrategy(size=31)
    masks = pictures.map_batches(PredictBatch, batch_size=32, compute=workers, num_cpus=1)
    masks.write_parquet("masks")

With Daft, on one machine, or on a cluster after `daft.set_runner_ray()`:

    pictures = daft.from_glob_path("photos/**/*.jpg")
    pictures = pictures.with_column("content", pictures["path"].download())
    predict = daft_predictor()
    masks = pictures.select("path", predict(pictures["content"]).unnest())
    masks.write_parquet("masks")

With Spark, where this file goes along as `--py-files predict_batches.py`:

    pictures = spark.read.format("binaryFile").load("photos").select("path", "content")
    masks = pictures.mapInPandas(predict_frames, schema=SPARK_SCHEMA)
    masks.write.parquet("masks")

All give a row per picture: `path`; `mask`, the content of a PNG file, 255 where there is a person,
the same bytes as `humanseg predict` writes; `coverage`, the share of the picture that is person;
and `error`, a sentence. One of `mask` and `error` is None, `coverage` is then NaN: a damaged
picture ends no job. Neither Ray nor Spark nor pandas is imported here, and Daft only by its own
function. ONNX Runtime is told to send nothing when `humanseg` imports it; where something else
imports it first, set ORT_DISABLE_TELEMETRY=1 on the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from humanseg import Segmenter
from humanseg.effects.encode import encode
from humanseg.system.errors import ImageError

Columns: TypeAlias = dict[str, NDArray[Any]]

SPARK_SCHEMA = "path string, mask binary, coverage double, error string"


class PredictBatch:
    """The network, loaded once per worker and called with batch after batch."""

    def __init__(self, model: str | Path | None = None, *, threads: int = 1) -> None:
        """Load the network.

        Args:
            model: model directory, on a disk that all workers see; the bundled one if None.
            threads: of the network; as many as cores are set aside for a worker.
        """
        self._segmenter = Segmenter(model, threads=threads)

    def __call__(self, batch: Mapping[str, Iterable[Any]]) -> Columns:
        """Find the people in a batch.

        Args:
            batch: columns `path`, and `bytes` with the content of the picture files.

        Returns:
            columns `path`, `mask` (bytes or None), `coverage` (float64) and `error` (str or None).
        """
        rows = [self._row(content) for content in batch["bytes"]]
        masks, coverages, errors = zip(*rows, strict=True) if rows else ((), (), ())
        return {
            "path": _objects(batch["path"]),
            "mask": _objects(masks),
            "coverage": np.array(coverages, dtype=np.float64),
            "error": _objects(errors),
        }

    def _row(self, content: bytes) -> tuple[bytes | None, float, str | None]:
        """Mask, coverage and error of one picture."""
        try:
            found = self._segmenter.predict(bytes(content))
        except ImageError as error:
            return None, float("nan"), str(error)
        mask = found.mask.astype(np.uint8) * np.uint8(255)
        return encode(mask, "png"), found.coverage, None


def daft_predictor(model: str | Path | None = None, *, threads: int = 1) -> Any:  # noqa: ANN401
    """A function of Daft from a column of file contents to structs of mask, coverage and error.

    Args:
        model: see `PredictBatch`.
        threads: see `PredictBatch`.
    """
    import daft

    fields = {
        "mask": daft.DataType.binary(),
        "coverage": daft.DataType.float64(),
        "error": daft.DataType.string(),
    }

    @daft.cls(use_process=True)  # OpenVINO crashes among Daft's own threads
    class Predictor:
        """The network, loaded once per worker."""

        def __init__(self) -> None:
            self._worker = PredictBatch(model, threads=threads)

        @daft.method(return_dtype=daft.DataType.struct(fields))
        def __call__(self, content: bytes) -> dict[str, Any]:
            row = self._worker({"path": [""], "bytes": [content]})
            return {name: row[name].tolist()[0] for name in fields}

    return Predictor()


def predict_frames(frames: Iterable[Any], *, model: str | None = None) -> Iterator[Any]:
    """Find the people in the frames of one Spark partition.

    Args:
        frames: pandas data frames with the columns `path` and `content`.
        model: see `PredictBatch`; give another than the bundled one with `functools.partial`.

    Yields:
        for each frame one of the same class with the columns of `SPARK_SCHEMA`.
    """
    worker = _kept(model)
    for frame in frames:
        rows = worker({"path": frame["path"], "bytes": frame["content"]})
        make: Callable[[Columns], Any] = type(frame)
        yield make(rows)


@cache
def _kept(model: str | None) -> PredictBatch:
    """One network per process: Spark uses a process for many partitions."""
    return PredictBatch(model)


def _objects(values: Iterable[Any]) -> NDArray[Any]:
    """A column of any values, which NumPy would otherwise make fixed-length text of."""
    listed = list(values)
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return column
