// SPDX-License-Identifier: Apache-2.0
// Kernels that move elements: by steps, by a condition, by indices.
#include "isolated/driver/opencl/device/grid_source.h"
#include "isolated/driver/opencl/device/lowering.h"

namespace casemate::driver {

// X: an unsigned type as wide as the elements. INDEX: the type of indices.
const KernelSource kMovementSource = {"movement", CASEMATE_GRID_SOURCE R"cl(
__kernel void move(__global const X* from, __global X* to, Grid g) {
  const int x = get_global_id(0);
  const int row = get_global_id(1);
  if (x >= g.columns) return;
  to[place(&g, 0, row) + x * g.column_step[0]] = from[place(&g, 1, row) + x * g.column_step[1]];
}

__kernel void choose(__global const uchar* which, __global const X* yes, __global const X* no,
                     __global X* to, Grid g) {
  const int x = get_global_id(0);
  const int row = get_global_id(1);
  if (x >= g.columns) return;
  const X a = yes[place(&g, 2, row) + x * g.column_step[2]];
  const X b = no[place(&g, 3, row) + x * g.column_step[3]];
  const uchar first = which[place(&g, 1, row) + x * g.column_step[1]];
  to[place(&g, 0, row) + x * g.column_step[0]] = first != 0 ? a : b;
}

#ifdef INDEX
// What an index that points nowhere would have read is not read: the first run is, and the flag
// says so.
__kernel void gather(__global const X* from, __global const INDEX* indices, __global X* to,
                     __global int* flag, int run, int count, int extent) {
  const int x = get_global_id(0);
  const int row = get_global_id(1);
  if (x >= run) return;
  INDEX index = indices[row % count];
  if (index < -(INDEX)extent || index >= (INDEX)extent) {
    atomic_or(flag, 1);
    index = 0;
  }
  if (index < 0) index += extent;
  to[row * run + x] = from[(row / count * extent + (int)index) * run + x];
}
#endif
)cl"};

}  // namespace casemate::driver
