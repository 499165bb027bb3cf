"""The plug-in for GIMP 3, called as GIMP calls it, by a stand-in for GIMP's own modules."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

FILE = Path(__file__).parents[2] / "examples/gimp/humanseg-people/humanseg-people.py"


class _Layers(list[tuple[str, Any]]):
    """An image of GIMP, which remembers what is done to it."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return lambda *words: self.append((name, words))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401
    """The plug-in as a module, and `Gimp` in it, whose files are real ones."""

    def save(_mode: object, _image: object, file: str, _options: None) -> None:
        pixels = np.zeros((48, 64, 3), dtype=np.uint8)
        pixels[8:40, 16:48] = 255
        Image.fromarray(pixels).save(file)

    def load(_mode: object, _image: object, file: str) -> MagicMock:
        return MagicMock(pixels=np.asarray(Image.open(file)))

    gimp = MagicMock(file_save=save, file_load_layer=load, PlugIn=object)
    gio = SimpleNamespace(File=SimpleNamespace(new_for_path=str))
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    vars(gi)["require_version"] = lambda name, version: None
    vars(repository).update(Gimp=gimp, Gio=gio, GLib=SimpleNamespace(Error=RuntimeError))
    monkeypatch.setitem(sys.modules, "gi", gi)
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    spec = importlib.util.spec_from_file_location("humanseg_people", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.command
def test_plugin__adds_the_people_as_a_masked_layer(
    plugin: Any,  # noqa: ANN401
    brightness_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIMP's own Python runs another: the command is given words of its own before the plug-in's.
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom humanseg.cli import main\n"
        f"sys.exit(main([*sys.argv[1:], '--model', {str(brightness_model)!r}]))\n"
    )
    monkeypatch.setenv("HUMANSEG", shlex.join([sys.executable, str(script)]))
    procedure, image = MagicMock(), _Layers()
    plugin.People().run(procedure, "mode", image, [], None, None)
    procedure.new_return_values.assert_called_once_with(plugin.Gimp.PDBStatusType.SUCCESS, None)
    assert [name for name, _ in image] == ["undo_group_start", "insert_layer", "undo_group_end"]
    layer, parent, position = image[1][1]
    assert (parent, position) == (None, 0)
    assert layer.pixels.shape == (48, 64, 4)
    assert (layer.pixels[24, 32, 3], layer.pixels[2, 2, 3]) == (255, 0)
    layer.create_mask.assert_called_once_with(plugin.Gimp.AddMaskType.ALPHA_TRANSFER)
    layer.add_mask.assert_called_once_with(layer.create_mask.return_value)


def test_plugin__tells_gimp_what_went_wrong(
    plugin: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUMANSEG", "/nowhere/humanseg")
    procedure, image = MagicMock(), _Layers()
    plugin.People().run(procedure, "mode", image, [], None, None)
    status, problem = procedure.new_return_values.call_args.args
    assert status is plugin.Gimp.PDBStatusType.EXECUTION_ERROR
    assert str(problem) == (
        "/nowhere/humanseg: is not there; install humanseg, or set HUMANSEG to its path."
    )
    assert not image


def test_plugin__is_registered_where_gimp_looks(plugin: Any) -> None:  # noqa: ANN401
    people = plugin.People()
    (name,) = people.do_query_procedures()
    assert FILE.parent.name == FILE.stem == name  # GIMP loads no other
    assert FILE.stat().st_mode & 0o111
    people.do_create_procedure(name).add_menu_path.assert_called_once_with("<Image>/Layer/Mask")
