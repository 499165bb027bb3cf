"""Both loops get the same task, and what they leave is read as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import timm
import torch
from benchmarks.training.options import pathless, setting
from benchmarks.training.ours import EpochWatch, read_epochs, run_ours, settings_of
from benchmarks.training.plain_run import parts, write_job
from benchmarks.training.record import Result
from benchmarks.training.returning_memory import returning_memory
from benchmarks.training.task import Task, run_process
from numpy.typing import NDArray
from safetensors.torch import save_file

from benchmarks.training import plain, plain_run
from humanseg.config.loading import resolve
from humanseg.config.schema import TrainConfig
from humanseg.data.layouts import discover
from humanseg.data.splits import make_split
from humanseg.images import read_image, read_mask
from humanseg.images.resize import resize_image, resize_mask_nearest
from humanseg.models import start_network
from humanseg.results import read_record, write_text
from humanseg.system.malloc import keep_freed_memory

pytestmark = pytest.mark.training

ROOT = Path(__file__).parents[3]
ENCODER = "tu-test_efficientnet"
HEADER = (
    "epoch,train_loss,train_iou,validation_loss,validation_iou,learning_rate,"
    "images_per_second,seconds"
)


@pytest.fixture
def task(drawn: Path) -> Task:
    return Task(
        arch="unet",
        encoder=ENCODER,
        weights="none",
        data=drawn,
        epochs=2,
        size=(64, 64),
        batch=5,
        device="cpu",
        seed=7,
    )


def _pillow_pair(
    image: str, mask: str, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    return resize_image(read_image(image), size), resize_mask_nearest(read_mask(mask), size)


def _config(task: Task, folder: Path, further: dict[str, str]) -> TrainConfig:
    file = folder / "settings.yaml"
    write_text(file, json.dumps(settings_of(task, further)))  # JSON is YAML
    return resolve(TrainConfig, preset="default", file=file)


def test_settings_of__are_the_task_and_what_is_set_besides(task: Task, tmp_path: Path) -> None:
    config = _config(task, tmp_path, {"training.early_size": "[32, 32]", "loss.dice": "0.5"})
    assert config.model == task.model
    assert config.split == task.split
    assert (config.data.root, config.data.mask_resize) == (task.data, "nearest")
    assert (config.training.epochs, config.training.batch_size) == (2, 5)
    assert (config.training.seed, config.training.device) == (7, "cpu")
    assert (config.training.early_size, config.loss.dice) == ((32, 32), 0.5)


@pytest.mark.parametrize("arch", ["unet", "deeplabv3plus"])
def test_write_job__has_our_split_and_our_initial_weights(
    task: Task, tmp_path: Path, arch: str
) -> None:
    task = Task(**{**vars(task), "arch": arch})
    config = _config(task, tmp_path, {})
    job = json.loads(write_job(task, tmp_path).read_text(encoding="utf-8"))
    split = make_split(discover(task.data), config.split)
    for part, ids in (("train", split.train), ("validation", split.validation)):
        assert [Path(image).stem for image, _ in job[part]] == list(ids)
        assert [Path(mask).stem for _, mask in job[part]] == list(ids)
    torch.manual_seed(config.training.seed)
    ours = start_network(config.model)
    network = plain.build(job).eval()
    state = ours.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    pictures = torch.randint(0, 256, (2, 3, 256, 256)).float()
    mean, std = (torch.tensor(job[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():  # atrous rates are no weights, and show on large pictures only
        expected = ours.eval()(pictures)
        torch.testing.assert_close(network((pictures / 255 - mean) / std), expected)


def test_plain_run__prints_what_is_parsed(
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plain, "read_pair", _pillow_pair)
    job = json.loads(write_job(task, tmp_path).read_text(encoding="utf-8"))
    plain.run(job, began=0.0)
    epochs, ending = plain_run.parse(capsys.readouterr().out)
    assert len(parts(task)[0]) == 16
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert [epoch.images for epoch in epochs] == [15, 15]  # a last batch of one is left out
    assert epochs[1].train_loss < epochs[0].train_loss
    assert epochs[1].seconds > epochs[0].seconds
    assert ending.parameters == sum(tensor.numel() for tensor in plain.build(job).parameters())
    assert ending.peak_memory_bytes > 2**20


class _Weight(torch.nn.Module):
    """One number that is multiplied with the images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.weight


