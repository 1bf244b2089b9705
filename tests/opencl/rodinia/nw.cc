// SPDX-License-Identifier: Apache-2.0
// Needleman-Wunsch: the score of every pair of prefixes of two sequences, in blocks of 16 along the
// diagonals, each a launch.
#include <algorithm>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  #define B 16
  __kernel void align(__global const int* similar, __global int* scores, int columns, int penalty,
                      int step, int first) {
    __local int tile[B + 1][B + 1], like[B][B];
    const int i = (int)get_local_id(0);
    const int bx = first + (int)get_group_id(0), by = step - bx;
    const int x0 = bx * B, y0 = by * B;
    for (int r = 0; r < B; ++r) like[r][i] = similar[(y0 + r + 1) * columns + x0 + i + 1];
    tile[i + 1][0] = scores[(y0 + i + 1) * columns + x0];
    tile[0][i + 1] = scores[y0 * columns + x0 + i + 1];
    if (i == 0) tile[0][0] = scores[y0 * columns + x0];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int d = 0; d < 2 * B - 1; ++d) {
      const int x = i, y = d - i;
      if (y >= 0 && y < B)
        tile[y + 1][x + 1] = max(tile[y][x] + like[y][x],
                                 max(tile[y + 1][x], tile[y][x + 1]) - penalty);
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int r = 0; r < B; ++r) scores[(y0 + r + 1) * columns + x0 + i + 1] = tile[r + 1][i + 1];
  })";

int main(int count, char** words) {
  constexpr size_t kBlock = 16;
  constexpr int kPenalty = 10;
  const size_t n = size_from(count, words, 1024) / kBlock * kBlock, columns = n + 1;
  Numbers numbers(1);
  std::vector<int> similar(columns * columns), start(columns * columns);
  for (int& value : similar) value = static_cast<int>(numbers.next() % 20) - 9;
  for (size_t i = 0; i < columns; ++i)
    start[i] = start[i * columns] = -static_cast<int>(i) * kPenalty;
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel align = Host::kernel(program, "align");
  cl_mem d_similar = host.buffer(similar.size() * 4), d_scores = host.buffer(start.size() * 4);
  std::vector<int> result;
  measured("nw", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, d_similar, CL_TRUE, 0, similar.size() * 4, similar.data(),
                            0, nullptr, nullptr));
    OK(clEnqueueWriteBuffer(host.queue, d_scores, CL_TRUE, 0, start.size() * 4, start.data(), 0,
                            nullptr, nullptr));
    const int blocks = static_cast<int>(n / kBlock);
    for (int step = 0; step < 2 * blocks - 1; ++step) {
      const int first = std::max(0, step - blocks + 1), last = std::min(step, blocks - 1);
      arguments(align, d_similar, d_scores, static_cast<int>(columns), kPenalty, step, first);
      host.run(align, {static_cast<size_t>(last - first + 1) * kBlock}, {kBlock});
    }
    result = host.read<int>(d_scores, start.size());
  });
  print("nw", result);
  for (size_t y = 1; y < columns; ++y)
    for (size_t x = 1; x < columns; ++x)
      start[y * columns + x] =
          std::max(start[(y - 1) * columns + x - 1] + similar[y * columns + x],
                   std::max(start[y * columns + x - 1], start[(y - 1) * columns + x]) - kPenalty);
  compare("scores", result == start);
}
