// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/measured_system.h"
#include "base/format.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

namespace casemate::monitor {
namespace {

namespace fs = std::filesystem;

std::string text_in(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A system of a gateway and two models in three partitions, out of files of a few bytes. The first
// two partitions share a runtime, the models a program; the gateway calls the first model.
class MeasuredSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      GTEST_SKIP() << "the image store needs a mount namespace of its own: run as root";
    std::string scratch = "/tmp/casemate-measure-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
    fs::create_directory(folder_ + "/store");
    const std::pair<const char*, const char*> images[] = {
        {"mos", "/bin/mos"},         {"libmos", "/lib/mos.so"},
        {"gateway", "/bin/gateway"}, {"libgateway", "/lib/gateway.so"},
        {"model", "/bin/model"},     {"libmodel", "/lib/model.so"},
        {"driver", "/bin/driver"}};
    for (const auto& [name, target] : images) {
      d_.images[d_.image_count++] = {Text<256>::from(write(name)), Text<256>::from(target)};
    }
    const std::pair<const char*, uint32_t> programs[] = {
        {"mos", 2}, {"gateway", 2}, {"model", 2}, {"driver", 1}};
    uint32_t first = 0;
    for (const auto& [name, count] : programs) {
      d_.programs[d_.program_count++] = {Text<64>::from(name), first, count};
      first += count;
    }
    for (uint32_t p = 0; p < 3; ++p) add_partition(p == 2 ? 3 : 0);
    for (uint32_t e = 0; e < 3; ++e) add_enclave(e);
    d_.streams[d_.stream_count++] = {0, 1, 8, 8, 4096, 4096};
    d_.enclaves[0].options = Text<EnclaveDescription::kOptions>::from("listen");
  }

  void TearDown() override {
    std::error_code error;
    if (!folder_.empty()) fs::remove_all(folder_, error);
  }

  std::string write(const std::string& name, const std::string& content = "") const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << (content.empty() ? "content of " + name : content);
    return path;
  }

  void add_partition(uint32_t program) {
    PartitionDescription& p = d_.partitions[d_.partition_count];
    p.name = Text<64>::from(formatted("p{}", d_.partition_count++));
    p.device.kind = static_cast<uint32_t>(DeviceKind::kCpu);
    p.program = program;
    p.memory_bytes = 64 << 20;
    p.processes_max = 8;
    p.backoff_ms_first = p.backoff_ms_max = p.failures_max = 100;
    p.stable_ms = p.hang_ms = p.load_ms = 100;
  }

  void add_enclave(uint32_t index) {
    EnclaveDescription& e = d_.enclaves[d_.enclave_count++];
    e.name = Text<64>::from(formatted("e{}", index));
    e.partition = index;
    e.kind = static_cast<uint32_t>(index == 0 ? EnclaveKind::kGateway : EnclaveKind::kModel);
    e.program = index == 0 ? 1 : 2;
    e.model_version = 1;
    e.memory_bytes = 16 << 20;
    e.processes_max = 2;
    if (index == 0) return;
    e.first_file = d_.file_count;
    for (const char* part : {"model", "data"}) {
      const std::string name = formatted("{}{}", part, index);
      d_.files[d_.file_count++] = {Text<256>::from(write(name)), Text<256>::from(part)};
      ++e.file_count;
    }
  }

  // Measures the system as it is now. `look` may look at it before it goes.
  std::vector<attest::Measured> measure(
      const std::function<void(const MeasuredSystem&)>& look = {}) {
    const auto power = allow::assume_all_powers().spawn;
    auto store = jail::ImageStore::make(power, folder_ + "/store");
    std::vector<attest::Measured> all;
    EXPECT_TRUE(store) << (store ? "" : store.error().text);
    if (!store) return all;
    auto system =
        MeasuredSystem::make(power, std::make_unique<SystemDescription>(d_), std::move(*store));
    EXPECT_TRUE(system) << (system ? "" : system.error().text);
    for (uint32_t e = 0; system && e < d_.enclave_count; ++e) all.push_back(system->measured(e));
    if (system && look) look(*system);
    EXPECT_EQ(::umount2((folder_ + "/store").c_str(), MNT_DETACH), 0);
    return all;
  }

  std::string folder_;
  SystemDescription d_;
};

using Names = std::set<std::string>;

