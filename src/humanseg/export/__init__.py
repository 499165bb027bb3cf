"""Write a trained network in the formats of other runtimes, and see that they agree with torch."""

from humanseg.export.calibration import calibration_pictures
from humanseg.export.record import ExportRecord, Format
from humanseg.export.run import export

__all__ = ["ExportRecord", "Format", "calibration_pictures", "export"]
