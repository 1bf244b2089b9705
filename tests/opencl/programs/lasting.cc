// SPDX-License-Identifier: Apache-2.0
// A program that takes its time: one kernel that never ends, or many that end, one after the other,
// and one wait for all of them.
//
//   opencl_lasting forever
//   opencl_lasting SECONDS    one wait takes at least so long, and how long is printed
#include <algorithm>
#include <chrono>

#include "host.h"

static const char* kSource = R"(
  __kernel void forever(__global volatile uint* at) { while (at[0] != 0) {} }
  __kernel void spin(__global uint* at) {
    uint x = at[0] | 1;
    for (int i = 0; i < (1 << 24); ++i) { x ^= x << 13; x ^= x >> 17; x ^= x << 5; }
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

// Commands of some 50 ms each, more at a time until they take so long as is wanted, whatever the
// device and whatever else it does.
int last(const Host& host, cl_kernel kernel, double wanted) {
  double took = 0;
  for (int times = 4; took < wanted;) {
    const double begin = seconds();
    if (const cl_int status = run(host, kernel, times); status != CL_SUCCESS) return status;
    took = seconds() - begin;
    const double more = std::min(1.2 * wanted / took, 16.0);
    times = static_cast<int>(times * std::max(more, 1.2)) + 1;
  }
  std::printf("one wait took %.3f s\n", took);
  return CL_SUCCESS;
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  const bool forever = std::string(words[1]) == "forever";
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
    arguments(kernel, at);
    status = run(host, kernel, 1);  // compiles
    if (status == CL_SUCCESS) status = last(host, kernel, std::atof(words[1]));
  }
  std::printf("%s, and mine are %u %u %u\n", status == CL_SUCCESS ? "it went well" : "it is gone",
              own[0], own[1], own[2]);
  return status == CL_SUCCESS ? 0 : 7;
}
