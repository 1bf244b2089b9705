// SPDX-License-Identifier: Apache-2.0
// Speckle-reducing anisotropic diffusion: in each step the image's mean and variance, which are
// summed in groups on the device and to the end here, then coefficients, then the diffusion.
#include <cmath>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  #define GROUP 256
  __kernel void sums(__global const float* image, __global float* partial, int n) {
    __local float sum[GROUP], squares[GROUP];
    const int i = (int)get_local_id(0), at = (int)get_global_id(0);
    const float value = at < n ? image[at] : 0;
    sum[i] = value;
    squares[i] = value * value;
    for (int step = GROUP / 2; step > 0; step /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (i < step) {
        sum[i] += sum[i + step];
        squares[i] += squares[i + step];
      }
    }
    if (i != 0) return;
    partial[2 * get_group_id(0)] = sum[0];
    partial[2 * get_group_id(0) + 1] = squares[0];
  }
  float4 slopes(__global const float* image, int x, int y, int w, int h) {
    const float here = image[y * w + x];
    return (float4)(image[max(y - 1, 0) * w + x], image[min(y + 1, h - 1) * w + x],
                    image[y * w + max(x - 1, 0)], image[y * w + min(x + 1, w - 1)]) - here;
  }
  __kernel void coefficients(__global const float* image, __global float* c, float q0, int w,
                             int h) {
    const int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= w || y >= h) return;
    const float here = image[y * w + x];
    const float4 d = slopes(image, x, y, w, h);
    const float g2 = dot(d, d) / (here * here), l = (d.x + d.y + d.z + d.w) / here;
    const float den = 1 + 0.25f * l;
    const float q = (0.5f * g2 - 0.0625f * l * l) / (den * den);
    c[y * w + x] = clamp(1 / (1 + (q - q0) / (q0 * (1 + q0))), 0.0f, 1.0f);
  }
  __kernel void diffuse(__global const float* from, __global float* to,
                        __global const float* c, int w, int h) {
    const int x = (int)get_global_id(0), y = (int)get_global_id(1);
    if (x >= w || y >= h) return;
    const float4 d = slopes(from, x, y, w, h);
    const float here = c[y * w + x], south = c[min(y + 1, h - 1) * w + x],
                east = c[y * w + min(x + 1, w - 1)];
    to[y * w + x] = from[y * w + x] +
        0.125f * (here * d.x + south * d.y + here * d.z + east * d.w);
  })";

static std::vector<float> diffused(std::vector<float> image, size_t n, int steps) {
  std::vector<float> c(n * n), next(n * n);
  const auto at = [n](size_t x, size_t y) { return y * n + x; };
  for (int step = 0; step < steps; ++step, std::swap(image, next)) {
    double sum = 0, squares = 0;
    for (const float v : image) sum += v, squares += double{v} * v;
    const double mean = sum / static_cast<double>(n * n);
    const double q0 = (squares / static_cast<double>(n * n) - mean * mean) / (mean * mean);
    for (const bool second : {false, true})
      for (size_t y = 0; y < n; ++y)
        for (size_t x = 0; x < n; ++x) {
          const size_t s = std::min(y + 1, n - 1), e = std::min(x + 1, n - 1);
          const double v = image[at(x, y)], dn = image[at(x, y == 0 ? 0 : y - 1)] - v,
                       ds = image[at(x, s)] - v, dw = image[at(x == 0 ? 0 : x - 1, y)] - v,
                       de = image[at(e, y)] - v;
          if (second) {
            const double here = c[at(x, y)];
            next[at(x, y)] = static_cast<float>(
                v + 0.125 * (here * dn + c[at(x, s)] * ds + here * dw + c[at(e, y)] * de));
            continue;
          }
          const double g2 = (dn * dn + ds * ds + dw * dw + de * de) / (v * v);
          const double l = (dn + ds + dw + de) / v, den = 1 + 0.25 * l;
          const double q = (0.5 * g2 - 0.0625 * l * l) / (den * den);
          c[at(x, y)] =
              static_cast<float>(std::clamp(1 / (1 + (q - q0) / (q0 * (1 + q0))), 0.0, 1.0));
        }
  }
  return image;
}

int main(int count, char** words) {
  constexpr int kSteps = 20;
  const size_t n = size_from(count, words, 256);
  const auto image = random_floats(n * n, 1, 1, 2);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel sums = Host::kernel(program, "sums"),
            coefficients = Host::kernel(program, "coefficients"),
            diffuse = Host::kernel(program, "diffuse");
  const size_t groups = (n * n + 255) / 256, global = (n + 15) / 16 * 16;
  cl_mem one = host.buffer(n * n * 4), two = host.buffer(n * n * 4), c = host.buffer(n * n * 4),
         partial = host.buffer(groups * 8);
  std::vector<float> result;
  measured("srad", count, words, [&] {
    OK(clEnqueueWriteBuffer(host.queue, one, CL_TRUE, 0, n * n * 4, image.data(), 0, nullptr,
                            nullptr));
    const int side = static_cast<int>(n);
    cl_mem from = one, to = two;
    for (int step = 0; step < kSteps; ++step, std::swap(from, to)) {
      arguments(sums, from, partial, side * side);
      host.run(sums, {groups * 256}, {256});
      double sum = 0, squares = 0;
      const auto partials = host.read<float>(partial, groups * 2);
      for (size_t i = 0; i < groups; ++i) sum += partials[2 * i], squares += partials[2 * i + 1];
      const double pixels = static_cast<double>(n * n), mean = sum / pixels;
      const auto q0 = static_cast<float>((squares / pixels - mean * mean) / (mean * mean));
      arguments(coefficients, from, c, q0, side, side);
      host.run(coefficients, {global, global}, {16, 16});
      arguments(diffuse, from, to, c, side, side);
      host.run(diffuse, {global, global}, {16, 16});
    }
    result = host.read<float>(from, n * n);
  });
  print("srad", result);
  const auto expected = diffused(image, n, kSteps);
  bool good = true;
  for (size_t i = 0; i < n * n; ++i) good = good && close(result[i], expected[i], 1e-3);
  compare("image", good);
}
