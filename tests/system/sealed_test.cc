// SPDX-License-Identifier: Apache-2.0
// A sealed model from `casemate seal` to its answers, with the owner's key service on loopback; and
// who holds its weights or key meanwhile.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "base/format.h"
#include "outside/client/session.h"
#include "outside/keys/store.h"
#include "tests/system/patience.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `casemate` as a process whose output goes to a file, after a while.
pid_t start_casemate(std::vector<std::string> arguments, const std::string& printed,
                     std::chrono::milliseconds after = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::this_thread::sleep_for(after);
  const int log = ::open(printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  arguments.insert(arguments.begin(), build_folder() + "/bin/casemate");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
}

class Sealed : public testing::Test {
 protected:
  void SetUp() override {
    std::string scratch = "/tmp/casemate-test-XXXXXX";
    ASSERT_NE(::mkdtemp(scratch.data()), nullptr);
    folder_ = scratch;
    fs::create_directories(models() + "/digits/1");
  }
  void TearDown() override {
    if (service_ > 0) {
      ::kill(service_, SIGTERM);
      ::waitpid(service_, nullptr, 0);
    }
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string models() const { return folder_ + "/models"; }
  [[nodiscard]] std::string store() const { return folder_ + "/owner.keys"; }
  static std::string plain_model() { return source_folder() + "/models/digits/1/model.onnx"; }

  // Runs to the end; what was printed, behind the exit code.
  std::string casemate(const std::vector<std::string>& arguments) const {
    const std::string printed = folder_ + "/printed";
    int status = 0;
    ::waitpid(start_casemate(arguments, printed), &status, 0);
    return formatted("{} {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(printed));
  }
  void seal(const std::string& policy) {
    std::ofstream(folder_ + "/policy.json") << policy;
    const std::string said = casemate(
        {"seal", plain_model(), "-o", models() + "/digits/1/model.sealed", "--model", "digits",
         "--version", "1", "--store", store(), "--policy", folder_ + "/policy.json"});
    ASSERT_TRUE(said.starts_with("0 sealed digits version 1")) << said;
  }
  void start_service() {
    const std::string printed = folder_ + "/service";
    service_ =
        start_casemate({"keys", "serve", "--store", store(), "--listen", "127.0.0.1:0"}, printed);
    Patience patience(std::chrono::seconds(20));
    constexpr std::string_view kSays = "keys on ";
    while (!content_of(printed).ends_with("\n") && !patience.over())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const std::string said = content_of(printed);
    ASSERT_TRUE(said.starts_with(kSays)) << said;
    url_ = said.substr(kSays.size(), said.find('\n') - kSays.size());
  }

  std::string folder_;
  std::string url_;
  pid_t service_ = -1;
};

constexpr const char* kDevelopment = R"({"allow_software_root": true})";

Result<std::vector<uint8_t>> answer_of(client::Session& session, const std::string& model) {
  const auto described = TRY(session.metadata(model));
  const client::Port& port = described.inputs.at(0);
  Shape shape;
  std::vector<int64_t> dims;
  size_t count = 1;
  for (const int64_t dim : port.shape.dims()) {
    dims.push_back(dim < 0 ? 1 : dim);
    count *= static_cast<size_t>(dims.back());
  }
  std::vector<uint8_t> data(count * size_of(port.type));
  for (size_t i = 3; i < data.size(); i += 4) data[i] = i % 8 == 3 ? 0x3E : 0;
  const client::Tensor input{port.name, port.type, Shape(std::span<const int64_t>(dims)), data};
  return TRY(session.infer(model, std::span(&input, 1))).at(0).data;
}

TEST_F(Sealed, model_answers_as_the_unsealed_one_and_comes_back_when_it_is_killed) {
  fs::create_directories(models() + "/plain/1");
  fs::copy(plain_model(), models() + "/plain/1/model.onnx");
  seal(kDevelopment);
  start_service();
  const ServedSystem system(models(), "", {"--keys", url_});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again()) << system.printed();
  verify::Policy policy;
  policy.allow_software_root = true;
  auto session = client::Session::connect(system.url(), policy);
  ASSERT_TRUE(session) << session.error().text;
  const auto sealed = answer_of(*session, "digits");
  const auto plain = answer_of(*session, "plain");
  ASSERT_TRUE(sealed && plain) << (sealed ? plain.error().text : sealed.error().text);
  EXPECT_EQ(*sealed, *plain);
  const auto status = system.status();
  ASSERT_TRUE(status);
  for (uint32_t p = 0; p < (*status)->partition_count; ++p) {
    if ((*status)->partitions[p].name.view() != "digits") continue;
    EXPECT_TRUE(hurt((*status)->partitions[p].pid, SIGKILL));
  }
  EXPECT_TRUE(witness.answered_again()) << system.printed();
  EXPECT_EQ(witness.stop(), "");
  const std::string audit = casemate({"keys", "audit", "--store", store()});
  EXPECT_TRUE(audit.contains("released digits/1")) << audit;
}

TEST_F(Sealed, model_is_refused_its_key_where_the_measurement_is_not_the_policy_s_and_says_so) {
  seal(R"({"allow_software_root": true, "models": {"digits": {"program": [")" +
       std::string(96, 'a') + R"("]}}})");
  start_service();
  const ServedSystem system(models(), "", {"--keys", url_});
  const auto status = system.status();
  ASSERT_TRUE(status) << system.printed();
  bool refused = false;
  for (uint32_t e = 0; e < (*status)->enclave_count; ++e) {
    const operating::EnclaveStatus& enclave = (*status)->enclaves[e];
    if (enclave.name.view() != "digits") continue;
    refused = enclave.state == static_cast<uint32_t>(operating::State::kRefused);
    EXPECT_TRUE(enclave.reason.view().contains("enclave.program")) << enclave.reason.view();
  }
  EXPECT_TRUE(refused) << system.printed();
  const std::string audit = casemate({"keys", "audit", "--store", store()});
  EXPECT_TRUE(audit.contains("refused digits/1")) << audit;
}

