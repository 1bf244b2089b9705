// SPDX-License-Identifier: Apache-2.0
// A sealed model from `casemate seal` to its answers, with the owner's key service on loopback; and
// who holds its weights or key meanwhile.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <ranges>
#include <thread>

#include "base/format.h"
#include "outside/client/attest.h"
#include "outside/client/session.h"
#include "outside/keys/store.h"
#include "outside/verify/pins.h"
#include "tests/system/casemate_process.h"
#include "tests/system/patience.h"
#include "tests/system/served_system.h"
#include "tests/system/small_system.h"
#include "tests/tpm/software_tpm.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

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
  [[nodiscard]] std::string casemate(const std::vector<std::string>& arguments) const {
    return run_casemate(arguments, folder_ + "/printed");
  }
  // Version 1 is put where it is served from, others are not.
  void seal(const std::string& policy, int version = 1, const std::string& model = plain_model()) {
    std::ofstream(folder_ + "/policy.json") << policy;
    const std::string place =
        version == 1 ? models() + "/digits/1/model.sealed" : folder_ + "/later.sealed";
    const std::string said = casemate({"seal", model, "-o", place, "--model", "digits", "--version",
                                       std::to_string(version), "--store", store(), "--policy",
                                       folder_ + "/policy.json"});
    ASSERT_TRUE(said.starts_with("0 ")) << said;
    ASSERT_TRUE(said.contains(formatted("\nsealed digits version {}: ", version))) << said;
    // Of a development root there is something to say, before anything is sealed.
    if (policy.contains(R"("allow_software_root": true)")) {
      EXPECT_LT(said.find("casemate: warning: insecure_software_root"), said.find("\nsealed "))
          << said;
    }
  }
  // Serves version 1 until it is refused; the reason.
  std::string refusal() {
    start_service();
    const ServedSystem system(models(), "", {"--keys", url_});
    const auto status = system.status();
    if (!status) return system.printed();
    for (uint32_t e = 0; e < (*status)->enclave_count; ++e) {
      const operating::EnclaveStatus& enclave = (*status)->enclaves[e];
      if (enclave.name.view() == "digits" &&
          enclave.state == static_cast<uint32_t>(operating::State::kRefused))
        return std::string(enclave.reason.view()) + "\n" + system.printed();
    }
    return "it is not refused";
  }
  // Expects that the service refuses its key for that reason, which the operator sees, too.
  void expect_refused(std::string_view reason) {
    const std::string said = refusal();
    EXPECT_TRUE(said.substr(0, said.find('\n')).contains(reason)) << said;
    const std::string audit = casemate({"keys", "audit", "--store", store()});
    EXPECT_TRUE(audit.contains("refused digits/1: ")) << audit;
    EXPECT_TRUE(audit.contains(reason)) << audit;
    EXPECT_FALSE(audit.contains("released")) << audit;
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
const std::string kNobody(96, 'a');  // a measurement

Result<std::vector<uint8_t>> answer_of(client::Session& session, const std::string& model) {
  const auto described = TRY(session.metadata(model));
  const client::Port& port = described.inputs.at(0);
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

// Waits until the model runs, or is refused.
bool is_served(const ServedSystem& system, std::string_view model) {
  Patience patience(std::chrono::seconds(30));
  while (!patience.over()) {
    const auto status = system.status();
    for (uint32_t e = 0; status && e < (*status)->enclave_count; ++e) {
      const operating::EnclaveStatus& enclave = (*status)->enclaves[e];
      const auto state = static_cast<operating::State>(enclave.state);
      if (enclave.name.view() != model) continue;
      if (state == operating::State::kRunning || state == operating::State::kRefused)
        return state == operating::State::kRunning;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

// A policy that accepts software roots and pins one more thing, to what nobody has.
std::string pinned(std::string_view what) {
  return formatted(R"({{"allow_software_root": true, {}}})",
                   std::vformat(what, std::make_format_args(kNobody)));
}

TEST_F(Sealed, model_is_refused_its_key_where_the_measurement_is_not_the_policy_s_and_says_so) {
  seal(pinned(R"("models": {{"digits": {{"program": ["{}"]}}}})"));
  expect_refused("enclave.program");
}

TEST_F(Sealed, model_is_refused_its_key_on_a_device_that_is_not_the_policy_s) {
  seal(pinned(R"("models": {{"digits": {{"device": ["{}"]}}}})"));
  expect_refused("enclave.device");
}

TEST_F(Sealed, model_is_refused_its_key_under_a_root_that_is_not_the_policy_s) {
  seal(pinned(R"("software_roots": ["{}"])"));
  expect_refused("root.key");
}

TEST_F(Sealed, model_s_keys_are_listed_closed_and_shown_by_commands_that_make_no_store) {
  const std::string none = casemate({"keys", "list", "--store", store()});
  EXPECT_TRUE(none.starts_with("1 ") && none.contains("no key store is there")) << none;
  const std::vector<std::string> order = {
      "seal",    plain_model(), "-o",        folder_ + "/x.sealed",
      "--model", "digits",      "--version", "1",
      "--store", store(),       "--policy"};
  const auto seal_under = [&](const std::string& policy) {
    std::ofstream(folder_ + "/p.json") << policy;
    auto arguments = order;
    arguments.push_back(folder_ + "/p.json");
    return casemate(arguments);
  };
  const std::string pins = seal_under(
      formatted(R"({{"models": {{"digits": {{"model": ["{}"]}}}}}})", std::string(96, 'a')));
  EXPECT_TRUE(pins.starts_with("1 ") && pins.contains("pinned by the key store")) << pins;
  EXPECT_FALSE(fs::exists(store())) << "a mistake made a store";
  seal(kDevelopment);
  const std::string twice = seal_under(kDevelopment);
  EXPECT_TRUE(twice.contains("version 1 of 'digits' was sealed before")) << twice;
  const std::string listed = casemate({"keys", "list", "--store", store()});
  const std::string shown = casemate({"keys", "show", folder_ + "/x.sealed"});
  const std::string maker = listed.substr(listed.find(" by ") + 4, 96);
  EXPECT_TRUE(shown.starts_with("0 ") && shown.contains("made by           " + maker)) << shown;
  EXPECT_TRUE(shown.contains("digits version 1") && shown.contains(kDevelopment)) << shown;
  const auto floor = [&](const char* version) {
    return casemate({"keys", "floor", "digits", "--version", version, "--store", store()});
  };
  EXPECT_TRUE(floor("2").contains("was never sealed")) << floor("2");
  seal(kDevelopment, 2);
  EXPECT_TRUE(floor("2").contains("nothing that was opened")) << "sealing has closed it";
}

TEST_F(Sealed, model_of_a_version_that_was_rolled_back_is_refused_its_key) {
  seal(kDevelopment);
  seal(kDevelopment, 2);
  expect_refused("key.rollback");
}

// A protobuf field of less than 128 bytes.
std::string short_field(int number, const std::string& content) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} +
         content;
}

// A root that takes its time, and is none for development: the owner learns who serves a plain
// model, and opens the sealed one to the like of it.
TEST_F(Sealed, model_gets_its_key_under_a_tpm_of_the_policy_and_no_other) {
  if (!SoftwareTpm::installed()) GTEST_SKIP() << "swtpm is not installed";
  auto tpm = SoftwareTpm::make(true);
  ASSERT_TRUE(tpm) << tpm.error().text;
  ::setenv("CASEMATE_TPM", tpm->socket().c_str(), 1);
  verify::Policy policy;
  {
    const ServedSystem plain(source_folder() + "/models", "", {"--root", "tpm"});
    ASSERT_FALSE(plain.url().empty()) << plain.printed();
    const auto verdict = client::attest(plain.url(), {}, {}, "digits", true);
    ASSERT_TRUE(verdict && verify::holds(*verdict)) << (verdict ? "" : verdict.error().text);
    policy = verify::pinned_policy(*verdict);
  }
  policy.models.at("digits").model.clear();
  policy.models.at("digits").manifest.clear();
  seal(verify::policy_text(policy));
  start_service();
  {
    const ServedSystem system(models(), "", {"--root", "tpm", "--keys", url_});
    ASSERT_FALSE(system.url().empty()) << system.printed();
    EXPECT_TRUE(is_served(system, "digits")) << system.printed();
  }
  const std::string audit = casemate({"keys", "audit", "--store", store()});
  EXPECT_TRUE(audit.contains("released digits/1") && audit.contains("root tpm")) << audit;
  ::unsetenv("CASEMATE_TPM");
  const ServedSystem software(models(), "", {"--root", "software", "--keys", url_});
  EXPECT_FALSE(is_served(software, "digits"));
}

TEST_F(Sealed, model_that_does_not_load_says_nothing_of_its_graph_to_anybody) {
  const std::string file = folder_ + "/odd.onnx";
  const std::string node =
      short_field(1, short_field(3, "secret_node") + short_field(4, "SecretOperator"));
  std::ofstream(file) << short_field(7, node + short_field(2, "secret_graph"));
  seal(kDevelopment, 1, file);
  const std::string said = refusal();
  EXPECT_TRUE(said.contains("the sealed model does not load")) << said;
  EXPECT_FALSE(said.contains("secret") || said.contains("SecretOperator")) << said;
  const std::string audit = casemate({"keys", "audit", "--store", store()});
  EXPECT_TRUE(audit.contains("released digits/1")) << audit;
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
    // /proc/net/stat is a folder.
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos)
      continue;
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

// False for a process that has ended, though nobody has asked yet how.
bool runs(pid_t pid) {
  const std::string stat = content_of(formatted("/proc/{}/stat", pid));
  const size_t close = stat.rfind(')');
  return close != stat.npos && close + 2 < stat.size() && stat[close + 2] != 'Z' &&
         stat[close + 2] != 'X';
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

// The same with every memory file that the process holds.
void visit_memory_files(pid_t pid, const std::function<void(std::string_view)>& visit) {
  std::error_code unseen;
  for (const auto& entry : fs::directory_iterator(formatted("/proc/{}/fd", pid), unseen)) {
    const std::string link = fs::read_symlink(entry.path(), unseen).string();
    if (link.starts_with("/memfd:")) visit(content_of(entry.path()));
  }
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
    const bool read = visit_memory(
        pid, [&](std::string_view bytes) { EXPECT_FALSE(secret(bytes)) << name << " " << pid; });
    EXPECT_TRUE(read || !runs(pid)) << name << " " << pid << " could not be looked at";
    looked_at += read ? 1 : 0;
    visit_memory_files(
        pid, [&](std::string_view bytes) { EXPECT_FALSE(secret(bytes)) << name << " " << pid; });
  }
  EXPECT_GE(looked_at, 4);  // the command, the monitor, the gateway, a partition's runtime
  for (const std::string& where : {folder_, system.folder()}) {
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (!entry.is_regular_file()) continue;
      EXPECT_FALSE(secret(content_of(entry.path()))) << entry.path();
    }
  }
}

// While it lives, whatever crashes may leave as large a core as it likes, in the folder.
class CoresAllowed final {
 public:
  explicit CoresAllowed(const std::string& folder) : folder_(folder), before_(fs::current_path()) {
    ::getrlimit(RLIMIT_CORE, &limit_);
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    const rlimit most{limit_.rlim_max, limit_.rlim_max};
    if (::setrlimit(RLIMIT_CORE, &all) != 0) ::setrlimit(RLIMIT_CORE, &most);
    fs::current_path(folder);
  }
  ~CoresAllowed() {
    std::error_code gone;
    fs::current_path(before_, gone);
    ::setrlimit(RLIMIT_CORE, &limit_);
  }
  CoresAllowed(const CoresAllowed&) = delete;

  // Why cores are not left in the folder on this machine; empty where a process that crashes there
  // has left one. Such cores are removed.
  [[nodiscard]] std::string elsewhere() const {
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    if (pattern.contains('/') || pattern.starts_with('|'))
      return formatted("the machine sends cores to '{}'", pattern);
    int status = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGSEGV, SIG_DFL);
      ::raise(SIGSEGV);
      ::_exit(0);
    }
    ::waitpid(child, &status, 0);
    const std::string core = core_in(folder_);
    if (!WCOREDUMP(status) || core.empty()) return "the machine writes no cores";
    fs::remove(core);
    return "";
  }
  // The first core in the folder.
  static std::string core_in(const std::string& folder) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::string magic(4, '\0');
      std::ifstream(entry.path(), std::ios::binary).read(magic.data(), 4);
      if (magic ==
          "\x7f"
          "ELF")
        return entry.path();
    }
    return "";
  }

 private:
  std::string folder_;
  fs::path before_;
  rlimit limit_{};
};

