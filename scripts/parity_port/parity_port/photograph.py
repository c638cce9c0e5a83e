"""A PNG as a network input, bit for bit as parity's scenarios prepare it: stretched with a triangle filter, scaled."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np


def load(path: Path, size: tuple[int, int], scale: float) -> np.ndarray:
    """`[1, 3, h, w]` f32 in RGB order: 8-bit values of the resized picture times `scale` (as f32)."""
    pixels = resized(png(path), size)
    return np.ascontiguousarray((pixels.astype(np.float32) * np.float32(scale)).transpose(2, 0, 1)[None])


def png(path: Path) -> np.ndarray:
    """8-bit RGB or RGBA without interlacing, as u8 `[h, w, 3]`."""
    data, at, packed, header = path.read_bytes(), 8, b"", None
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body, at = data[at + 8 : at + 8 + length], at + 12 + length
        header = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
    width, height, depth, color, _, _, interlaced = header
    if depth != 8 or color not in (2, 6) or interlaced:
        raise ValueError(f"{path}: only 8-bit RGB or RGBA PNG without interlacing is read here")
    return unfiltered(zlib.decompress(packed), height, width, 3 if color == 2 else 4)[:, :, :3]


def unfiltered(raw: bytes, height: int, width: int, depth: int) -> np.ndarray:
    """Undoes PNG's five row filters."""
    rows = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * depth)
    out = np.zeros((height + 1, width + 1, depth), np.int64)
    for y, row in enumerate(rows):
        kind, values = row[0], row[1:].reshape(width, depth).astype(np.int64)
        above, line = out[y], out[y + 1]
        for x in range(width):
            left, up, corner = line[x], above[x + 1], above[x]
            guess = (0, left, up, (left + up) // 2, None)[kind]
            line[x + 1] = values[x] + (paeth(left, up, corner) if kind == 4 else guess) & 255
    return out[1:, 1:].astype(np.uint8)


def paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """First rows, then columns, both in f32; rounded half away from zero to u8."""
    tall = sampled(pixels.astype(np.float32), size[0])
    wide = sampled(tall.transpose(1, 0, 2), size[1]).transpose(1, 0, 2)
    return np.floor(np.clip(wide, 0, 255) + np.float32(0.5)).astype(np.uint8)


def sampled(rows: np.ndarray, count: int) -> np.ndarray:
    """Rows resampled to `count`: each the weighted sum of those below the filter, added one by one in f32."""
    f, given = np.float32, len(rows)
    if count == given:
        return rows
    out = np.zeros((count, *rows.shape[1:]), f)
    ratio = f(given) / f(count)
    support = max(ratio, f(1))
    for i in range(count):
        centre = (f(i) + f(0.5)) * ratio
        first = min(max(int(np.floor(centre - support)), 0), given - 1)
        last = min(max(int(np.ceil(centre + support)), first + 1), given)
        weights = [max(f(1) - abs((f(j) - (centre - f(0.5))) / support), f(0)) for j in range(first, last)]
        total = f(0)
        for weight in weights:
            total += weight
        for j, weight in zip(range(first, last), weights):
            out[i] += rows[j] * (weight / total)
    return out
