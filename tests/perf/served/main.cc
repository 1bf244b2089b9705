// SPDX-License-Identifier: Apache-2.0
// A model in a partition, behind all walls, run when asked by an enclave in another:
//
//   casemate-perf-served MODEL.onnx THREADS INPUTS [SYMBOL=EXTENT ...]
//
// The enclave that asks waits as a gateway does.
// The model is compiled for these extents. The protocol is that of tests/perf/peers/timed_runs.h,
// but a first line says which folder and monitor are this system's, so that they can be looked at;
// the next, how long it took from the start of the monitor, which copies and measures all files,
// until the model's instance ran. For a line "reload" the model's partition is killed, which has no
// standby, and a line says how long the monitor took from there until an instance of it ran again,
// and how much of that the model's process spent on reading and compiling its model.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/format.h"
#include "tests/perf/requester/requester.h"
#include "tests/system/small_system.h"

namespace {

using namespace casemate;
using Timer = std::chrono::steady_clock;

// Above what any model of the zoo takes; a limit that is not reached costs nothing.
constexpr uint64_t kMemory = 6ull << 30;
// Inputs, and results; pages are taken when they are touched.
constexpr uint64_t kBulk = 1ull << 30;
constexpr uint32_t kHour = 3'600'000;
constexpr auto kPatience = std::chrono::minutes(5);

struct Asked {
  std::string model;
  uint32_t threads = 1;
  std::string inputs;
  std::string options;  // as isolated/model reads them
};

void make_room(SystemDescription& d, const Asked& asked) {
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    EnclaveDescription& e = d.enclaves[i];
    e.threads = asked.threads;
    e.processes_max = 8 + 2 * asked.threads;
    e.memory_bytes = kMemory + 2 * kBulk;
  }
  d.enclaves[1].options = Text<EnclaveDescription::kOptions>::from(asked.options);
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    PartitionDescription& p = d.partitions[i];
    p.memory_bytes = 2 * (kMemory + 2 * kBulk);
    // The requester answers nobody while it measures, and a large model loads for long.
    p.hang_ms = p.load_ms = kHour;
    p.standby = 0;  // a second copy of the model would take the memory of what is measured beside
  }
  d.streams[0].bulk_in_bytes = d.streams[0].bulk_out_bytes = kBulk;
}

