// SPDX-License-Identifier: Apache-2.0
#pragma once
// A model that is cut over a device's partition, "cut", and the same model on the processor alone,
// "whole", as `casemate serve` serves both, and who asks both.
//
//   Owns     its folder, or a client's session.
//   Threads  a Load has one of its own; everything else is the test's.
//   Trust    the system is the one that users get: no part of it knows of a test.
//   Fails    the test with what went wrong.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "base/format.h"
#include "isolated/inspect/quantised_network.h"
#include "outside/client/session.h"
#include "tests/divided/float_network.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {

// What a model is cut over.
struct Target {
  std::string device = "npu:0";
  std::string model = inspect::quantised_network().bytes();  // its file
  uint32_t memory_mib = 256;                                 // of the device's enclave
  double difference_max = 0;                                 // of the largest; 0: the same bits
  int kills = 6;
  std::chrono::seconds patience{30};

  [[nodiscard]] std::string system() const {
    return formatted(R"(
[defaults]
memory_mib = 512
[model.cut]
devices = ["cpu:0", "{0}"]
prefer = "{0}"
[[partition]]
name = "accelerator"
device = "{0}"
memory_mib = {1}
threads = 2
[partition.restart]
failures_max = 100
backoff_ms_first = 10
backoff_ms_max = 50
)",
                     device, memory_mib);
  }
  [[nodiscard]] std::string enclave() const { return "cut@" + device; }
};

// Reals, with a node that no OpenCL device takes in the middle. The convolution is of few filters
// each, so that nothing of CLBlast is compiled.
inline Target on_opencl() {
  return {.device = "opencl:0",
          .model = float_network(4).bytes(),
          .memory_mib = 1024,
          .difference_max = 1e-5,
          .kills = 2,
          .patience = std::chrono::seconds(60)};
}

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds(30)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

inline client::Tensor input(int seed) {
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
  explicit Scratch(const std::vector<std::string>& names = {"cut", "whole"},
                   const Target& target = {}) {
    std::string made = "/tmp/casemate-test-XXXXXX";
    EXPECT_NE(::mkdtemp(made.data()), nullptr);
    folder_ = made;
    for (const std::string& name : names) {
      std::filesystem::create_directories(formatted("{}/models/{}/1", folder_, name));
      std::ofstream(formatted("{}/models/{}/1/model.onnx", folder_, name)) << target.model;
    }
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string models() const { return folder_ + "/models"; }
  // Those of this build, and `npu` in place of the accelerator's.
  [[nodiscard]] std::string programs(const std::string& npu) const {
    const std::string folder = folder_ + "/bin";
    std::filesystem::create_directory(folder);
    for (const auto& entry : std::filesystem::directory_iterator(build_folder() + "/bin")) {
      const std::string name = entry.path().filename();
      const std::string from = name == "casemate-npu" ? npu : name;
      if (name == "casemate" || name.starts_with("casemate-"))
        std::filesystem::copy_file(formatted("{}/bin/{}", build_folder(), from),
                                   folder + "/" + name);
    }
    return folder;
  }

 private:
  std::string folder_;
};

// Of two outputs of reals, beside the largest of the second.
inline double difference(Bytes a, Bytes b) {
  if (a.size() != b.size()) return 1;
  double largest = 0;
  double most = 0;
  for (size_t i = 0; i + sizeof(float) <= a.size(); i += sizeof(float)) {
    const auto x = static_cast<double>(load<float>(a.subspan(i)));
    const auto y = static_cast<double>(load<float>(b.subspan(i)));
    largest = std::max(largest, std::abs(y));
    if (const double d = std::abs(x - y); !(d <= most)) most = d;  // and what is no number
  }
  return most / std::max(largest, 1e-9);
}

class Asker final {
 public:
  explicit Asker(const ServedSystem& system, double difference_max = 0)
      : difference_max_(difference_max) {
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
  [[nodiscard]] bool same(Bytes got, Bytes wanted) const {
    if (difference_max_ == 0) return std::ranges::equal(got, wanted);
    return difference(got, wanted) <= difference_max_;
  }
  // Empty: both models gave the same.
  std::string compare(int seed) {
    const auto cut = ask("cut", seed);
    const auto whole = ask("whole", seed);
    if (!cut || !whole) return cut ? whole.error().text : cut.error().text;
    if (same(*cut, *whole)) return "";
    return formatted("other bits for {}: by {}", seed, difference(*cut, *whole));
  }

 private:
  double difference_max_;
  std::optional<client::Session> session_;
};

// Asks without pause, and knows the answers.
class Load final {
 public:
  explicit Load(const ServedSystem& system, const Target& target = {})
      : asker_(system, target.difference_max), patience_(target.patience) {
    for (int seed = 0; seed < 8; ++seed) wanted_.push_back(*asker_.ask("whole", seed));
    thread_ = std::jthread([this](const std::stop_token& stop) {
      for (size_t i = 0; !stop.stop_requested(); ++i) {
        const auto got = asker_.ask("cut", static_cast<int>(i % wanted_.size()));
        if (got && asker_.same(*got, wanted_[i % wanted_.size()])) {
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
    return eventually([&] { return right_ > before + 2; }, patience_);
  }
  std::string stop() {
    thread_.request_stop();
    thread_.join();
    return failure_;
  }

 private:
  Asker asker_;
  std::chrono::seconds patience_;
  std::vector<std::vector<uint8_t>> wanted_;
  std::atomic<uint64_t> right_ = 0;
  std::string failure_;
  std::jthread thread_;
};

inline operating::PartitionStatus partition(const ServedSystem& system, std::string_view name) {
  const auto status = system.status();
  for (uint32_t i = 0; status && i < (*status)->partition_count; ++i) {
    if ((*status)->partitions[i].name.view() == name) return (*status)->partitions[i];
  }
  return {};
}

inline operating::EnclaveStatus enclave(const ServedSystem& system, std::string_view name) {
  const auto status = system.status();
  for (uint32_t i = 0; status && i < (*status)->enclave_count; ++i) {
    if ((*status)->enclaves[i].name.view() == name) return (*status)->enclaves[i];
  }
  return {};
}

// Whether requests run on the accelerator now, or will soon.
inline bool runs_on_the_accelerator(const ServedSystem& system, Asker& asker,
                                    const Target& target = {}) {
  return eventually(
      [&] {
        const uint64_t before = enclave(system, target.enclave()).completed;
        for (int i = 0; i < 3; ++i) EXPECT_EQ(asker.compare(i), "");
        // Its state is not asked for.
        return enclave(system, target.enclave()).completed >= before + 9;
      },
      target.patience);
}

}  // namespace casemate::tests
