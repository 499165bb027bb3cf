"""Bad uses and files that only these tests reach: a sentence, an exit code, nothing written."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

TASK = {
    "data": {"image": "images/00001.jpg"},
    "annotations": [
        {
            "result": [
                {
                    "type": "polygonlabels",
                    "value": {
                        "points": [[1, 1], [5, 1], [5, 5]],
                        "polygonlabels": ["person"],
                    },
                }
            ]
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures, an archive, a file in the way, and damaged labels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").symlink_to(drawn)
    (tmp_path / "page.html").write_text("kept")
    (tmp_path / "file").touch()
    with tarfile.open(tmp_path / "some.tar", "w") as archive:
        archive.add(next((drawn / "images").iterdir()), "1.jpg")
    (tmp_path / "tasks.json").write_text(json.dumps([TASK]))
    (tmp_path / "labels.json").write_bytes(b"\xff\xfe\x00{")
    (tmp_path / "other.json").write_text('{"a": 1}')
    return tmp_path


def test_sure_share__is_a_setting_that_a_folder_remembers(folder: Path, run: Run) -> None:
    words = ["predict", "pictures/images", "-o", "masks", "--quiet"]
    assert run(*words, "--sure-share", "0")[0] == 0
    assert run(*words, "--sure-share", "0")[0] == 0
    code, _, err = run(*words)
    assert code == 2
    assert "sure-share" in err
    assert run(*words, "--sure-share", "2")[0] == 2


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("data review pictures -o page.html", 2, "page.html: exists already; give another name"),
        ("predict pictures/images -o file/masks/", 2, "file: is a file, not a folder"),
        ("predict some.tar --as coco -o out.json", 2, "does not read tar files; unpack them first"),
        ("data compose new --data pictures --count 0", 2, "count is 0 and seed 0; at least 1"),
        ("data check labels.json --layout coco", 1, "labels.json: is not text in UTF-8"),
        (
            "data check tasks.json --layout label_studio", 1,
            "00001.jpg has no original_width and original_height",
        ),
        ("data check other.json --layout label_studio", 2, "needs a JSON export of Label Studio"),
    ],
)  # fmt: skip
def test_refusal__is_one_sentence(
    words: str, code: int, sentence: str, folder: Path, run: Run
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    ended, out, err = run(*words.split())
    assert (ended, out) == (code, "")
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "page.html").read_text() == "kept"
