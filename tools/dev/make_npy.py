#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a float32 tensor of one value in NumPy's format, without NumPy: make_npy.py OUT VALUE DIM [DIM ...]"""
import struct
import sys

out, value, dims = sys.argv[1], float(sys.argv[2]), [int(d) for d in sys.argv[3:]]
count = 1
for dim in dims:
    count *= dim
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }" % ", ".join(map(str, dims))
header += " " * (-(10 + len(header) + 1) % 64) + "\n"
with open(out, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack("<f", value) * count)
