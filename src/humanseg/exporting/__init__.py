"""Write a trained network in the formats of other runtimes, and see that they agree with torch."""

from humanseg.exporting.int8_calibration import Int8Options, calibration_images
from humanseg.exporting.run_export import ExportRecord, Format, export

__all__ = ["ExportRecord", "Format", "Int8Options", "calibration_images", "export"]
