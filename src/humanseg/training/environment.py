"""Describe the machine and the software that a run was made with."""

from __future__ import annotations

import torch

from humanseg.results import Environment, provenance


def describe_environment(device: str) -> Environment:
    """Date, command, versions, commit and hardware of a run on `device`."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return provenance.describe_environment(device=name, threads=torch.get_num_threads())
