"""`predict --rank` and `data review`: the doubtful pictures first, and a page to mark them on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders.segmenters import BrightIsPerson

from humanseg.cli.network_flags import NetworkFlags
from humanseg.cli.review_order import Looker, told
from humanseg.data.samples import Sample
from humanseg.report.review import write_review
from humanseg.system.errors import DataError

Run = Callable[..., tuple[int, str, str]]
ORDER = ["photos/unsure.png", "photos/middling.png", "photos/sure.png"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bright person, whom the stand-in is sure of, and two that are greyer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NetworkFlags, "open", lambda self, *, threads=None: BrightIsPerson())
    Path("photos").mkdir()
    for name, level in (("sure", 255), ("unsure", 140), ("middling", 210)):
        image = Image.new("RGB", (60, 45))
        image.paste((level, level, level), (20, 10, 50, 40))
        image.save(f"photos/{name}.png")
    return Path("photos")


def _names(page: Path) -> list[str]:
    return re.findall(r'data-id="([^"]+)"', page.read_text("utf-8"))


class TestRank:
    def test_json_comes_in_order_with_its_column(self, photos: Path, run: Run) -> None:
        code, out, _ = run("predict", "photos", "-o", "masks", "--rank", "--json")
        lines = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert [line["input"] for line in lines] == ORDER
        values = [line["uncertainty"] for line in lines]
        assert values == sorted(values, reverse=True)
        assert 0 < values[-1] < values[0] <= 1

    def test_text_names_the_least_sure_first(self, photos: Path, run: Run) -> None:
        code, out, _ = run("predict", "photos", "-o", "masks", "--rank")
        lines = out.splitlines()
        assert (code, lines[0]) == (0, "Least sure first:")
        assert [line.split()[1] for line in lines[1:4]] == ORDER

    def test_results_are_the_same_as_without(self, photos: Path, run: Run) -> None:
        run("predict", "photos", "-o", "ranked", "--rank", "--quiet")
        run("predict", "photos", "-o", "plain", "--quiet")
        for name in ("sure.png", "unsure.png", "middling.png"):
            assert Path("ranked", name).read_bytes() == Path("plain", name).read_bytes()

    def test_without_it_the_column_is_empty(self, photos: Path, run: Run) -> None:
        _, out, _ = run("predict", "photos", "-o", "masks", "--json")
        assert {json.loads(line)["uncertainty"] for line in out.splitlines()} == {None}

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("- -o x.png --rank", "--rank has no effect on a pipe; leave it out."),
            ("--camera 0 -o x.mp4 --rank", "--rank has no effect on a camera; leave it out."),
            ("photos -o m --rank --dry-run", "--rank has no effect on --dry-run; leave it out."),
        ],
    )
    def test_is_refused_where_nothing_is_ordered(
        self, photos: Path, run: Run, words: str, sentence: str
    ) -> None:
        code, _, err = run("predict", *words.split())
        assert code == 2
        assert sentence in err


class TestReview:
    def test_of_ranked_lines_shows_them_in_order(self, photos: Path, run: Run) -> None:
        _, out, _ = run("predict", "photos", "-o", "masks", "--rank", "--json")
        Path("lines.jsonl").write_text(out)
        code, said, _ = run("data", "review", "lines.jsonl", "-o", "review.html")
        assert (code, said) == (0, "review.html: 3 of 3 pictures.\n")
        page = Path("review.html").read_text("utf-8")
        assert _names(Path("review.html")) == ORDER
        assert page.count("data:image/webp;base64,") == page.count("data:image/png;base64,") == 3
        assert "//" not in re.sub(r"data:[^)\"]+|// .*", "", page)  # nothing is fetched

    def test_shows_the_first_only_and_says_so(self, photos: Path, run: Run) -> None:
        _, out, _ = run("predict", "photos", "-o", "masks", "--rank", "--json")
        Path("lines.jsonl").write_text(out)
        _, said, _ = run("data", "review", "lines.jsonl", "-o", "review.html", "--most", "1")
        assert said == "review.html: 1 of 3 pictures.\n"
        assert _names(Path("review.html")) == ORDER[:1]

    def test_a_picture_that_is_gone_has_words_in_its_place(self, photos: Path, run: Run) -> None:
        _, out, _ = run("predict", "photos", "-o", "masks", "--rank", "--json")
        Path("lines.jsonl").write_text(out)
        Path("photos/unsure.png").unlink()
        assert run("data", "review", "lines.jsonl", "-o", "review.html")[0] == 0
        assert (
            "Cannot be shown. photos/unsure.png: no such file." in Path("review.html").read_text()
        )

    @pytest.mark.parametrize("text", ["no json\n", '{"input": 1}\n', "[]\n"])
    def test_other_lines_are_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(DataError, match="is not what `humanseg predict --rank --json` prints"):
            told(tmp_path / "x.jsonl")

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("photos", "-o is missing; give the page to write with -o review.html."),
            ("photos -o r.html --most 0", "--most: got 0; must be at least 1."),
            ("nowhere -o r.html", "nowhere: does not exist; give a folder, or lines of JSON"),
            ("photos -o photos", "photos: is a folder; -o needs a file."),
            ("x.jsonl -o r.html --model m", "--model has no effect on x.jsonl, which has masks"),
            (
                "x.jsonl -o r.html --layout yolo --classes dog",
                "--layout and --classes have no effect on x.jsonl, which has masks; leave it out.",
            ),
            ("photos -o r.html --classes dog", "--classes has no effect on photos, which has no"),
        ],
    )
    def test_bad_use(self, photos: Path, run: Run, words: str, sentence: str) -> None:
        Path("x.jsonl").touch()
        code, _, err = run("data", "review", *words.split())
        assert code == 2
        assert sentence in err

    def test_pictures_without_labels_are_ordered_by_uncertainty(self, photos: Path) -> None:
        looker = Looker(BrightIsPerson())
        files = [Path(name) for name in sorted(ORDER)]
        ranked = looker.order(looker.by_uncertainty, files, lambda *_, **__: None)
        assert [picture.id for _, picture in ranked] == ORDER

    def test_labels_are_ordered_by_how_little_they_overlap(self, photos: Path) -> None:
        mask = np.zeros((45, 60), np.uint8)
        mask[10:40, 20:35] = 255  # the left half of the person
        Image.fromarray(mask).save("half.png")
        mask[10:40, 20:50] = 255
        Image.fromarray(mask).save("whole.png")
        samples = [
            Sample(id=name, image=Path("photos/sure.png"), mask=Path(f"{name}.png"))
            for name in ("whole", "half")
        ]
        looker = Looker(BrightIsPerson((45, 60)))
        ranked = looker.order(looker.against_label, samples, lambda *_, **__: None)
        assert [round(key, 2) for key, _ in ranked] == [0.5, 1.0]
        write_review(Path("r.html"), [ranked[0][1]], title="t", order="o", total=2)
        assert "the network says person, the label does not" in Path("r.html").read_text("utf-8")
