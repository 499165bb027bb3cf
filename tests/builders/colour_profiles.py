"""ICC profiles to embed in test images."""

from __future__ import annotations

import struct

P3_D50 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB_D50 = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def numbers(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)


def profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile, version 2.4 (ICC.1:2001-04, sections 6.1 and 6.2)."""
    name = b"Test" + space.strip() + b"\x00"
    tags = tags | {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(8 + 3 + 67),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + numbers(0.9642, 1.0, 0.8249),
    }
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    rest = struct.pack(">I", len(tags)) + table + body
    header = struct.pack(">I4sI4s4s4s", 128 + len(rest), bytes(4), 0x0240_0000, kind, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += numbers(0.9642, 1.0, 0.8249) + bytes(48)
    return header + rest


def gamma_curve(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def rgb_profile(primaries: tuple[tuple[float, ...], ...] = P3_D50, gamma: float = 2.2) -> bytes:
    tags = {
        name + b"XYZ": b"XYZ \0\0\0\0" + numbers(*row)
        for name, row in zip((b"r", b"g", b"b"), primaries, strict=True)
    }
    tags |= {name + b"TRC": gamma_curve(gamma) for name in (b"r", b"g", b"b")}
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)
