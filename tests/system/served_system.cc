// SPDX-License-Identifier: Apache-2.0
#include "tests/system/served_system.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/format.h"
#include "outside/client/classes.h"
#include "outside/client/file.h"
#include "outside/client/image.h"
#include "outside/client/session.h"
#include "tests/system/small_system.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::string_view kServing = "serving on ";
constexpr std::string_view kUrl = "\"url\":\"";
// The last line that is printed before it waits.
constexpr std::string_view kStarted = "\nwatch:";
constexpr milliseconds kStartPatience{100'000};
constexpr milliseconds kAnswerPatience{20'000};

[[noreturn]] void become_serve(const std::vector<std::string>& arguments,
                               const std::string& folder) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setenv("CASEMATE_RUN", (folder + "/run").c_str(), 1);
  ::setenv("CASEMATE_STATE", (folder + "/state").c_str(), 1);
  const int log = ::open((folder + "/printed").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  ::_exit(127);
}

// The picture of that digit as the model takes it.
Result<client::Tensor> picture_of(int digit, const client::ModelMetadata& model) {
  const std::string path = formatted("{}/models/pictures/digit-{}.png", source_folder(), digit);
  const auto picture = TRY(client::read_png(TRY(client::read_file(path, 1 << 20))));
  const client::Port& input = model.inputs.at(0);
  return client::to_tensor(picture, TRY(client::recipe_for(input, model.properties)), input);
}

}  // namespace

std::string source_folder() {
  const char* source = std::getenv("CASEMATE_SOURCE");
  return source != nullptr ? source : build_folder() + "/../..";
}

ServedSystem::ServedSystem(const std::string& models, const std::string& system_file,
                           const std::vector<std::string>& more, const std::string& programs) {
  std::string scratch = "/tmp/casemate-test-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return;
  folder_ = scratch;
  fs::create_directory(folder_ + "/run");
  fs::permissions(folder_ + "/run", fs::perms::owner_all);
  std::ofstream(folder_ + "/system.toml") << system_file;
  const std::string folder = programs.empty() ? build_folder() + "/bin" : programs;
  std::vector<std::string> arguments = {
      folder + "/casemate", "serve", "--config", folder_ + "/system.toml",
      "--models",           models,  "--listen", "127.0.0.1:0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  start(arguments);
}

void ServedSystem::start(const std::vector<std::string>& arguments) {
  pid_ = ::fork();
  if (pid_ == 0) become_serve(arguments, folder_);
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string text = printed();
    if (const size_t at = text.find(kServing); text.contains(kStarted) && at != text.npos) {
      const size_t begin = at + kServing.size();
      url_ = text.substr(begin, text.find('\n', begin) - begin);
      return;
    }
    // With --log json.
    if (const size_t at = text.find(kUrl); at != text.npos) {
      const size_t begin = at + kUrl.size();
      url_ = text.substr(begin, text.find('"', begin) - begin);
      return;
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

ServedSystem::~ServedSystem() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

uint16_t ServedSystem::port() const {
  uint16_t port = 0;
  const size_t colon = url_.rfind(':') + 1;
  std::from_chars(url_.data() + colon, url_.data() + url_.size(), port);
  return port;
}

std::string ServedSystem::printed() const {
  std::ifstream file(folder_ + "/printed");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Result<std::unique_ptr<operating::Reply>> ServedSystem::status() const {
  return launch::ask(formatted("{}/run/{}/operator", folder_, pid_), operating::Command::kStatus);
}

Status Witness::ask_for_digits() {
  verify::Policy policy;
  policy.allow_software_root = true;
  auto session = TRY(client::Session::connect(url_, policy));
  const auto model = TRY(session.metadata("digits"));
  std::vector<client::Tensor> pictures;
  for (int digit = 0; digit < 10; ++digit) pictures.push_back(TRY(picture_of(digit, model)));
  for (size_t digit = 0; !stopping_; digit = (digit + 1) % pictures.size()) {
    const auto outputs = TRY(session.infer("digits", std::span(&pictures[digit], 1)));
    const auto best = TRY(client::top_classes(outputs.at(0), {}, 1));
    if (best.at(0).index != digit)
      return Error{Code::kInvalid, formatted("{} was read as {}", digit, best[0].index)};
    ++right_;
  }
  return {};
}

void Witness::run() {
  if (const Status asked = ask_for_digits(); !asked) {
    failure_ = asked.error().text;
    failed_ = true;
  }
}

bool Witness::answered_again() const {
  const uint64_t before = right_;
  const auto deadline = std::chrono::steady_clock::now() + kAnswerPatience;
  while (right_ == before && !failed_ && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(milliseconds(1));
  return right_ > before;
}

std::string Witness::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return failure_;
}

}  // namespace casemate::tests
