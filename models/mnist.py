# SPDX-License-Identifier: Apache-2.0
"""Reads the MNIST digits from their four gzip-compressed IDX files.

The files are input from elsewhere: magic, dimensions, length and label range are checked before a
single value is used, so that a truncated or swapped file is a clear refusal and not a bad model.
"""

import gzip
import pathlib
import struct
import zlib

import numpy as np

IMAGES_MAGIC = 0x00000803
LABELS_MAGIC = 0x00000801
SIDE = 28
CLASSES = 10
BYTES_MAX = 64 << 20  # the largest file holds 60,000 * 784 + 16 = 47,040,016 bytes


class BadData(Exception):
    """A file that is not what it should be; the text says which and why."""


def unpack(path, magic, dimensions):
    """The dimensions and the payload bytes of one IDX file, header and length checked."""
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{path}: {error}") from error
    header = 4 * (1 + dimensions)
    if len(data) > BYTES_MAX or len(data) < header:
        raise BadData(f"{path}: {len(data)} bytes is no size for an IDX file of digits")
    found, *shape = struct.unpack(f">{1 + dimensions}I", data[:header])
    if found != magic:
        raise BadData(f"{path}: magic is {found:#010x}, expected {magic:#010x}")
    expected = 1
    for size in shape:
        expected *= size
    if expected != len(data) - header:
        raise BadData(f"{path}: the header promises {expected} bytes, {len(data) - header} follow")
    return shape, np.frombuffer(data, np.uint8, offset=header)


def read_split(folder, split):
    """One split, "train" or "t10k": images uint8 [count, 28, 28] and labels uint8 [count]."""
    folder = pathlib.Path(folder)
    images_path = folder / f"{split}-images-idx3-ubyte.gz"
    labels_path = folder / f"{split}-labels-idx1-ubyte.gz"
    (count, rows, columns), pixels = unpack(images_path, IMAGES_MAGIC, 3)
    if (rows, columns) != (SIDE, SIDE):
        raise BadData(f"{images_path}: images are {rows}x{columns}, expected {SIDE}x{SIDE}")
    (label_count,), labels = unpack(labels_path, LABELS_MAGIC, 1)
    if label_count != count:
        raise BadData(f"{labels_path}: {label_count} labels for {count} images")
    if count == 0 or labels.max() >= CLASSES:
        raise BadData(f"{labels_path}: empty, or a label is not below {CLASSES}")
    return pixels.reshape(count, SIDE, SIDE), labels
