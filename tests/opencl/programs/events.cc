// SPDX-License-Identifier: Apache-2.0
// Events: queues that wait for each other, events of the program's own, callbacks, profiling.
#include <atomic>
#include <chrono>
#include <thread>

#include "host.h"

static const char* kSource = R"(
  __kernel void advance(__global int* values, int factor, int bias) {
    const size_t i = get_global_id(0);
    values[i] = values[i] * factor + bias;
  })";

struct Stepper {
  const Host& host;
  cl_kernel kernel;
  cl_mem values;

  void step(cl_command_queue queue, int factor, int bias, std::vector<cl_event> waits,
            cl_event* event) const {
    arguments(kernel, values, factor, bias);
    const size_t count = 1024;
    OK(clEnqueueNDRangeKernel(queue, kernel, 1, nullptr, &count, nullptr,
                              static_cast<cl_uint>(waits.size()),
                              waits.empty() ? nullptr : waits.data(), event));
  }
};

static void show(const Host& host, cl_mem values, const char* what) {
  print(what, host.read<int>(values, 1024));
}

static void queues_wait_for_each_other(const Stepper& s, cl_command_queue other) {
  cl_event last = nullptr;
  for (int i = 0; i < 20; ++i) {
    cl_event next = nullptr;
    s.step(i % 2 == 0 ? s.host.queue : other, 3, i,
           last == nullptr ? std::vector<cl_event>{} : std::vector{last}, &next);
    if (last != nullptr) OK(clReleaseEvent(last));
    last = next;
  }
  OK(clWaitForEvents(1, &last));
  OK(clReleaseEvent(last));
  show(s.host, s.values, "two queues");
}

static void many_events(const Stepper& s, cl_command_queue other) {
  std::vector<cl_event> all;
  for (int i = 0; i < 40; ++i) {
    cl_event event = nullptr;
    s.step(s.host.queue, 1, 1, {}, &event);
    all.push_back(event);
  }
  cl_event end = nullptr;
  s.step(other, 5, 0, all, &end);
  OK(clFlush(other));
  all.push_back(end);
  OK(clWaitForEvents(static_cast<cl_uint>(all.size()), all.data()));
  for (cl_event event : all) OK(clReleaseEvent(event));
  show(s.host, s.values, "forty events");
}

static cl_int status_of(cl_event event) {
  cl_int status = -999;
  OK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, nullptr));
  return status;
}

static void a_program_s_own_event(const Stepper& s) {
  MADE(cl_event, gate, clCreateUserEvent(s.host.context, &made_status));
  cl_event done = nullptr;
  s.step(s.host.queue, 2, 1, {gate}, &done);
  std::vector<int> values(1024);
  std::atomic<bool> opened = false;
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    opened = true;
    OK(clSetUserEventStatus(gate, CL_COMPLETE));
  });
  std::printf("before: %s\n", status_of(done) > CL_COMPLETE ? "waiting" : "over");
  // Blocks until another thread has opened the gate.
  OK(clEnqueueReadBuffer(s.host.queue, s.values, CL_TRUE, 0, 4096, values.data(), 0, nullptr,
                         nullptr));
  std::printf("after: %d %d\n", opened ? 1 : 0, status_of(done));
  opener.join();
  print("gated", values);
  OK(clReleaseEvent(done));
  OK(clReleaseEvent(gate));
}

static void an_error_of_a_program_s_own(const Stepper& s, cl_command_queue other) {
  MADE(cl_event, gate, clCreateUserEvent(s.host.context, &made_status));
  cl_event done = nullptr;
  s.step(other, 2, 1, {gate}, &done);
  OK(clSetUserEventStatus(gate, -7));
  std::printf("waited: %d\n", clWaitForEvents(1, &done));
  std::printf("failed: %s\n", status_of(done) < 0 ? "yes" : "no");
  OK(clReleaseEvent(done));
  OK(clReleaseEvent(gate));
}

static std::atomic<int> called = 0;
static void CL_CALLBACK on_complete(cl_event, cl_int status, void* data) {
  if (status == CL_COMPLETE) called += *static_cast<int*>(data);
}

static void callbacks(const Stepper& s) {
  int weight = 3;
  cl_event event = nullptr;
  s.step(s.host.queue, 1, 2, {}, &event);
  OK(clSetEventCallback(event, CL_COMPLETE, on_complete, &weight));
  OK(clSetEventCallback(event, CL_COMPLETE, on_complete, &weight));
  OK(clFinish(s.host.queue));
  for (int i = 0; i < 5000 && called < 6; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::printf("called %d\n", called.load());
  OK(clReleaseEvent(event));
}

static void profiling(const Stepper& s, cl_command_queue measured) {
  std::vector<cl_event> events(2);
  s.step(measured, 1, 1, {}, &events[0]);
  std::vector<int> large(3 << 20, 7);
  cl_mem buffer = s.host.buffer(large.size() * 4);
  OK(clEnqueueWriteBuffer(measured, buffer, CL_FALSE, 0, large.size() * 4, large.data(), 0, nullptr,
                          &events[1]));
  OK(clWaitForEvents(2, events.data()));
  for (cl_event event : events) {
    cl_ulong times[4] = {};
    const cl_profiling_info which[4] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
                                        CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
    for (int i = 0; i < 4; ++i)
      OK(clGetEventProfilingInfo(event, which[i], sizeof times[i], &times[i], nullptr));
    const bool ordered = times[0] <= times[1] && times[1] <= times[2] && times[2] < times[3];
    std::printf("times in order: %s\n", ordered ? "yes" : "no");
    OK(clReleaseEvent(event));
  }
  OK(clReleaseMemObject(buffer));
}

static void out_of_order(const Stepper& s) {
  cl_command_queue queue = s.host.another_queue(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
  cl_event first = nullptr, second = nullptr;
  s.step(queue, 3, 1, {}, &first);
  s.step(queue, 5, 2, {first}, &second);
  OK(clEnqueueBarrierWithWaitList(queue, 0, nullptr, nullptr));
  s.step(queue, 7, 3, {}, nullptr);
  OK(clFinish(queue));
  show(s.host, s.values, "out of order");
  OK(clReleaseEvent(first));
  OK(clReleaseEvent(second));
  OK(clReleaseCommandQueue(queue));
}

int main() {
  const Host host;
  cl_program program = host.program(kSource);
  std::vector<int> zeros(1024);
  const Stepper s{host, Host::kernel(program, "advance"), host.buffer(zeros)};
  cl_command_queue other = host.another_queue(CL_QUEUE_PROFILING_ENABLE);
  queues_wait_for_each_other(s, other);
  many_events(s, other);
  a_program_s_own_event(s);
  callbacks(s);
  profiling(s, other);
  out_of_order(s);
  an_error_of_a_program_s_own(s, other);
  OK(clReleaseMemObject(s.values));
  OK(clReleaseKernel(s.kernel));
  OK(clReleaseProgram(program));
  OK(clReleaseCommandQueue(other));
}
