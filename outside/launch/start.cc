// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/start.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/format.h"
#include "base/memory_file.h"
#include "outside/certify/development_pki.h"
#include "outside/launch/listen.h"
#include "outside/launch/private_folder.h"
#include "outside/launch/programs.h"
#include "wire/evidence/evidence.h"

namespace casemate::launch {
namespace {

Result<Fd> seal_description(const SystemDescription& description) {
  Fd fd = TRY(make_memory_file("system"));
  if (::write(fd.number(), &description, sizeof description) !=
          static_cast<ssize_t>(sizeof description) ||
      ::fcntl(fd.number(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
          0) {
    return errno_error("sealing the system description");
  }
  return fd;
}

Result<Fd> listen_for_operator(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{
        Code::kInvalid,
        formatted("{}: the path is too long for a socket; set CASEMATE_RUN to a shorter folder",
                  path)};
  path.copy(address.sun_path, path.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() ||
      ::bind(fd.number(), static_cast<const sockaddr*>(static_cast<const void*>(&address)),
             sizeof address) != 0 ||
      ::listen(fd.number(), 16) != 0) {
    return errno_error(formatted("listening on {}", path));
  }
  return fd;
}

// As the monitor takes it: whatever is not hardware's.
bool rooted_in_software(const SystemDescription& description) {
  const auto root = static_cast<RootKind>(description.root);
  return root != RootKind::kTpm && root != RootKind::kTsm && root != RootKind::kGramine;
}

[[noreturn]] void become_monitor(const std::string& program, const std::string& state,
                                 const std::string& run, pid_t command, const Fd& description,
                                 const Fd& operators, const Fd& listener, const Outputs& outputs) {
  // Away from 3..5 first, so that no source is overwritten.
  const int from[] = {
      ::fcntl(description.number(), F_DUPFD, 50), ::fcntl(operators.number(), F_DUPFD, 50),
      ::fcntl(listener.number(), F_DUPFD, 50),
      ::fcntl(outputs.enclaves >= 0 ? outputs.enclaves : STDERR_FILENO, F_DUPFD, 50)};
  if (outputs.monitor >= 0) ::dup2(outputs.monitor, STDERR_FILENO);
  for (int i = 0; i < 4; ++i) ::dup2(from[i], 3 + i);
  ::close_range(7, ~0u, 0);
  // A terminal's Ctrl-C goes to the command, which asks the monitor to stop; not to both at once.
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Who died before that was asked for sends nothing.
  if (::getppid() != command) ::_exit(1);
  ::execl(program.c_str(), "casemate-monitor", state.c_str(), run.c_str(), nullptr);
  ::dprintf(STDERR_FILENO, "casemate: %s: cannot be run (%s); build it with ./dev build\n",
            program.c_str(), ::strerror(errno));
  ::_exit(127);
}

}  // namespace

Result<std::string> state_folder() {
  const char* chosen = std::getenv("CASEMATE_STATE");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder =
      chosen != nullptr ? chosen
                        : formatted("{}/.local/state/casemate", home != nullptr ? home : "/root");
  if (!folder.has_filename()) folder = folder.parent_path();  // a slash at its end
  std::error_code ignored;  // what could not be made is told below
  std::filesystem::create_directories(folder.parent_path(), ignored);
  TRY(make_private_folder(folder.string(), "CASEMATE_STATE"));
  return folder.string();
}

Result<RunningSystem> RunningSystem::start(const SystemDescription& description,
                                           const GatewaySettings& gateway,
                                           const std::string& programs, const Outputs& outputs) {
  const Fd listener = TRY(listen_on(gateway.listen));
  auto system = TRY(start(description, listener, programs, outputs));
  system.address_ = TRY(address_of(listener));
  return system;
}

Result<RunningSystem> RunningSystem::start(const SystemDescription& description, const Fd& listener,
                                           const std::string& programs, const Outputs& outputs) {
  const std::string program = programs + "/casemate-monitor";
  TRY(check_program(program));
  const std::string state = TRY(state_folder());
  if (rooted_in_software(description))
    TRY(certify::install_development_pki(state, system_random()));
  RunningSystem system(TRY(RunPlace::make(TRY(run_folder()))));
  system.socket_ = system.place_.socket();
  const Fd sealed = TRY(seal_description(description));
  const Fd operators = TRY(listen_for_operator(system.socket_));
  const std::string images = system.place_.images();
  const pid_t command = ::getpid();
  system.monitor_ = ::fork();
  if (system.monitor_ < 0) return errno_error("starting the monitor");
  if (system.monitor_ == 0)
    become_monitor(program, state, images, command, sealed, operators, listener, outputs);
  return system;
}

RunningSystem::RunningSystem(RunningSystem&& other) noexcept
    : monitor_(std::exchange(other.monitor_, -1)),
      place_(std::move(other.place_)),
      socket_(std::move(other.socket_)),
      address_(std::move(other.address_)) {}

RunningSystem::~RunningSystem() { static_cast<void>(stop()); }

bool RunningSystem::ends_within(Duration patience) const {
  const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, monitor_, 0)));
  pollfd waiting{handle.number(), POLLIN, 0};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  return handle.valid() && ::poll(&waiting, 1, static_cast<int>(ms)) == 1;
}

Status RunningSystem::stop() {
  if (monitor_ <= 0) return {};
  ::kill(monitor_, SIGTERM);
  const bool ended = ends_within(kStopPatience);
  // Whatever it has started ends with it.
  if (!ended) ::kill(monitor_, SIGKILL);
  collect();
  if (ended) return {};
  return Error{Code::kPlatform,
               formatted("the monitor did not stop within {} s of being told to, and was killed "
                         "with all that it had started",
                         std::chrono::seconds(kStopPatience).count())};
}

int RunningSystem::collect() {
  int status = 0;
  while (monitor_ > 0 && ::waitpid(monitor_, &status, 0) < 0 && errno == EINTR) {
  }
  monitor_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

}  // namespace casemate::launch
