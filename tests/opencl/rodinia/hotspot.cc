// SPDX-License-Identifier: Apache-2.0
// Heat in a chip: each step a launch, which reads one grid of temperatures and writes the other.
#include <algorithm>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  __kernel void heat(__global const float* power, __global const float* from,
                     __global float* to, int n) {
    const int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= n || y >= n) return;
    const int at = y * n + x;
    const float here = from[at];
    const float north = from[max(y - 1, 0) * n + x], south = from[min(y + 1, n - 1) * n + x];
    const float west = from[y * n + max(x - 1, 0)], east = from[y * n + min(x + 1, n - 1)];
    to[at] = here + 0.1f * (power[at] + (north + south - 2 * here) * 0.7f +
                            (east + west - 2 * here) * 0.6f + (80.0f - here) * 0.05f);
  })";

static std::vector<float> heated(const std::vector<float>& power, std::vector<float> from, size_t n,
                                 int steps) {
  std::vector<float> to(n * n);
  for (int step = 0; step < steps; ++step, std::swap(from, to))
    for (size_t y = 0; y < n; ++y)
      for (size_t x = 0; x < n; ++x) {
        const float here = from[y * n + x];
        const float north = from[(y == 0 ? 0 : y - 1) * n + x];
        const float south = from[std::min(y + 1, n - 1) * n + x];
        const float west = from[y * n + (x == 0 ? 0 : x - 1)];
        const float east = from[y * n + std::min(x + 1, n - 1)];
        to[y * n + x] = here + 0.1f * (power[y * n + x] + (north + south - 2 * here) * 0.7f +
                                       (east + west - 2 * here) * 0.6f + (80.0f - here) * 0.05f);
      }
  return from;
}

int main(int count, char** words) {
  const size_t n = size_from(count, words, 512);
  constexpr int kSteps = 60;
  const auto power = random_floats(n * n, 1), start = random_floats(n * n, 2, 60, 90);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel heat = Host::kernel(program, "heat");
  cl_mem d_power = host.buffer(n * n * 4), one = host.buffer(n * n * 4),
         two = host.buffer(n * n * 4);
  const size_t global = (n + 15) / 16 * 16;
  std::vector<float> result;
  measured("hotspot", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, d_power, CL_TRUE, 0, n * n * 4, power.data(), 0, nullptr,
                            nullptr));
    OK(clEnqueueWriteBuffer(host.queue, one, CL_TRUE, 0, n * n * 4, start.data(), 0, nullptr,
                            nullptr));
    const int size = static_cast<int>(n);
    cl_mem from = one, to = two;
    for (int step = 0; step < kSteps; ++step, std::swap(from, to)) {
      arguments(heat, d_power, from, to, size);
      host.run(heat, {global, global}, {16, 16});
    }
    result = host.read<float>(from, n * n);
  });
  print("hotspot", result);
  const auto expected = heated(power, start, n, kSteps);
  bool good = true;
  for (size_t i = 0; i < n * n; ++i) good = good && close(result[i], expected[i], 1e-4);
  compare("temperatures", good);
}
