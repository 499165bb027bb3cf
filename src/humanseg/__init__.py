"""Train, compare and use person-segmentation networks."""

__version__ = "0.1.0"
