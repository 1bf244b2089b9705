// SPDX-License-Identifier: Apache-2.0
// A kernel that writes where it has nothing to write. On a device that is a processor this ends the
// process that drives it; what the program has computed by itself it still has.
//
//   opencl_wild           far away, where no memory is
//   opencl_wild beyond    behind its own buffer, where others may have theirs
#include "host.h"

static const char* kSource = R"(
  __kernel void wild(__global int* at) { at[1000000000000L + get_global_id(0)] = 1; }
  __kernel void beyond(__global int* at) { at[3 + get_global_id(0)] = 0x55555555; })";

int main(int count, char** words) {
  const bool near = count > 1 && std::string(words[1]) == "beyond";
  const Host host;
  std::vector<int> own{1, 2, 3};
  cl_program program = host.program(kSource);
  cl_kernel wild = Host::kernel(program, near ? "beyond" : "wild");
  cl_mem at = host.buffer(own);
  arguments(wild, at);
  const size_t global = near ? 1 << 20 : 16;
  cl_int status =
      clEnqueueNDRangeKernel(host.queue, wild, 1, nullptr, &global, nullptr, 0, nullptr, nullptr);
  if (status == CL_SUCCESS) status = clFinish(host.queue);
  std::printf("%s, and mine are %d %d %d\n", status == CL_SUCCESS ? "it went well" : "it is gone",
              own[0], own[1], own[2]);
  return status == CL_SUCCESS ? 0 : 7;
}