// What is another measurement in `b` than in `a`: "e1.model".
Names differences(const std::vector<attest::Measured>& a, const std::vector<attest::Measured>& b) {
  Names names;
  EXPECT_EQ(a.size(), b.size());
  for (size_t e = 0; e < std::min(a.size(), b.size()); ++e) {
    const auto compare = [&](const char* what, const Sha384Digest& x, const Sha384Digest& y) {
      if (x != y) names.insert(formatted("e{}.{}", e, what));
    };
    compare("program", a[e].program, b[e].program);
    compare("manifest", a[e].manifest, b[e].manifest);
    compare("model", a[e].model, b[e].model);
    compare("device", a[e].device, b[e].device);
    compare("peers", a[e].peers, b[e].peers);
    compare("said", sha384(a[e].device_evidence), sha384(b[e].device_evidence));
  }
  return names;
}

TEST_F(MeasuredSystemTest, the_same_system_measures_the_same) {
  EXPECT_EQ(differences(measure(), measure()), Names{});
}

TEST_F(MeasuredSystemTest, every_byte_of_every_file_is_in_its_measurement_and_in_no_other) {
  const std::pair<const char*, Names> cases[] = {
      {"mos", {"e0.device", "e1.device", "e0.peers"}},
      {"libmos", {"e0.device", "e1.device", "e0.peers"}},
      {"driver", {"e2.device"}},
      {"gateway", {"e0.program"}},
      {"libgateway", {"e0.program"}},
      {"model", {"e1.program", "e2.program", "e0.peers"}},
      {"libmodel", {"e1.program", "e2.program", "e0.peers"}},
      {"model1", {"e1.model", "e0.peers"}},
      {"data1", {"e1.model", "e0.peers"}},
      {"model2", {"e2.model"}},
      {"data2", {"e2.model"}}};
  const auto before = measure();
  for (const auto& [name, expected] : cases) {
    const std::string content = text_in(folder_ + "/" + name);
    for (size_t i = 0; i < content.size(); ++i) {
      std::string changed = content;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      write(name, changed);
      ASSERT_EQ(differences(before, measure()), expected) << name << ", byte " << i;
    }
    for (const std::string& other : {content + " ", content.substr(1)}) {
      write(name, other);
      EXPECT_EQ(differences(before, measure()), expected) << name << ": '" << other << "'";
    }
    write(name, content);
  }
  EXPECT_EQ(differences(before, measure()), Names{}) << "all of it was put back";
}

TEST_F(MeasuredSystemTest, every_setting_is_in_its_measurement_and_in_no_other) {
  using Change = std::function<void(SystemDescription&)>;
  const std::tuple<const char*, Change, Names> cases[] = {
      {"memory", [](auto& d) { d.enclaves[1].memory_bytes += 4096; }, {"e1.manifest", "e0.peers"}},
      {"processes", [](auto& d) { ++d.enclaves[2].processes_max; }, {"e2.manifest"}},
      {"threads", [](auto& d) { ++d.enclaves[2].threads; }, {"e2.manifest"}},
      {"debug", [](auto& d) { d.enclaves[2].flags = 1; }, {"e2.manifest"}},
      {"sealed", [](auto& d) { d.enclaves[2].flags = 2; }, {"e2.manifest"}},
      {"version", [](auto& d) { ++d.enclaves[2].model_version; }, {"e2.manifest"}},
      {"name", [](auto& d) { d.enclaves[2].name = Text<64>::from("x"); }, {"e2.manifest"}},
      {"options",
       [](auto& d) { d.enclaves[0].options = Text<EnclaveDescription::kOptions>::from("Listen"); },
       {"e0.manifest"}},
      {"options of a model",
       [](auto& d) { d.enclaves[2].options = Text<EnclaveDescription::kOptions>::from("shape="); },
       {"e2.manifest"}},
      {"share", [](auto& d) { d.enclaves[2].share = 50; }, {"e2.manifest"}},
      {"device", [](auto& d) { d.partitions[2].device.cpu_percent = 50; }, {"e2.device"}},
      {"place of a library",
       [](auto& d) { d.images[5].target = Text<256>::from("/lib/other.so"); },
       {"e1.program", "e2.program", "e0.peers"}},
      {"name of a model file",
       [](auto& d) { d.files[2].target = Text<256>::from("other"); },
       {"e2.model"}},
      {"files of each other",
       [](auto& d) { std::swap(d.files[2].source, d.files[3].source); },
       {"e2.model"}},
      {"a runtime", [](auto& d) { d.partitions[1].program = 3; }, {"e1.device", "e0.peers"}},
      {"a program", [](auto& d) { d.enclaves[2].program = 1; }, {"e2.program"}},
      {"a peer",
       [](auto& d) { d.streams[d.stream_count++] = {0, 2, 8, 8, 4096, 4096}; },
       {"e0.peers"}},
      {"another peer", [](auto& d) { d.streams[0].callee = 2; }, {"e0.peers"}},
      {"no model", [](auto& d) { d.enclaves[2].file_count = 0; }, {"e2.manifest", "e2.model"}}};
  const auto before = measure();
  const auto honest = std::make_unique<SystemDescription>(d_);
  for (const auto& [what, change, expected] : cases) {
    change(d_);
    EXPECT_EQ(differences(before, measure()), expected) << what;
    d_ = *honest;
  }
}

