// SPDX-License-Identifier: Apache-2.0
// Times a model called in another partition against the same engine called in-process:
//
//   casemate-perf-partitioned MODEL.onnx THREADS RUNS ROUNDS spinning|asleep
//
// Both run behind all walls, in turns. Prints one line of JSON per round; see TurnsAnswer.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "tests/perf/caller/caller.h"
#include "tests/system/small_system.h"

int main(int argc, char** argv) {
  using namespace casemate;
  if (argc != 6) {
    std::cerr
        << "usage: casemate-perf-partitioned MODEL.onnx THREADS RUNS ROUNDS spinning|asleep\n";
    return 2;
  }
  const auto threads = static_cast<uint32_t>(std::atoi(argv[2]));
  const auto roomy = [&](SystemDescription& d) {
    for (uint32_t i = 0; i < d.enclave_count; ++i) {
      d.enclaves[i].threads = threads;
      d.enclaves[i].processes_max = 8 + threads;
      d.enclaves[i].memory_bytes = 1ull << 30;
    }
    for (uint32_t i = 0; i < d.partition_count; ++i) {
      d.partitions[i].memory_bytes = 2ull << 30;
      // The caller answers nobody while it measures.
      d.partitions[i].hang_ms = d.partitions[i].load_ms = 3'600'000;
    }
    d.streams[0].bulk_in_bytes = d.streams[0].bulk_out_bytes = 8 << 20;
  };
  tests::SmallSystem system({{.name = "model", .partition = "model", .onnx = argv[1]}}, roomy,
                            {"casemate-perf-caller", argv[1]});
  const perf::TurnsQuestion question{static_cast<uint32_t>(std::atoi(argv[3])),
                                     std::string_view(argv[5]) == "asleep"};
  for (int round = std::atoi(argv[4]); round > 0; --round) {
    const auto answer = system.exchange<perf::TurnsAnswer>(question, 600'000);
    if (!answer || answer->code != 0) {
      std::cerr << "casemate-perf-partitioned: the measurement failed\n";
      return 1;
    }
    std::printf(
        "{\"inside_us\": %.3f, \"apart_us\": %.3f, \"extra_us\": %.3f, \"different\": %u}\n",
        answer->inside_ns / 1e3, answer->apart_ns / 1e3, answer->extra_ns / 1e3, answer->different);
  }
  return 0;
}
