// SPDX-License-Identifier: Apache-2.0
#pragma once
// Hardware: an OpenCL device or a part of one, with a context, queues, and the kernels that were
// built for it.
//
//   Owns     the context, sub-device, programs and idle queues.
//   Threads  any number; a lane is one thread's while it has it.
//   Trust    the driver of the device; sources are our own.
//   Fails    with kPlatform and OpenCL's number for what went wrong.

#include <CL/cl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "isolated/driver/opencl/device/device.h"
#include "isolated/driver/opencl/device/recipe.h"

namespace casemate::driver {

// Something of OpenCL's that is released when it goes.
template <class T, auto release>
class OwnedCl final {
 public:
  OwnedCl() = default;
  explicit OwnedCl(T thing) : thing_(thing) {}
  OwnedCl(OwnedCl&& other) noexcept : thing_(std::exchange(other.thing_, nullptr)) {}
  OwnedCl& operator=(OwnedCl&& other) noexcept {
    std::swap(thing_, other.thing_);
    return *this;
  }
  ~OwnedCl() {
    if (thing_ != nullptr) release(thing_);
  }
  // Requires of each member: nothing; none owned is a null pointer.
  [[nodiscard]] T operator*() const { return thing_; }
  [[nodiscard]] bool present() const { return thing_ != nullptr; }

 private:
  T thing_ = nullptr;
};

using OwnedBuffer = OwnedCl<cl_mem, clReleaseMemObject>;
using OwnedContext = OwnedCl<cl_context, clReleaseContext>;
using OwnedDevice = OwnedCl<cl_device_id, clReleaseDevice>;
using OwnedEvent = OwnedCl<cl_event, clReleaseEvent>;
using OwnedKernel = OwnedCl<cl_kernel, clReleaseKernel>;
using OwnedProgram = OwnedCl<cl_program, clReleaseProgram>;
using OwnedLane = OwnedCl<cl_command_queue, clReleaseCommandQueue>;

Error opencl_error(std::string_view what, cl_int status);
// Whether OpenCL did what it was asked.
Status opencl_did(std::string_view what, cl_int status);

class Hardware final {
 public:
  // Fails as make_opencl().
  static Result<std::shared_ptr<Hardware>> open(const OpenclOptions& options);
  // The same device or part, with nothing of before.
  Result<std::shared_ptr<Hardware>> again() const;

  Result<OwnedKernel> make_kernel(const RecipeLaunch& launch);
  Result<OwnedBuffer> make_buffer(uint64_t bytes);
  // Requires: inside the buffer, at a multiple of alignment().
  Result<OwnedBuffer> make_part(cl_mem whole, uint64_t offset, uint64_t bytes);
  Result<OwnedLane> take_lane();
  void give_lane(OwnedLane lane);
  // Waits for all that the lane was given.
  static Status finish(cl_command_queue lane);

  [[nodiscard]] uint64_t alignment() const { return alignment_; }
  [[nodiscard]] uint64_t memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] uint64_t buffer_bytes_max() const { return buffer_bytes_max_; }
  [[nodiscard]] uint32_t units() const { return units_; }
  [[nodiscard]] uint32_t units_whole() const { return units_whole_; }

 private:
  Hardware() = default;
  Status take_part(const OpenclOptions& options);
  Status learn();
  Status prepare();

  cl_device_id whole_ = nullptr;
  OwnedDevice part_;  // none: all of it
  cl_device_id device_ = nullptr;
  OwnedContext context_;
  uint64_t alignment_ = 0;
  uint64_t memory_bytes_ = 0;
  uint64_t buffer_bytes_max_ = 0;
  uint32_t units_ = 0;
  uint32_t units_whole_ = 0;
  OpenclOptions options_;
  std::mutex lock_;
  std::map<std::string, OwnedProgram> programs_;  // by defines and source
  std::vector<OwnedLane> idle_;
};

}  // namespace casemate::driver
