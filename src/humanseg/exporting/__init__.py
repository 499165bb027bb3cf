"""Write a trained network in the formats of other runtimes, and see that they agree with torch."""

from humanseg.exporting.export_record import ExportRecord, Format
from humanseg.exporting.int8_calibration import calibration_pictures
from humanseg.exporting.run_export import export

__all__ = ["ExportRecord", "Format", "calibration_pictures", "export"]
