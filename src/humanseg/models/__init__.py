"""Networks of segmentation-models-pytorch: build, weigh, save, load, run."""

from humanseg.models.complexity import count_macs, count_parameters, measure_latency
from humanseg.models.network import SegmentationNetwork, build_network
from humanseg.models.onnx_file import FromBytes, write_onnx
from humanseg.models.saved import halved, load_network, save_network, start_network
from humanseg.models.torch_engine import TorchEngine

__all__ = [
    "FromBytes",
    "SegmentationNetwork",
    "TorchEngine",
    "build_network",
    "count_macs",
    "count_parameters",
    "halved",
    "load_network",
    "measure_latency",
    "save_network",
    "start_network",
    "write_onnx",
]
