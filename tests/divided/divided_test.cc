// SPDX-License-Identifier: Apache-2.0
// A model of bytes that is cut over the simulated accelerator's partition, beside the same model on
// the processor alone: what becomes of the accelerator is nobody's loss but its own.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "isolated/inspect/quantised_network.h"
#include "outside/client/session.h"
#include "tests/fault/drawn.h"
#include "tests/fault/processes.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{30'000};
constexpr const char* kSystem = R"(
[defaults]
memory_mib = 512
[model.cut]
devices = ["npu:0"]
prefer = "npu:0"
[[partition]]
name = "accelerator"
device = "npu:0"
memory_mib = 256
[partition.restart]
failures_max = 100
backoff_ms_first = 10
backoff_ms_max = 50
)";

template <class Condition>
bool in_time(Condition condition) {
  return eventually(condition, kPatience);
}

client::Tensor input(int seed) {
  client::Tensor tensor{"x", ElementType::kFloat32, Shape{1, 4, 10, 10}, {}};
  std::vector<float> values(400);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 37 + static_cast<size_t>(seed) * 11) % 101) / 25 - 2;
  tensor.data.resize(values.size() * sizeof(float));
  std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}

// A repository with the model under these names; and a folder of programs with the accelerator of
// another kind.
class Scratch final {
 public:
  explicit Scratch(const std::vector<std::string>& names = {"cut", "whole"}) {
    std::string made = "/tmp/casemate-test-XXXXXX";
    EXPECT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
    const std::string model = inspect::quantised_network().bytes();
    for (const std::string& name : names) {
      fs::create_directories(formatted("{}/models/{}/1", folder_, name));
      std::ofstream(formatted("{}/models/{}/1/model.onnx", folder_, name)) << model;
    }
  }
  ~Scratch() { fs::remove_all(folder_); }
  [[nodiscard]] std::string models() const { return folder_ + "/models"; }
  // Those of this build, and `npu` in place of the accelerator's.
  [[nodiscard]] std::string programs(const std::string& npu) const {
    const std::string folder = folder_ + "/bin";
    fs::create_directory(folder);
    for (const auto& entry : fs::directory_iterator(build_folder() + "/bin")) {
      const std::string name = entry.path().filename();
      const std::string from = name == "casemate-npu" ? npu : name;
      if (name == "casemate" || name.starts_with("casemate-"))
        fs::copy_file(formatted("{}/bin/{}", build_folder(), from), folder + "/" + name);
    }
    return folder;
  }

 private:
  std::string folder_;
};

class Asker final {
 public:
  explicit Asker(const ServedSystem& system) {
    verify::Policy policy;
    policy.allow_software_root = true;
    auto session = client::Session::connect(system.url(), policy);
    EXPECT_TRUE(session) << session.error().text;
    if (session) session_.emplace(*std::move(session));
  }
  Result<std::vector<uint8_t>> ask(const std::string& model, int seed) {
    const client::Tensor x = input(seed);
    return TRY(session_->infer(model, std::span(&x, 1))).at(0).data;
  }
  // Empty: both models gave the same bits.
  std::string compare(int seed) {
    const auto cut = ask("cut", seed);
    const auto whole = ask("whole", seed);
    if (!cut || !whole) return cut ? whole.error().text : cut.error().text;
    return *cut == *whole ? "" : formatted("other bits for {}", seed);
  }

 private:
  std::optional<client::Session> session_;
};

operating::PartitionStatus partition(const ServedSystem& system, std::string_view name) {
  const auto status = system.status();
  for (uint32_t i = 0; status && i < (*status)->partition_count; ++i) {
    if ((*status)->partitions[i].name.view() == name) return (*status)->partitions[i];
  }
  return {};
}

operating::EnclaveStatus enclave(const ServedSystem& system, std::string_view name) {
  const auto status = system.status();
  for (uint32_t i = 0; status && i < (*status)->enclave_count; ++i) {
    if ((*status)->enclaves[i].name.view() == name) return (*status)->enclaves[i];
  }
  return {};
}

// Whether requests run on the accelerator now, or will soon.
bool runs_on_the_accelerator(const ServedSystem& system, Asker& asker) {
  return in_time([&] {
    const uint64_t before = enclave(system, "cut@npu:0").completed;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(asker.compare(i), "");
    return enclave(system, "cut@npu:0").completed >= before + 9;  // its state is not asked for
  });
}

