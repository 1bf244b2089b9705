// SPDX-License-Identifier: Apache-2.0
#pragma once
// Host: what every program here starts with. A status that is not good ends the program, with the
// line that met it.

#include <CL/cl.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

inline void require(cl_int status, const char* what, int line) {
  if (status == CL_SUCCESS) return;
  std::printf("line %d: %s: status %d\n", line, what, status);
  std::exit(1);
}
#define OK(call) require(call, #call, __LINE__)
// For calls whose status comes through their last argument.
#define MADE(type, name, ...)              \
  type name = [&] {                        \
    cl_int made_status = CL_SUCCESS;       \
    auto made_object = __VA_ARGS__;        \
    require(made_status, #name, __LINE__); \
    return made_object;                    \
  }()

// The same numbers on every machine.
struct Numbers {
  uint64_t state;
  explicit Numbers(uint64_t seed) : state(seed * 2654435761u + 1) {}
  uint32_t next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
  }
  float unit() { return static_cast<float>(next() % 65536) / 65536.0f; }
};

inline uint64_t checksum(const void* data, size_t size) {
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < size; ++i)
    sum = (sum ^ static_cast<const uint8_t*>(data)[i]) * 1099511628211u;
  return sum;
}
template <class T>
uint64_t checksum(const std::vector<T>& values) {
  return checksum(values.data(), values.size() * sizeof(T));
}
template <class T>
void print(const char* what, const std::vector<T>& values) {
  std::printf("%s %016llx\n", what, static_cast<unsigned long long>(checksum(values)));
}

struct Host {
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;

  explicit Host(cl_command_queue_properties properties = 0) {
    OK(clGetPlatformIDs(1, &platform, nullptr));
    OK(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr));
    cl_int status = 0;
    context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &status);
    OK(status);
    queue = another_queue(properties);
  }
  ~Host() {
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
  }
  Host(const Host&) = delete;

  cl_command_queue another_queue(cl_command_queue_properties properties = 0) const {
    cl_int status = 0;
    cl_command_queue made = clCreateCommandQueue(context, device, properties, &status);
    OK(status);
    return made;
  }
  cl_program program(const char* source, const char* options = "") const {
    cl_int status = 0;
    cl_program made = clCreateProgramWithSource(context, 1, &source, nullptr, &status);
    OK(status);
    if (clBuildProgram(made, 1, &device, options, nullptr, nullptr) == CL_SUCCESS) return made;
    std::vector<char> log(1 << 16);
    clGetProgramBuildInfo(made, device, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), nullptr);
    std::printf("%s\n", log.data());
    std::exit(1);
  }
  static cl_kernel kernel(cl_program program, const char* name) {
    cl_int status = 0;
    cl_kernel made = clCreateKernel(program, name, &status);
    OK(status);
    return made;
  }
  template <class T>
  cl_mem buffer(std::vector<T>& values, cl_mem_flags flags = CL_MEM_READ_WRITE) const {
    return buffer(values.size() * sizeof(T), flags | CL_MEM_COPY_HOST_PTR, values.data());
  }
  cl_mem buffer(size_t size, cl_mem_flags flags = CL_MEM_READ_WRITE, void* host = nullptr) const {
    cl_int status = 0;
    cl_mem made = clCreateBuffer(context, flags, size, host, &status);
    OK(status);
    return made;
  }
  template <class T>
  std::vector<T> read(cl_mem buffer, size_t count) const {
    std::vector<T> values(count);
    OK(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, count * sizeof(T), values.data(), 0, nullptr,
                           nullptr));
    return values;
  }
  void run(cl_kernel kernel, std::vector<size_t> global, std::vector<size_t> local = {}) const {
    OK(clEnqueueNDRangeKernel(queue, kernel, static_cast<cl_uint>(global.size()), nullptr,
                              global.data(), local.empty() ? nullptr : local.data(), 0, nullptr,
                              nullptr));
  }
};

// Sets all arguments of a kernel, handles and values alike.
template <class... Args>
void arguments(cl_kernel kernel, const Args&... args) {
  cl_uint index = 0;
  (OK(clSetKernelArg(kernel, index++, sizeof args, &args)), ...);
}
