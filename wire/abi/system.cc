// SPDX-License-Identifier: Apache-2.0
#include "wire/abi/system.h"

#include <bit>
#include <set>

#include "base/format.h"
#include "wire/abi/share.h"

namespace casemate {
namespace {

// Below this no process starts.
constexpr uint64_t kMemoryMin = 16 << 20;

Error wrong(std::string_view list, size_t index, std::string_view what) {
  return {Code::kInvalid, formatted("system description, {} {}: {}", list, index, what)};
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

// "is 97, but must be from 1 to 96", behind the name of a field.
std::string beyond(uint64_t found, uint64_t low, uint64_t high) {
  return formatted("is {}, but must be from {} to {}", found, low, high);
}

Status check_counts(const SystemDescription& d) {
  if (d.magic != SystemDescription::kMagic || d.version != SystemDescription::kVersion) {
    return Error{
        Code::kInvalid,
        "the system description has another format: start monitor and command of one build"};
  }
  const struct {
    std::string_view what;
    uint32_t count;
    size_t room;
  } lists[] = {{"images", d.image_count, d.images.size()},
               {"programs", d.program_count, d.programs.size()},
               {"partitions", d.partition_count, d.partitions.size()},
               {"enclaves", d.enclave_count, d.enclaves.size()},
               {"streams", d.stream_count, d.streams.size()},
               {"files", d.file_count, d.files.size()}};
  for (const auto& list : lists) {
    if (list.count <= list.room) continue;
    return Error{Code::kTooLarge, formatted("system description: counts {} {}, but has room for "
                                            "{}; describe fewer",
                                            list.count, list.what, list.room)};
  }
  if (d.partition_count == 0 || d.enclave_count == 0) {
    return Error{Code::kInvalid,
                 "system description: has no partition or no enclave; describe one to start"};
  }
  if (d.root > kRootKinds) {
    return Error{Code::kInvalid, formatted("system description: root {} is unknown to this "
                                           "build; name one up to {}",
                                           d.root, kRootKinds)};
  }
  return {};
}

// Every target once: the file system takes the first of two, while a measurement has both.
bool targets_differ(std::span<const ImageDescription> images) {
  std::set<std::string_view> targets;
  return std::ranges::all_of(images, [&](const ImageDescription& image) {
    return targets.insert(image.target.view()).second;
  });
}

Status check_images(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.image_count; ++i) {
    const ImageDescription& image = d.images[i];
    if (!image.source.canonical() || !canonical_path(image.source.view()))
      return wrong("image", i, "the source must be a canonical absolute path");
    if (!image.target.canonical() || !canonical_path(image.target.view()))
      return wrong("image", i, "the target must be a canonical absolute path");
    // What lies there is measured as the enclave's model, so no program may bring it along.
    if (image.target.view() == "/model" || image.target.view().starts_with("/model/"))
      return wrong("image", i, "the target is in /model, which must be left to model files");
  }
  for (uint32_t i = 0; i < d.file_count; ++i) {
    const ImageDescription& file = d.files[i];
    if (!file.source.canonical() || !canonical_path(file.source.view()))
      return wrong("file", i, "the source must be a canonical absolute path");
    if (!file.target.canonical() || !plain_name(file.target.view()))
      return wrong("file", i, "the target must be a plain file name");
  }
  return {};
}

Status check_programs(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.program_count; ++i) {
    const ProgramDescription& program = d.programs[i];
    if (!program.name.canonical() || !plain_name(program.name.view()))
      return wrong("program", i, "the name must be 1 to 63 printable characters without a slash");
    for (uint32_t j = 0; j < i; ++j) {
      if (d.programs[j].name.view() == program.name.view())
        return wrong("program", i, "the name must not be another program's");
    }
    if (program.image_count == 0 ||
        !inside(program.first_image, program.image_count, d.image_count))
      return wrong("program", i, "its images must be at least one of the list");
    if (!targets_differ(std::span(d.images).subspan(program.first_image, program.image_count)))
      return wrong("program", i, "two of its images have the same target; each needs its own");
  }
  return {};
}

Status check_device(const DeviceDescription& device, size_t partition, uint32_t files) {
  if (device.kind > static_cast<uint32_t>(DeviceKind::kNpu)) {
    return wrong("partition", partition,
                 formatted("device kind {} is unknown to this build; name 0 (none), 1 (cpu), 2 "
                           "(opencl) or 3 (npu)",
                           device.kind));
  }
  // The index is part of the name that tokens vouch for, and there is but one processor.
  const bool many = device.kind >= static_cast<uint32_t>(DeviceKind::kOpencl);
  if (many && device.index >= limits::kDevices)
    return wrong("partition", partition,
                 "device index " + beyond(device.index, 0, limits::kDevices - 1));
  if (!many && device.index != 0)
    return wrong("partition", partition,
                 formatted("device index {} does not exist; name 0", device.index));
  if (device.cpu_percent > limits::kCpuPercent)
    return wrong("partition", partition,
                 "cpu_percent " + beyond(device.cpu_percent, 0, limits::kCpuPercent));
  if (const uint32_t most = many ? files : 0; device.evidence > most)
    return wrong("partition", partition,
                 "the device's evidence " + beyond(device.evidence, 0, most));
  return {};
}

Status check_restarts(const PartitionDescription& p, size_t index) {
  if (p.backoff_ms_max == 0 || p.backoff_ms_max > limits::kRestartMs)
    return wrong("partition", index,
                 "backoff_ms_max " + beyond(p.backoff_ms_max, 1, limits::kRestartMs));
  if (p.backoff_ms_first == 0 || p.backoff_ms_first > p.backoff_ms_max)
    return wrong("partition", index,
                 "backoff_ms_first " + beyond(p.backoff_ms_first, 1, p.backoff_ms_max));
  if (p.failures_max == 0 || p.failures_max > limits::kFailures)
    return wrong("partition", index,
                 "failures_max " + beyond(p.failures_max, 1, limits::kFailures));
  if (p.stable_ms == 0 || p.stable_ms > limits::kRestartMs)
    return wrong("partition", index, "stable_ms " + beyond(p.stable_ms, 1, limits::kRestartMs));
  if (p.hang_ms < limits::kHangMsMin || p.hang_ms > limits::kRestartMs)
    return wrong("partition", index,
                 "hang_ms " + beyond(p.hang_ms, limits::kHangMsMin, limits::kRestartMs));
  if (p.load_ms < limits::kHangMsMin || p.load_ms > limits::kRestartMs)
    return wrong("partition", index,
                 "load_ms " + beyond(p.load_ms, limits::kHangMsMin, limits::kRestartMs));
  return {};
}

Status check_partitions(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    const PartitionDescription& p = d.partitions[i];
    if (!p.name.canonical() || !plain_name(p.name.view()))
      return wrong("partition", i, "the name must be 1 to 63 printable characters without a slash");
    for (uint32_t j = 0; j < i; ++j) {
      if (d.partitions[j].name.view() == p.name.view())
        return wrong("partition", i, "the name must not be another partition's");
    }
    if (p.program >= d.program_count)
      return wrong("partition", i, "its mOS must be in the list of programs");
    TRY(check_device(p.device, i, d.file_count));
    if (p.memory_bytes < kMemoryMin)
      return wrong("partition", i, "the memory limit must be at least 16 MiB, or nothing starts");
    if (p.processes_max < 2 || p.processes_max > limits::kProcesses)
      return wrong("partition", i,
                   "processes_max " + beyond(p.processes_max, 2, limits::kProcesses));
    TRY(check_restarts(p, i));
    if (p.standby > 1) return wrong("partition", i, "standby must be 0 or 1");
  }
  return {};
}

