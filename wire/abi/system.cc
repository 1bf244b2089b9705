// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/system.h"

#include <bit>
#include <format>

namespace casemate {
namespace {

Error wrong(std::string_view list, size_t index, std::string_view what) {
  return {Code::kInvalid, std::format("system description, {} {}: {}", list, index, what)};
}

// True for a range [first, first+count) inside [0, total).
bool inside(uint32_t first, uint32_t count, uint32_t total) {
  return first <= total && count <= total - first;
}

bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < 127 && c != '/' && c != '\\';
  });
}

// An absolute path without "." and ".." parts or empty ones.
bool canonical_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

Status check_counts(const SystemDescription& d) {
  if (d.magic != SystemDescription::kMagic || d.version != SystemDescription::kVersion) {
    return Error{
        Code::kInvalid,
        "the system description has another format: start monitor and command of one build"};
  }
  if (d.image_count > d.images.size() || d.program_count > d.programs.size() ||
      d.partition_count > d.partitions.size() || d.enclave_count > d.enclaves.size() ||
      d.stream_count > d.streams.size() || d.file_count > d.files.size()) {
    return Error{Code::kTooLarge,
                 "the system description counts more entries than it has room for"};
  }
  if (!d.gateway_options.canonical())
    return Error{Code::kInvalid, "the gateway's options do not end"};
  return {};
}

Status check_programs(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.image_count; ++i) {
    const ImageDescription& image = d.images[i];
    if (!image.source.canonical() || !canonical_path(image.source.view()))
      return wrong("image", i, "the source is no canonical absolute path");
    if (!image.target.canonical() || !canonical_path(image.target.view()))
      return wrong("image", i, "the target is no canonical absolute path");
  }
  for (uint32_t i = 0; i < d.program_count; ++i) {
    const ProgramDescription& program = d.programs[i];
    if (!program.name.canonical() || !plain_name(program.name.view()))
      return wrong("program", i, "the name is empty or has odd characters");
    if (program.image_count == 0 ||
        !inside(program.first_image, program.image_count, d.image_count))
      return wrong("program", i, "its images are not in the list");
  }
  for (uint32_t i = 0; i < d.file_count; ++i) {
    const ImageDescription& file = d.files[i];
    if (!file.source.canonical() || !canonical_path(file.source.view()))
      return wrong("file", i, "the source is no canonical absolute path");
    if (!file.target.canonical() || !plain_name(file.target.view()))
      return wrong("file", i, "the target is no plain file name");
  }
  return {};
}

Status check_partitions(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    const PartitionDescription& p = d.partitions[i];
    if (!p.name.canonical() || !plain_name(p.name.view()))
      return wrong("partition", i, "the name is empty or has odd characters");
    for (uint32_t j = 0; j < i; ++j) {
      if (d.partitions[j].name.view() == p.name.view())
        return wrong("partition", i, "another partition has the same name");
    }
    if (p.program >= d.program_count)
      return wrong("partition", i, "its mOS is not in the list of programs");
    if (p.device.kind > static_cast<uint32_t>(DeviceKind::kCpu))
      return wrong("partition", i, "the device kind is unknown");
    if (p.memory_bytes < 16u << 20)
      return wrong("partition", i, "the memory limit is below 16 MiB, with which nothing starts");
    if (p.processes_max < 2)
      return wrong("partition", i, "the process limit is below 2, with which nothing starts");
    if (p.failures_max == 0 || p.hang_ms < 100)
      return wrong("partition", i, "failures_max is 0 or hang_ms below 100");
    if (p.standby > 1) return wrong("partition", i, "standby is neither 0 nor 1");
  }
  return {};
}

Status check_enclaves(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    const EnclaveDescription& e = d.enclaves[i];
    if (!e.name.canonical() || !plain_name(e.name.view()))
      return wrong("enclave", i, "the name is empty or has odd characters");
    for (uint32_t j = 0; j < i; ++j) {
      if (d.enclaves[j].name.view() == e.name.view() &&
          d.enclaves[j].model_version == e.model_version)
        return wrong("enclave", i, "another enclave has the same name and version");
    }
    if (e.partition >= d.partition_count)
      return wrong("enclave", i, "its partition is not in the list");
    if (e.program >= d.program_count) return wrong("enclave", i, "its program is not in the list");
    if (e.kind != static_cast<uint32_t>(EnclaveKind::kGateway) &&
        e.kind != static_cast<uint32_t>(EnclaveKind::kModel))
      return wrong("enclave", i, "the kind is unknown");
    if ((e.flags & ~EnclaveDescription::kDebug) != 0)
      return wrong("enclave", i, "a flag is unknown");
    if (!inside(e.first_file, e.file_count, d.file_count))
      return wrong("enclave", i, "its files are not in the list");
    if (e.threads == 0 || e.threads > 256)
      return wrong("enclave", i, "threads are not between 1 and 256");
    if (e.memory_bytes < 16u << 20 || e.memory_bytes > d.partitions[e.partition].memory_bytes)
      return wrong("enclave", i, "the memory limit is below 16 MiB or above its partition's");
    if (e.processes_max < 2)
      return wrong("enclave", i, "the process limit is below 2, with which nothing starts");
  }
  return {};
}

Status check_streams(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.stream_count; ++i) {
    const StreamDescription& s = d.streams[i];
    if (s.caller >= d.enclave_count || s.callee >= d.enclave_count || s.caller == s.callee)
      return wrong("stream", i, "its ends are not two enclaves of the list");
    if (s.slots == 0 || s.slots > limits::kStreamSlots || !std::has_single_bit(s.slots))
      return wrong("stream", i, "slots are no power of two up to the limit");
    if (s.regions == 0 || s.regions > s.slots)
      return wrong("stream", i, "regions are not between 1 and the slots");
    for (uint32_t j = 0; j < i; ++j) {
      // An enclave runs its calls strictly in order, so it listens to one caller.
      if (d.streams[j].callee == s.callee)
        return wrong("stream", i, "its callee already has a caller");
    }
    constexpr uint64_t kBulkMax = limits::kTensorBytes * limits::kStreamSlots;
    if (s.bulk_in_bytes > kBulkMax || s.bulk_out_bytes > kBulkMax)
      return wrong("stream", i, "bulk memory is above the limit");
  }
  return {};
}

}  // namespace

Status check_description(const SystemDescription& description) {
  TRY(check_counts(description));
  TRY(check_programs(description));
  TRY(check_partitions(description));
  TRY(check_enclaves(description));
  return check_streams(description);
}

}  // namespace casemate
