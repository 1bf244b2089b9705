// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/devices/devices.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "isolated/driver/cpu/cpu.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/npu_device/npu_device.h"

namespace casemate::driver {
namespace {

constexpr size_t kDevicesMax = 16;
// The fake device takes all of its memory at once.
constexpr uint64_t kFakeMemoryMax = 1ull << 30;

Result<std::unique_ptr<Device>> open_cpu(uint32_t, const OpenOptions& options) {
  return make_cpu({.threads = options.threads, .memory_bytes = options.memory_bytes});
}

Result<std::unique_ptr<Device>> open_npu(uint32_t, const OpenOptions&) { return make_npu(); }

Result<std::unique_ptr<Device>> open_fake(uint32_t, const OpenOptions& options) {
  return make_fake({.memory_bytes = std::min(options.memory_bytes, kFakeMemoryMax)});
}

// In the order in which they are listed.
const std::vector<DeviceKind> kEverywhere = {
    DeviceKind{
        .name = "cpu", .what = "the processor", .shared = "cores, quota, memory", .open = open_cpu},
    DeviceKind{.name = "npu",
               .what = "an inference accelerator",
               .shared = "time, a layer each",
               .simulated = true,
               .open = open_npu},
    DeviceKind{.name = "fake",
               .what = "the device of tests",
               .shared = "time, a command each",
               .simulated = true,
               .open = open_fake},
};

std::vector<DeviceKind>& kinds() {
  static std::vector<DeviceKind> all = kEverywhere;
  return all;
}

// "cpu, npu and fake"
std::string known_kinds() {
  std::string text;
  for (size_t i = 0; i < kinds().size(); ++i) {
    text += i == 0 ? "" : i + 1 == kinds().size() ? " and " : ", ";
    text += kinds()[i].name;
  }
  return text;
}

Result<OpenDevice> open_one(std::string_view name, const OpenOptions& options) {
  const size_t colon = name.find(':');
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const char* const digits = colon == name.npos ? end : name.data() + colon + 1;
  const auto [stop, error] = std::from_chars(digits, end, number);
  if (colon == 0 || error != std::errc() || stop != end) {
    return Error{Code::kInvalid, formatted("'{}' is no device's name: write a kind, a colon and a "
                                           "number, as in cpu:0",
                                           name)};
  }
  const std::string_view wanted = name.substr(0, colon);
  const auto kind = std::ranges::find(kinds(), wanted, &DeviceKind::name);
  if (kind == kinds().end()) {
    return Error{Code::kUnsupported,
                 formatted("this build has no driver for '{}': it has {}", wanted, known_kinds())};
  }
  // One spelling of each, so that none is opened twice.
  std::string known = formatted("{}:{}", kind->name, number);
  if (number >= kind->count) {
    return Error{Code::kNotFound, formatted("there is no {}: {} is the last", known,
                                            formatted("{}:{}", kind->name, kind->count - 1))};
  }
  auto device = kind->open(number, options);
  if (!device) return Error{device.error().code, formatted("{}: {}", known, device.error().text)};
  return OpenDevice{std::move(known), *std::move(device), &*kind};
}

}  // namespace

std::span<const DeviceKind> device_kinds() { return kinds(); }

void add_device_kind(const DeviceKind& kind) { kinds().push_back(kind); }

Result<std::vector<OpenDevice>> open_devices(std::string_view names, const OpenOptions& options) {
  if (names.empty()) {
    return Error{Code::kInvalid,
                 formatted("no device is named: write some, as in {}", all_device_names())};
  }
  std::vector<OpenDevice> open;
  while (true) {
    const size_t comma = names.find(',');
    if (open.size() == kDevicesMax)
      return Error{Code::kTooLarge, formatted("at most {} devices can be named", kDevicesMax)};
    OpenDevice device = TRY(open_one(names.substr(0, comma), options));
    if (std::ranges::contains(open, device.name, &OpenDevice::name)) {
      return Error{Code::kInvalid,
                   formatted("the device {} is named twice: name it once", device.name)};
    }
    open.push_back(std::move(device));
    if (comma == names.npos) return open;
    names.remove_prefix(comma + 1);
  }
}

std::string all_device_names() {
  std::string names;
  for (const DeviceKind& kind : kinds()) {
    for (uint32_t i = 0; i < kind.count; ++i)
      names += formatted("{}{}:{}", names.empty() ? "" : ",", kind.name, i);
  }
  return names;
}

}  // namespace casemate::driver