Status check_enclave(const SystemDescription& d, uint32_t i) {
  const EnclaveDescription& e = d.enclaves[i];
  if (e.partition >= d.partition_count)
    return wrong("enclave", i, "its partition must be in the list");
  if (e.program >= d.program_count) return wrong("enclave", i, "its program must be in the list");
  if (e.kind < static_cast<uint32_t>(EnclaveKind::kGateway) ||
      e.kind > static_cast<uint32_t>(EnclaveKind::kDevice))
    return wrong("enclave", i, formatted("kind {} is unknown to this build", e.kind));
  if ((e.flags & ~(EnclaveDescription::kDebug | EnclaveDescription::kSealed)) != 0)
    return wrong("enclave", i, formatted("flags {:#x} are unknown to this build", e.flags));
  if ((e.flags & EnclaveDescription::kSealed) != 0 &&
      e.kind != static_cast<uint32_t>(EnclaveKind::kModel))
    return wrong("enclave", i, "only a model can be sealed");
  // What vouches for their keys has no room for a device's words.
  if (((e.flags & EnclaveDescription::kSealed) != 0 ||
       e.kind == static_cast<uint32_t>(EnclaveKind::kGateway)) &&
      d.partitions[e.partition].device.evidence != 0)
    return wrong("enclave", i, "its partition's device has evidence, which only others may have");
  if (!inside(e.first_file, e.file_count, d.file_count))
    return wrong("enclave", i, "its files must be in the list");
  for (uint32_t p = 0; p < d.partition_count; ++p) {
    if (d.partitions[p].device.evidence - 1 - e.first_file < e.file_count)  // or 0, and wraps
      return wrong("enclave", i, "one of its files is the evidence of a device");
  }
  if (!targets_differ(std::span(d.files).subspan(e.first_file, e.file_count)))
    return wrong("enclave", i, "two of its files have the same target; each needs its own");
  if (e.threads == 0 || e.threads > limits::kThreads)
    return wrong("enclave", i, "threads " + beyond(e.threads, 1, limits::kThreads));
  const uint64_t memory_max = d.partitions[e.partition].memory_bytes;
  if (e.memory_bytes < kMemoryMin || e.memory_bytes > memory_max)
    return wrong("enclave", i, "memory_bytes " + beyond(e.memory_bytes, kMemoryMin, memory_max));
  if (e.processes_max < 2 || e.processes_max > limits::kProcesses)
    return wrong("enclave", i, "processes_max " + beyond(e.processes_max, 2, limits::kProcesses));
  if (e.share > 100) return wrong("enclave", i, "share " + beyond(e.share, 0, 100));
  // What lies there counts as its memory. Nobody else may write files at all.
  const bool may_write = e.kind == static_cast<uint32_t>(EnclaveKind::kProgram) ||
                         e.kind == static_cast<uint32_t>(EnclaveKind::kDevice);
  if (e.scratch_bytes > (may_write ? e.memory_bytes : 0))
    return wrong("enclave", i,
                 "scratch_bytes " + beyond(e.scratch_bytes, 0, may_write ? e.memory_bytes : 0));
  if (!e.options.canonical())
    return wrong("enclave", i, "its options do not end; pad them with zeros");
  return {};
}

