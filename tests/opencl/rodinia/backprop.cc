// SPDX-License-Identifier: Apache-2.0
// Back-propagation through one hidden layer of 16: products of inputs and weights are summed in
// groups of 16x16 on the device and to the end here; then the weights are adjusted on the device.
#include <cmath>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  #define H 16
  __kernel void forward(__global const float* input, __global const float* weights,
                        __global float* partial) {
    __local float sums[H][H];
    const int h = (int)get_local_id(0), r = (int)get_local_id(1);
    const int row = (int)get_group_id(1) * H + r;
    sums[r][h] = input[row] * weights[row * H + h];
    for (int step = H / 2; step > 0; step /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (r < step) sums[r][h] += sums[r + step][h];
    }
    if (r == 0) partial[get_group_id(1) * H + h] = sums[0][h];
  }
  __kernel void adjust(__global const float* input, __global const float* delta,
                       __global float* weights, __global float* momentum) {
    const int h = (int)get_local_id(0), row = (int)get_global_id(1);
    const int at = row * H + h;
    const float change = 0.3f * delta[h] * input[row] + 0.3f * momentum[at];
    weights[at] += change;
    momentum[at] = change;
  })";

int main(int count, char** words) {
  constexpr size_t kHidden = 16;
  const size_t n = size_from(count, words, 65536) / kHidden * kHidden;
  const auto input = random_floats(n, 1), weights = random_floats(n * kHidden, 2, -0.1f, 0.1f),
             out_weights = random_floats(kHidden, 3, -1, 1);
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel forward = Host::kernel(program, "forward"), adjust = Host::kernel(program, "adjust");
  cl_mem d_input = host.buffer(n * 4), d_weights = host.buffer(n * kHidden * 4),
         momentum = host.buffer(n * kHidden * 4), partial = host.buffer(n * 4),
         delta = host.buffer(kHidden * 4);
  arguments(forward, d_input, d_weights, partial);
  arguments(adjust, d_input, delta, d_weights, momentum);
  std::vector<float> hidden(kHidden), deltas(kHidden), result;
  measured("backprop", count, words, [&] {
    const auto write = [&](cl_mem to, const std::vector<float>& data) {
      OK(clEnqueueWriteBuffer(host.queue, to, CL_FALSE, 0, data.size() * 4, data.data(), 0, nullptr,
                              nullptr));
    };
    const std::vector<float> zeros(n * kHidden);
    write(d_input, input);
    write(d_weights, weights);
    write(momentum, zeros);
    host.run(forward, {kHidden, n}, {kHidden, kHidden});
    const auto partials = host.read<float>(partial, n);
    float out = 0;
    for (size_t h = 0; h < kHidden; ++h) {
      float sum = 0;
      for (size_t at = h; at < n; at += kHidden) sum += partials[at];
      hidden[h] = 1 / (1 + std::exp(-sum));
      out += hidden[h] * out_weights[h];
    }
    out = 1 / (1 + std::exp(-out));
    const float error = out * (1 - out) * (0.5f - out);
    for (size_t h = 0; h < kHidden; ++h)
      deltas[h] = hidden[h] * (1 - hidden[h]) * out_weights[h] * error;
    write(delta, deltas);
    host.run(adjust, {kHidden, n}, {kHidden, kHidden});
    result = host.read<float>(d_weights, n * kHidden);
  });
  print("backprop", result);
  bool good = true;
  for (size_t h = 0; h < kHidden; ++h) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += double{input[i]} * weights[i * kHidden + h];
    good = good && close(hidden[h], 1 / (1 + std::exp(-sum)), 1e-3);
  }
  for (size_t at = 0; at < n * kHidden; ++at)
    good = good &&
           close(result[at], weights[at] + 0.3 * deltas[at % kHidden] * input[at / kHidden], 1e-4);
  compare("weights", good);
}
