"""Bad uses and files that only these tests reach: a sentence, an exit code, nothing written."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders.files import coco_document

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
    (tmp_path / "mixed").mkdir()
    for part in ("images", "masks"):
        (tmp_path / "mixed" / part).symlink_to(drawn / part)
    document = coco_document(categories=[{"id": 1, "name": "dog"}])
    for path in ("mixed/people.json", "dogs.json"):
        (tmp_path / path).write_text(json.dumps(document))
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "data compose new --data mixed --count 2 --layout coco --classes person",
        "data review mixed -o new.html --layout coco --classes person",
        "train --data mixed --layout coco --classes person -o run",
        "compare --data mixed --layout coco --classes person -o run",
    ],
)
def test_labels__are_read_as_flags_say(words: str, folder: Path, run: Run) -> None:
    code, _, err = run(*words.split())
    assert (code, "no class is 'person'; its classes are 2, dog" in err) == (1, True)
    code, _, err = run(*words.replace("person", "dog").split())
    assert (code, "b.jpg does not exist" in err) == (1, True)


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
        ("train --data mixed -o run", 2, "(folders, coco); say which are meant with --layout, "),
        ("train --layout coco --data.layout coco -o run", 2, "--layout and --data.layout are the"),
        ("data compose new --data dogs.json --count 1", 1, "people with --classes."),
        ("data review dogs.json -o new.html", 1, "people with --classes."),
        ("data review mixed -o new.html", 2, "(folders, coco); say which are meant with --layout"),
        ("train --data pictures --data.extra mixed -o run", 2, "give the file of labels itself."),
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
