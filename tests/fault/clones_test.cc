// SPDX-License-Identifier: Apache-2.0
// What instances of one template share, and what they must not.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <optional>
#include <set>

#include "base/format.h"
#include "outside/client/attest.h"
#include "tests/fault/processes.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

class Clones : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can look into processes of other users";
    system_.emplace(source_folder() + "/models");
    ASSERT_NE(system_->url(), "") << system_->printed();
  }

  // Of the first enclave of that kind: its instance.
  [[nodiscard]] pid_t instance(EnclaveKind kind) const {
    const auto status = system_->status();
    if (!status) return -1;
    for (uint32_t e = 0; e < (*status)->enclave_count; ++e) {
      const auto& enclave = (*status)->enclaves[e];
      if (enclave.kind == static_cast<uint32_t>(kind))
        return instance_of(
            template_of(static_cast<pid_t>((*status)->partitions[enclave.partition].pid)));
    }
    return -1;
  }

  std::optional<ServedSystem> system_;
};

struct Identity {
  std::vector<uint8_t> key;
  verify::Verdict verdict;
};

// Who answers, by fresh evidence that names a nonce of ours.
Result<Identity> identity_of(const std::string& url) {
  verify::Policy policy;
  policy.allow_software_root = true;
  auto server = TRY(client::Server::open(TRY(client::parse_url(url)), {}));
  auto verdict = TRY(client::judge_fresh(server, policy, "digits", 0));
  return Identity{server.certificate().key, std::move(verdict)};
}

TEST_F(Clones, of_a_gateway_make_keys_of_their_own_and_are_attested_with_them) {
  std::vector<Identity> seen;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] {
      auto now = identity_of(system_->url());
      if (!now || (!seen.empty() && now->key == seen.back().key)) return false;
      seen.push_back(*std::move(now));
      return true;
    })) << "an instance that has a key and evidence which no earlier one had";
    ASSERT_EQ(seen.size(), static_cast<size_t>(i) + 1);
    const verify::Verdict& verdict = seen.back().verdict;
    EXPECT_TRUE(verdict.passed) << verify::line_of(verdict);
    ASSERT_FALSE(verdict.tokens.empty());
    EXPECT_EQ(verdict.tokens.front().epoch, 1u) << "all come from one template";
    for (int k = 0; k < i; ++k) {
      EXPECT_NE(seen[static_cast<size_t>(k)].key, seen.back().key);
      EXPECT_NE(seen[static_cast<size_t>(k)].verdict.evidence_hash, verdict.evidence_hash);
    }
    ASSERT_TRUE(hurt(instance(EnclaveKind::kGateway), SIGKILL));
  }
}

// Before it serves. What its template has loaded is shared; what it writes to lies together.
TEST_F(Clones, of_a_model_have_little_memory_of_their_own) {
  constexpr size_t kLittleKib = 256;
  const pid_t pid = instance(EnclaveKind::kModel);
  ASSERT_GT(pid, 1);
  std::ifstream file(formatted("/proc/{}/smaps_rollup", pid));
  size_t kib = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Private_Dirty:")) kib = std::stoul(line.substr(14));
  }
  EXPECT_GT(kib, 0u);
  EXPECT_LE(kib, kLittleKib);
}

// Two models of one file and one program, in two partitions and in one: what a template knows, all
// of its clones know.
TEST(Templates, are_each_one_model_s_alone_though_their_files_are_the_same) {
  SmallSystem system({{"mine", "p1"}, {"yours", "p2"}, {"beside", "p2"}});
  for (const char* model : {"mine", "yours", "beside"}) ASSERT_TRUE(system.answers(model)) << model;
  const auto mos = [&](const char* name) { return static_cast<pid_t>(system.partition(name).pid); };
  const std::vector<pid_t> templates = {template_of(mos("p1")), template_of(mos("p2"), 0),
                                        template_of(mos("p2"), 1)};
  std::set<pid_t> instances;
  for (const pid_t loaded : templates) {
    ASSERT_GT(loaded, 0);
    instances.insert(instance_of(loaded));
  }
  EXPECT_EQ(std::set<pid_t>(templates.begin(), templates.end()).size(), 3u);
  EXPECT_EQ(instances.size(), 3u) << "and each has an instance of its own";
  EXPECT_FALSE(instances.contains(-1));
  // What one is told no other has, nor will have when it is made anew.
  ASSERT_EQ(system.ask("mine", fixture::Call::kKeep, "a secret").code, 0u);
  for (const char* other : {"yours", "beside"})
    EXPECT_EQ(system.text(system.ask(other, fixture::Call::kRecall)), "") << other;
  const pid_t old = instance_of(templates[1]);
  ASSERT_TRUE(hurt(old, SIGKILL));
  ASSERT_TRUE(eventually([&] {
    const pid_t now = instance_of(templates[1]);
    return now > 0 && now != old;
  })) << "it is made anew";
  ASSERT_TRUE(system.answers("yours"));
  EXPECT_EQ(system.text(system.ask("yours", fixture::Call::kRecall)), "");
}

}  // namespace
}  // namespace casemate::tests
