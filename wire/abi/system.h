// SPDX-License-Identifier: Apache-2.0
#pragma once
// SystemDescription: everything the monitor is told, once, at start: which partitions, enclaves,
// programs and streams there are. Flat and of fixed size: the text (TOML, a model repository) is
// parsed outside, and what arrives here is checked field by field. It comes in a memfd that its
// writer has sealed.
//
//   Owns     values only; paths name files that the monitor copies, measures and never opens again.
//   Trust    written outside, hence untrusted: check_description() before use. Whatever it asks for
//            is measured, so a verifier sees what was started.

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate {

enum class DeviceKind : uint32_t { kNone = 0, kCpu = 1, kOpencl = 2, kNpu = 3 };

// The accelerator of a partition, and the share of it.
struct DeviceDescription {
  uint32_t kind = 0;  // DeviceKind
  uint32_t index = 0;
  uint32_t cpu_percent = 0;  // of one core; 0 is no quota
  uint32_t evidence = 0;     // what it says of itself: 1 + index into files; 0: nothing
  uint64_t cpu_mask = 0;     // cores that the partition may run on; 0 is all
};
// "cpu:0", as tokens and people call it; "none".
std::string name_of(const DeviceDescription& device);

// One file that a program consists of, and where it appears in the jail's root.
struct ImageDescription {
  Text<limits::kPath> source;
  Text<limits::kPath> target;
};

// An executable (the first image) and its loader and libraries.
struct ProgramDescription {
  Text<limits::kName> name;
  uint32_t first_image = 0;
  uint32_t image_count = 0;
};

struct PartitionDescription {
  Text<limits::kName> name;
  DeviceDescription device;
  uint32_t program = 0;  // its mOS
  uint32_t processes_max = 0;
  uint64_t memory_bytes = 0;
  uint32_t backoff_ms_first = 0;  // after the second failure in a row; the first restarts at once
  uint32_t backoff_ms_max = 0;
  uint32_t failures_max =
      0;  // in a row, none after running for stable_ms; then the monitor gives up
  uint32_t stable_ms = 0;
  uint32_t hang_ms = 0;  // no sign of life for this long is a failure
  uint32_t load_ms = 0;  // a template that is not ready after this long is a failure
  uint32_t standby = 0;  // 1: keep a second tree of processes loaded; memory_bytes is for both
  uint32_t reserved = 0;
};

struct EnclaveDescription {
  static constexpr uint32_t kDebug = 1;   // keeps stderr readable and says so in every token
  static constexpr uint32_t kSealed = 2;  // its model waits for a key, once for each template
  static constexpr size_t kOptions = 1024;
  Text<limits::kName> name;
  uint32_t partition = 0;  // index into partitions
  uint32_t kind = 0;       // EnclaveKind
  uint32_t program = 0;
  uint32_t flags = 0;
  uint32_t model_version = 0;
  uint32_t first_file = 0;
  uint32_t file_count = 0;
  uint32_t threads = 1;
  uint64_t memory_bytes = 0;
  uint32_t processes_max = 0;
  // Percent of its partition's device; 0: as much as others leave. Of one partition's enclaves all
  // have one or none, and they come to 100 at most. See share.h for what it amounts to.
  uint32_t share = 0;
  // Of /tmp, where it may write and run files: fresh with each template. 0: there is none.
  uint64_t scratch_bytes = 0;
  // Settings for its program, opaque to the monitor and part of its manifest measurement.
  Text<kOptions> options;
};

struct StreamDescription {
  uint32_t caller = 0;  // index into enclaves
  uint32_t callee = 0;
  uint32_t slots = 0;
  uint32_t regions = 0;  // bulk memory is cut into this many equal parts, one per call in flight
  uint64_t bulk_in_bytes = 0;
  uint64_t bulk_out_bytes = 0;
};

struct SystemDescription {
  static constexpr uint64_t kMagic = 0x4D45545359534D43;  // "CMSYSTEM"
  static constexpr uint32_t kVersion = 5;

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t root = 0;  // RootKind; 0: software
  uint32_t image_count = 0;
  uint32_t program_count = 0;
  uint32_t partition_count = 0;
  uint32_t enclave_count = 0;
  uint32_t stream_count = 0;
  uint32_t file_count = 0;
  std::array<ImageDescription, limits::kImages> images;
  std::array<ProgramDescription, 8> programs;
  std::array<PartitionDescription, limits::kPartitions> partitions;
  std::array<EnclaveDescription, limits::kEnclaves> enclaves;
  std::array<StreamDescription, limits::kStreams> streams;
  // Model files; the target is relative to the enclave's /model folder and has no slash. Evidence
  // of devices, which no enclave has.
  std::array<ImageDescription, limits::kFiles> files;
};

// Refuses, naming the entry and the field, whatever the monitor could trip over: counts, indices,
// paths that are not canonical, names that are empty or twice, files that hide one another, limits
// that the kernel or a clock cannot take, partitions without an mOS, streams to oneself, shares
// that there is not enough of.
Status check_description(const SystemDescription& description);

}  // namespace casemate
