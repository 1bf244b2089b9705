// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/enclave/device_program.h"

#include "isolated/driver/option.h"
#include "isolated/driver/remote/server.h"

namespace casemate::driver {
namespace {

constexpr Duration kResetMax = std::chrono::seconds(1);

}  // namespace

Status DeviceProgram::start(const control::Message& manifest) {
  room_ = {.number = TRY(device_number(options_)),
           .enclave_bytes = manifest.memory_bytes,
           .threads = manifest.threads};
  return {};
}

Status DeviceProgram::prepare() {
  if (when_ == When::kBefore) device_ = TRY(open_(room_));
  return {};
}

Status DeviceProgram::run(control::Socket control, const control::Message&) {
  if (device_ == nullptr) device_ = TRY(open_(room_));
  while (true) {
    auto received = TRY(control.receive(-1));
    if (received.type() == control::Type::kStop) return {};
    if (received.type() != control::Type::kConnect) continue;
    {
      auto callee = TRY(srpc::Callee::make(TRY(control::stream_end_of(received))));
      serve(*device_, callee, {.piece_bytes_max = device_->limits().memory_bytes},
            [] { return true; });
    }
    TRY(device_->reset(system_clock().now() + kResetMax));
  }
}

}  // namespace casemate::driver