TEST_F(Sealed, model_waits_for_a_key_service_that_is_not_there_yet) {
  seal(kDevelopment);
  start_service();
  const std::string address = url_;
  ::kill(service_, SIGTERM);
  ::waitpid(service_, nullptr, 0);
  service_ = start_casemate({"keys", "serve", "--store", store(), "--listen",
                             address.substr(std::string_view("http://").size())},
                            folder_ + "/service", std::chrono::seconds(3));
  const ServedSystem system(models(), "", {"--keys", address});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  EXPECT_TRUE(system.printed().contains("waits for its key")) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again()) << system.printed();
  EXPECT_EQ(witness.stop(), "");
}

TEST_F(Sealed, model_is_not_served_without_a_key_service) {
  seal(kDevelopment);
  const ServedSystem system(models());
  EXPECT_TRUE(system.url().empty());
  EXPECT_TRUE(system.printed().contains("name the key service of its owner with --keys"))
      << system.printed();
}

// The processes that descend from `first`, and it, by what they call themselves.
std::multimap<std::string, pid_t> family_of(pid_t first) {
  std::map<pid_t, std::pair<pid_t, std::string>> all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string stat = content_of(entry.path() / "stat");
    const size_t open = stat.find('(');
    const size_t close = stat.rfind(')');
    if (open == stat.npos || close == stat.npos || close + 4 > stat.size()) continue;
    all[std::atoi(stat.c_str())] = {std::atoi(stat.c_str() + close + 4),
                                    stat.substr(open + 1, close - open - 1)};
  }
  std::multimap<std::string, pid_t> family;
  for (const auto& [pid, facts] : all) {
    pid_t at = pid;
    while (at != first && all.contains(at)) at = all[at].first;
    if (at == first) family.emplace(facts.second, pid);
  }
  return family;
}

// Calls `visit` with all that the process may read of itself; false when it cannot be looked at.
bool visit_memory(pid_t pid, const std::function<void(std::string_view)>& visit) {
  const Fd memory(::open(formatted("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::ifstream maps(formatted("/proc/{}/maps", pid));
  std::string line;
  bool read = false;
  std::string bytes(1 << 20, '\0');
  while (memory.valid() && std::getline(maps, line)) {
    uint64_t begin = 0;
    uint64_t end = 0;
    char readable = '-';
    if (std::sscanf(line.c_str(), "%lx-%lx %c", &begin, &end, &readable) != 3 || readable != 'r')
      continue;
    // Pieces overlap, so that nothing hides on a border.
    for (uint64_t at = begin; at < end; at += bytes.size() - 64) {
      const size_t size = std::min<uint64_t>(bytes.size(), end - at);
      const ssize_t got = ::pread(memory.number(), bytes.data(), size, static_cast<off_t>(at));
      if (got <= 0) break;
      visit(std::string_view(bytes).substr(0, static_cast<size_t>(got)));
      read = true;
    }
  }
  return read;
}

TEST_F(Sealed, weights_and_key_are_held_by_no_process_and_no_file_outside_of_the_enclave) {
  seal(kDevelopment);
  start_service();
  const ServedSystem system(models(), "", {"--keys", url_});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again());
  EXPECT_EQ(witness.stop(), "");
  // In the middle of the file are weights.
  const std::string model = content_of(plain_model());
  const std::string weights = model.substr(model.size() / 2, 48);
  std::string key;
  {
    auto keys = keys::Store::open(store(), system_clock(), system_random());
    ASSERT_TRUE(keys);
    const auto records = keys->list();
    ASSERT_TRUE(records && records->size() == 1);
    key = text_of(*keys->key_of(records->front()));
  }
  const auto secret = [&](std::string_view bytes) {
    return bytes.contains(weights) || bytes.contains(key);
  };
  // The scan finds what is there: this process has both.
  bool found = false;
  ASSERT_TRUE(visit_memory(::getpid(), [&](std::string_view bytes) { found |= secret(bytes); }));
  EXPECT_TRUE(found);
  const auto family = family_of(system.pid());
  const auto enclave = [](const auto& member) { return member.first.contains("model"); };
  EXPECT_TRUE(std::ranges::any_of(family, enclave));
  int looked_at = 0;
  for (const auto& [name, pid] : family) {
    if (name.contains("model")) continue;
    looked_at += visit_memory(
        pid, [&](std::string_view bytes) { EXPECT_FALSE(secret(bytes)) << name << " " << pid; });
  }
  EXPECT_GE(looked_at, 2);  // the command and the monitor
  for (const std::string& where : {folder_, system.folder()}) {
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (!entry.is_regular_file()) continue;
      EXPECT_FALSE(secret(content_of(entry.path()))) << entry.path();
    }
  }
}

}  // namespace
}  // namespace casemate::tests
