// SPDX-License-Identifier: Apache-2.0
// Buffers in every way that a program can fill, copy, look at and share them.
#include "host.h"

static const char* kSource = R"(
  __kernel void add(__global const int* a, __global const int* b, __global int* sum, int bias) {
    const size_t i = get_global_id(0);
    sum[i] = a[i] + b[i] + bias;
  })";

static std::vector<int> random_ints(size_t count, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<int> values(count);
  for (int& value : values) value = static_cast<int>(numbers.next() % 1000);
  return values;
}

static void adds(const Host& host, cl_kernel add) {
  for (const size_t count : {size_t{1}, size_t{1000}, size_t{3} << 20}) {
    auto a = random_ints(count, 1), b = random_ints(count, 2);
    cl_mem da = host.buffer(a), db = host.buffer(count * 4), sum = host.buffer(count * 4);
    OK(clEnqueueWriteBuffer(host.queue, db, CL_TRUE, 0, count * 4, b.data(), 0, nullptr, nullptr));
    std::fill(b.begin(), b.end(), -1);  // the driver may not read it any more once it is written
    arguments(add, da, db, sum, 7);
    host.run(add, {count});
    const auto result = host.read<int>(sum, count);
    std::printf("first %d last %d ", result.front(), result.back());
    print("sum", result);
    for (cl_mem memory : {da, db, sum}) OK(clReleaseMemObject(memory));
  }
}

static void copies(const Host& host) {
  auto values = random_ints(4096, 3);
  cl_mem from = host.buffer(values), to = host.buffer(4096 * 4);
  const int pattern[2] = {11, -5};
  OK(clEnqueueFillBuffer(host.queue, to, pattern, sizeof pattern, 0, 4096 * 4, 0, nullptr,
                         nullptr));
  OK(clEnqueueCopyBuffer(host.queue, from, to, 400, 800, 1200, 0, nullptr, nullptr));
  print("filled and copied", host.read<int>(to, 4096));

  // A box of 3 slices of 5 rows of 28 bytes, out of a buffer and into another place of a host's.
  const size_t in[3] = {8, 2, 1}, out[3] = {4, 1, 2}, extent[3] = {28, 5, 3};
  std::vector<uint8_t> box(9000, 0xEE);
  OK(clEnqueueReadBufferRect(host.queue, from, CL_TRUE, in, out, extent, 64, 64 * 16, 48, 48 * 12,
                             box.data(), 0, nullptr, nullptr));
  print("box read", box);
  OK(clEnqueueWriteBufferRect(host.queue, to, CL_TRUE, in, out, extent, 128, 128 * 8, 48, 48 * 12,
                              box.data(), 0, nullptr, nullptr));
  OK(clEnqueueCopyBufferRect(host.queue, from, to, out, in, extent, 64, 64 * 16, 100, 100 * 9, 0,
                             nullptr, nullptr));
  print("box written and copied", host.read<int>(to, 4096));
  OK(clReleaseMemObject(from));
  OK(clReleaseMemObject(to));
}

static void parts(const Host& host, cl_kernel add) {
  auto values = random_ints(8192, 4);
  cl_mem whole = host.buffer(values);
  const cl_buffer_region low{0, 4096}, high{16384, 4096};
  MADE(cl_mem, a,
       clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &low,
                         &made_status));
  MADE(cl_mem, b, clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &high, &made_status));
  size_t offset = 0;
  OK(clGetMemObjectInfo(b, CL_MEM_OFFSET, sizeof offset, &offset, nullptr));
  arguments(add, a, b, b, 1);
  host.run(add, {1024});
  std::printf("part at %zu ", offset);
  print("whole after its parts", host.read<int>(whole, 8192));
  for (cl_mem memory : {a, b, whole}) OK(clReleaseMemObject(memory));
}

static void maps(const Host& host, cl_kernel add) {
  auto values = random_ints(2048, 5);
  cl_mem plain = host.buffer(values);
  std::vector<int> own = random_ints(2048, 6);
  cl_mem shared = host.buffer(2048 * 4, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, own.data());
  MADE(void*, mapped,
       clEnqueueMapBuffer(host.queue, plain, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 256, 1024, 0,
                          nullptr, nullptr, &made_status));
  for (int i = 0; i < 256; ++i) static_cast<int*>(mapped)[i] *= 2;
  OK(clEnqueueUnmapMemObject(host.queue, plain, mapped, 0, nullptr, nullptr));
  arguments(add, plain, shared, shared, 3);
  host.run(add, {2048});
  MADE(void*, seen,
       clEnqueueMapBuffer(host.queue, shared, CL_TRUE, CL_MAP_READ, 0, 2048 * 4, 0, nullptr,
                          nullptr, &made_status));
  std::printf("mapped where the program said: %s ", seen == own.data() ? "yes" : "no");
  print("shared", own);
  OK(clEnqueueUnmapMemObject(host.queue, shared, seen, 0, nullptr, nullptr));
  cl_event mapped_event = nullptr;
  MADE(void*, fresh,
       clEnqueueMapBuffer(host.queue, plain, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 0, 8192, 0,
                          nullptr, &mapped_event, &made_status));
  OK(clWaitForEvents(1, &mapped_event));
  for (int i = 0; i < 2048; ++i) static_cast<int*>(fresh)[i] = i;
  OK(clEnqueueUnmapMemObject(host.queue, plain, fresh, 0, nullptr, nullptr));
  print("overwritten", host.read<int>(plain, 2048));
  OK(clReleaseEvent(mapped_event));
  OK(clReleaseMemObject(plain));
  OK(clReleaseMemObject(shared));
}

static void later(const Host& host) {
  // Many reads that do not block, of buffers that are gone before anybody looks at what was read.
  std::vector<std::vector<int>> all;
  for (int i = 0; i < 40; ++i) all.emplace_back(5000);
  for (int i = 0; i < 40; ++i) {
    auto values = random_ints(5000, 100 + static_cast<uint64_t>(i));
    cl_mem buffer = host.buffer(values);
    OK(clEnqueueReadBuffer(host.queue, buffer, CL_FALSE, 0, 20000,
                           all[static_cast<size_t>(i)].data(), 0, nullptr, nullptr));
    OK(clReleaseMemObject(buffer));
  }
  OK(clFinish(host.queue));
  uint64_t sum = 0;
  for (const auto& values : all) sum += checksum(values);
  std::printf("read later %016llx\n", static_cast<unsigned long long>(sum));
}

int main() {
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel add = Host::kernel(program, "add");
  adds(host, add);
  copies(host);
  parts(host, add);
  maps(host, add);
  later(host);
  OK(clReleaseKernel(add));
  OK(clReleaseProgram(program));
}
