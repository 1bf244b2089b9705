// SPDX-License-Identifier: Apache-2.0
#pragma once
// Operator: what the machine's operator may ask the monitor, one flat request and one flat answer
// per connection on a SOCK_SEQPACKET socket. He sees names, states and counters, and can end
// things; he cannot see data or decide trust.

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace casemate::operating {

enum class Command : uint32_t { kStatus = 1, kKill = 2, kStop = 3, kKillEnclave = 4 };

// States of partitions and enclaves as the monitor counts them.
enum class State : uint32_t {
  kDown = 0,
  kStarting = 1,  // an enclave: loading and compiling
  kRunning = 2,
  kBackingOff = 3,
  kGivenUp = 4,
  kRefused = 5,  // an enclave whose model cannot be loaded; see reason
};

struct Request {
  static constexpr uint32_t kMagic = 0x504F4D43;  // "CMOP"
  uint32_t magic = kMagic;
  uint32_t command = 0;
  Text<limits::kName> target;  // kKill: a partition's name
  uint32_t enclave = 0;        // kKillEnclave: its id
};

struct PartitionStatus {
  Text<limits::kName> name;
  Text<32> device;
  uint32_t state = 0;
  uint32_t epoch = 0;        // starts so far
  uint32_t failures = 0;     // ends that nobody asked for
  int32_t pid = 0;           // of its mOS, as the operator sees it
  uint64_t recovery_us = 0;  // from the last failure to running again
  uint32_t standby = 0;      // 0: none, 1: loading, 2: ready to take over
  // Its share of the device, as described (system.h).
  uint32_t cpu_percent = 0;
  uint64_t cpu_mask = 0;
  uint64_t memory_bytes = 0;
  uint64_t up_us = 0;  // since it was started; 0: it is down
  Text<96> last_end;   // why it was last started anew; empty: never
};

struct EnclaveStatus {
  Text<limits::kName> name;
  uint32_t id = 0;
  uint32_t kind = 0;
  uint32_t model_version = 0;
  uint32_t state = 0;
  uint32_t partition = 0;  // index
  uint32_t code = 0;
  uint32_t share = 0;  // percent of its partition's device; 0: none is set, nor are the next two
  uint32_t cpu_percent = 0;  // of one core, which the kernel holds it to
  uint64_t cpu_mask = 0;     // cores that it may run on
  uint64_t memory_bytes = 0;
  uint64_t start_us = 0;   // from fork request to running, of the last instance
  uint64_t completed = 0;  // calls on its streams
  uint64_t up_us = 0;      // since it was started; 0: it does not run
  uint32_t starts = 0;     // times that it came to run
  uint32_t reserved = 0;
  Text<96> last_end;  // why it was last started anew since its partition was; empty: never
  Text<256> reason;
  Sha384Digest program_measurement{};
  Sha384Digest model_measurement{};
};

struct Reply {
  uint32_t magic = Request::kMagic;
  uint32_t code = 0;
  uint32_t partition_count = 0;
  uint32_t enclave_count = 0;
  Text<256> text;
  std::array<PartitionStatus, limits::kPartitions> partitions;
  std::array<EnclaveStatus, limits::kEnclaves> enclaves;
};
// Fits a default socket buffer of 208 KiB.
static_assert(sizeof(Reply) < 100 * 1024);

}  // namespace casemate::operating
