// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours: the distance of every record from one place on the device, the nearest ten
// here.
#include <algorithm>
#include <cmath>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  __kernel void distance_from(__global const float2* places, __global float* distances, int n,
                              float latitude, float longitude) {
    const int i = (int)get_global_id(0);
    if (i >= n) return;
    const float dy = latitude - places[i].x, dx = longitude - places[i].y;
    distances[i] = sqrt(dy * dy + dx * dx);
  })";

int main(int count, char** words) {
  const size_t n = size_from(count, words, 1 << 20);
  const auto places = random_floats(n * 2, 1, -90, 90);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel kernel = Host::kernel(program, "distance_from");
  cl_mem d_places = host.buffer(n * 8), d_distances = host.buffer(n * 4);
  std::vector<std::pair<float, uint32_t>> nearest;
  measured("nn", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, d_places, CL_TRUE, 0, n * 8, places.data(), 0, nullptr,
                            nullptr));
    arguments(kernel, d_places, d_distances, static_cast<int>(n), 30.0f, 45.0f);
    host.run(kernel, {(n + 255) / 256 * 256}, {256});
    const auto distances = host.read<float>(d_distances, n);
    nearest.clear();
    for (uint32_t i = 0; i < n; ++i) {
      if (nearest.size() == 10 && distances[i] >= nearest.back().first) continue;
      const std::pair<float, uint32_t> found(distances[i], i);
      nearest.insert(std::upper_bound(nearest.begin(), nearest.end(), found), found);
      if (nearest.size() > 10) nearest.pop_back();
    }
  });
  bool good = true;
  std::vector<float> result;
  for (const auto& [distance, i] : nearest) {
    result.push_back(distance);
    result.push_back(static_cast<float>(i));
    good = good && close(distance, std::hypot(30 - places[2 * i], 45 - places[2 * i + 1]), 1e-5);
  }
  print("nn", result);
  compare("distances", good);
}
