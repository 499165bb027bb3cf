"""Processes that train one network together: torchrun, and SLURM by its variables."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from humanseg.config.loading import to_yaml
from humanseg.config.schema import TrainConfig
from humanseg.errors import UsageError
from humanseg.training.distributed import ALONE, find_environment, joined, local_count

_PROGRAM = Path(__file__).parent / "together.py"
_EPOCHS = 3


def _torchrun(*words: object, processes: int = 2) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [*command, f"--nproc-per-node={processes}", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )


def _program(place: Path, name: str, *more: str) -> list[object]:
    (place / "seen" / name).mkdir(parents=True, exist_ok=True)
    return [
        _PROGRAM,
        place / name,
        place / "data",
        place / "config.yaml",
        place / "cache",
        place / "seen" / name,
        *more,
    ]


def _losses(run: Path) -> list[tuple[float, float]]:
    with (run / "metrics.csv").open() as stream:
        return [
            (float(row["train_loss"]), float(row["validation_loss"]))
            for row in csv.DictReader(stream)
        ]


def _seen(folder: Path) -> dict[int, list[list[str]]]:
    """By epoch, the batches of all processes put together."""
    batches: dict[tuple[int, int], list[str]] = {}
    for file in sorted(folder.glob("*.txt")):
        for line in file.read_text().splitlines():
            epoch, index, names = line.split(" ")
            batch = batches.setdefault((int(epoch), int(index)), [])
            batch.extend(filter(None, names.split(",")))
    epochs: dict[int, list[list[str]]] = {}
    for (number, _), ids in sorted(batches.items()):
        epochs.setdefault(number, []).append(ids)
    return epochs


@pytest.fixture(scope="module")
def place(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run by one process, and the same by two."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "data").symlink_to(drawn)
    config = TrainConfig.model_validate(
        {
            "split": {"validation": 0.2, "test": 0.2},
            "model": {
                "encoder_name": "tu-test_efficientnet",
                "encoder_weights": "none",
                "image_size": (64, 64),
            },
            # Small steps: large ones make a difference in the last bit grow from step to step.
            "optimiser": {"learning_rate": 0.0001},
            "training": {
                "epochs": _EPOCHS,
                "batch_size": 5,
                "precision": "fp32",
                "memory_format": "contiguous",
                "ema_decay": 0.8,
                "onnx": False,
            },
        }
    )
    (folder / "config.yaml").write_text(to_yaml(config))
    subprocess.run(
        [sys.executable, *map(str, _program(folder, "one"))],
        check=False,  # so small steps learn too little to pass the floor
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    two = _torchrun(*_program(folder, "two"))
    (folder / "two.err").write_text(two.stderr)
    return folder


def test_two_processes__have_the_losses_of_one(place: Path) -> None:
    assert len(_losses(place / "two")) == _EPOCHS
    for one, two in zip(_losses(place / "one"), _losses(place / "two"), strict=True):
        assert two == pytest.approx(one, rel=2e-4)


def test_two_processes__see_every_picture_once_in_the_batches_of_one(place: Path) -> None:
    one, two = _seen(place / "seen" / "one"), _seen(place / "seen" / "two")
    assert one == two
    assert len(two) == _EPOCHS
    for batches in two.values():
        counts = Counter(name for batch in batches for name in batch)
        assert set(counts.values()) == {1}
        assert len(counts) == 12
    shares = [len(file.read_text()) for file in (place / "seen" / "two").glob("*.txt")]
    assert len(shares) == 2
    assert min(shares) > 0


def test_two_processes__speak_once(place: Path) -> None:
    said = (place / "two.err").read_text()
    assert said.count("humanseg: ") == 1, said
    assert "UserWarning" not in said
    assert "Warning:" not in said


def test_a_killed_process__loses_no_epoch_and_one_process_goes_on(place: Path) -> None:
    killed = _torchrun(*_program(place, "killed", "kill", "1", "2"))
    assert killed.returncode != 0
    assert len(_losses(place / "killed")) == 2
    assert not (place / "killed" / "result.json").exists()
    subprocess.run(
        [sys.executable, *map(str, _program(place, "killed"))],
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert len(_losses(place / "killed")) == _EPOCHS
    for one, resumed in zip(_losses(place / "one"), _losses(place / "killed"), strict=True):
        assert resumed == pytest.approx(one, rel=2e-4)


class TestSlurm:
    @pytest.fixture(autouse=True)
    def job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(os.environ):
            if name.startswith(("SLURM_", "TORCHELASTIC_")):
                monkeypatch.delenv(name)
        values = {
            "SLURM_NTASKS": "4",
            "SLURM_NTASKS_PER_NODE": "2",
            "SLURM_JOB_NAME": "training",
            "SLURM_STEP_ID": "0",
            "SLURM_PROCID": "3",
            "SLURM_LOCALID": "1",
            "SLURM_NODEID": "1",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    def test_srun__is_recognised(self) -> None:
        environment = find_environment()
        assert environment is not None
        assert (environment.world_size(), environment.global_rank()) == (4, 3)
        assert local_count(os.environ, 4) == 2

    def test_a_job_of_several_tasks_without_srun__is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SLURM_STEP_ID")
        with pytest.raises(UsageError, match="put srun before the command"):
            find_environment()

    def test_tasks_per_node__must_be_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
        with pytest.raises(UsageError, match="--ntasks-per-node"):
            find_environment()

    def test_one_task__trains_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_NTASKS", "1")
        monkeypatch.delenv("SLURM_STEP_ID")
        with joined("cpu") as processes:
            assert processes is ALONE

    def test_uneven_machines__are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_NTASKS", "3")
        with (
            pytest.raises(UsageError, match="3 processes cannot be 2 on every machine"),
            joined("cpu"),
        ):
            pass

    def test_processes_of_srun__meet(self, tmp_path: Path) -> None:
        program = (
            "import sys, torch\n"
            "from humanseg.training.distributed import joined\n"
            "from humanseg.models.collective import add_up\n"
            "with joined('cpu') as processes:\n"
            "    total = add_up(torch.tensor(float(processes.rank + 1)))\n"
            "    said = processes.once(lambda: f'from {processes.rank}')\n"
            "    print(processes.count, processes.nodes, total.item(), said)\n"
        )
        port = str(20_000 + os.getpid() % 20_000)
        shared = {"SLURM_NTASKS": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        started = [
            subprocess.Popen(
                [sys.executable, "-c", program],
                env=os.environ
                | shared
                | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        outputs = [process.communicate(timeout=120)[0].strip() for process in started]
        assert outputs == ["2 1 3.0 from 0"] * 2


def test_alone__does_everything_itself() -> None:
    assert ALONE.main
    assert ALONE.once(lambda: 5) == 5
    assert ALONE.in_turn(lambda: 6) == 6
    assert ALONE.device("cuda") == "cuda"
    with pytest.raises(UsageError):
        ALONE.in_turn(_fail)


def _fail() -> None:
    raise UsageError("no.")
