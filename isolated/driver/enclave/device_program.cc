// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/enclave/device_program.h"

#include "isolated/driver/option.h"
#include "isolated/driver/remote/server.h"

namespace casemate::driver {
namespace {

constexpr Duration kResetMax = std::chrono::seconds(1);
// Of the enclave's memory, which a template and its instance share, what is the device's: each has
// it once, and there is as much for the process and a piece while it is compiled.
constexpr uint64_t kOfMemory = 4;

}  // namespace

Status DeviceProgram::start(const control::Message& manifest) {
  number_ = TRY(device_number(options_));
  memory_bytes_ = manifest.memory_bytes / kOfMemory;
  return {};
}

Status DeviceProgram::prepare() {
  if (when_ == When::kBefore) device_ = TRY(open_(number_, memory_bytes_));
  return {};
}

Status DeviceProgram::run(control::Socket control, const control::Message&) {
  if (device_ == nullptr) device_ = TRY(open_(number_, memory_bytes_));
  while (true) {
    auto received = TRY(control.receive(-1));
    if (received.type() == control::Type::kStop) return {};
    if (received.type() != control::Type::kConnect) continue;
    {
      auto callee = TRY(srpc::Callee::make(TRY(control::stream_end_of(received))));
      serve(*device_, callee, {.piece_bytes_max = memory_bytes_}, [] { return true; });
    }
    TRY(device_->reset(system_clock().now() + kResetMax));
  }
}

}  // namespace casemate::driver
