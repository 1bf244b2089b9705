// SPDX-License-Identifier: Apache-2.0
// LU decomposition in blocks of 16: for each step of the diagonal its own block, the blocks in its
// row and column, and all that is left.
#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  #define B 16
  __kernel void diagonal(__global float* a, int n, int at) {
    __local float tile[B][B];
    const int i = (int)get_local_id(0);
    for (int r = 0; r < B; ++r) tile[r][i] = a[(at + r) * n + at + i];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < B - 1; ++k) {
      if (i > k) {
        tile[i][k] /= tile[k][k];
        for (int j = k + 1; j < B; ++j) tile[i][j] -= tile[i][k] * tile[k][j];
      }
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int r = 0; r < B; ++r) a[(at + r) * n + at + i] = tile[r][i];
  }
  __kernel void edges(__global float* a, int n, int at) {
    __local float corner[B][B], row[B][B], column[B][B];
    const int i = (int)get_local_id(0), away = at + ((int)get_group_id(0) + 1) * B;
    for (int r = 0; r < B; ++r) {
      corner[r][i] = a[(at + r) * n + at + i];
      row[r][i] = a[(at + r) * n + away + i];
      column[r][i] = a[(away + r) * n + at + i];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < B; ++k) {
      for (int r = k + 1; r < B; ++r) row[r][i] -= corner[r][k] * row[k][i];
      column[i][k] /= corner[k][k];
      for (int j = k + 1; j < B; ++j) column[i][j] -= column[i][k] * corner[k][j];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = 0; r < B; ++r) {
      a[(at + r) * n + away + i] = row[r][i];
      a[(away + r) * n + at + i] = column[r][i];
    }
  }
  __kernel void rest(__global float* a, int n, int at) {
    __local float row[B][B], column[B][B];
    const int x = (int)get_local_id(0), y = (int)get_local_id(1);
    const int gx = at + B + (int)get_global_id(0), gy = at + B + (int)get_global_id(1);
    row[y][x] = a[(at + y) * n + gx];
    column[y][x] = a[gy * n + at + x];
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0;
    for (int k = 0; k < B; ++k) sum += column[y][k] * row[k][x];
    a[gy * n + gx] -= sum;
  })";

int main(int count, char** words) {
  constexpr size_t kBlock = 16;
  const size_t n = size_from(count, words, 256) / kBlock * kBlock;
  auto matrix = random_floats(n * n, 1);
  for (size_t i = 0; i < n; ++i) matrix[i * n + i] += static_cast<float>(n);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel diagonal = Host::kernel(program, "diagonal"), edges = Host::kernel(program, "edges"),
            rest = Host::kernel(program, "rest");
  cl_mem a = host.buffer(n * n * 4);
  std::vector<float> result;
  measured("lud", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, a, CL_TRUE, 0, n * n * 4, matrix.data(), 0, nullptr,
                            nullptr));
    const int size = static_cast<int>(n);
    for (size_t at = 0; at < n; at += kBlock) {
      const int where = static_cast<int>(at);
      arguments(diagonal, a, size, where);
      host.run(diagonal, {kBlock}, {kBlock});
      const size_t left = n - at - kBlock;
      if (left == 0) break;
      arguments(edges, a, size, where);
      host.run(edges, {left}, {kBlock});
      arguments(rest, a, size, where);
      host.run(rest, {left, left}, {kBlock, kBlock});
    }
    result = host.read<float>(a, n * n);
  });
  print("lud", result);
  bool good = true;
  for (size_t i = 0; i < n; i += 7)
    for (size_t j = 0; j < n; j += 5) {
      double sum = 0;
      for (size_t k = 0; k <= std::min(i, j); ++k)
        sum += (k == i ? 1.0 : double{result[i * n + k]}) * result[k * n + j];
      good = good && close(sum, matrix[i * n + j], 1e-3);
    }
  compare("product of the factors", good);
}
