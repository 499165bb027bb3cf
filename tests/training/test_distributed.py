"""Processes that train one network together: torchrun, and SLURM by its variables."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from humanseg.config.loading import to_yaml
from humanseg.config.schema import TrainConfig
from humanseg.system.errors import UsageError
from humanseg.training.distributed import (
    SINGLE_PROCESS,
    SynchronisedBatchNorm,
    find_environment,
    joined,
    local_count,
)

pytestmark = pytest.mark.training

_PROGRAM = Path(__file__).parent / "together.py"
_EPOCHS = 3


_FROZEN = {"FROZEN_STATISTICS": "1"}


def _alone(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Not checked: such small steps learn too little for a network that is kept."""
    return _run(*words, **more)


def _torchrun(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return _run(*command, *words, GLOO_SOCKET_IFNAME="lo", **more)


def _run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | more,
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
    """One run by one process, and the same by two; both with frozen batch statistics."""
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
                "batch_size": 7,  # the last batch has 5: uneven shards
                "precision": "fp32",
                "memory_format": "contiguous",
                "ema_decay": 0.8,
                "onnx": False,
            },
        }
    )
    (folder / "config.yaml").write_text(to_yaml(config))
    _alone(*_program(folder, "one"), **_FROZEN)
    two = _torchrun(*_program(folder, "two"), **_FROZEN)
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
    assert said.count("2 processes train on CPUs: batch statistics are those of each") == 1, said
    assert said.count("is no better than") == 1, said
    assert "UserWarning" not in said
    assert "Warning:" not in said


def test_a_killed_process__loses_no_epoch_and_one_process_goes_on(place: Path) -> None:
    killed = _torchrun(*_program(place, "killed", "kill", "1", "2"), **_FROZEN)
    assert killed.returncode != 0
    assert len(_losses(place / "killed")) == 2
    assert not (place / "killed" / "result.json").exists()
    _alone(*_program(place, "killed"), **_FROZEN)
    assert len(_losses(place / "killed")) == _EPOCHS
    for one, resumed in zip(_losses(place / "one"), _losses(place / "killed"), strict=True):
        assert resumed == pytest.approx(one, rel=2e-4)


def test_statistics_of_each_process__a_run_ends_with_those_of_the_first(place: Path) -> None:
    """Where batch statistics count, both processes validate one and the same network."""
    _torchrun(*_program(place, "moving"))
    losses = _losses(place / "moving")
    assert len(losses) == _EPOCHS
    assert all(math.isfinite(value) for pair in losses for value in pair)
    checkpoint = torch.load(place / "moving" / "checkpoints" / "last.ckpt", weights_only=True)
    statistics = [value for name, value in checkpoint["state_dict"].items() if "running_" in name]
    assert statistics
    assert all(torch.isfinite(value).all() for value in statistics)


class TestSynchronisedBatchNorm:
    def test_layers_of_timm__keep_their_activation(self) -> None:
        torch.manual_seed(0)
        network = timm.create_model("test_efficientnet", pretrained=False).train()
        images = torch.randn(4, 3, 32, 32)
        network(images)  # statistics other than 0 and 1
        expected = network.eval()(images)
        names = [name for name, _ in network.named_modules()]
        plain = {name: type(module) for name, module in network.named_modules()}

        sync = SynchronisedBatchNorm()
        exchanged = sync.apply(network)
        kinds = [m for m in exchanged.modules() if isinstance(m, nn.SyncBatchNorm)]
        assert len(kinds) == sum("bn" in name.split(".")[-1] for name in names)
        assert torch.equal(exchanged(images), expected)

        first = next(iter(kinds))
        assert first.running_mean is not None
        first.running_mean = first.running_mean + 1.0
        moved = exchanged(images)
        reverted = sync.revert(exchanged)
        assert {name: type(module) for name, module in reverted.named_modules()} == plain
        assert torch.equal(reverted(images), moved)
        assert not torch.equal(moved, expected)

    def test_weights__are_the_same_parameters(self) -> None:
        network = nn.Sequential(nn.BatchNorm2d(3))
        before = list(network.parameters())
        sync = SynchronisedBatchNorm()
        exchanged = sync.apply(network)
        assert all(a is b for a, b in zip(before, exchanged.parameters(), strict=True))
        reverted = sync.revert(exchanged)
        assert all(a is b for a, b in zip(before, reverted.parameters(), strict=True))


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
        assert local_count(4) == 2

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
            assert processes is SINGLE_PROCESS

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
            "from humanseg.training.distributed import all_reduce_sum\n"
            "with joined('cpu') as processes:\n"
            "    own = torch.tensor(float(processes.rank + 1), requires_grad=True)\n"
            "    total = all_reduce_sum(own)\n"
            "    total.square().backward()\n"
            "    said = processes.on_main_process(lambda: f'from {processes.rank}')\n"
            "    print(processes.count, processes.nodes, total.item(), own.grad.item(), said)\n"
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
        outputs = [process.communicate(timeout=300)[0].strip() for process in started]
        assert outputs == ["2 1 3.0 12.0 from 0"] * 2


def test_alone__does_everything_itself() -> None:
    assert SINGLE_PROCESS.is_main
    assert SINGLE_PROCESS.on_main_process(lambda: 5) == 5
    assert SINGLE_PROCESS.local_first(lambda: 6) == 6
    assert SINGLE_PROCESS.device("cuda") == "cuda"
    with pytest.raises(UsageError):
        SINGLE_PROCESS.local_first(_fail)


def _fail() -> None:
    raise UsageError("no.")
