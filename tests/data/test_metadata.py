from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from humanseg.data import Sample, read_facts
from humanseg.data.sources import read_group_table, sources_by_size
from humanseg.system.errors import DataError, UsageError

Write = Callable[..., Path]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    return path


def samples(write: Write, count: int = 4) -> list[Sample]:
    mask = np.zeros((12, 16), dtype=np.bool_)
    mask[:, :4] = True
    return [
        Sample(str(number), write(f"{number}.png", seed=number), write(f"m{number}.png", mask))
        for number in range(count)
    ]


def test_facts__join_copies_and_what_the_table_says(tmp_path: Path, write: Write) -> None:
    pairs = samples(write)
    copy = Sample("copy", pairs[0].image, pairs[0].mask)
    told = table(tmp_path, "id,group,source\ncopy,g,web\n2,g,web\n0,,cam\n1,,cam\n3,,cam\n")
    facts = read_facts([*pairs, copy], told)
    assert facts.groups == {"0": "0", "1": "1", "2": "0", "3": "3", "copy": "0"}
    assert facts.sources == {"0": "cam", "1": "cam", "2": "web", "3": "cam", "copy": "web"}
    assert facts.shares["1"] == 0.25
    assert facts.copies == (("0", "copy", "exact"),)


def test_facts__guess_sources_without_a_table(write: Write) -> None:
    facts = read_facts(samples(write))
    assert len(set(facts.sources.values())) == 1


def test_sources_by_size__common_sizes_upright_or_not_are_sources() -> None:
    sizes = {str(number): (480, 640) if number % 2 else (640, 480) for number in range(20)}
    sizes |= {f"w{number}": (100 + number, 200) for number in range(20)}
    sources = sources_by_size(sizes)
    assert {sources[str(number)] for number in range(20)} == {"640x480"}
    assert {sources[f"w{number}"] for number in range(20)} == {"other"}


def test_sources_by_size__a_single_picture_is_no_source() -> None:
    assert set(sources_by_size({"a": (10, 10), "b": (20, 20)}).values()) == {"other"}


def test_table__groups_alone_or_sources_alone(tmp_path: Path) -> None:
    only_groups = read_group_table(table(tmp_path, "id,group\na,x\nb,\n"), ["a", "b"])
    assert only_groups == {"group": {"a": "x"}}
    only_sources = read_group_table(table(tmp_path, "\ufeffid, source\na,x\nb,y\n"), ["a", "b"])
    assert only_sources == {"source": {"a": "x", "b": "y"}}


def test_table__further_columns(tmp_path: Path) -> None:
    text = "id,group,tone , age\na,x, dark,\nb,y,light,,surplus\n"
    columns = read_group_table(table(tmp_path, text), ["a", "b"])
    assert columns == {
        "group": {"a": "x", "b": "y"},
        "tone": {"a": "dark", "b": "light"},
        "age": {},
    }


def test_table__ids_in_any_unicode_form(tmp_path: Path) -> None:
    text = normalize("NFD", "id,group\né,x\n")
    groups = read_group_table(table(tmp_path, text), [normalize("NFC", "é")])
    assert groups == {"group": {normalize("NFC", "é"): "x"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,group\na,x\n", "needs the column id and group, source or both"),
        ("id\na\n", "needs the column id and group, source or both"),
        ("id,group\na,x\na,y\n", r"1 ids are listed twice \(a\)"),
        ("id,group\nc,x\n", r"1 ids are not in the data set \(c\)"),
        ("id,source\na,x\n", r"names no source for 1 pictures \(b\)"),
    ],
)
def test_table__refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_group_table(table(tmp_path, text), ["a", "b"])


def test_table__missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_group_table(tmp_path / "no.csv", ["a"])
    (tmp_path / "groups.csv").write_bytes(b"id,group\n\xff\xfe,x\n")
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        read_group_table(tmp_path / "groups.csv", ["a"])


def test_facts__count_what_is_read(write: Write) -> None:
    calls: list[tuple[int, int]] = []
    read_facts(samples(write), progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
