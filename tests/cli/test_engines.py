"""`examples/predict_batches.py` under the engines themselves, where they are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from humanseg.data.synthesis import synthesize

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = 200

_DAFT = """
import daft
from predict_batches import daft_predictor

pictures = daft.from_glob_path("photos/**/*.jpg")
pictures = pictures.with_column("content", pictures["path"].download())
predict = daft_predictor("fast")
rows = pictures.select("path", predict(pictures["content"]).unnest()).to_pylist()
"""
_RAY = """
import ray
from predict_batches import PredictBatch

ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
pictures = ray.data.read_binary_files("photos", include_paths=True)
workers = ray.data.ActorPoolStrategy(size=1)
masks = pictures.map_batches(
    PredictBatch, fn_constructor_args=("fast",), batch_size=32, compute=workers, num_cpus=1
)
rows = masks.take_all()
"""
_SPARK = """
from functools import partial

from predict_batches import SPARK_SCHEMA, predict_frames
from pyspark.sql import SparkSession

builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = builder.config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
pictures = spark.read.format("binaryFile").load("photos").select("path", "content")
predict = partial(predict_frames, model="fast")
rows = pictures.mapInPandas(predict, schema=SPARK_SCHEMA).collect()
"""
_WRITE = """
import json
from pathlib import Path

Path("masks").mkdir()
for row in rows:
    name = Path(row["path"]).stem
    if row["mask"] is not None:
        Path("masks", f"{name}.png").write_bytes(row["mask"])
print(json.dumps([[Path(row["path"]).name, row["error"]] for row in rows if row["error"]]))
"""


@pytest.mark.command
@pytest.mark.parametrize(
    ("engine", "program"), [("daft", _DAFT), ("ray", _RAY), ("pyspark", _SPARK)]
)
def test_engine__gives_the_bytes_of_the_command(tmp_path: Path, engine: str, program: str) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    if engine == "pyspark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    synthesize(tmp_path / "drawn", count=PICTURES, size=(72, 96))
    (tmp_path / "drawn/images").rename(tmp_path / "photos")
    (tmp_path / "photos/00001.jpg").write_bytes(b"damaged")
    environment = {**os.environ, "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0",
                   "PYSPARK_PYTHON": sys.executable}  # fmt: skip
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")])

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=False, timeout=600,
        )  # fmt: skip

    done = ran("-c", program + _WRITE)
    assert done.returncode == 0, done.stderr
    problem = "picture: not a picture in a known format."
    assert json.loads(done.stdout.splitlines()[-1]) == [["00001.jpg", problem]]
    own = ran("-m", "humanseg", "predict", "photos", "-o", "own", "--model", "fast", "--quiet")
    assert own.returncode == 1  # the damaged one
    theirs, ours = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).glob("*.png")}
        for folder in ("masks", "own")
    )
    assert len(ours) == PICTURES - 1
    assert len(set(ours.values())) > PICTURES / 4  # people in many of them
    assert theirs == ours
