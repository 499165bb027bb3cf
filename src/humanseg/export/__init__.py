"""Write a trained network in the formats of other runtimes, and see that they agree with torch."""

from humanseg.export.export_record import ExportRecord, Format
from humanseg.export.int8_calibration import calibration_pictures
from humanseg.export.run_export import export

__all__ = ["ExportRecord", "Format", "calibration_pictures", "export"]
