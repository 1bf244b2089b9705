// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/enclave/device_program.h"

#include <charconv>

#include "base/format.h"
#include "base/log.h"
#include "isolated/driver/remote/server.h"

namespace casemate::driver {
namespace {

constexpr Duration kResetMax = std::chrono::seconds(1);
// Of the enclave's memory, which a template and its instance share, what is the device's: each has
// it once, and there is as much for the process and a piece while it is compiled.
constexpr uint64_t kOfMemory = 4;

}  // namespace

Status DeviceProgram::start(const control::Message& manifest) {
  constexpr std::string_view key = "device=";
  const std::string_view text = options_;
  const auto [end, error] =
      text.starts_with(key)
          ? std::from_chars(text.data() + key.size(), text.data() + text.size(), number_)
          : std::from_chars_result{text.data(), std::errc::invalid_argument};
  if (error != std::errc() || end != text.data() + text.size())
    return Error{Code::kInvalid, formatted("'{}' is no option of a device", options_)};
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
