from __future__ import annotations

import errno
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tests.builders.segmenters import BrightIsPerson

from humanseg import images
from humanseg.batch.discovery import Job
from humanseg.batch.runner import (
    Encoded,
    Outcome,
    in_threads,
    predict_image,
    predict_images,
    predict_video,
    run_job,
)
from humanseg.effects import regions
from humanseg.effects.effect import (
    BlurEffect,
    CutoutEffect,
    Effect,
    MaskEffect,
    OutputName,
    OverlayEffect,
    ProbabilityEffect,
    ReplaceEffect,
    effect_of,
)
from humanseg.inference.prediction import Prediction
from humanseg.system.errors import HumansegError, ImageError, Interrupted, UsageError

MASK = MaskEffect()


def _drawn(size: tuple[int, int], box: tuple[int, int, int, int] | None) -> Image.Image:
    """A bright rectangle on black; size is (width, height)."""
    image = Image.new("RGB", size)
    if box is not None:
        ImageDraw.Draw(image).rectangle(box, fill=(255, 255, 255))
    return image


def _saved(path: Path, image: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def _masks(segmenter: BrightIsPerson) -> Callable[[Job], Encoded]:
    """What makes the mask of a job."""
    return lambda job: predict_image(job.source, segmenter=segmenter, effect=MASK, name="png")


def _decoded(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Ten pictures, of which number 3 is not one and number 5 shows nobody."""
    made = []
    for number in range(10):
        box = None if number == 5 else (20, 10, 70, 60)
        source = _saved(tmp_path / "in" / f"{number}.png", _drawn((90, 71), box))
        made.append(Job(source, tmp_path / "out" / f"{number}.png"))
    made[3].source.write_bytes(b"no picture")
    return made


class TestMake:
    def test_mask__has_the_pictures_size_and_the_shapes_place(self, tmp_path: Path) -> None:
        source = _saved(tmp_path / "x.png", _drawn((203, 131), (50, 30, 150, 100)))
        content, prediction = predict_image(
            source, segmenter=BrightIsPerson(), effect=MASK, name="png"
        )
        image = _decoded(content)
        assert (image.mode, image.size) == ("L", (203, 131))
        mask = np.asarray(image)
        assert set(np.unique(mask)) == {0, 255}
        rows, columns = np.nonzero(mask)
        assert np.abs(np.array([rows.min(), rows.max()]) - [30, 100]).max() <= 2
        assert np.abs(np.array([columns.min(), columns.max()]) - [50, 150]).max() <= 3
        assert prediction.coverage == (mask > 0).mean()

    def test_large_jpeg__is_decoded_small_for_a_mask_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = _saved(tmp_path / "x.jpg", _drawn((1601, 1203), (400, 300, 1200, 900)))
        segmenter, sizes = BrightIsPerson(), list[tuple[int, ...]]()
        load = images.load

        def watched(source: images.ImageLike, *, at_least: int | None = None) -> images.LoadedImage:
            picture = load(source, at_least=at_least)
            sizes.append(picture.pixels.shape[:2])
            return picture

        monkeypatch.setattr(images, "load", watched)
        for effect in (MASK, CutoutEffect()):
            content, _ = predict_image(source, segmenter=segmenter, effect=effect, name="png")
            assert _decoded(content).size == (1601, 1203)
        assert max(sizes[0]) < 400
        assert sizes[1:] == [(1203, 1601)]

    @pytest.mark.parametrize(
        ("effect", "name", "mode"),
        [
            (ProbabilityEffect(), "png", "I;16"),
            (CutoutEffect(), "webp", "RGBA"),
            (BlurEffect(), "jpg", "RGB"),
            (ReplaceEffect(background=(0, 99, 0)), "png", "RGB"),
            (OverlayEffect(), "tiff", "RGB"),
            (MaskEffect(refine=True), "png", "L"),
        ],
    )
    def test_every_output__has_the_pictures_size(
        self, tmp_path: Path, effect: Effect, name: str, mode: str
    ) -> None:
        source = _saved(tmp_path / "x.png", _drawn((91, 75), (20, 20, 70, 60)))
        content, prediction = predict_image(
            source,
            segmenter=BrightIsPerson(),
            effect=effect,
            name=name,  # type: ignore[arg-type]
        )
        image = _decoded(content)
        assert (image.mode, image.size) == (mode, (91, 75))
        assert prediction.coverage == pytest.approx(51 * 41 / (91 * 75), abs=0.05)

    def test_nobody__gives_an_empty_mask(self) -> None:
        stream = io.BytesIO()
        _drawn((50, 40), None).save(stream, "PNG")
        content, prediction = predict_image(
            stream.getvalue(), segmenter=BrightIsPerson(), effect=MASK, name="png"
        )
        assert prediction.coverage == 0.0
        assert not np.asarray(_decoded(content)).any()

    def test_dropped_regions__do_not_count(self, tmp_path: Path) -> None:
        source = _saved(tmp_path / "x.png", _drawn((100, 100), (40, 40, 50, 50)))
        effect = CutoutEffect(smallest_region=0.1)
        _, prediction = predict_image(source, segmenter=BrightIsPerson(), effect=effect, name="png")
        assert prediction.coverage == 0.0

    @pytest.mark.parametrize("output", ["mask", "cutout"])
    def test_regions__are_looked_for_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: OutputName
    ) -> None:
        found: list[int] = []

        def counted(mask: NDArray[np.bool_]) -> regions.Regions:
            found.append(int(mask.sum()))
            return find_regions(mask)

        find_regions = regions.find_regions
        monkeypatch.setattr(regions, "find_regions", counted)
        image = _drawn((100, 100), (10, 10, 60, 60))
        ImageDraw.Draw(image).rectangle((80, 80, 90, 90), fill=(255, 255, 255))
        source = _saved(tmp_path / "x.png", image)
        effect = effect_of(output, largest=True)
        _, prediction = predict_image(source, segmenter=BrightIsPerson(), effect=effect, name="png")
        assert len(found) == 1
        assert prediction.coverage == pytest.approx(51 * 51 / 10_000, abs=0.02)

    def test_remarks__come_along(self, tmp_path: Path) -> None:
        frames = [_drawn((40, 40), None), _drawn((40, 40), (3, 3, 30, 30))]
        frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
        _, prediction = predict_image(
            tmp_path / "x.gif", segmenter=BrightIsPerson(), effect=MASK, name="png"
        )
        assert "animated: first" in " ".join(prediction.notes)

    def test_too_large_for_the_format__names_the_picture(self, tmp_path: Path) -> None:
        source = _saved(tmp_path / "long.png", _drawn((17_000, 2), None))
        with pytest.raises(ImageError, match=r"long\.png: 17000x2 pixels do not fit into webp"):
            predict_image(source, segmenter=BrightIsPerson(), effect=MASK, name="webp")

    def test_heic__keeps_metadata(self, tmp_path: Path) -> None:
        pillow_heif = pytest.importorskip("pillow_heif")
        exif = Image.Exif()
        exif[0x0110] = "Phone 5"
        file = pillow_heif.from_pillow(_drawn((90, 71), (20, 10, 70, 60)))
        file.save(tmp_path / "x.heic", exif=exif.tobytes())
        content, _ = predict_image(
            tmp_path / "x.heic",
            segmenter=BrightIsPerson(),
            effect=MASK,
            name="png",
            keep_metadata="camera",
        )
        assert _decoded(content).getexif()[0x0110] == "Phone 5"

    def test_damaged_metadata__is_noted(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x010F] = "M" * 70_000
        _drawn((90, 71), None).save(tmp_path / "x.png", exif=exif)
        _, prediction = predict_image(
            tmp_path / "x.png",
            segmenter=BrightIsPerson(),
            effect=MASK,
            name="png",
            keep_metadata="camera",
        )
        assert prediction.notes == ("damaged or endless EXIF values: left out",)

    def test_file_that_vanishes__is_named_once(self, tmp_path: Path) -> None:
        class Vanishing(BrightIsPerson):
            def predict(self, *arguments: Any, **settings: Any) -> Prediction:  # noqa: ANN401
                found = super().predict(*arguments, **settings)
                source.unlink()
                return found

        source = _saved(tmp_path / "x.png", _drawn((90, 71), None))
        with pytest.raises(ImageError) as caught:
            predict_image(
                source, segmenter=Vanishing(), effect=MASK, name="png", keep_metadata="camera"
            )
        assert str(caught.value) == f"{source}: no such file."


class TestRunJob:
    JOB = Job(Path("in.jpg"), Path("out.png"))

    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            (ImageError("in.jpg: damaged."), "in.jpg: damaged."),
            (HumansegError("out.mp4: could not be written."), "out.mp4: could not be written."),
            (UsageError("video needs PyAV."), "video needs PyAV."),
            (MemoryError(), "in.jpg: not enough memory; make the picture smaller first."),
            (PermissionError(13, "Permission denied", "out.png"), "out.png: permission denied."),
            (OSError("strange"), "in.jpg: strange."),
            (KeyError(7), "in.jpg: unexpected KeyError (7); please report it."),
        ],
    )
    def test_what_is_wrong_with_one_picture__is_a_sentence(
        self, error: Exception, sentence: str
    ) -> None:
        outcome = run_job(self.JOB, _raising(error))
        assert (outcome.status, outcome.error) == ("failed", sentence)
        assert outcome.people is None

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "full"),
            OSError(errno.EDQUOT, "full"),
            BrokenPipeError(),
            Interrupted("stopped."),
        ],
    )
    def test_what_no_other_picture_would_survive__is_raised(self, error: Exception) -> None:
        with pytest.raises(type(error)):
            run_job(self.JOB, _raising(error))


def _raising(error: BaseException) -> Callable[[Job], Outcome]:
    def work(_: Job) -> Outcome:
        raise error

    return work


class TestPredictPictures:
    @pytest.mark.parametrize("workers", [1, 3])
    def test_one_bad_picture__does_not_stop_the_rest(self, jobs: list[Job], workers: int) -> None:
        outcomes = {
            outcome.job: outcome
            for outcome in predict_images(jobs, _masks(BrightIsPerson()), workers=workers)
        }
        assert set(outcomes) == set(jobs)
        failed = outcomes[jobs[3]]
        assert failed.status == "failed"
        assert failed.error is not None
        assert failed.error.startswith(f"{jobs[3].source}: ")
        assert not jobs[3].target.exists()
        for number, job in enumerate(jobs):
            if number != 3:
                assert outcomes[job].people is (number != 5)
                assert np.asarray(_decoded(job.target.read_bytes())).any() == (number != 5)
        assert len(list(jobs[0].target.parent.iterdir())) == 9

    def test_same_results__with_any_number_of_workers(self, jobs: list[Job]) -> None:
        contents = []
        for workers in (1, 4):
            list(predict_images(jobs, _masks(BrightIsPerson()), workers=workers))
            contents.append([job.target.read_bytes() for job in jobs if job.target.exists()])
        assert contents[0] == contents[1]

    def test_result_of_another_process__is_left_alone_unless_overwritten(
        self, jobs: list[Job]
    ) -> None:
        jobs[0].target.parent.mkdir()
        jobs[0].target.write_bytes(b"of another process")
        jobs[1].target.touch()  # a file without content is no result
        segmenter = BrightIsPerson()

        def predict(*, overwrite: bool) -> list[str]:
            make = _masks(segmenter)
            done = predict_images(jobs[:3], make, workers=1, overwrite=overwrite)
            told = {outcome.job: outcome.status for outcome in done}  # in no particular order
            return [told[job] for job in jobs[:3]]

        assert predict(overwrite=False) == ["skipped", "done", "done"]
        assert len(segmenter.threads) == 2
        assert jobs[0].target.read_bytes() == b"of another process"
        assert predict(overwrite=True) == ["done"] * 3
        assert _decoded(jobs[0].target.read_bytes()).size == (90, 71)

    def test_full_disk__ends_it_and_leaves_whole_files(
        self, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replaced = Path.replace

        def guarded(self: Path, target: Path) -> Path:
            if target.name >= "6":
                raise OSError(errno.ENOSPC, "No space left on device")
            return replaced(self, target)

        monkeypatch.setattr(Path, "replace", guarded)
        outcomes: list[Outcome] = []
        done = predict_images(jobs, _masks(BrightIsPerson()), workers=1)
        with pytest.raises(OSError, match="No space left") as caught:
            outcomes.extend(done)
        assert caught.value.filename == str(jobs[6].target)
        assert {outcome.job for outcome in outcomes} == set(jobs[:6])
        written = sorted(path.name for path in jobs[0].target.parent.iterdir())
        assert written == ["0.png", "1.png", "2.png", "4.png", "5.png"]


class TestInThreads:
    JOBS = tuple(Job(Path(f"{n}.jpg"), Path(f"{n}.png")) for n in range(20))

    def test_as_many_at_a_time__as_there_are_workers(self) -> None:
        barrier = threading.Barrier(4, timeout=20)  # passed by four at a time, or never

        def work(job: Job) -> Outcome:
            barrier.wait()
            return Outcome(job, "done")

        assert len(list(in_threads(self.JOBS, work, workers=4))) == 20

    def test_jobs__are_taken_as_they_are_needed(self) -> None:
        taken = []

        def jobs() -> Iterator[Job]:
            for job in self.JOBS:
                taken.append(job)
                yield job

        outcomes = in_threads(jobs(), lambda job: Outcome(job, "done"), workers=2)
        with closing(outcomes):
            next(outcomes)
            assert len(taken) <= 6

    def test_stop__finishes_what_is_begun_and_begins_nothing(self) -> None:
        stop, begun, go = threading.Event(), [], threading.Event()

        def work(job: Job) -> Outcome:
            begun.append(job)
            assert go.wait(20)
            return Outcome(job, "done")

        outcomes = in_threads(self.JOBS, work, workers=2, stop=stop)
        collected: list[Outcome] = []
        reader = threading.Thread(target=lambda: collected.extend(outcomes))
        reader.start()
        while len(begun) < 2:
            time.sleep(0.001)
        stop.set()
        go.set()
        reader.join(20)
        assert {outcome.job for outcome in collected} == set(begun)
        assert 2 <= len(begun) <= 4

    def test_bug__is_raised_after_what_was_begun_is_told(self) -> None:
        def work(job: Job) -> Outcome:
            if job == self.JOBS[7]:
                raise ZeroDivisionError
            return Outcome(job, "done")

        outcomes: list[Outcome] = []
        with pytest.raises(ZeroDivisionError):
            outcomes.extend(in_threads(self.JOBS, work, workers=1))
        assert {outcome.job for outcome in outcomes} >= set(self.JOBS[:7])
        assert len(outcomes) < 10

    def test_closed__ends_the_threads(self) -> None:
        before = threading.active_count()
        outcomes = in_threads(self.JOBS, lambda job: Outcome(job, "done"), workers=3)
        next(outcomes)
        outcomes.close()
        assert threading.active_count() == before


class TestPredictVideo:
    JOB = Job(Path("in.mp4"), Path("out.mp4"), video=True)

    @pytest.fixture
    def process(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """Put in place of `process_video`; does what the first item says."""
        script: list[object] = []

        def process_video(*words: object, **options: object) -> object:
            script.append((words, options))
            if isinstance(script[0], BaseException):
                raise script[0]
            return script[0]

        monkeypatch.setattr("humanseg.video.pipeline.process_video", process_video)
        return script

    def _predict(self, *, smooth: bool = True) -> Outcome:
        return predict_video(
            self.JOB,
            segmenter=None,  # type: ignore[arg-type]
            effect=MASK,
            smooth=smooth,
            progress=lambda *_: None,
        )

    @pytest.mark.parametrize("smooth", [True, False])
    def test_done(self, process: list[object], smooth: bool) -> None:
        process.append(SimpleNamespace(frames_with_people=2, coverage=0.25, notes=("no sound",)))
        outcome = self._predict(smooth=smooth)
        assert (outcome.status, outcome.people, outcome.coverage) == ("done", True, 0.25)
        assert outcome.notes == ("no sound",)
        _, options = cast("tuple[object, dict[str, object]]", process[1])
        assert (options["smoothing"] is not None) == smooth
        assert options["overwrite"]

    def test_result_of_another_process__is_left_alone(
        self, process: list[object], tmp_path: Path
    ) -> None:
        process.append(ZeroDivisionError("made again"))
        (tmp_path / "out.mp4").write_bytes(b"x")
        outcome = predict_video(
            Job(Path("in.mp4"), tmp_path / "out.mp4", video=True),
            segmenter=None,  # type: ignore[arg-type]
            effect=MASK,
            smooth=True,
            overwrite=False,
            progress=lambda *_: None,
        )
        assert (outcome.status, outcome.people) == ("skipped", None)

    @pytest.mark.parametrize(
        "error",
        [
            ImageError("in.mp4: damaged."),
            UsageError("needs PyAV."),
            HumansegError("out.mp4: could not be written."),
        ],
    )
    def test_failed(self, process: list[object], error: Exception) -> None:
        process.append(error)
        assert (self._predict().status, self._predict().error) == ("failed", str(error))

    def test_interrupted__is_raised(self, process: list[object]) -> None:
        process.append(Interrupted("stopped."))
        with pytest.raises(Interrupted):
            self._predict()