TEST_F(MeasuredSystemTest, what_a_device_says_is_in_no_measurement_wherever_its_file_stands) {
  DeviceDescription& device = d_.partitions[2].device;
  device.kind = static_cast<uint32_t>(DeviceKind::kNpu);
  const auto before = measure();
  const uint32_t files = d_.file_count;
  for (const uint32_t others : {0u, 3u}) {
    d_.file_count = files;
    for (uint32_t i = 0; i < others; ++i)
      d_.files[d_.file_count++] = {Text<256>::from(write("other")), Text<256>::from("other")};
    d_.files[d_.file_count++] = {Text<256>::from(write("said")), Text<256>::from("npu:0")};
    device.evidence = d_.file_count;
    const auto with = measure();
    EXPECT_EQ(differences(before, with), Names{"e2.said"}) << others;
    EXPECT_EQ(text_of(with[2].device_evidence), "content of said");
  }
  d_.enclaves[1].partition = 2;  // beside the other one: both are on that device
  EXPECT_EQ(text_of(measure()[1].device_evidence), "content of said");
}

TEST_F(MeasuredSystemTest, more_than_a_device_may_say_is_refused) {
  d_.partitions[2].device.kind = static_cast<uint32_t>(DeviceKind::kNpu);
  d_.files[d_.file_count++] = {Text<256>::from(write("said")), Text<256>::from("npu:0")};
  d_.partitions[2].device.evidence = d_.file_count;
  write("said", std::string(kDeviceEvidenceBytes, 's'));
  EXPECT_EQ(measure().at(2).device_evidence.size(), kDeviceEvidenceBytes);
  write("said", std::string(kDeviceEvidenceBytes + 1, 's'));
  const auto power = allow::assume_all_powers().spawn;
  auto store = jail::ImageStore::make(power, folder_ + "/store");
  ASSERT_TRUE(store);
  const auto system =
      MeasuredSystem::make(power, std::make_unique<SystemDescription>(d_), std::move(*store));
  EXPECT_TRUE(!system && system.error().code == Code::kTooLarge);
  EXPECT_EQ(::umount2((folder_ + "/store").c_str(), MNT_DETACH), 0);
}

TEST_F(MeasuredSystemTest, where_a_file_came_from_is_nobodys_business) {
  const auto before = measure();
  d_.files[2].source = Text<256>::from(write("elsewhere", text_in(folder_ + "/model2")));
  EXPECT_EQ(differences(before, measure()), Names{});
}

TEST_F(MeasuredSystemTest, bytes_that_move_from_one_file_to_the_next_are_noticed) {
  const auto before = measure();
  write("model2", text_in(folder_ + "/model2") + text_in(folder_ + "/data2").substr(0, 1));
  write("data2", text_in(folder_ + "/data2").substr(1));
  EXPECT_EQ(differences(before, measure()), Names{"e2.model"});
}

TEST_F(MeasuredSystemTest,
       what_lies_in_a_root_is_what_was_measured_whatever_becomes_of_its_source) {
  measure([&](const MeasuredSystem& system) {
    const std::string honest = text_in(folder_ + "/model2");
    write("model2", "swapped in place");
    fs::remove(folder_ + "/libmodel");
    write("libmodel", "swapped by name");
    EXPECT_EQ(text_in(system.enclave_root(2) + "/model/model"), honest);
    EXPECT_EQ(text_in(system.enclave_root(2) + "/lib/model.so"), "content of libmodel");
    EXPECT_EQ(text_in(system.enclave_root(2) + system.program_path(2)), "content of model");
    EXPECT_EQ(text_in(system.partition_root(2) + system.program_path(3)), "content of driver");
    for (const char* file : {"/model/model", "/lib/model.so", "/new"}) {
      const Fd writable(
          ::open((system.enclave_root(2) + file).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      EXPECT_FALSE(writable.valid()) << file;
      EXPECT_EQ(errno, EROFS) << file;
    }
  });
}

}  // namespace
}  // namespace casemate::monitor