Status check_enclaves(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    const EnclaveDescription& e = d.enclaves[i];
    if (!e.name.canonical() || !plain_name(e.name.view()))
      return wrong("enclave", i, "the name must be 1 to 63 printable characters without a slash");
    for (uint32_t j = 0; j < i; ++j) {
      if (d.enclaves[j].name.view() == e.name.view() &&
          d.enclaves[j].model_version == e.model_version)
        return wrong("enclave", i, "name and version must not be another enclave's");
    }
    TRY(check_enclave(d, i));
  }
  return {};
}

// One that has a share of a partition, where the others' must leave room for it.
Status check_share(const SystemDescription& d, uint32_t i) {
  const EnclaveDescription& e = d.enclaves[i];
  const PartitionDescription& p = d.partitions[e.partition];
  if (p.device.kind == static_cast<uint32_t>(DeviceKind::kNone))
    return wrong("enclave", i, "it has a share, and its partition has no device to share");
  // Without a quota there is a core at least.
  if (p.device.cpu_percent != 0 && uint64_t{p.device.cpu_percent} * e.share < 100)
    return wrong("enclave", i, "its share is below 1 % of a core, which no quota can be");
  uint32_t percent = 0;
  uint64_t memory = 0;
  for (uint32_t j = 0; j < d.enclave_count; ++j) {
    if (d.enclaves[j].partition != e.partition) continue;
    if (d.enclaves[j].share == 0)
      return wrong("enclave", i, "it has a share of its partition, and another there has none");
    percent += d.enclaves[j].share;
    if (__builtin_add_overflow(memory, memory_of_both(d, j), &memory)) memory = UINT64_MAX;
  }
  if (percent > 100)
    return wrong("enclave", i,
                 formatted("the shares of its partition come to {} %, and 100 is all", percent));
  if (memory > p.memory_bytes)
    return wrong("enclave", i,
                 formatted("the memory of those who share its partition comes to {} bytes, and it "
                           "has {}",
                           memory, p.memory_bytes));
  return {};
}

Status check_streams(const SystemDescription& d) {
  for (uint32_t i = 0; i < d.stream_count; ++i) {
    const StreamDescription& s = d.streams[i];
    if (s.caller >= d.enclave_count || s.callee >= d.enclave_count || s.caller == s.callee)
      return wrong("stream", i, "its ends must be two enclaves of the list");
    if (s.slots == 0 || s.slots > limits::kStreamSlots || !std::has_single_bit(s.slots))
      return wrong("stream", i,
                   formatted("slots are {}, but must be a power of two up to {}", s.slots,
                             limits::kStreamSlots));
    if (s.regions == 0 || s.regions > s.slots)
      return wrong("stream", i, "regions " + beyond(s.regions, 1, s.slots));
    for (uint32_t j = 0; j < i; ++j) {
      // An enclave runs its calls strictly in order, so it listens to one caller.
      if (d.streams[j].callee == s.callee)
        return wrong("stream", i, "its callee already has a caller, and may have one only");
    }
    constexpr uint64_t kBulkMax = limits::kTensorBytes * limits::kStreamSlots;
    if (s.bulk_in_bytes > kBulkMax)
      return wrong("stream", i, "bulk_in_bytes " + beyond(s.bulk_in_bytes, 0, kBulkMax));
    if (s.bulk_out_bytes > kBulkMax)
      return wrong("stream", i, "bulk_out_bytes " + beyond(s.bulk_out_bytes, 0, kBulkMax));
  }
  return {};
}

}  // namespace

std::string name_of(const DeviceDescription& device) {
  switch (static_cast<DeviceKind>(device.kind)) {
    case DeviceKind::kCpu:
      return formatted("cpu:{}", device.index);
    case DeviceKind::kOpencl:
      return formatted("opencl:{}", device.index);
    case DeviceKind::kNpu:
      return formatted("npu:{}", device.index);
    default:
      return "none";
  }
}

Status check_description(const SystemDescription& description) {
  TRY(check_counts(description));
  TRY(check_images(description));
  TRY(check_programs(description));
  TRY(check_partitions(description));
  TRY(check_enclaves(description));
  TRY(check_streams(description));
  for (uint32_t i = 0; i < description.enclave_count; ++i) {
    if (description.enclaves[i].share != 0) TRY(check_share(description, i));
  }
  return {};
}

}  // namespace casemate
