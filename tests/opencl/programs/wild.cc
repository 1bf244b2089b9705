// SPDX-License-Identifier: Apache-2.0
// A kernel that writes where it has nothing to write. On a device that is a processor this ends the
// process that drives it; what the program has computed by itself it still has.
#include "host.h"

static const char* kSource = R"(
  __kernel void wild(__global int* at) { at[1000000000000L + get_global_id(0)] = 1; })";

int main() {
  const Host host;
  std::vector<int> own{1, 2, 3};
  cl_program program = host.program(kSource);
  cl_kernel wild = Host::kernel(program, "wild");
  cl_mem at = host.buffer(own);
  arguments(wild, at);
  const size_t global = 16;
  cl_int status =
      clEnqueueNDRangeKernel(host.queue, wild, 1, nullptr, &global, nullptr, 0, nullptr, nullptr);
  if (status == CL_SUCCESS) status = clFinish(host.queue);
  std::printf("%s, and mine are %d %d %d\n", status == CL_SUCCESS ? "it went well" : "it is gone",
              own[0], own[1], own[2]);
  return status == CL_SUCCESS ? 0 : 7;
}
