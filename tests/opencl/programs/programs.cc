// SPDX-License-Identifier: Apache-2.0
// Programs and kernels: local memory, large arguments, binaries, build failures, questions.
#include <algorithm>

#include "host.h"

static const char* kSource = R"(
  typedef struct { int values[100]; } Large;
  __kernel void sum(__global const int* in, __global int* out, __local int* scratch) {
    const size_t i = get_local_id(0);
    scratch[i] = in[get_global_id(0)];
    for (size_t width = get_local_size(0) / 2; width > 0; width /= 2) {
      barrier(CLK_LOCAL_MEM_FENCE);
      if (i < width) scratch[i] += scratch[i + width];
    }
    if (i == 0) out[get_group_id(0)] = scratch[0];
  }
  __kernel void pick(__global int* out, Large large, char c, double d, ulong n) {
    const size_t i = get_global_id(0);
    out[i] = large.values[i] + c + (int)(d * 10) + (int)(n >> 40);
  }
  __kernel __attribute__((reqd_work_group_size(8, 1, 1))) void eights(__global int* out) {
    out[get_global_id(0)] = (int)get_local_size(0) SCALE;
  })";

static void sums(const Host& host, cl_program program, const char* what) {
  std::vector<int> values(1024);
  for (int i = 0; i < 1024; ++i) values[static_cast<size_t>(i)] = i * i % 97;
  cl_mem in = host.buffer(values), out = host.buffer(64);
  cl_kernel sum = Host::kernel(program, "sum");
  OK(clSetKernelArg(sum, 0, sizeof in, &in));
  OK(clSetKernelArg(sum, 1, sizeof out, &out));
  OK(clSetKernelArg(sum, 2, 64 * sizeof(int), nullptr));
  host.run(sum, {1024}, {64});
  print(what, host.read<int>(out, 16));
  OK(clReleaseMemObject(in));
  OK(clReleaseMemObject(out));
  OK(clReleaseKernel(sum));
}

static void large_arguments(const Host& host, cl_program program) {
  struct {
    int values[100];
  } large;
  for (int i = 0; i < 100; ++i) large.values[i] = i * 3;
  cl_mem out = host.buffer(400);
  cl_kernel pick = Host::kernel(program, "pick");
  arguments(pick, out, large, char{5}, 1.5, cl_ulong{9} << 40);
  host.run(pick, {100});
  print("picked", host.read<int>(out, 100));
  OK(clReleaseMemObject(out));
  OK(clReleaseKernel(pick));
}

static void questions(const Host& host, cl_program program) {
  cl_uint count = 0;
  OK(clCreateKernelsInProgram(program, 0, nullptr, &count));
  std::vector<cl_kernel> kernels(count);
  OK(clCreateKernelsInProgram(program, count, kernels.data(), nullptr));
  std::vector<std::string> names;
  for (cl_kernel kernel : kernels) {
    char name[64] = {};
    cl_uint arguments = 0;
    size_t group[3] = {};
    OK(clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, nullptr));
    OK(clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, nullptr));
    OK(clGetKernelWorkGroupInfo(kernel, host.device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                sizeof group, group, nullptr));
    names.push_back(std::string(name) + " " + std::to_string(arguments) + " " +
                    std::to_string(group[0]));
    OK(clReleaseKernel(kernel));
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) std::printf("kernel %s\n", name.c_str());
  cl_build_status built = CL_BUILD_NONE;
  OK(clGetProgramBuildInfo(program, host.device, CL_PROGRAM_BUILD_STATUS, sizeof built, &built,
                           nullptr));
  char options[64] = {};
  OK(clGetProgramBuildInfo(program, host.device, CL_PROGRAM_BUILD_OPTIONS, sizeof options, options,
                           nullptr));
  std::printf("built %d with '%s'\n", built, options);
}

static void failures(const Host& host) {
  const char* wrong = "__kernel void broken(__global int* a) { a[0] = no_such_thing; }";
  MADE(cl_program, program,
       clCreateProgramWithSource(host.context, 1, &wrong, nullptr, &made_status));
  std::printf("broken: %d\n", clBuildProgram(program, 1, &host.device, "", nullptr, nullptr));
  std::vector<char> log(1 << 16);
  OK(clGetProgramBuildInfo(program, host.device, CL_PROGRAM_BUILD_LOG, log.size(), log.data(),
                           nullptr));
  std::printf("the log says what: %s\n",
              std::strstr(log.data(), "no_such_thing") != nullptr ? "yes" : "no");
  cl_int status = 0;
  clCreateKernel(program, "broken", &status);
  std::printf("no kernel: %s\n", status != CL_SUCCESS ? "refused" : "made");
  OK(clReleaseProgram(program));
}

static void refusals(const Host& host, cl_program program) {
  cl_kernel eights = Host::kernel(program, "eights");
  cl_mem out = host.buffer(64);
  const size_t sixteen = 16, eight = 8, four = 4, five = 5;
  const auto run = [&](const size_t* local) {
    return clEnqueueNDRangeKernel(host.queue, eights, 1, nullptr, &sixteen, local, 0, nullptr,
                                  nullptr);
  };
  std::printf("no arguments: %d\n", run(&eight));
  std::printf("no such argument: %d\n", clSetKernelArg(eights, 1, sizeof out, &out));
  std::printf("no handle: %d\n", clSetKernelArg(eights, 0, 4, &out));
  arguments(eights, out);
  std::printf("groups: %d %d %d\n", run(&eight), run(&four), run(&five));
  print("eights", host.read<int>(out, 16));
  int value = 0;
  std::printf("beyond: %d\n",
              clEnqueueReadBuffer(host.queue, out, CL_TRUE, 62, 4, &value, 0, nullptr, nullptr));
  std::printf("nothing: %d\n",
              clEnqueueReadBuffer(host.queue, nullptr, CL_TRUE, 0, 4, &value, 0, nullptr, nullptr));
  cl_int status = 0;
  clCreateKernel(program, "nobody", &status);
  std::printf("no such kernel: %d\n", status);
  clCreateBuffer(host.context, 0, 0, nullptr, &status);
  std::printf("empty: %d\n", status);
  OK(clReleaseMemObject(out));
  OK(clReleaseKernel(eights));
}

static void binaries(const Host& host, cl_program program) {
  size_t size = 0;
  OK(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr));
  std::vector<unsigned char> binary(size);
  unsigned char* where = binary.data();
  OK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof where, &where, nullptr));
  const unsigned char* from = binary.data();
  cl_int loaded = -1;
  MADE(cl_program, again,
       clCreateProgramWithBinary(host.context, 1, &host.device, &size, &from, &loaded,
                                 &made_status));
  OK(loaded);
  OK(clBuildProgram(again, 1, &host.device, "", nullptr, nullptr));
  sums(host, again, "sums of a binary");
  OK(clReleaseProgram(again));
}

int main() {
  const Host host;
  cl_program program = host.program(kSource, "-DSCALE=*10");
  sums(host, program, "sums");
  large_arguments(host, program);
  questions(host, program);
  failures(host);
  refusals(host, program);
  binaries(host, program);
  OK(clReleaseProgram(program));
}
