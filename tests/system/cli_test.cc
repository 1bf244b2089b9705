// SPDX-License-Identifier: Apache-2.0
// The program `casemate` as an operator and a client start it, against a system that it serves.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "base/format.h"
#include "outside/client/session.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr auto kAllow = "--allow-software-root";

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

[[noreturn]] void become_casemate(const std::string& folder, std::vector<std::string> arguments) {
  ::setenv("CASEMATE_RUN", (folder + "/run").c_str(), 1);
  const auto redirect = [&](const char* name, int number) {
    ::dup2(::open((folder + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), number);
  };
  redirect("/out", STDOUT_FILENO);
  redirect("/err", STDERR_FILENO);
  arguments.insert(arguments.begin(), build_folder() + "/bin/casemate");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
}

Outcome casemate(const std::string& folder, const std::vector<std::string>& arguments) {
  const pid_t child = ::fork();
  if (child == 0) become_casemate(folder, arguments);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return {};
  return {WEXITSTATUS(status), text_of_file(folder + "/out"), text_of_file(folder + "/err")};
}

class Cli : public testing::Test {
 protected:
  Cli() : system_(source_folder() + "/models") {}
  void SetUp() override { ASSERT_FALSE(system_.url().empty()) << system_.printed(); }

  [[nodiscard]] Outcome run(const std::vector<std::string>& arguments) const {
    return casemate(system_.folder(), arguments);
  }
  static std::string picture(int digit) {
    return formatted("{}/models/pictures/digit-{}.png", source_folder(), digit);
  }

  ServedSystem system_;
};

TEST_F(Cli, status_shows_every_partition_and_enclave) {
  const Outcome text = run({"status"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(text.out.starts_with("PARTITION ")) << text.out;
  for (const char* row : {"\ngateway    ", "\ndigits    ", "\nENCLAVE ", "\ndigits/1  "})
    EXPECT_TRUE(text.out.contains(row)) << row << "is missing in\n" << text.out;
}

TEST_F(Cli, status_for_programs_is_one_json_document) {
  const Outcome done = run({"status", "--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  const json status = json::parse(done.out, nullptr, false);
  ASSERT_TRUE(status.is_object()) << done.out;
  ASSERT_EQ(status["partitions"].size(), 2u);
  EXPECT_EQ(status["partitions"][0]["name"], "gateway");
  EXPECT_EQ(status["partitions"][1]["device"], "cpu:0");
  ASSERT_EQ(status["enclaves"].size(), 2u);
  EXPECT_EQ(status["enclaves"][1]["name"], "digits");
  EXPECT_EQ(status["enclaves"][1]["state"], "running");
  // All that docs/status.md promises, and nothing that it does not.
  const auto documented = [](const json& object, const std::set<std::string>& fields) {
    std::set<std::string> there;
    for (const auto& [key, value] : object.items()) there.insert(key);
    EXPECT_EQ(there, fields);
  };
  documented(status["partitions"][1],
             {"name", "device", "cpu_percent", "cores", "memory_bytes", "state", "up_us", "starts",
              "failures", "pid", "standby", "recovery_us", "last_end"});
  documented(status["enclaves"][1],
             {"name", "version", "kind", "partition", "state", "up_us", "starts", "start_us",
              "calls", "share", "cpu_percent", "cores", "memory_bytes", "reason", "last_end",
              "program_measurement", "model_measurement"});
  EXPECT_EQ(status["enclaves"][0]["kind"], "gateway");
  EXPECT_GT(status["partitions"][1]["up_us"], 0);
  EXPECT_EQ(status["enclaves"][1]["model_measurement"].get<std::string>().size(), 96u);
}

TEST_F(Cli, devices_shows_who_has_them) {
  const Outcome text = run({"devices"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"DEVICE ", "\nnpu:0 ", "\nPARTITION ", "\ndigits ", "  digits/1\n"})
    EXPECT_TRUE(text.out.contains(part)) << part << " is missing in\n" << text.out;
  const Outcome done = run({"devices", "--json"});
  const json found = json::parse(done.out, nullptr, false);
  ASSERT_EQ(found["partitions"].size(), 2u) << done.out << done.err;
  EXPECT_EQ(found["partitions"][1]["device"], "cpu:0");
  EXPECT_EQ(found["partitions"][1]["state"], "running");
  EXPECT_EQ(found["partitions"][1]["tenants"], (std::vector<std::string>{"digits/1"}));
  EXPECT_GT(found["partitions"][1]["memory_bytes"].get<uint64_t>(), 0u);
}

TEST_F(Cli, kill_ends_the_partition_that_it_names_and_no_other) {
  const Outcome unknown = run({"kill", "nobody"});
  EXPECT_EQ(unknown.code, 1) << unknown.out;
  EXPECT_EQ(unknown.err,
            "casemate: there is no partition or enclave 'nobody'; casemate status lists them\n");
  const Outcome done = run({"kill", "digits"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("partition digits was killed")) << done.out;
  // Until it runs again, requests may be refused as it is starting.
  const auto again = [](const operating::Reply& now) {
    return now.partitions[1].epoch == 2 &&
           now.enclaves[1].state == static_cast<uint32_t>(operating::State::kRunning);
  };
  auto status = system_.status();
  for (int i = 0; i < 1000 && status && !again(**status); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = system_.status();
  }
  ASSERT_TRUE(status) << status.error().text;
  Witness witness(system_.url());
  EXPECT_TRUE(witness.answered_again()) << witness.stop();
  EXPECT_EQ((*status)->partitions[0].epoch, 1u);
  EXPECT_EQ((*status)->partitions[1].epoch, 2u);
  const Outcome shown = run({"status"});
  EXPECT_TRUE(shown.out.contains("\n    started anew: the operator ended it\n")) << shown.out;
}

TEST_F(Cli, kill_ends_an_enclave_that_is_named_with_its_version_and_leaves_its_partition) {
  const Outcome done = run({"kill", "digits/1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("enclave digits/1 was killed")) << done.out;
  auto status = system_.status();
  for (int i = 0; i < 1000 && status && (*status)->enclaves[1].last_end.view().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = system_.status();
  }
  ASSERT_TRUE(status) << status.error().text;
  EXPECT_EQ((*status)->enclaves[1].last_end.view(), "the operator ended it");
  EXPECT_EQ((*status)->enclaves[1].starts, 2u);
  EXPECT_EQ((*status)->partitions[1].epoch, 1u);
  Witness witness(system_.url());
  EXPECT_TRUE(witness.answered_again()) << witness.stop();
}

TEST_F(Cli, doctor_has_a_line_for_every_wall) {
  const Outcome done = run({"doctor"});
  EXPECT_EQ(done.code, 0) << done.err;
  std::istringstream lines(done.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line) && line.starts_with("Walls on this machine")) << line;
  std::vector<std::string> walls;
  while (std::getline(lines, line) && !line.empty()) {
    EXPECT_TRUE(line.starts_with("+ ") || line.starts_with("- ")) << line;
    walls.push_back(line);
  }
  ASSERT_TRUE(std::getline(lines, line) && line.starts_with("Roots of trust")) << line;
  for (const std::string root : {"tsm: ", "gramine: ", "tpm: ", "software: "}) {
    ASSERT_TRUE(std::getline(lines, line)) << root;
    EXPECT_TRUE(line == "+ " + line.substr(2) || line == "- " + line.substr(2)) << line;
    EXPECT_TRUE(line.substr(2).starts_with(root)) << line;
    EXPECT_GT(line.size(), 30u) << "it says what is there or missing";
  }
  ASSERT_TRUE(std::getline(lines, line) && line.starts_with("casemate serve takes '")) << line;
  for (const char* wall : {"namespaces", "seccomp", "Landlock", "memfd_secret"}) {
    EXPECT_TRUE(std::ranges::any_of(walls, [&](const auto& w) { return w.contains(wall); }))
        << wall << " is missing in\n"
        << done.out;
  }
}

TEST_F(Cli, who_asks_for_more_than_a_software_root_is_refused_with_the_reason) {
  const Outcome attest = run({"attest", system_.url()});
  EXPECT_EQ(attest.code, 1);
  EXPECT_TRUE(attest.out.contains("failed  root.kind")) << attest.out;
  const Outcome infer = run({"infer", system_.url(), "digits", "--input", picture(7)});
  EXPECT_EQ(infer.code, 1);
  EXPECT_TRUE(infer.out.empty()) << infer.out;
  for (const Outcome& refused : {attest, infer}) {
    EXPECT_TRUE(refused.err.starts_with("casemate: refused: root.kind: ")) << refused.err;
    EXPECT_TRUE(refused.err.contains(kAllow)) << refused.err;
  }
}

TEST_F(Cli, who_allows_a_software_root_gets_the_right_class) {
  for (const int digit : {2, 7}) {
    const Outcome done =
        run({"infer", system_.url(), "digits", "--input", picture(digit), "--top", "1", kAllow});
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_TRUE(done.out.starts_with("verified-development: ")) << done.out;
    EXPECT_TRUE(done.out.contains(formatted("\n  {} ", digit))) << done.out;
  }
  const Outcome attest = run({"attest", system_.url(), "--model", "digits", kAllow});
  EXPECT_EQ(attest.code, 0) << attest.err;
  EXPECT_TRUE(attest.out.contains("passed  token.nonce")) << attest.out;
}

// A repository of the digits and of the same, cut in half.
class BrokenModel : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(models_.data()), nullptr);
    const fs::path whole = source_folder() + "/models/digits";
    fs::copy(whole, models_ + "/digits", fs::copy_options::recursive);
    fs::create_directories(models_ + "/broken/1");
    fs::copy(whole / "1/model.onnx", models_ + "/broken/1/model.onnx");
    fs::resize_file(models_ + "/broken/1/model.onnx", fs::file_size(whole / "1/model.onnx") / 2);
  }
  void TearDown() override { fs::remove_all(models_); }

  std::string models_ = "/tmp/casemate-test-XXXXXX";
};

TEST_F(BrokenModel, is_listed_with_its_reason_and_the_good_one_beside_it_serves) {
  const ServedSystem system(models_);
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again()) << witness.stop();
  EXPECT_EQ(witness.stop(), "");
  verify::Policy policy;
  policy.allow_software_root = true;
  auto session = client::Session::connect(system.url(), policy);
  ASSERT_TRUE(session) << session.error().text;
  const auto index = session->models();
  ASSERT_TRUE(index) << index.error().text;
  ASSERT_EQ(index->size(), 2u);
  const auto entry = [&](std::string_view name) {
    return *std::ranges::find(*index, name, &client::ModelEntry::name);
  };
  EXPECT_EQ(entry("digits").state, "READY");
  EXPECT_EQ(entry("broken").state, "UNAVAILABLE");
  EXPECT_FALSE(entry("broken").reason.empty());
  const Outcome status = casemate(system.folder(), {"status"});
  EXPECT_TRUE(status.out.contains(entry("broken").reason)) << status.out << entry("broken").reason;
  const Outcome refused =
      casemate(system.folder(), {"infer", system.url(), "broken", "--input",
                                 source_folder() + "/models/pictures/digit-1.png", kAllow});
  EXPECT_NE(refused.code, 0) << refused.out;
  EXPECT_TRUE(refused.err.contains("broken")) << refused.err;
}

}  // namespace
}  // namespace casemate::tests
