#!/usr/bin/env python3
"""A plug-in for GIMP 3: the people of an image as a new layer with a layer mask.

Copy the folder `humanseg-people` into GIMP's folder of plug-ins (Edit > Preferences > Folders), as
`humanseg-people/humanseg-people.py`, and make the file executable. It runs the command `humanseg`,
such as `pipx install humanseg` brings; where GIMP does not find that, set HUMANSEG to its path. The
menu has it as Layer > Mask > People. Nothing is sent anywhere.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio, GLib  # noqa: E402  its version comes first


class People(Gimp.PlugIn):  # type: ignore[misc]
    """What GIMP asks for when it starts, and calls from its menu."""

    def do_query_procedures(self) -> list[str]:
        """Names of what the menu offers."""
        return ["humanseg-people"]

    def do_set_i18n(self, _name: str) -> bool:
        """No translations."""
        return False

    def do_create_procedure(self, name: str) -> Any:  # noqa: ANN401
        """Where the menu has it, and for which images."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, self.run, None)
        procedure.set_image_types("RGB*, GRAY*")
        procedure.set_menu_label("_People")
        procedure.add_menu_path("<Image>/Layer/Mask")
        procedure.set_documentation("The people as a layer with a mask", __doc__, name)
        procedure.set_attribution("humanseg", "humanseg", "2026")
        return procedure

    def run(self, procedure: Any, _mode: Any, image: Any, *_: object) -> Any:  # noqa: ANN401
        """Add the layer; the image's own layers stay as they are."""
        try:
            add_people(image)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            if isinstance(error, FileNotFoundError):
                advice = "install humanseg, or set HUMANSEG to its path."
                said = f"{error.filename}: is not there; {advice}"
            problem = GLib.Error(said.strip())
            return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, problem)
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def add_people(image: Any) -> None:  # noqa: ANN401
    """Cut out what is visible and add it on top, its opacity as a layer mask to paint on."""
    alone = Gimp.RunMode.NONINTERACTIVE
    with tempfile.TemporaryDirectory() as folder:
        visible, cutout = Path(folder, "visible.png"), Path(folder, "people.png")
        Gimp.file_save(alone, image, Gio.File.new_for_path(str(visible)), None)
        command = [*shlex.split(os.environ.get("HUMANSEG", "humanseg")), "predict", str(visible)]
        subprocess.run([*command, "--as", "cutout", "-o", str(cutout), "--quiet"],
                       check=True, capture_output=True, text=True)  # fmt: skip
        image.undo_group_start()
        layer = Gimp.file_load_layer(alone, image, Gio.File.new_for_path(str(cutout)))
        layer.set_name("People")
        image.insert_layer(layer, None, 0)
        layer.add_mask(layer.create_mask(Gimp.AddMaskType.ALPHA_TRANSFER))
        image.undo_group_end()


if __name__ == "__main__":
    Gimp.main(People.__gtype__, sys.argv)
