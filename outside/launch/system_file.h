// SPDX-License-Identifier: Apache-2.0
#pragma once
// SystemFile: a whole system as text (systems/*.toml): which partitions there are, on which device,
// with which models and limits. Every key that is not known is refused by name; every value has a
// default that serves a laptop.
//
//   Owns     values.
//   Threads  values.
//   Trust    the operator's own text. Nothing in it is trusted by a client: it is measured.
//   Fails    kInvalid with file, line and key, what was found and what is expected; kNotFound for a
//            file that cannot be read, kTooLarge for one beyond kSystemFileBytes.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/abi/port.h"

namespace casemate::launch {

// 64 partitions with every key written out are 40 KiB.
inline constexpr size_t kSystemFileBytes = 1 << 20;

struct Restart {
  uint32_t backoff_ms_first = 100;
  uint32_t backoff_ms_max = 10'000;
  uint32_t failures_max = 8;
  uint32_t stable_ms = 2'000;
  // Longer than any one step of a model takes on a whole core; a quota below one lengthens it.
  uint32_t hang_ms = 5'000;
  uint32_t load_ms = 120'000;
};

struct GatewaySettings {
  std::string listen = "127.0.0.1:" + std::to_string(kDefaultPort);
  uint32_t memory_mib = 2048;         // half for requests, half for connections
  uint32_t connections_max = 16'384;  // at most 8 for each MiB of memory
  uint32_t request_mib = 64;          // the largest request body; at most a quarter of the memory
  uint32_t idle_timeout_s = 120;
  bool standby = true;  // keep a second one loaded, to take over when it fails
  // Also serve clients that know no X25519MLKEM768: a future machine may open what is recorded.
  bool classical_key_exchange = false;
};

struct PartitionSettings {
  std::string name;
  std::string device = "cpu:0";
  // Empty in the defaults, and of a partition that has another device than the processor: that runs
  // what models have on it that name it.
  std::vector<std::string> models;
  std::vector<uint32_t> cores;   // empty: all
  uint32_t cpu_percent = 0;      // 0: no quota
  uint32_t memory_mib = 2048;    // of each model in it
  uint32_t threads = 0;          // of each model; 0: one per core
  uint32_t request_mib = 16;     // of bulk memory for one call, in each direction
  uint32_t calls_in_flight = 8;  // per model
  Restart restart;
  bool standby = true;  // keep its models loaded twice, so that a failure costs milliseconds
  bool debug = false;
  std::string place;  // "file:line" of its table, for refusals by whoever reads it later
};

// What is said of one model, whichever partition serves it.
struct ModelSettings {
  // What extents that vary in the model's file stand for, by the names that they have there.
  using Shape = std::map<std::string, uint32_t>;
  // As isolated/model takes them: see model_options.h there.
  static constexpr uint32_t kShapes = 16;
  static constexpr uint32_t kShapeExtents = 16;
  static constexpr uint32_t kExtentMax = 1 << 20;

  std::string name;
  // Percent of its partition's device, cores and memory; 0: as much as others leave.
  uint32_t share = 0;
  // Over which it is cut, "cpu:0" among them or not, and which of them is to run whatever it takes;
  // empty: the processor alone; none is preferred. See also divide() in outside/cli.
  std::vector<std::string> devices;
  std::string prefer;
  // What that comes to, as isolated/model takes it: "cpu:0,npu:0/0*12,1*3"; not from the file.
  std::string cut;
  // To be compiled for when it is loaded; empty: batches of 1, 2, 4 and 8 where its batch varies.
  std::vector<Shape> shapes;
  std::string place;  // "file:line" of its table
};

struct SystemFile {
  std::string repository = "models";
  GatewaySettings gateway;
  // For models that no partition names: each gets a partition of its own.
  PartitionSettings defaults;
  std::vector<PartitionSettings> partitions;
  std::vector<ModelSettings> models;  // by name; of those that the file says something about

  static Result<SystemFile> parse(const std::string& text, const std::string& source);
  static Result<SystemFile> load(const std::string& path);
};

}  // namespace casemate::launch