// Crashes it, and says how it ended.
int crashed(pid_t pid) {
  int status = 0;
  EXPECT_TRUE(hurt(pid, SIGSEGV));
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_F(Sealed, commands_of_the_owner_leave_no_core_when_they_crash) {
  seal(kDevelopment);
  const CoresAllowed allowed(folder_);
  if (const std::string why = allowed.elsewhere(); !why.empty())
    GTEST_SKIP() << why << ", and this test looks for them beside the process";
  start_service();
  const int service = crashed(service_);
  service_ = -1;
  EXPECT_TRUE(WIFSIGNALED(service) && WTERMSIG(service) == SIGSEGV);
  EXPECT_FALSE(WCOREDUMP(service)) << "keys serve";
  // Sealing waits with key and weights until the store can be written to.
  auto database = keys::Database::open(fs::canonical(store()).string());
  ASSERT_TRUE(database) << database.error().text;
  const auto writing = keys::Transaction::begin(*database);
  ASSERT_TRUE(writing) << writing.error().text;
  const pid_t sealing =
      start_casemate({"seal", plain_model(), "-o", folder_ + "/later.sealed", "--model", "digits",
                      "--version", "2", "--store", store(), "--policy", folder_ + "/policy.json"},
                     folder_ + "/printed");
  const auto growing = [&] {
    return std::ranges::any_of(fs::directory_iterator(folder_), [](const auto& entry) {
      return entry.path().filename().string().starts_with(".casemate-");
    });
  };
  Patience patience(std::chrono::seconds(20));
  while (!growing() && runs(sealing) && !patience.over())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(growing()) << content_of(folder_ + "/printed");
  const int seal = crashed(sealing);
  EXPECT_TRUE(WIFSIGNALED(seal) && WTERMSIG(seal) == SIGSEGV) << content_of(folder_ + "/printed");
  EXPECT_FALSE(WCOREDUMP(seal)) << "seal";
  EXPECT_EQ(CoresAllowed::core_in(folder_), "");
}

// What the kernel lets a core of the process have at most.
std::string core_limit(pid_t pid) {
  std::ifstream limits(formatted("/proc/{}/limits", pid));
  std::string line;
  while (std::getline(limits, line)) {
    constexpr std::string_view kCore = "Max core file size";
    if (!line.starts_with(kCore)) continue;
    const size_t begin = line.find_first_not_of(' ', kCore.size());
    return line.substr(begin, line.find(' ', begin) - begin);
  }
  return "unknown";
}

// A signal does not crash them: each is the first of its PID namespace, and the kernel keeps all
// but SIGKILL from that. So what is looked at is what the kernel would allow.
TEST_F(Sealed, model_and_its_template_may_leave_no_core) {
  seal(kDevelopment);
  const CoresAllowed allowed(folder_);
  start_service();
  const ServedSystem system(models(), "", {"--keys", url_});
  ASSERT_FALSE(system.url().empty()) << system.printed();
  Witness witness(system.url());
  EXPECT_TRUE(witness.answered_again()) << system.printed();
  EXPECT_EQ(witness.stop(), "");
  int enclaves = 0;
  for (const auto& [name, pid] : family_of(system.pid())) {
    if (!name.contains("model")) continue;
    // Wherever this machine would put it.
    EXPECT_EQ(core_limit(pid), "0") << name << " " << pid;
    ++enclaves;
  }
  EXPECT_GE(enclaves, 2) << "an instance and its template";
  EXPECT_NE(core_limit(::getpid()), "0") << "where none is allowed, this shows nothing";
}

}  // namespace
}  // namespace casemate::tests