TEST(Divided, answers_with_the_bits_of_the_processor_alone) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  for (int seed = 0; seed < 5; ++seed) EXPECT_EQ(asker.compare(seed), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  const auto status = partition(system, "accelerator");
  EXPECT_EQ(status.device.view(), "npu:0");
  EXPECT_EQ(status.state, static_cast<uint32_t>(operating::State::kRunning));
  EXPECT_EQ(enclave(system, "cut@npu:0").kind, static_cast<uint32_t>(EnclaveKind::kDevice));
}

// Asks without pause, and knows the answers.
class Load final {
 public:
  explicit Load(const ServedSystem& system, const std::string& model = "cut") : asker_(system) {
    for (int seed = 0; seed < 8; ++seed) wanted_.push_back(*asker_.ask("whole", seed));
    thread_ = std::jthread([this, model](const std::stop_token& stop) {
      for (size_t i = 0; !stop.stop_requested(); ++i) {
        const auto got = asker_.ask(model, static_cast<int>(i % wanted_.size()));
        if (got && *got == wanted_[i % wanted_.size()]) {
          ++right_;
          continue;
        }
        failure_ = got ? "a wrong answer" : got.error().text;
        return;
      }
    });
  }
  bool answered_again() {
    const uint64_t before = right_;
    return in_time([&] { return right_ > before + 2; });
  }
  std::string stop() {
    thread_.request_stop();
    thread_.join();
    return failure_;
  }

 private:
  Asker asker_;
  std::vector<std::vector<uint8_t>> wanted_;
  std::atomic<uint64_t> right_ = 0;
  std::string failure_;
  std::jthread thread_;
};

TEST(Divided, loses_no_request_when_the_accelerators_partition_is_killed_again_and_again) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  ASSERT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  Load load(system);
  for (int i = 0; i < 6; ++i) {
    const auto before = partition(system, "accelerator");
    ASSERT_TRUE(hurt(before.pid, SIGKILL)) << before.pid;
    EXPECT_TRUE(load.answered_again());
    EXPECT_TRUE(in_time([&] {
      const auto now = partition(system, "accelerator");
      return now.epoch > before.epoch && now.pid > 0 &&
             enclave(system, "cut@npu:0").state ==
                 static_cast<uint32_t>(operating::State::kRunning);
    })) << system.printed();
    EXPECT_TRUE(load.answered_again());
  }
  EXPECT_EQ(load.stop(), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  for (const char* other : {"gateway", "cut", "whole"})
    EXPECT_EQ(partition(system, other).epoch, 1u) << other;
}

TEST(Divided, finds_its_accelerator_again_when_its_own_partition_was_killed) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  ASSERT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  Load load(system);
  ASSERT_TRUE(hurt(partition(system, "cut").pid, SIGKILL));
  EXPECT_TRUE(in_time([&] { return partition(system, "cut").epoch == 2; }));
  EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  EXPECT_EQ(partition(system, "accelerator").epoch, 1u);
}

TEST(Divided, answers_rightly_while_its_accelerator_hangs_and_is_started_again) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem, {}, scratch.programs("casemate-npu-hang"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Load load(system);
  EXPECT_TRUE(in_time([&] { return partition(system, "accelerator").epoch >= 3; }))
      << system.printed();
  EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  for (const char* other : {"gateway", "cut", "whole"})
    EXPECT_EQ(partition(system, other).epoch, 1u) << other;
}

TEST(Divided, answers_rightly_while_every_job_of_its_accelerator_faults) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem, {}, scratch.programs("casemate-npu-fault"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Load load(system);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(load.answered_again());
  EXPECT_EQ(load.stop(), "");
  EXPECT_EQ(partition(system, "cut").epoch, 1u);
}

