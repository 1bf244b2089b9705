// SPDX-License-Identifier: Apache-2.0
// A device that breaks, or hangs, as a driver's author fears: this program's own clEnqueueNDRange
// Kernel and clWaitForEvents are found before OpenCL's, and do as they are told.
#include <CL/cl.h>
#include <dlfcn.h>

#include <atomic>
#include <bit>
#include <condition_variable>

#include "isolated/driver/conformance/pieces.h"
#include "isolated/driver/opencl/device/kernel_cache.h"

namespace {

std::atomic<bool> refuses = false;
std::atomic<int> builds = 0;
std::mutex hanging_lock;
std::condition_variable hanging_changed;
bool hangs = false;

template <class Function>
Function* real(const char* name) {
  return std::bit_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

void let_hang(bool hang) {
  const std::lock_guard held(hanging_lock);
  hangs = hang;
  hanging_changed.notify_all();
}

}  // namespace

extern "C" {

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t* offset, const size_t* global, const size_t* local,
                              cl_uint count, const cl_event* events, cl_event* event) {
  static const auto next = real<decltype(clEnqueueNDRangeKernel)>("clEnqueueNDRangeKernel");
  if (refuses) return CL_OUT_OF_RESOURCES;
  return next(queue, kernel, dimensions, offset, global, local, count, events, event);
}

cl_int clWaitForEvents(cl_uint count, const cl_event* events) {
  static const auto next = real<decltype(clWaitForEvents)>("clWaitForEvents");
  std::unique_lock held(hanging_lock);
  hanging_changed.wait(held, [] { return !hangs; });
  held.unlock();
  return next(count, events);
}

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id* devices,
                      const char* options, void (*notify)(cl_program, void*), void* data) {
  static const auto next = real<decltype(clBuildProgram)>("clBuildProgram");
  ++builds;
  return next(program, count, devices, options, notify, data);
}
}

namespace casemate::driver {
namespace {

Instant soon() { return system_clock().now() + std::chrono::milliseconds(100); }

TEST(FailingOpencl, breaks_at_what_it_is_refused_and_works_again_when_it_was_reset) {
  if (opencl_device_count() == 0) GTEST_SKIP() << kNoOpencl;
  const auto device = *make_opencl({.memory_bytes = 32 << 20});
  const engine::Graph piece = doubling();
  const auto inputs = inputs_for(piece);
  const Program program = *device->compile(piece);
  const auto queue = *device->make_queue();
  const auto other = *device->make_queue();
  {
    const Operands operands = *Operands::make(*device, piece);
    refuses = true;
    const auto fence = queue->run(program, operands.inputs, operands.outputs);
    const Status ended = (*fence)->wait(in_the_end());
    refuses = false;
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::kPlatform);
    EXPECT_TRUE(ended.error().text.contains("OpenCL says -5")) << ended.error().text;
    ByteList bytes(8);
    for (Queue* each : {queue.get(), other.get()}) {
      const Status later = (*each->read(*operands.buffers[0], 0, bytes))->wait(in_the_end());
      ASSERT_FALSE(later) << "all queues of a broken device";
      EXPECT_EQ(later.error().text, ended.error().text);
    }
    EXPECT_EQ(device->state().health, Health::kFailed);
    EXPECT_FALSE(device->make_buffer(4));
    EXPECT_FALSE(device->compile(piece));
  }
  ASSERT_TRUE(device->reset(in_the_end()));
  EXPECT_EQ(device->state().health, Health::kWell);
  const auto got = run_on(*device, piece, inputs);
  ASSERT_TRUE(got) << got.error().text;
  expect_near(*got, reference(piece, inputs));
}

TEST(FailingOpencl, that_hangs_is_a_fence_that_is_not_done_and_a_reset_that_says_so) {
  if (opencl_device_count() == 0) GTEST_SKIP() << kNoOpencl;
  auto device = *make_opencl({.memory_bytes = 32 << 20});
  const engine::Graph piece = doubling();
  const Program program = *device->compile(piece);
  const auto queue = *device->make_queue();
  const Operands operands = *Operands::make(*device, piece);
  let_hang(true);
  const auto fence = *queue->run(program, operands.inputs, operands.outputs);
  EXPECT_EQ(fence->wait(soon()).error().code, Code::kTimedOut);
  const auto buffer = device->make_buffer(64);
  EXPECT_TRUE(buffer) << "the rest goes on: " << buffer.error().text;
  EXPECT_EQ(device->state().health, Health::kWell) << "whoever waits decides";
  EXPECT_EQ(device->reset(soon()).error().code, Code::kTimedOut);
  EXPECT_EQ(device->state().health, Health::kFailed);
  let_hang(false);
  EXPECT_EQ(fence->wait(in_the_end()).error().code, Code::kCancelled);
}

TEST(FailingOpencl, builds_nothing_once_a_piece_is_compiled) {
  if (opencl_device_count() == 0) GTEST_SKIP() << kNoOpencl;
  const auto device = *make_opencl({.memory_bytes = 32 << 20});
  engine::Draft d;
  const engine::Graph piece = d.finish({d.same("Tanh", d.convolution(d.input({1, 4, 6, 6}), 8))});
  const auto inputs = inputs_for(piece);
  const Program program = *device->compile(piece);
  const int before = builds;
  EXPECT_GT(before, 0);
  for (int i = 0; i < 2; ++i) {
    const auto queue = *device->make_queue();
    const auto another = *device->make_queue();
    for (Queue* each : {queue.get(), another.get()}) {
      const auto got = run_on(*device, *each, piece, program, inputs);
      ASSERT_TRUE(got) << got.error().text;
    }
  }
  EXPECT_EQ(builds, before);
}

}  // namespace
}  // namespace casemate::driver
