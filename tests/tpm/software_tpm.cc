// SPDX-License-Identifier: Apache-2.0
#include "tests/tpm/software_tpm.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::tests {
namespace {

namespace fs = std::filesystem;

// The child's number; it and what it starts are a group, which does not outlive us.
pid_t spawn(const std::vector<std::string>& command, const std::string& folder, int output) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Result<std::string> run(const std::vector<std::string>& command, const std::string& folder) {
  const std::string log = folder + "/output";
  const Fd out(::open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  const pid_t child = spawn(command, folder, out.number());
  int status = -1;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return Error{Code::kNotFound, command[0] + " is not installed"};
  if (status != 0)
    return Error{Code::kPlatform, formatted("{} failed: {}", command[0], content(log))};
  return content(log);
}

bool answers(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::ranges::copy(path, address.sun_path);
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const void* any = &address;
  return ::connect(fd.number(), static_cast<const sockaddr*>(any), sizeof address) == 0;
}

}  // namespace

bool SoftwareTpm::installed() {
  return fs::exists("/usr/bin/swtpm") && fs::exists("/usr/bin/swtpm_setup") &&
         fs::exists("/usr/bin/tpm2_getcap");
}

Result<SoftwareTpm> SoftwareTpm::make(bool manufactured, const std::string& banks) {
  ::signal(SIGPIPE, SIG_IGN);  // as the monitor does: a TPM that is gone is an error
  std::string folder = "/tmp/casemate-tpm-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return errno_error("making a folder");
  SoftwareTpm made(folder);
  if (manufactured || !banks.empty()) TRY(made.manufacture(banks));
  TRY(made.start());
  return made;
}

SoftwareTpm::SoftwareTpm(SoftwareTpm&& other) noexcept
    : folder_(std::exchange(other.folder_, "")), pid_(std::exchange(other.pid_, -1)) {}

SoftwareTpm::~SoftwareTpm() {
  stop();
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

Status SoftwareTpm::manufacture(const std::string& banks) const {
  std::ofstream(folder_ + "/localca.conf") << formatted(
      "statedir = {0}\nsigningkey = {0}/signkey.pem\nissuercert = {0}/issuercert.pem\n"
      "certserial = {0}/certserial\n",
      folder_);
  std::ofstream(folder_ + "/options") << "--platform-manufacturer Casemate\n"
                                         "--platform-version 1\n--platform-model test\n";
  std::ofstream(folder_ + "/setup.conf") << formatted(
      "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {0}/localca.conf\n"
      "create_certs_tool_options = {0}/options\n",
      folder_);
  std::vector<std::string> command{
      "swtpm_setup",           "--tpm2",           "--tpm-state", folder_, "--config",
      folder_ + "/setup.conf", "--create-ek-cert", "--pcr-banks"};
  command.push_back(banks.empty() ? "sha256,sha384" : banks);
  TRY(run(command, folder_));
  return {};
}

Status SoftwareTpm::start() {
  const Fd out(::open((folder_ + "/log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
  fs::remove(socket());
  pid_ = spawn({"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + folder_, "--server",
                "type=unixio,path=" + socket(), "--ctrl", "type=unixio,path=" + socket() + ".ctrl",
                "--flags", "not-need-init,startup-clear"},
               folder_, out.number());
  for (int i = 0; i < 6000; ++i) {
    if (answers(socket())) return {};
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return Error{Code::kNotFound, "swtpm is not installed"};
      return Error{Code::kPlatform, "swtpm ended: " + content(folder_ + "/log")};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Error{Code::kTimedOut, "swtpm does not listen"};
}

void SoftwareTpm::stop() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // if it has not become a group yet
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}

Status SoftwareTpm::restart() {
  // Its state is written when something in it changes: a kill is a power failure.
  stop();
  return start();
}

Result<std::string> SoftwareTpm::tool(std::vector<std::string> command, bool alone) const {
  if (!alone) command.insert(command.begin() + 1, {"-T", "swtpm:path=" + socket()});
  return run(command, folder_);
}

}  // namespace casemate::tests