TEST(Divided, serves_the_system_file_that_shows_it) {
  std::ifstream file(source_folder() + "/systems/accelerator.toml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Scratch scratch({"quantised"});
  const ServedSystem system(scratch.models(), text);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  const uint64_t before = enclave(system, "quantised@npu:0").completed;
  EXPECT_TRUE(in_time([&] {
    const auto answer = asker.ask("quantised", 3);
    EXPECT_TRUE(answer) << answer.error().text;
    return !answer || enclave(system, "quantised@npu:0").completed >= before + 3;
  })) << system.printed();
}

// What no wall helps against, and THREATS.md says so: the device's answer is the device's word.
TEST(Divided, passes_on_what_its_accelerator_computes_wrongly) {
  const Scratch scratch;
  const ServedSystem system(scratch.models(), kSystem, {},
                            scratch.programs("casemate-npu-wrong-answer"));
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Asker asker(system);
  EXPECT_TRUE(in_time([&] { return asker.compare(1).starts_with("other bits"); }));
}

// ---- The accelerator's part of the fault matrix: its neighbour is the processor's ----

enum class Whom { kRuntime, kTemplate, kInstance, kNobody };
struct DeviceCell {
  const char* title;
  Whom whom;
  int signal;
  const char* program;  // the accelerator's
};
const std::vector<DeviceCell> kDeviceCells = {
    {"kill of its runtime", Whom::kRuntime, SIGKILL, "casemate-npu"},
    {"kill of its template", Whom::kTemplate, SIGKILL, "casemate-npu"},
    {"kill of its instance", Whom::kInstance, SIGKILL, "casemate-npu"},
    {"stop of its runtime", Whom::kRuntime, SIGSTOP, "casemate-npu"},
    {"stop of its instance", Whom::kInstance, SIGSTOP, "casemate-npu"},
    {"hang of its device", Whom::kNobody, 0, "casemate-npu-hang"},
    {"fault of its device", Whom::kNobody, 0, "casemate-npu-fault"},
    {"wrong answers of its device", Whom::kNobody, 0, "casemate-npu-wrong-answer"},
};

// Who stands still is found soon.
std::string impatient_system() { return std::string(kSystem) + "hang_ms = 1500\n"; }

pid_t victim_of(const ServedSystem& system, Whom whom) {
  const auto mos = static_cast<pid_t>(partition(system, "accelerator").pid);
  if (whom == Whom::kRuntime || mos <= 0) return mos;
  const pid_t loaded = template_of(mos);
  return whom == Whom::kTemplate ? loaded : instance_of(loaded);
}

// A fault from outside, once it works, and what comes of it.
void hurt_it(const DeviceCell& cell, const ServedSystem& system) {
  Asker asker(system);
  ASSERT_TRUE(runs_on_the_accelerator(system, asker)) << system.printed();
  const pid_t victim = victim_of(system, cell.whom);
  ASSERT_GT(victim, 0);
  Load cut(system);
  ASSERT_TRUE(hurt(victim, cell.signal));
  EXPECT_TRUE(in_time([&] { return !alive(victim); })) << "the victim is still there";
  EXPECT_TRUE(cut.answered_again());
  EXPECT_EQ(cut.stop(), "");
  EXPECT_TRUE(runs_on_the_accelerator(system, asker)) << "it comes back\n" << system.printed();
}

// A device that is bad by itself, until that has shown: by what it is asked and fails to do.
void let_it_err(const DeviceCell& cell, const ServedSystem& system) {
  const std::string program = cell.program;
  if (program.ends_with("wrong-answer")) {
    Asker asker(system);
    EXPECT_TRUE(in_time([&] { return asker.compare(1).starts_with("other bits"); }));
    return;
  }
  const uint64_t before = enclave(system, "cut@npu:0").completed;
  Load cut(system);
  EXPECT_TRUE(in_time([&] {
    if (!program.ends_with("hang")) return enclave(system, "cut@npu:0").completed > before;
    const auto now = partition(system, "accelerator");
    return now.epoch >= 2 && now.last_end.view().contains("has work and makes no progress");
  })) << "the accelerator is used\n"
      << system.printed();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(cut.answered_again());
  EXPECT_EQ(cut.stop(), "");
}

TEST(DeviceMatrix, of_faults_of_an_accelerator_costs_its_neighbour_nothing) {
  for (const DeviceCell& cell : drawn(kDeviceCells, 1)) {
    SCOPED_TRACE(cell.title);
    const Scratch scratch;
    const ServedSystem system(scratch.models(), impatient_system(), {},
                              scratch.programs(cell.program));
    ASSERT_FALSE(system.url().empty()) << system.printed();
    const auto before = partition(system, "whole");
    Load neighbour(system, "whole");
    if (cell.whom == Whom::kNobody)
      let_it_err(cell, system);
    else
      hurt_it(cell, system);
    EXPECT_TRUE(neighbour.answered_again());
    EXPECT_EQ(neighbour.stop(), "") << "every answer of the neighbour's is right";
    const auto after = partition(system, "whole");
    EXPECT_EQ(after.pid, before.pid) << "the process that it was";
    EXPECT_EQ(after.epoch, 1u);
    EXPECT_EQ(after.failures, 0u);
    for (const char* other : {"gateway", "cut"}) EXPECT_EQ(partition(system, other).epoch, 1u);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace casemate::tests
