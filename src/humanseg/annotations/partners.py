"""Files that belong together by their names: a picture and its mask, or its text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path
from unicodedata import normalize

from humanseg.annotations.label_set import Missing


def folded(name: str) -> str:
    """What two names have in common that a person would call the same.

    Accents in one or two characters (Unicode's NFC, and NFD as a Mac's archives have it), capitals
    or not.
    """
    return normalize("NFC", normalize("NFC", name).casefold())


def by_look(names: Iterable[str], look: Callable[[str], str] = folded) -> dict[str, list[str]]:
    """Names by what they look like."""
    alike = defaultdict(list)
    for name in names:
        alike[look(name)].append(name)
    return alike


def paired(
    first: Set[str], second: Set[str], looks: Sequence[Callable[[str], str]] = (folded,)
) -> dict[str, str]:
    """Names of `second` by those of `first`: equal ones, then where one of each looks the same."""
    partners = {name: name for name in first & second}
    for look in looks:
        lone = by_look(first - partners.keys(), look)
        others = by_look(second - set(partners.values()), look)
        for name, alike in lone.items():
            if len(alike) == len(others.get(name, ())) == 1:
                partners[alike[0]] = others[name][0]
    return partners


def visible(folder: Path, pattern: str) -> list[Path]:
    """What a pattern finds in a folder, in order, but what is hidden."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def folders_beside(root: Path, name: str, other: str) -> list[Path]:
    """Folders of a name that have the other one beside them: in `root`, or one folder below."""
    candidates = [root / name, *sorted(root.glob(f"*/{name}"))]
    return [path for path in candidates if path.is_dir() and path.with_name(other).is_dir()]


def by_stem(folder: Path, suffixes: Set[str], missing: list[Missing]) -> dict[str, Path]:
    """Files below a folder by their path without suffix; a second one of a name is noted."""
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file():
            stem = file.relative_to(folder).with_suffix("").as_posix()
            other = files.setdefault(stem, file)
            if other is not file:
                missing.append(
                    Missing(file, f"{file.name} has the name of {other.name}; keep one of them")
                )
    return files
