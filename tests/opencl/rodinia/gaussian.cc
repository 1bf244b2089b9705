// SPDX-License-Identifier: Apache-2.0
// Gaussian elimination without pivots: two small launches for every column, and the rest is solved
// here.
#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  __kernel void multipliers(__global float* m, __global const float* a, int n, int t) {
    const int i = (int)get_global_id(0);
    if (i < n - 1 - t) m[n * (i + t + 1) + t] = a[n * (i + t + 1) + t] / a[n * t + t];
  }
  __kernel void eliminate(__global const float* m, __global float* a, __global float* b, int n,
                          int t) {
    const int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= n - 1 - t || y >= n - t) return;
    const int row = x + 1 + t;
    a[n * row + y + t] -= m[n * row + t] * a[n * t + y + t];
    if (y == 0) b[row] -= m[n * row + t] * b[t];
  })";

int main(int count, char** words) {
  const size_t n = size_from(count, words, 256);
  auto matrix = random_floats(n * n, 1), right = random_floats(n, 2);
  for (size_t i = 0; i < n; ++i) matrix[i * n + i] += static_cast<float>(n);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel multipliers = Host::kernel(program, "multipliers"),
            eliminate = Host::kernel(program, "eliminate");
  cl_mem a = host.buffer(n * n * 4), m = host.buffer(n * n * 4), b = host.buffer(n * 4);
  const size_t groups = (n + 63) / 64 * 64, squares = (n + 15) / 16 * 16;
  std::vector<float> solution(n);
  measured("gaussian", count, words, [&] {
    const std::vector<float> zeros(n * n);
    const auto write = [&](cl_mem to, const std::vector<float>& data) {
      OK(clEnqueueWriteBuffer(host.queue, to, CL_TRUE, 0, data.size() * 4, data.data(), 0, nullptr,
                              nullptr));
    };
    write(a, matrix);
    write(b, right);
    write(m, zeros);
    const int size = static_cast<int>(n);
    for (int t = 0; t < size - 1; ++t) {
      arguments(multipliers, m, a, size, t);
      host.run(multipliers, {groups}, {64});
      arguments(eliminate, m, a, b, size, t);
      host.run(eliminate, {squares, squares}, {16, 16});
    }
    const auto upper = host.read<float>(a, n * n);
    solution = host.read<float>(b, n);
    for (size_t i = n; i-- > 0;) {
      for (size_t j = i + 1; j < n; ++j) solution[i] -= upper[i * n + j] * solution[j];
      solution[i] /= upper[i * n + i];
    }
  });
  print("gaussian", solution);
  bool good = true;
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t j = 0; j < n; ++j) sum += double{matrix[i * n + j]} * solution[j];
    good = good && close(sum, right[i], 1e-3);
  }
  compare("solution", good);
}
