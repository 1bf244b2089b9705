# SPDX-License-Identifier: Apache-2.0
"""Tensors in a file, the same for every engine: what goes into a model, and what comes out.

For each tensor a line "TYPE RANK EXTENT ... NAME", TYPE as ONNX numbers it, and its elements as they
lie in memory. tests/perf/peers/tensor_file.h reads and writes the same.
"""

import numpy as np

TYPES = {1: np.float32, 7: np.int64}
# Of the models' inputs: as `casemate zoo --json` names them.
NAMES = {"float": np.float32, "int64": np.int64}


def write_tensors(path, tensors):
    numbers = {np.dtype(kind): number for number, kind in TYPES.items()}
    with open(path, "wb") as file:
        for name, array in tensors.items():
            words = [numbers[array.dtype], array.ndim, *array.shape, name]
            file.write((" ".join(map(str, words)) + "\n").encode())
            file.write(np.ascontiguousarray(array).tobytes())


def read_tensors(path):
    tensors = {}
    with open(path, "rb") as file:
        while line := file.readline():
            kind, rank, rest = line.decode().rstrip("\n").split(" ", 2)
            *extents, name = rest.split(" ", int(rank))
            shape = [int(extent) for extent in extents]
            kind = np.dtype(TYPES[int(kind)])
            data = file.read(kind.itemsize * int(np.prod(shape, dtype=np.int64)))
            tensors[name] = np.frombuffer(data, kind).reshape(shape).copy()
    return tensors


def made_up(ports, symbols):
    """Inputs for a model of which only its ports are known: floats are normally distributed; integers
    are 1 for an attention mask, count up for positions, and are random otherwise."""
    random = np.random.default_rng(1)
    tensors = {}
    for port in ports:
        extents = [word for word in port["shape"].strip("[]").split(",") if word]
        shape = [int(word) if word.isdigit() else symbols.get(word, 1) for word in extents]
        kind = NAMES[port["type"]]
        if kind is np.float32:
            tensors[port["name"]] = random.standard_normal(shape, np.float32)
        elif "mask" in port["name"]:
            tensors[port["name"]] = np.ones(shape, kind)
        elif "position" in port["name"]:
            first = symbols.get("past_sequence", 0)
            row = np.arange(first, first + shape[-1], dtype=kind)
            tensors[port["name"]] = np.broadcast_to(row, shape).copy()
        else:
            tensors[port["name"]] = random.integers(0, 2 if "type" in port["name"] else 1000, shape, kind)
    return tensors


def difference(found, expected):
    """The largest difference of any element, relative to the largest element of its tensor; infinite
    where names or shapes differ, or where something is no number."""
    if found.keys() != expected.keys():
        return float("inf")
    worst = 0.0
    for name, array in expected.items():
        if found[name].shape != array.shape or not np.isfinite(found[name]).all():
            return float("inf")
        if array.size:
            largest = np.abs(array).max()
            apart = np.abs(found[name].astype(np.float64) - array).max()
            worst = max(worst, float(apart / largest if largest else apart))
    return worst
