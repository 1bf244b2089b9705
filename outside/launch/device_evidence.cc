// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/device_evidence.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/format.h"
#include "base/log.h"
#include "outside/launch/accelerators.h"

namespace casemate::launch {
namespace {

Error evidence_error(const std::string& given, Code code, std::string_view what) {
  return {code, formatted("--device-evidence {}: {}", printable(given), what)};
}

// "npu:0", as tokens call it.
Status check_device_name(const std::string& given, std::string_view device) {
  const size_t colon = device.find(':');
  const std::string_view kind = device.substr(0, colon);
  const std::string_view number = device.substr(std::min(colon + 1, device.size()));
  if (kind == "cpu" || kind == "none") {
    return evidence_error(given, Code::kInvalid,
                          "the processor shows none but its root's; name an accelerator");
  }
  uint32_t index = limits::kDevices;
  const auto [end, wrong] = std::from_chars(number.data(), number.data() + number.size(), index);
  if (colon != std::string_view::npos && find_accelerator(kind) != nullptr &&
      wrong == std::errc() && end == number.data() + number.size() && index < limits::kDevices &&
      std::to_string(index) == number)
    return {};
  return evidence_error(given, Code::kInvalid,
                        formatted("should be DEVICE=FILE for one of npu:0 to npu:{0} or opencl:0 "
                                  "to opencl:{0}",
                                  limits::kDevices - 1));
}

Result<std::string> evidence_file(const std::string& given, const std::string& path) {
  std::error_code wrong;
  const auto file = std::filesystem::canonical(path, wrong);
  if (wrong || !std::filesystem::is_regular_file(file, wrong))
    return evidence_error(given, Code::kNotFound, "there is no such file");
  const uint64_t size = std::filesystem::file_size(file, wrong);
  if (wrong || size == 0)
    return evidence_error(given, Code::kInvalid, "the file is empty, or cannot be looked at");
  if (size > kDeviceEvidenceBytes) {
    return evidence_error(given, Code::kTooLarge,
                          formatted("the file has {} bytes, and evidence of a device has at most "
                                    "{}; leave out certificates that verifiers have",
                                    size, kDeviceEvidenceBytes));
  }
  if (file.string().size() >= limits::kPath) {
    return evidence_error(
        given, Code::kTooLarge,
        formatted("the path is longer than {} characters; move the file up", limits::kPath - 1));
  }
  return file.string();
}

// The accelerators that partitions have; "none".
std::string accelerators_of(const SystemDescription& d) {
  std::string names;
  for (uint32_t p = 0; p < d.partition_count; ++p) {
    const DeviceDescription& device = d.partitions[p].device;
    if (device.kind < static_cast<uint32_t>(DeviceKind::kOpencl)) continue;
    names += formatted("{}{}", names.empty() ? "" : ", ", name_of(device));
  }
  return names.empty() ? "none" : names;
}

Status add_one(SystemDescription& d, const std::string& given) {
  const size_t equals = std::min(given.find('='), given.size());
  const std::string device = given.substr(0, equals);
  TRY(check_device_name(given, device));
  const std::string path =
      TRY(evidence_file(given, given.substr(std::min(equals + 1, given.size()))));
  bool had = false;
  for (uint32_t p = 0; p < d.partition_count; ++p) {
    DeviceDescription& own = d.partitions[p].device;
    if (name_of(own) != device) continue;
    if (own.evidence != 0)
      return evidence_error(given, Code::kInvalid,
                            "the device has evidence already; give one file");
    own.evidence = d.file_count + 1;
    had = true;
  }
  if (!had) {
    return evidence_error(given, Code::kInvalid,
                          formatted("no partition has that device; there are: {}; models are cut "
                                    "over devices that their system file names",
                                    accelerators_of(d)));
  }
  if (d.file_count == d.files.size())
    return evidence_error(given, Code::kTooLarge,
                          "the system has too many files; serve fewer models, or from two systems");
  d.files[d.file_count++] = {Text<limits::kPath>::from(path), Text<limits::kPath>::from(device)};
  return {};
}

}  // namespace

Status add_device_evidence(SystemDescription& description, std::span<const std::string> given) {
  for (const std::string& one : given) TRY(add_one(description, one));
  return {};
}

}  // namespace casemate::launch
