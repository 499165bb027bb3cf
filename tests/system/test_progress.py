from __future__ import annotations

from humanseg.system.progress import of_stage


def test_of_stage__names_the_stage() -> None:
    calls: list[tuple[int, int | None, str]] = []

    def show(done: int, total: int | None, *, stage: str = "", **_: object) -> None:
        calls.append((done, total, stage))

    progress = of_stage(show, "Reading images")
    assert progress is not None
    progress(1, 2)
    progress(2, None, stage="another")
    assert calls == [(1, 2, "Reading images"), (2, None, "another")]


def test_of_stage__nobody_watches() -> None:
    assert of_stage(None, "Reading images") is None
