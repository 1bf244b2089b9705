// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/server/serve.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/format.h"

namespace casemate::opencl {
namespace {

// Tells the monitor that commands end while a call waits for many of them. A call that waits for
// one makes no progress until that ends.
class Watch final {
 public:
  Watch(Pulse& pulse, std::atomic<uint64_t>& progress) : pulse_(pulse), progress_(progress) {}

  Status start() {
    try {
      thread_ = std::jthread([this](const std::stop_token& stop) { look(stop); });
    } catch (const std::system_error& error) {
      return Error{Code::kUnavailable,
                   formatted("no thread can be started that shows the monitor how far the device "
                             "is ({}): leave its partition more processes or memory",
                             error.what())};
    }
    return {};
  }

 private:
  void look(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      ended_.wait_for(lock, stop, kEach, [] { return false; });
      if (pulse_.beats()) progress_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  // A few times in the shortest time that may be called a hang.
  static constexpr auto kEach = std::chrono::milliseconds(200);
  Pulse& pulse_;
  std::atomic<uint64_t>& progress_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;
};

}  // namespace

Result<cl_device_id> device(uint32_t index) {
  std::array<cl_platform_id, 16> platforms{};
  cl_uint platform_count = 0;
  if (clGetPlatformIDs(platforms.size(), platforms.data(), &platform_count) != CL_SUCCESS)
    return Error{Code::kNotFound, "there is no OpenCL platform: install an OpenCL driver"};
  uint32_t seen = 0;
  for (cl_uint p = 0; p < std::min<cl_uint>(platform_count, platforms.size()); ++p) {
    std::array<cl_device_id, 16> devices{};
    cl_uint count = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, devices.size(), devices.data(), &count) !=
        CL_SUCCESS)
      continue;
    count = std::min<cl_uint>(count, devices.size());
    if (index < seen + count) return devices[index - seen];
    seen += count;
  }
  return Error{Code::kNotFound,
               formatted("there is no OpenCL device {}: this machine has {}", index, seen)};
}

Status serve(srpc::Callee& callee, cl_device_id device, const SessionLimits& limits,
             const std::function<bool()>& wanted) {
  Pulse pulse;
  Session session(device, callee.bulk_in(), callee.bulk_out(), limits, &pulse);
  Watch watch(pulse, callee.progress());
  TRY(watch.start());
  while (wanted()) {
    const auto request = callee.next(std::chrono::seconds(1));
    if (!request && request.error().code == Code::kTimedOut) continue;
    if (!request) return {};
    const Answer answer = session.handle(request->call & ~kPosted, request->args());
    ByteArray<srpc::kPayloadBytes> value{};
    std::ranges::copy(bytes_of(answer.outcome), value.begin());
    std::ranges::copy(Bytes(answer.value).first(answer.value_size),
                      value.begin() + sizeof(Outcome));
    const size_t size = sizeof(Outcome) + answer.value_size;
    const Bytes all = Bytes(value).first(size);
    const bool posted = (request->call & kPosted) != 0;
    if (!(posted ? callee.reply_later(answer.code, all) : callee.reply(answer.code, all)))
      return {};
  }
  return {};
}

}  // namespace casemate::opencl