// Empty when the model's instance runs.
std::string wait_until_it_runs(tests::SmallSystem& system) {
  const auto end = Timer::now() + kPatience;
  while (Timer::now() < end) {
    const auto model = system.enclave("model");
    if (model.state == static_cast<uint32_t>(operating::State::kRunning)) return "";
    if (model.state == static_cast<uint32_t>(operating::State::kRefused) ||
        model.state == static_cast<uint32_t>(operating::State::kGivenUp))
      return casemate::formatted("the model does not load: {}", model.reason.view());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return "the model does not load in time";
}

std::optional<perf::RunsAnswer> run(tests::SmallSystem& system, double seconds) {
  const char* const inputs = std::getenv("CASEMATE_INPUTS");
  const bool copies = inputs != nullptr && std::string_view(inputs) == "copied";
  const perf::RequesterQuestion question{.wanted = static_cast<uint32_t>(perf::Wanted::kRuns),
                                         .copies = copies ? 1U : 0U,
                                         .seconds = seconds};
  const auto answer = system.exchange<perf::RunsAnswer>(question, 600'000);
  return answer && answer->code == 0 ? answer : std::nullopt;
}

// All that a partition does to load a model whose file is measured already: new jails, a template
// that reads, compiles and packs, and an instance.
bool reload(tests::SmallSystem& system) {
  const uint32_t epoch = system.partition("model").epoch;
  const int patience_ms = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  if (!system.kill("model") || !system.started("model", epoch + 1, patience_ms)) return false;
  const perf::RequesterQuestion question{.wanted = static_cast<uint32_t>(perf::Wanted::kLoading)};
  const auto loading = system.exchange<perf::RunsAnswer>(question, patience_ms);
  if (!loading || loading->code != 0) return false;
  std::printf("{\"reload_ms\": %.3f, \"session_ms\": %.3f}\n",
              static_cast<double>(system.partition("model").recovery_us) / 1e3, loading->median_ms);
  return true;
}

bool time_runs(tests::SmallSystem& system, double seconds) {
  const auto answer = run(system, seconds);
  if (!answer) return false;
  std::printf("{\"runs\": %u, \"median_ms\": %.5f, \"min_ms\": %.5f}\n", answer->runs,
              answer->median_ms, answer->min_ms);
  return true;
}

// The stream's outgoing memory up to `size`, piece by piece.
bool fetch(tests::SmallSystem& system, uint64_t size, std::vector<uint8_t>& result) {
  while (result.size() < size) {
    const perf::RequesterQuestion question{.wanted = static_cast<uint32_t>(perf::Wanted::kResult),
                                           .offset = result.size()};
    auto answer = system.exchange<perf::ResultAnswer>(question, 60'000);
    if (!answer || answer->code != 0 || answer->size == 0) return false;
    result.insert(result.end(), answer->bytes.begin(), answer->bytes.begin() + answer->size);
  }
  return true;
}

uint64_t end_of(const std::vector<uint8_t>& table_bytes) {
  infer::TensorTable table;
  std::copy_n(table_bytes.begin(), sizeof table, mutable_bytes_of(table).begin());
  uint64_t end = 0;
  for (uint32_t i = 0; i < std::min<uint32_t>(table.count, limits::kModelPorts); ++i)
    end = std::max(end, table.entries[i].offset + table.entries[i].size);
  return std::min(end, kBulk);
}

// Outputs have no names in a stream: they are numbered.
bool write_result(tests::SmallSystem& system, const std::string& path) {
  std::vector<uint8_t> region;
  if (!run(system, 0) || !fetch(system, sizeof(infer::TensorTable), region) ||
      !fetch(system, end_of(region), region))
    return false;
  const auto tensors = infer::read_tensors(region);
  if (!tensors) return false;
  std::ofstream out(path, std::ios::binary);
  for (size_t i = 0; i < tensors->size(); ++i) {
    const TensorView& tensor = (*tensors)[i];
    perf::write_tensor(out, std::to_string(i), static_cast<int>(tensor.type),
                       {tensor.shape.dims().begin(), tensor.shape.dims().end()},
                       static_cast<const char*>(static_cast<const void*>(tensor.data.data())),
                       tensor.data.size());
  }
  std::printf("{\"written\": \"%s\"}\n", path.c_str());
  return true;
}

int fail(const std::string& why) {
  std::cerr << "casemate-perf-served: " << why << '\n';
  return 1;
}

int serve(const Asked& asked) {
  Timer::time_point begin;
  tests::SmallSystem system({{.name = "model", .partition = "model", .onnx = asked.model}},
                            [&](SystemDescription& d) {
                              make_room(d, asked);
                              begin = Timer::now();
                            },
                            {"casemate-perf-requester", asked.inputs});
  std::printf("{\"folder\": \"%s\", \"monitor\": %d}\n", system.folder().c_str(), system.monitor());
  std::fflush(stdout);
  const std::string failure = wait_until_it_runs(system);
  if (!failure.empty()) return fail(failure);
  const std::chrono::duration<double, std::milli> load = Timer::now() - begin;
  std::printf("{\"start_ms\": %.3f}\n", load.count());
  std::fflush(stdout);
  for (std::string word; std::cin >> word;) {
    std::string path;
    const bool write = word == "write" && std::cin >> path;
    const bool done = word == "reload" ? reload(system)
                      : write          ? write_result(system, path)
                                       : time_runs(system, std::atof(word.c_str()));
    if (!done) return fail("a run failed");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: casemate-perf-served MODEL.onnx THREADS INPUTS [SYMBOL=EXTENT ...]\n";
    return 2;
  }
  Asked asked{std::filesystem::absolute(argv[1]), static_cast<uint32_t>(std::atoi(argv[2])),
              std::filesystem::absolute(argv[3]), ""};
  for (int i = 4; i < argc; ++i) {
    std::string extent = argv[i];
    const size_t equals = extent.find('=');
    if (equals != extent.npos) extent[equals] = ':';
    asked.options += (i == 4 ? "shape=" : ",") + extent;
  }
  return serve(asked);
}
