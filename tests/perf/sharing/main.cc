// SPDX-License-Identifier: Apache-2.0
// Several models on one device, each in an enclave of its own, asked by an enclave in another
// partition:
//
//   casemate-perf-sharing time|space SHARE MODEL.onnx INPUTS OPTIONS [MODEL.onnx ...]
//
// "time": each may use the whole device, with a thread for each core, and they take turns.
// "space": each has SHARE percent of it. OPTIONS are the model's, as isolated/model reads them.
// With SHARE for one more than there are models, the last is an enclave that takes all it can. A
// first line says which monitor is this system's, so that it can be looked at; then, for each line
// of standard input, one with what came of it:
//
//   turns TURN_US PAUSE_US RUNS ...    once RUNS ...    rage WAY MILLISECONDS
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <thread>

#include "base/format.h"
#include "tests/perf/tenants/tenants.h"
#include "tests/system/small_system.h"
#include "wire/abi/share.h"

namespace {

using namespace casemate;

constexpr uint64_t kBulk = 16 << 20;
constexpr uint64_t kMemory = 1536ull << 20;
// What an enclave that takes all it can may have: enough to sweep every cache away.
constexpr uint64_t kGreedyMemory = 256 << 20;
constexpr uint32_t kHour = 3'600'000;
constexpr auto kPatience = std::chrono::minutes(2);

struct Asked {
  bool space = false;
  uint32_t share = 0;
  std::vector<std::string> models;
  std::vector<std::string> inputs;
  std::vector<std::string> options;

  [[nodiscard]] bool with_aggressor() const { return space && models.size() + 1 <= 100 / share; }
};

void add_inputs(SystemDescription& d, const Asked& asked) {
  EnclaveDescription& caller = d.enclaves[0];
  caller.first_file = d.file_count;
  caller.file_count = static_cast<uint32_t>(asked.inputs.size());
  for (size_t i = 0; i < asked.inputs.size(); ++i) {
    d.files[d.file_count++] = {Text<limits::kPath>::from(asked.inputs[i]),
                               Text<limits::kPath>::from(casemate::formatted("inputs-{}", i))};
  }
}

void make_room(SystemDescription& d, const Asked& asked) {
  add_inputs(d, asked);
  const std::vector<uint32_t> shares(d.enclave_count - 1, asked.share);
  const auto allotments = allot(cores_here(), 0, shares);
  uint64_t memory = 64 << 20;
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    EnclaveDescription& e = d.enclaves[i];
    const bool aggressor = i > asked.models.size();
    e.memory_bytes = (aggressor ? kGreedyMemory : kMemory) + kBulk;
    e.processes_max = 32;
    if (i == 0) continue;
    e.share = asked.space ? asked.share : 0;
    e.threads = asked.space ? allotments[i - 1].cores()
                            : static_cast<uint32_t>(std::popcount(cores_here()));
    if (!aggressor) e.options = Text<EnclaveDescription::kOptions>::from(asked.options[i - 1]);
    d.streams[i - 1].bulk_in_bytes = d.streams[i - 1].bulk_out_bytes = kBulk;
    memory += e.memory_bytes;
  }
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    PartitionDescription& p = d.partitions[i];
    p.memory_bytes = memory;
    p.processes_max = 200;
    p.hang_ms = p.load_ms = kHour;  // the caller answers nobody while it measures
    p.standby = 0;
  }
  d.enclaves[0].memory_bytes = 512 << 20;
}

bool all_run(tests::SmallSystem& system) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    const auto status = system.status();
    const auto enclaves = std::span(status.enclaves).first(status.enclave_count);
    if (status.enclave_count > 0 && std::ranges::all_of(enclaves, [](const auto& e) {
          return e.state == static_cast<uint32_t>(operating::State::kRunning);
        }))
      return true;
    for (const auto& e : enclaves) {
      if (e.reason.view().empty()) continue;
      std::cerr << e.name.view() << ": " << e.reason.view() << '\n';
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::cerr << "not all models load in time\n";
  return false;
}

std::optional<perf::TenantsQuestion> question_in(const std::string& line) {
  std::istringstream words(line);
  std::string word;
  perf::TenantsQuestion question;
  words >> word;
  if (word == "rage") {
    std::string way;
    std::string length;
    if (!(words >> way >> length)) return std::nullopt;
    question.how = static_cast<uint32_t>(perf::How::kUnleash);
    question.call = static_cast<uint32_t>(fixture::Call::kTakeAll);
    question.argument = Text<64>::from(way + " " + length);
    return question;
  }
  const bool turns = word == "turns";
  if (!turns && word != "once") return std::nullopt;
  question.how = static_cast<uint32_t>(turns ? perf::How::kInTurns : perf::How::kAtOnce);
  if (turns) words >> question.turn_us >> question.pause_us;
  for (uint32_t& runs : question.runs) words >> runs;
  return question;
}

void print(const perf::TenantsAnswer& answer, size_t models) {
  std::string tenants;
  for (size_t i = 0; i < models; ++i) {
    const perf::TenantTimes& t = answer.tenants[i];
    tenants +=
        casemate::formatted("{}{{\"median_ms\": {:.5f}, \"p99_ms\": {:.5f}, \"done_ms\": {:.3f}}}",
                            i == 0 ? "" : ", ", t.median_ms, t.p99_ms, t.done_ms);
  }
  std::printf("{\"total_ms\": %.3f, \"tenants\": [%s]}\n", answer.total_ms, tenants.c_str());
  std::fflush(stdout);
}

int serve(const Asked& asked) {
  std::vector<tests::ModelSpec> specs;
  for (const std::string& model : asked.models) {
    specs.push_back({.name = casemate::formatted("tenant-{}", specs.size()),
                     .partition = "device",
                     .onnx = model});
  }
  if (asked.with_aggressor()) {
    specs.push_back(
        {.name = casemate::formatted("tenant-{}", specs.size()), .partition = "device"});
  }
  tests::SmallSystem system(specs, [&](SystemDescription& d) { make_room(d, asked); },
                            {.program = "casemate-perf-tenants", .onnx = ""});
  std::printf("{\"folder\": \"%s\", \"monitor\": %d}\n", system.folder().c_str(), system.monitor());
  std::fflush(stdout);
  if (!all_run(system)) return 1;
  std::printf("{\"start_ms\": 0}\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const auto question = question_in(line);
    if (!question) return 2;
    const auto answer = system.exchange<perf::TenantsAnswer>(*question, 600'000);
    if (!answer || answer->code != 0) {
      std::cerr << "casemate-perf-sharing: a run failed\n";
      return 1;
    }
    print(*answer, asked.models.size());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || argc % 3 != 0 || std::atoi(argv[2]) < 1) {
    std::cerr << "usage: casemate-perf-sharing time|space SHARE MODEL.onnx INPUTS OPTIONS ...\n";
    return 2;
  }
  Asked asked;
  asked.space = std::string_view(argv[1]) == "space";
  asked.share = static_cast<uint32_t>(std::atoi(argv[2]));
  for (int i = 3; i + 2 < argc; i += 3) {
    asked.models.push_back(std::filesystem::absolute(argv[i]));
    asked.inputs.push_back(std::filesystem::absolute(argv[i + 1]));
    asked.options.emplace_back(argv[i + 2]);
  }
  return serve(asked);
}
