// SPDX-License-Identifier: Apache-2.0
// The cheapest path down a grid: twenty rows a launch, each group with as much of its neighbours'
// columns as those rows need.
#include <algorithm>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  #define GROUP 256
  __kernel void descend(__global const int* wall, __global const int* from, __global int* to,
                        int columns, int row, int rows) {
    __local int now[GROUP], next[GROUP];
    const int i = (int)get_local_id(0), useful = GROUP - 2 * rows;
    const int x = (int)get_group_id(0) * useful + i - rows;
    const int here = clamp(x, 0, columns - 1);
    now[i] = from[here];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = 0; r < rows; ++r) {
      const int left = x > 0 && i > 0 ? i - 1 : i;
      const int right = x < columns - 1 && i < GROUP - 1 ? i + 1 : i;
      next[i] = min(now[i], min(now[left], now[right])) + wall[(row + r) * columns + here];
      barrier(CLK_LOCAL_MEM_FENCE);
      now[i] = next[i];
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (i >= rows && i < GROUP - rows && x < columns) to[x] = now[i];
  })";

int main(int count, char** words) {
  constexpr size_t kGroup = 256, kAtOnce = 20, kRows = 101;
  const size_t columns = size_from(count, words, 100000);
  Numbers numbers(1);
  std::vector<int> wall(columns * kRows);
  for (int& value : wall) value = static_cast<int>(numbers.next() % 10);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel descend = Host::kernel(program, "descend");
  cl_mem d_wall = host.buffer(wall.size() * 4), one = host.buffer(columns * 4),
         two = host.buffer(columns * 4);
  std::vector<int> result;
  measured("pathfinder", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, d_wall, CL_TRUE, 0, wall.size() * 4, wall.data(), 0,
                            nullptr, nullptr));
    OK(clEnqueueCopyBuffer(host.queue, d_wall, one, 0, 0, columns * 4, 0, nullptr, nullptr));
    cl_mem from = one, to = two;
    for (size_t row = 1; row < kRows; row += kAtOnce, std::swap(from, to)) {
      const size_t rows = std::min(kAtOnce, kRows - row), useful = kGroup - 2 * rows;
      arguments(descend, d_wall, from, to, static_cast<int>(columns), static_cast<int>(row),
                static_cast<int>(rows));
      host.run(descend, {(columns + useful - 1) / useful * kGroup}, {kGroup});
    }
    result = host.read<int>(from, columns);
  });
  print("pathfinder", result);
  std::vector<int> now(wall.begin(), wall.begin() + static_cast<std::ptrdiff_t>(columns)),
      next(columns);
  for (size_t row = 1; row < kRows; ++row, std::swap(now, next))
    for (size_t x = 0; x < columns; ++x)
      next[x] = std::min({now[x], now[x == 0 ? 0 : x - 1], now[std::min(x + 1, columns - 1)]}) +
                wall[row * columns + x];
  compare("costs", result == now);
}
