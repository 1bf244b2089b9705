// SPDX-License-Identifier: Apache-2.0
// A program that takes its time: one kernel that never ends, or many that end, one after the other,
// and one wait for all of them.
//
//   opencl_lasting forever
//   opencl_lasting COMMANDS SECONDS    each of them about so long
#include <chrono>

#include "host.h"

static const char* kSource = R"(
  __kernel void forever(__global volatile uint* at) { while (at[0] != 0) {} }
  __kernel void spin(__global uint* at, ulong rounds) {
    uint x = at[0] | 1;
    for (ulong i = 0; i < rounds; ++i) { x ^= x << 13; x ^= x >> 17; x ^= x << 5; }
    at[0] = x;
  })";

namespace {

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

int run(const Host& host, cl_kernel kernel, int times) {
  const size_t one = 1;
  cl_int status = CL_SUCCESS;
  for (int i = 0; i < times && status == CL_SUCCESS; ++i)
    status =
        clEnqueueNDRangeKernel(host.queue, kernel, 1, nullptr, &one, &one, 0, nullptr, nullptr);
  return status == CL_SUCCESS ? clFinish(host.queue) : status;
}

}  // namespace

int main(int count, char** words) {
  const bool forever = count == 2 && std::string(words[1]) == "forever";
  if (!forever && count != 3) return 2;
  const Host host;
  std::vector<uint32_t> own{1, 2, 3};
  cl_program program = host.program(kSource);
  cl_mem at = host.buffer(own);
  cl_int status = CL_SUCCESS;
  if (forever) {
    cl_kernel kernel = Host::kernel(program, "forever");
    arguments(kernel, at);
    status = run(host, kernel, 1);
  } else {
    cl_kernel kernel = Host::kernel(program, "spin");
    cl_ulong rounds = 1 << 10;
    arguments(kernel, at, rounds);
    status = run(host, kernel, 1);  // compiles
    rounds = 1 << 26;
    arguments(kernel, at, rounds);
    const double begin = seconds();
    if (status == CL_SUCCESS) status = run(host, kernel, 1);
    const double took = seconds() - begin;
    rounds = static_cast<cl_ulong>(static_cast<double>(rounds) * std::atof(words[2]) / took);
    arguments(kernel, at, rounds);
    if (status == CL_SUCCESS) status = run(host, kernel, std::atoi(words[1]));
  }
  std::printf("%s, and mine are %u %u %u\n", status == CL_SUCCESS ? "it went well" : "it is gone",
              own[0], own[1], own[2]);
  return status == CL_SUCCESS ? 0 : 7;
}
