"""From a picture to a mask, without torch: what users get and what evaluation measures."""

from humanseg.inference.predictor import Backend, Predictor

__all__ = ["Backend", "Predictor"]
