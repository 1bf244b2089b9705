// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/accelerators.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "outside/launch/opencl_files.h"

namespace casemate::launch {
namespace {

constexpr std::array<Accelerator, 2> kAccelerators = {{
    {.kind = "npu", .device = DeviceKind::kNpu, .program = "npu", .count = 1, .memory_mib_min = 64},
    // Half of the least is the compiler's, in each of a template and its instance but once, since
    // the template asks OpenCL nothing.
    {.kind = "opencl",
     .device = DeviceKind::kOpencl,
     .program = "opencl-device",
     .count = limits::kDevices,
     .memory_mib_min = 1024,
     .driver = true,
     .scratch_mib_max = 256,
     .processes = 64},
}};

}  // namespace

const Accelerator* find_accelerator(std::string_view kind) {
  const auto* const found = std::ranges::find(kAccelerators, kind, &Accelerator::kind);
  return found == kAccelerators.end() ? nullptr : &*found;
}

std::optional<AcceleratorName> accelerator_named(std::string_view name) {
  const size_t colon = name.find(':');
  const Accelerator* accelerator = find_accelerator(name.substr(0, colon));
  if (accelerator == nullptr || colon == name.npos) return std::nullopt;
  const std::string_view digits = name.substr(colon + 1);
  const char* const end = digits.data() + digits.size();
  uint32_t number = 0;
  const auto [stop, wrong] = std::from_chars(digits.data(), end, number);
  // One spelling of each.
  if (wrong != std::errc() || stop != end || number >= accelerator->count ||
      std::to_string(number) != digits)
    return std::nullopt;
  return AcceleratorName{accelerator, number};
}

std::string accelerator_names() {
  std::string names;
  for (const Accelerator& each : kAccelerators) {
    names += formatted("{}'{}:0'", names.empty() ? "" : " or ", each.kind);
    if (each.count > 1) names += formatted(" to '{}:{}'", each.kind, each.count - 1);
  }
  return names;
}

Result<std::vector<Placed>> placed_device_program(const Accelerator& accelerator,
                                                  const std::string& program,
                                                  const std::string& target) {
  if (accelerator.driver) return placed_opencl_program(program, target);
  return placed_program(program, target);
}

}  // namespace casemate::launch