def test_train_epoch__every_step_has_the_gradient_of_its_own_batch() -> None:
    network = _Weight()
    batches: Any = [(torch.full((2, 1, 1, 1), value), torch.zeros(2, 1, 1, 1)) for value in (1, 3)]

    def mean_output(logits: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return logits.mean()  # its gradient is the value of the images

    criterion: Any = mean_output
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    count, loss = plain.train_epoch(network, batches, criterion, optimiser, "cpu")
    assert network.weight.item() == -1.0 - 3.0  # -5 if the first gradient stayed
    assert count == 4
    assert loss == pytest.approx((0.0 - 3.0) / 2)


def test_plain_run__takes_steps_of_the_presets_learning_rate(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "read_pair", _pillow_pair)
    task = replace(task, epochs=1, batch=16)  # one step
    job = json.loads(write_job(task, tmp_path).read_text(encoding="utf-8"))
    networks: list[torch.nn.Module] = []
    build = plain.build

    def remember(job: plain.Job) -> torch.nn.Module:
        networks.append(build(job))
        return networks[-1]

    monkeypatch.setattr(plain, "build", remember)
    plain.run(job, began=0.0)
    before = build(job).state_dict()
    moved = max(
        float((parameter.detach() - before[name]).abs().max())
        for name, parameter in networks[0].named_parameters()
    )
    rate = _config(task, tmp_path, {}).optimiser.learning_rate
    assert rate == 0.003
    assert moved == pytest.approx(rate, rel=1e-3)  # the first step of Adam is as long as its rate


def _momenta(network: torch.nn.Module) -> list[float | None]:
    modules = network.modules()
    return [module.momentum for module in modules if isinstance(module, torch.nn.BatchNorm2d)]


def test_write_job__momenta_are_the_librarys_or_ours(task: Task, tmp_path: Path) -> None:
    task = replace(task, encoder="efficientnet-b0")
    ours = start_network(task.model).network
    plainly = {}
    for choice in ("library", "ours"):
        chosen = Task(**{**vars(task), "plain_batch_norm": choice})
        job = json.loads(write_job(chosen, tmp_path).read_text(encoding="utf-8"))
        plainly[choice] = _momenta(plain.build(job))
    assert {round(m or 0, 6) for m in plainly["library"]} == {0.01, 0.1}  # encoder and decoder
    assert plainly["ours"] == _momenta(ours)
    assert set(plainly["ours"]) == {0.1}


def test_write_job__both_start_from_the_weights_of_a_file(task: Task, tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = timm.create_model("test_efficientnet", pretrained=False).state_dict()
    file = tmp_path / "weights.safetensors"
    save_file(source, file)
    task = replace(task, weights=str(file))
    stem = "encoder.model.conv_stem.weight"
    network = plain.build(json.loads(write_job(task, tmp_path).read_text(encoding="utf-8")))
    assert torch.equal(network.state_dict()[stem], source["conv_stem.weight"])
    ours = start_network(_config(task, tmp_path, {}).model).network
    assert torch.equal(ours.state_dict()[stem], source["conv_stem.weight"])
    assert _momenta(network) == _momenta(ours)  # both the library's


def test_plain_validate__pools_pixels_over_all_pictures() -> None:
    first = torch.tensor([[[[2.0, -2.0], [2.0, -2.0]]]])
    second = torch.tensor([[[[2.0, 2.0], [2.0, 2.0]]]])
    truth = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    batches: Any = [(first, truth), (second, truth)]
    loss, iou = plain.validate(torch.nn.Identity(), batches, torch.nn.MSELoss(), "cpu")
    assert iou == pytest.approx((1 + 1) / (2 + 4))
    assert loss > 0


def test_plain_dataset__flips_picture_and_mask_together(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1)) + np.arange(64, dtype=np.uint8)[:, None]
    picture = np.repeat(ramp[..., None], 3, axis=2)
    monkeypatch.setattr(plain, "read_pair", lambda *_: (picture, ramp > 63))
    job = {"size": [64, 64], "mean": [0.0] * 3, "std": [1.0] * 3}
    torch.manual_seed(0)
    seen = set()
    for flips in (False, True):
        dataset = plain.PlainDataset([("a", "b")] * 20, job, flips=flips)
        for index in range(20):
            image, mask = dataset[index]
            assert image.shape == (3, 64, 64)
            assert torch.equal(image[0] > 63.5 / 255, mask[0] > 0.5)
            corner = round(float(image[0, 0, 0]) * 255)
            assert flips or corner == 0
            seen.add(corner)
    assert seen == {0, 63, 126}


def test_read_pair__is_on_our_grid(drawn: Path) -> None:
    pytest.importorskip("cv2")
    image, mask = str(drawn / "images" / "003.png"), str(drawn / "masks" / "003.png")
    for size in ((64, 64), (32, 96)):
        picture, person = plain.read_pair(image, mask, size)
        expected, truth = _pillow_pair(image, mask, size)
        assert picture.shape == (*size, 3)
        assert np.array_equal(person, truth)
        person_colour = [float(picture[truth][:, channel].mean()) for channel in range(3)]
        assert person_colour == pytest.approx(expected[truth].mean(axis=0), abs=6.0)  # RGB order


def test_epoch_watch__stamps_a_row_when_it_first_sees_it(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    watch = EpochWatch(file)
    watch.look(1.0)
    write_text(file, f"{HEADER}\n1,1.5,0.1,1.2,0.4,0.003,8.0,2.0\n")
    watch.look(2.0)
    watch.look(3.0)
    write_text(
        file,
        f"{HEADER}\n1,1.5,0.1,1.2,0.4,0.003,8.0,2.0\n2,1.0,0.2,0.9,0.5,0.003,10.0,1.6\n",
    )
    watch.look(4.0)
    first, second = read_epochs(watch.rows(), watch.stamps)
    assert (first.seconds, second.seconds) == (2.0, 4.0)
    assert (first.images, first.train_seconds, first.validation_iou) == (16, 2.0, 0.4)
    assert (second.epoch, second.images, second.train_loss) == (2, 16, 1.0)
    assert second.validation_loss == 0.9


def _pretender(folder: Path, epochs: int) -> tuple[str, ...]:
    """A program that leaves as many epochs and then fails with a sentence."""
    file = folder / "pretender.py"
    row = "1.5,0.1,1.2,0.4,0.003,8.0,2.0"
    text = f"""
        import json, sys
        from pathlib import Path
        run = Path(sys.argv[-1])
        run.mkdir()
        rows = [f"{{epoch}},{row}" for epoch in range(1, {epochs} + 1)]
        (run / "metrics.csv").write_text("\\n".join(["{HEADER}", *rows]) + "\\n")
        resolved = dict(device="cpu", precision="bf16", memory_format="channels_last",
                        encoder_weights="none", mean=[0, 0, 0], std=[1, 1, 1], timings={{}},
                        processes=1)
        (run / "run.json").write_text(json.dumps({{"resolved": resolved}}))
        print("humanseg: no better than nothing.", file=sys.stderr)
        sys.exit(1)
    """
    write_text(file, dedent(text))
    return sys.executable, str(file)


def test_run_ours__keeps_the_rates_of_a_run_that_was_refused_at_its_end(
    task: Task, tmp_path: Path
) -> None:
    end = run_ours(settings_of(task, {}), tmp_path, program=_pretender(tmp_path, task.epochs))
    assert (end.result, end.refusal) == (None, "humanseg: no better than nothing.")
    assert [epoch.images for epoch in end.epochs] == [16, 16]
    assert (end.resolved.precision, end.early_epochs) == ("bf16", 0)
    assert 0.0 < end.epochs[0].seconds <= end.seconds


def test_run_ours__a_run_that_failed_before_its_last_epoch_ends_everything(
    task: Task, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as raised:
        run_ours(settings_of(task, {}), tmp_path, program=_pretender(tmp_path, task.epochs - 1))
    assert "exit code 1" in str(raised.value)
    assert "no better than nothing" in str(raised.value)


def test_returning_memory__switches_off_what_keeps_it() -> None:
    with returning_memory(), keep_freed_memory() as keeping:
        assert not keeping


def test_run_process__keeps_output_apart_from_errors(tmp_path: Path) -> None:
    code = "import sys, time; print('out'); sys.stderr.write('err'); time.sleep(0.2); sys.exit(3)"
    log, output, looks = tmp_path / "log", tmp_path / "out", list[float]()
    command = [sys.executable, "-c", code]
    assert run_process(command, log, output=output, look=looks.append)[0] == 3
    assert (output.read_text().strip(), log.read_text()) == ("out", "err")
    assert len(looks) >= 2
    assert run_process(command, log)[0] == 3
    assert set(log.read_text().split()) in ({"errout"}, {"err", "out"}, {"out", "err"})


def test_setting__is_a_dotted_key_and_a_value() -> None:
    assert setting("training.ema_decay=null") == ("training.ema_decay", "null")
    for wrong in ("training.ema_decay", "epochs=3"):
        with pytest.raises(Exception, match="KEY=VALUE"):
            setting(wrong)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/home/x/people", "people"),
        ("--output=/y/a.json", "--output=a.json"),
        ("a.b=/w.bin", "a.b=w.bin"),
        ("runs/x", "runs/x"),
        ("training.early_size=[32, 32]", "training.early_size=[32, 32]"),
    ],
)
def test_pathless__cuts_absolute_paths_only(given: str, expected: str) -> None:
    assert pathless(given) == expected


def _benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.training", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_benchmark__runs_both_loops_and_writes_a_file(drawn: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    file = tmp_path / "result.json"
    quick = ["training.onnx=false", "training.precision=fp32", "training.ema_decay=null"]
    done = _benchmark(
        *("--data", str(drawn), "--archs", "fpn", "--encoder", ENCODER, "--epochs", "1"),
        *("--size", "64", "64", "--batch", "4", "--device", "cpu", "--output", str(file)),
        *("--plain-batch-norm", "ours", "--rounds", "1"),
        *("--set", *quick, "training.memory_format=contiguous"),
    )
    assert done.returncode == 0, done.stderr
    result = read_record(file, Result)
    assert str(tmp_path) not in file.read_text(encoding="utf-8")
    assert str(drawn) not in file.read_text(encoding="utf-8")
    assert (result.data, result.training_pictures, result.validation_pictures) == (
        drawn.name,
        16,
        4,
    )
    assert result.plain_batch_norm == "ours"
    (arch,) = result.archs
    assert arch.plain[0].epochs[0].images == arch.ours[0].epochs[0].images == 16
    assert arch.ours[0].precision == "fp32"
    assert arch.images_per_second.ratio == pytest.approx(
        arch.images_per_second.ours / arch.images_per_second.plain
    )
    assert "| FPN |" in done.stdout


def test_benchmark__a_setting_that_does_not_exist_stops_it_before_any_run(drawn: Path) -> None:
    pytest.importorskip("cv2")
    done = _benchmark("--data", str(drawn), "--set", "training.no_such=1")
    assert done.returncode == 1
    assert "no_such" in done.stderr
    assert "Traceback" not in done.stderr
    assert "plain" not in done.stdout


def test_opencv_version__says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SystemExit, match="opencv-python-headless"):
        plain_run.opencv_version()


def test_run_plain__a_loop_that_fails_shows_its_last_lines(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broken.py"
    write_text(program, "raise ValueError('no picture at all')")
    monkeypatch.setattr(plain_run, "PROGRAM", program)
    with pytest.raises(SystemExit) as raised:
        plain_run.run_plain(task, tmp_path)
    assert "plain loop of unet failed with exit code 1" in str(raised.value)
    assert "no picture at all" in str(raised.value)
